"""What many publishes of one table cost with maintenance every so often: `make bench-maintain`; CSV and a plot, nothing asserted."""

import csv
import os
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from jobs import iceberg
from lake import paths
from lake.settings import HOME
from tests.spark.conftest import Lab
from tests.spark.test_maintain import publish

pytestmark = pytest.mark.bench
TABLE = "trusted.many_times"
PUBLISHES = int(os.environ.get("BENCH_PUBLISHES", "720"))
EVERY = int(os.environ.get("BENCH_EVERY", "24"))
#: Readers' time, shortened as the five minutes between two publishes are: what was replaced 72 publishes ago may go.
HOURS = float(os.environ.get("BENCH_HOURS", "0.012"))
FOLDER = Path(os.environ.get("BENCH_FOLDER", HOME / ".lake" / "bench"))
MEASURES = {
    "files": "data files of the table as it is",
    "objects": "objects in its folder",
    "metadata_kb": "kB of its metadata file",
    "planning_ms": "ms to plan a scan",
    "publish_ms": "ms of a publish",
}
Row = dict[str, float]


def measured(lab: Lab, publish_ms: float) -> Row:
    table: Any = iceberg.load(lab.spark, TABLE)
    location = lab.objects.key(iceberg.metadata_location(lab.spark, TABLE))
    took = []
    for _ in range(3):
        began = time.perf_counter()
        lab.spark.table(f"lake.{TABLE}")._jdf.rdd().getNumPartitions()
        took.append((time.perf_counter() - began) * 1000)
    return {
        "files": int(table.currentSnapshot().summary().get("total-data-files")),
        "objects": sum(1 for _ in lab.objects.list(paths.table_folders(TABLE))),
        "metadata_kb": (lab.objects.bytes_of(location) or 0) / 1000,
        "planning_ms": statistics.median(took),
        "publish_ms": publish_ms,
    }


def plot(rows: list[Row]) -> str:
    """One panel per measure over the number of publishes, as SVG."""
    width, height, gap = 640, 90, 34
    panels = []
    for place, (name, meaning) in enumerate(MEASURES.items()):
        values, top = [row[name] for row in rows], place * (height + gap) + gap
        most = max(values)
        points = " ".join(
            f"{10 + n * width / max(1, len(values) - 1):.1f},{top + height - value / most * height:.1f}"
            for n, value in enumerate(values)
        )
        panels.append(
            f'<text x="10" y="{top - 6}">{meaning} (at most {most:,.0f})</text>'
            f'<rect x="10" y="{top}" width="{width}" height="{height}" fill="none" stroke="#cccccc"/>'
            f'<polyline points="{points}" fill="none" stroke="#1f6fb2"/>'
        )
    total = len(MEASURES) * (height + gap) + gap
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 20} {total}" font-family="sans-serif" font-size="12">'
    )
    foot = f'<text x="10" y="{total - 12}">{len(rows)} publishes, maintenance every {EVERY}</text></svg>'
    return "\n".join([head, f'<rect width="{width + 20}" height="{total}" fill="white"/>', *panels, foot]) + "\n"


def kept(rows: list[Row]) -> None:
    """What was measured so far, as CSV and plot."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "maintain.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["publish", *MEASURES])
        writer.writeheader()
        writer.writerows({"publish": n, **{k: round(v, 1) for k, v in row.items()}} for n, row in enumerate(rows, 1))
    (FOLDER / "maintain.svg").write_text(plot(rows))


def told(rows: list[Row], maintained: list[float]) -> None:
    """First and last quarter beside each other."""
    quarter = max(1, len(rows) // 4)
    print(f"\n{'median of':<36}{'first quarter':>14}{'last quarter':>14}{'most':>8}")
    for name, meaning in MEASURES.items():
        first, last = ([row[name] for row in some] for some in (rows[:quarter], rows[-quarter:]))
        most = max(row[name] for row in rows)
        print(f"{meaning:<36}{statistics.median(first):>14,.0f}{statistics.median(last):>14,.0f}{most:>8,.0f}")
    if maintained:
        print(f"{'s of a maintenance, first and last':<36}{maintained[0]:>14.1f}{maintained[-1]:>14.1f}{max(maintained):>8.1f}")


def test_many_publishes_of_one_table(lab: Lab) -> None:
    rows: list[Row] = []
    maintained = []
    for number in range(1, PUBLISHES + 1):
        began = time.perf_counter()
        publish(lab, TABLE, number)
        rows.append(measured(lab, (time.perf_counter() - began) * 1000))
        if EVERY and number % EVERY == 0:
            began = time.perf_counter()
            assert lab.maintain(TABLE, hours=HOURS)[TABLE]["outcome"] == "maintained"
            maintained.append(time.perf_counter() - began)
            kept(rows)
    assert lab.spark.table(f"lake.{TABLE}").count() == PUBLISHES
    kept(rows)
    told(rows, maintained)
