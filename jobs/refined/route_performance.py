"""How punctual and how fast each route is."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def route_performance(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """One row per origin and destination: every flight counts once, whether the list has its airport or not.

    airport_name null where it has not; flights bigint; mean_arr_delay double in minutes over the flights that arrived
    (sum divided once); mean_speed double in miles per hour: all miles divided by all hours in the air.
    """
    flown = F.when(F.col("air_time").isNotNull(), F.col("distance"))
    by_route = flights.groupBy("origin", "dest").agg(
        F.count("*").alias("flights"),
        F.try_divide(F.sum("arr_delay"), F.count("arr_delay")).alias("mean_arr_delay"),
        F.try_divide(F.sum(flown) * 60, F.sum("air_time")).alias("mean_speed"),
    )
    names = airports.select(F.col("faa").alias("dest"), F.col("name").alias("airport_name"))
    return by_route.join(names, "dest", how="left").select(
        "origin", "dest", "airport_name", "flights", "mean_arr_delay", "mean_speed"
    )
