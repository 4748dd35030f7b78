"""What each customer bought."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def customer_value(customers: DataFrame, users: DataFrame, carts: DataFrame, products: DataFrame) -> DataFrame:
    """One row per customer of the shop's database, with or without carts.

    name from the database, city from the API (null where the API has no such user), carts and units bigint, revenue
    decimal in USD (units x today's price), first_cart_at and last_cart_at timestamp, null without carts.
    """
    prices = products.select(F.col("id").alias("product_id"), "price")
    bought = (
        carts.join(prices, "product_id", how="left")
        .groupBy(F.col("user_id").alias("customer_id"))
        .agg(
            F.count_distinct("cart_id").alias("carts"),
            F.sum("quantity").alias("units"),
            F.sum(F.col("quantity") * F.col("price")).alias("revenue"),
            F.min("carted_at").alias("first_cart_at"),
            F.max("carted_at").alias("last_cart_at"),
        )
    )
    cities = users.select(F.col("id").alias("customer_id"), "city")
    return (
        customers.join(cities, "customer_id", how="left")
        .join(bought, "customer_id", how="left")
        .select(
            "customer_id",
            "name",
            "city",
            F.coalesce("carts", F.lit(0)).cast("bigint").alias("carts"),
            F.coalesce("units", F.lit(0)).cast("bigint").alias("units"),
            F.coalesce("revenue", F.lit(0)).cast("decimal(20,2)").alias("revenue"),
            "first_cart_at",
            "last_cart_at",
        )
    )
