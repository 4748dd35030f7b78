"""What was sold of each product."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def product_sales(products: DataFrame, carts: DataFrame) -> DataFrame:
    """One row per product, sold or not: units, carts and buyers bigint, revenue decimal in USD (units x today's price)."""
    sales = (
        carts.where("line > 0")
        .groupBy(F.col("product_id").alias("id"))
        .agg(
            F.sum("quantity").alias("units"),
            F.count_distinct("cart_id").alias("carts"),
            F.count_distinct("user_id").alias("buyers"),
        )
    )
    units = F.coalesce("units", F.lit(0))
    return products.join(sales, "id", how="left").select(
        F.col("id").alias("product_id"),
        "title",
        "category",
        units.cast("bigint").alias("units"),
        (units * F.col("price")).cast("decimal(20,2)").alias("revenue"),
        F.coalesce("carts", F.lit(0)).cast("bigint").alias("carts"),
        F.coalesce("buyers", F.lit(0)).cast("bigint").alias("buyers"),
    )
