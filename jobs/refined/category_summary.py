"""The catalogue by category."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def category_summary(products: DataFrame) -> DataFrame:
    """One row per category: avg_price double in USD (decimal sum divided once), products_quant bigint."""
    mean = F.sum("price").cast("double") / F.count("id")
    return products.groupBy("category").agg(mean.alias("avg_price"), F.count("id").alias("products_quant"))
