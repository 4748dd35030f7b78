"""Delays hour by hour, beside the weather of the hour."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def hourly_delays(flights: DataFrame, weather: DataFrame) -> DataFrame:
    """One row per origin and hour of scheduled departures: every flight counts once, with or without a weather reading.

    flights and cancelled bigint; mean_dep_delay double in minutes over the flights that left (sum divided once), null
    when none did; the weather of that airport and hour, null where there was no reading.
    """
    keys = ["month_on", "origin", "time_hour"]
    by_hour = flights.groupBy(*keys).agg(
        F.count("*").alias("flights"),
        F.count(F.when(F.col("dep_time").isNull(), 1)).alias("cancelled"),
        F.try_divide(F.sum("dep_delay"), F.count("dep_delay")).alias("mean_dep_delay"),
    )
    read = weather.select(*keys, "temp", "wind_speed", "precip", "pressure", "visib")
    return by_hour.join(read, keys, how="left").select(
        "month_on",
        "origin",
        F.col("time_hour").alias("hour_at"),
        "flights",
        "cancelled",
        "mean_dep_delay",
        "temp",
        "wind_speed",
        "precip",
        "pressure",
        "visib",
    )
