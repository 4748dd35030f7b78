"""How punctual each airline is."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

LATE_MINUTES = 15


def carrier_performance(flights: DataFrame, airlines: DataFrame, planes: DataFrame) -> DataFrame:
    """One row per airline that has flights: every flight counts once, whether its plane is registered or not.

    flights, cancelled and flights_without_plane bigint; mean_dep_delay (sum of minutes divided once) and
    median_dep_delay (exact, of both middle ones their mean) double in minutes over the flights that departed;
    share_over_15 double, 0 to 1, of those that departed more than 15 minutes late.
    """
    registered = planes.select("tailnum", F.lit(True).alias("is_registered"))
    departed = F.count("dep_delay")
    by_carrier = (
        flights.join(registered, "tailnum", how="left")
        .groupBy("carrier")
        .agg(
            F.count("*").alias("flights"),
            F.count(F.when(F.col("dep_time").isNull(), 1)).alias("cancelled"),
            F.count(F.when(F.col("is_registered").isNull(), 1)).alias("flights_without_plane"),
            F.try_divide(F.sum("dep_delay"), departed).alias("mean_dep_delay"),
            F.percentile("dep_delay", 0.5).alias("median_dep_delay"),
            F.try_divide(F.count(F.when(F.col("dep_delay") > LATE_MINUTES, 1)), departed).alias("share_over_15"),
        )
    )
    return by_carrier.join(airlines, "carrier", how="left").select(
        "carrier",
        "name",
        "flights",
        "cancelled",
        "flights_without_plane",
        "mean_dep_delay",
        "median_dep_delay",
        "share_over_15",
    )
