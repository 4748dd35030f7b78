"""A table as large as the flights of 2013 from New York, made up: 336,776 rows of 19 columns, keyed by hour, carrier and flight."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 336_776
HOURS = 8760
CARRIERS = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"]
ORIGINS = ["EWR", "JFK", "LGA"]
NUMBERS = (
    "year",
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "sched_arr_time",
    "arr_delay",
    "flight",
)
DECLARATION = """
name: flights
description: One row per flight.
kind: files
format: parquet
url: file://{path}
load: snapshot
key: [time_hour, carrier, flight]
columns: {{{columns}, time_hour: timestamp}}
"""


def flights_source(folder: Path) -> str:
    """The declaration of the table's source; its file is written into the folder."""
    table = flights()
    path = folder / "flights.parquet"
    pq.write_table(table, path)
    types = {
        field.name: "string" if pa.types.is_string(field.type) else "int" for field in table.schema if field.name != "time_hour"
    }
    return DECLARATION.format(path=path, columns=", ".join(f"{name}: {type_}" for name, type_ in types.items()))


def flights() -> pa.Table:
    """The rows, in no order."""
    random = np.random.default_rng(2013)
    place = random.permutation(ROWS)
    hour, within = place % HOURS, place // HOURS
    first = np.datetime64(datetime(2013, 1, 1, 5, tzinfo=UTC).replace(tzinfo=None), "s")
    at = first + hour.astype("timedelta64[h]")
    months = at.astype("datetime64[M]")
    columns: dict[str, object] = {name: random.integers(0, 2400, ROWS) for name in NUMBERS}
    columns |= {
        "year": at.astype("datetime64[Y]").astype(int) + 1970,
        "month": months.astype(int) % 12 + 1,
        "day": (at.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int) + 1,
        "dep_delay": random.integers(-20, 300, ROWS),
        "flight": 1 + within * 200 + random.integers(0, 200, ROWS),
        "carrier": np.array(CARRIERS)[random.integers(0, len(CARRIERS), ROWS)],
        "tailnum": [f"N{number:05d}" for number in random.integers(1, 4043, ROWS)],
        "origin": np.array(ORIGINS)[random.integers(0, 3, ROWS)],
        "dest": [f"D{number:02d}" for number in random.integers(0, 100, ROWS)],
        "air_time": random.integers(20, 700, ROWS),
        "distance": random.integers(80, 4983, ROWS),
        "hour": hour % 24,
        "minute": random.integers(0, 60, ROWS),
        "time_hour": pa.array(at.astype("datetime64[us]"), pa.timestamp("us", "UTC")),
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()})
