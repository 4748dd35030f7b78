"""Thousands of series in one table: the first build, and builds with one new point each; `make bench-anomaly`, nothing asserted."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F
from ulid import ULID

from jobs.audit import Auditor
from jobs.gate import Gate
from jobs.publications import Draft
from jobs.series.building import SeriesBuild
from lake.planning import Wanted
from lake.series import SeriesModel, series_table
from store.leases import held
from tests.spark.conftest import Lab

pytestmark = pytest.mark.bench
INPUT, POINTS = "trusted.bench_points", int(os.environ.get("BENCH_POINTS", "600"))
SERIES = int(os.environ.get("BENCH_SERIES", "2000"))
DECLARED = {
    "kind": "series",
    "description": "One row per sensor and minute.",
    "input": "bench_points",
    "entity": {"sensor": "int"},
    "time": "at",
    "values": {"celsius": {"unit": "degrees"}},
    "period": "1 hour",
}


def grown(lab: Lab, first: int, end: int) -> dict[str, Any]:
    """The input with the points from `first` to `end` of every series published; where it stands."""
    number, at = F.col("number"), F.timestamp_seconds(F.lit(1_600_000_000) + F.col("number") * 60)
    noise = F.abs(F.xxhash64("sensor", "number")) % 1000 / 1000
    celsius = F.lit(20.0) + 5 * F.sin(number / 60 * 6.2832 + F.col("sensor")) + noise
    sensors = lab.spark.range(SERIES).select(F.col("id").cast("int").alias("sensor"))
    rows = sensors.crossJoin(lab.spark.range(first, end).toDF("number")).select(
        "sensor", at.alias("at"), celsius.alias("celsius")
    )
    run = str(ULID())
    with held(lab.objects, f"table/{INPUT}", run) as lease:
        made = lab.tables.publish(Draft(INPUT, run, rows.schema), lease, lambda target: lab.tables.add(target, rows))
    return {INPUT: {"number": made.number, "snapshot": made.snapshot}}


def cpu_seconds() -> float:
    """Processor time so far of this process and all below it: Spark and its Python workers."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)], spent[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ours, found = {os.getpid()}, 0
    while len(ours) > found:
        found = len(ours)
        ours |= {each for each, parent in parents.items() if parent in ours}
    return sum(spent.get(each, 0) for each in ours) / os.sysconf("SC_CLK_TCK")


def built(lab: Lab, pins: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Seconds of a build, of them on a processor, and what it did."""
    table = series_table("bench_series", SeriesModel.model_validate(DECLARED), "code")
    assert table.series is not None
    run = str(ULID())
    auditor = Auditor(Gate(run, lambda _: None), lab.tables.read, frozenset())
    with held(lab.objects, f"table/{table.table}", run) as lease:
        wanted, published = Wanted(table.declaration, table.code, pins), lab.tables.publications(table.table)
        began, cpu = time.perf_counter(), cpu_seconds()
        _, told = SeriesBuild(lab.tables, auditor, table, table.series, wanted, published, not published, lease).publish(run)
        return time.perf_counter() - began, cpu_seconds() - cpu, told


def test_thousands_of_series(lab: Lab) -> None:
    said("first build", *built(lab, grown(lab, 0, POINTS)))
    for number in range(POINTS, POINTS + 3):
        said("one new point", *built(lab, grown(lab, number, number + 1)))


def said(name: str, took: float, cpu: float, told: dict[str, Any]) -> None:
    counts = f"{told['series']:>6,} series  {told['points']:>9,} points  {told['refits']:>6,} refits"
    print(f"\n{name:<14}{counts}  {took:6.1f} s ({cpu:.1f} s CPU), {took / told['points'] * 1000:.3f} ms a point", end="")
