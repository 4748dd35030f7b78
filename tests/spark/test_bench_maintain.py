"""What many publishes of one table cost with maintenance every so often, and what they cost without: `make bench-maintain`.

CSV and a plot, nothing asserted.
"""

import csv
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs import iceberg
from lake import paths
from lake.settings import HOME
from tests.spark.conftest import Lab
from tests.spark.test_maintain import publish

pytestmark = pytest.mark.bench
PUBLISHES = int(os.environ.get("BENCH_PUBLISHES", "720"))
EVERY = int(os.environ.get("BENCH_EVERY", "24"))
#: Measured after every fourth, so that most of the time goes into publishes.
STEP = 4
#: Of the table without maintenance.
CONTROL = int(os.environ.get("BENCH_CONTROL", PUBLISHES))
#: Readers' time, shortened as the five minutes between two publishes are: what was replaced some 72 publishes ago may go.
HOURS = float(os.environ.get("BENCH_HOURS", "0.04"))
FOLDER = Path(os.environ.get("BENCH_FOLDER", HOME / ".lake" / "bench"))
MEASURES = {
    "files": "data files of the table as it is",
    "objects": "objects in its folder",
    "metadata_kb": "kB of its metadata file",
    "planning_ms": "ms to plan a scan",
    "publish_ms": "ms of a publish",
}
Row = dict[str, float]


@dataclass
class Series:
    """A table that is published over and over, and what each publish left behind."""

    table: str
    name: str
    colour: str
    rows: list[Row] = field(default_factory=list)
    maintained: list[float] = field(default_factory=list)

    def publish(self, lab: Lab, number: int) -> None:
        """One more publish."""
        began = time.perf_counter()
        publish(lab, self.table, number)
        took = (time.perf_counter() - began) * 1000
        if number % STEP == 0:
            self.rows.append({"publish": number, **measured(lab, self.table, took)})

    def maintain(self, lab: Lab) -> None:
        """Upkeep, timed."""
        began = time.perf_counter()
        assert lab.maintain(self.table, hours=HOURS)[self.table]["outcome"] == "maintained"
        self.maintained.append(time.perf_counter() - began)


def measured(lab: Lab, name: str, publish_ms: float) -> Row:
    table: Any = iceberg.load(lab.spark, name)
    location = lab.objects.key(iceberg.metadata_location(lab.spark, name))
    took = []
    for _ in range(3):
        began = time.perf_counter()
        lab.spark.table(f"lake.{name}")._jdf.rdd().getNumPartitions()
        took.append((time.perf_counter() - began) * 1000)
    return {
        "files": int(table.currentSnapshot().summary().get("total-data-files")),
        "objects": sum(1 for _ in lab.objects.list(paths.table_folders(name))),
        "metadata_kb": (lab.objects.bytes_of(location) or 0) / 1000,
        "planning_ms": statistics.median(took),
        "publish_ms": publish_ms,
    }


def plot(series: list[Series]) -> str:
    """One panel per measure over the number of publishes, a line per series, as SVG."""
    width, height, gap, legend = 640, 90, 34, 26
    last = max(row["publish"] for each in series for row in each.rows)
    panels = []
    for place, (name, meaning) in enumerate(MEASURES.items()):
        top = legend + place * (height + gap) + gap
        most = max(row[name] for each in series for row in each.rows)
        panels.append(f'<text x="10" y="{top - 6}">{meaning} (at most {most:,.0f})</text>')
        panels.append(f'<rect x="10" y="{top}" width="{width}" height="{height}" fill="none" stroke="#cccccc"/>')
        for each in series:
            points = " ".join(
                f"{10 + row['publish'] * width / last:.1f},{top + height - row[name] / most * height:.1f}" for row in each.rows
            )
            panels.append(f'<polyline points="{points}" fill="none" stroke="{each.colour}"/>')
    total = legend + len(MEASURES) * (height + gap) + gap
    names = [
        f'<text x="{10 + n * 320}" y="20" fill="{each.colour}">&#9632; {each.name}: {each.rows[-1]["publish"]:.0f} publishes</text>'
        for n, each in enumerate(series)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 20} {total}" font-family="sans-serif" font-size="12">'
    )
    foot = f'<text x="10" y="{total - 12}">two tables, published in turn: 1 to {last:.0f}</text></svg>'
    return "\n".join([head, f'<rect width="{width + 20}" height="{total}" fill="white"/>', *names, *panels, foot]) + "\n"


def kept(series: list[Series]) -> None:
    """What was measured so far, as CSV and plot; nothing before the first measure."""
    if not all(each.rows for each in series):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "maintain.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["series", "publish", *MEASURES])
        writer.writeheader()
        for each in series:
            for row in each.rows:
                writer.writerow({"series": each.name, **{k: round(v, 1) for k, v in row.items()}})
    (FOLDER / "maintain.svg").write_text(plot(series))


def told(series: list[Series]) -> None:
    """The quarters beside each other."""
    for each in series:
        rows, quarter = each.rows, max(1, len(each.rows) // 4)
        print(
            f"\n{each.name + ', median of':<42}"
            + "".join(f"{f'{n * quarter * STEP + 1} on':>10}" for n in range(4))
            + f"{'most':>10}"
        )
        for name, meaning in MEASURES.items():
            found = [statistics.median(row[name] for row in rows[n * quarter :][:quarter] or rows[-1:]) for n in range(4)]
            found.append(max(row[name] for row in rows))
            print(f"{meaning:<42}" + "".join(f"{value:>10,.0f}" for value in found))
        if each.maintained:
            print(f"s of a maintenance, first and last: {each.maintained[0]:.1f} {each.maintained[-1]:.1f}")


def test_many_publishes_of_two_tables_one_of_which_is_maintained(lab: Lab) -> None:
    cared = Series("trusted.many_times", f"maintenance every {EVERY}", "#1f6fb2")
    left = Series("trusted.left_alone", "no maintenance", "#c4552d")
    both = [cared, left] if CONTROL >= STEP else [cared]
    for number in range(1, PUBLISHES + 1):
        cared.publish(lab, number)
        if number <= CONTROL:
            left.publish(lab, number)
        if number % EVERY == 0:
            cared.maintain(lab)
            kept(both)
    assert lab.spark.table(f"lake.{cared.table}").count() == PUBLISHES
    kept(both)
    told(both)
