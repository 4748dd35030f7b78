"""The labelled series of a folder through the lake's own zones and the declared detector: `make bench-anomaly`.

Times and scores are printed, not judged. The folder (BENCH_NAB) is laid out as the Numenta Anomaly Benchmark: windows.json and
series/<category>/<file>.csv (timestamp,value); BENCH_SCORER is the script that scores alerts on it.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import HOME
from local.feeds import start_feeds
from tests.e2e.user import user_environment

pytestmark = pytest.mark.bench
LEFT_OUT = (".git", ".venv", ".lake", "dist", "__pycache__", ".*_cache", ".hypothesis")
SOURCE = """\
name: labelled
description: One row per point of a labelled series.
kind: files
url: file://{folder}/series/*/*.csv
load: append
key: []
columns:
  file: {{type: string, from: "@file"}}
  at: {{type: timestamp, from: timestamp, zone: UTC}}
  value: double
"""
DETECTOR = """\
kind: series
description: One row per point of a labelled series, judged.
input: labelled
entity: {{file: string}}
time: at
values:
  value: {{unit: units, digits: 3}}
seed: {seed}
fit: {fit}
"""
QUERY = (
    "SELECT file, date_format(at, '%Y-%m-%d %H:%i:%s') AS at, coalesce(flag, -1) AS flag FROM labelled_alerts ORDER BY file, at"
)


class Checkout:
    """A copy of the checkout, whose own declarations are what runs, with a lake in it."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        shutil.copytree(HOME, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (folder / ".venv").symlink_to(HOME / ".venv")
        self.folder = folder
        shutil.rmtree(folder / "ingest" / "sources")
        (folder / "ingest" / "sources").mkdir()
        for declared in [*(folder / "jobs" / "models").glob("*.yaml"), *(folder / "jobs" / "refined").glob("[a-z]*.*")]:
            declared.unlink()
        places = {"LAKE_HOME": str(folder), "PYTHONPATH": str(folder), "LAKE_SOURCES": str(folder / "ingest" / "sources")}
        self.environment = {**user_environment(), **places, **urls}

    def lake(self, *words: str) -> str:
        """What a command printed; it must end well."""
        command = [str(HOME / ".venv" / "bin" / "python"), "-m", "orchestration.cli", *words]
        ended = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=3_000
        )
        assert ended.returncode == 0, ended.stderr[-3_000:]
        return ended.stdout


@pytest.fixture
def folder() -> Path:
    """The labelled series."""
    named = os.environ.get("BENCH_NAB", "")
    if not named:
        pytest.skip("BENCH_NAB names no folder of labelled series")
    return Path(named).resolve()


@pytest.fixture
def checkout(folder: Path, tmp_path: Path) -> Iterator[Checkout]:
    feeds = start_feeds()
    urls = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "FLIGHTS_URL": feeds.flights_url}
    made = Checkout(tmp_path / "checkout", urls)
    (made.folder / "ingest" / "sources" / "labelled.yaml").write_text(SOURCE.format(folder=folder))
    made.lake("up")
    yield made
    made.lake("down")
    feeds.close()


def judged(checkout: Checkout, seed: int, fit: str) -> dict[str, object]:
    """The record of the detector's table, built by itself."""
    (checkout.folder / "jobs" / "models" / "labelled_alerts.yaml").write_text(DETECTOR.format(seed=seed, fit=fit))
    began = time.perf_counter()
    record = json.loads(checkout.lake("run", "labelled_alerts", "--json"))
    table = record["tables"]["refined.labelled_alerts"]
    told = {name: table[name] for name in ("series", "points", "refits", "seconds")}
    return {
        "seed": seed,
        "fit": fit,
        **told,
        "command": round(time.perf_counter() - began, 1),
        "spark": record["spark_seconds"],
    }


def score(checkout: Checkout, folder: Path, half: str = "") -> str:
    """The scorer's words about the table's alerts."""
    table = csv.DictReader(checkout.lake("sql", "--format", "csv", QUERY).splitlines())
    flags = {(row["file"], row["at"]): row["flag"] == "1" for row in table}
    alerts = checkout.folder / "alerts.csv"
    with alerts.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("file", "timestamp", "alert"))
        for path in sorted(folder.glob("series/*/*.csv")):
            for row in csv.DictReader(path.open(newline="")):
                at = row["timestamp"][:19]  # a doubled time is one point: its alert counts once
                out.writerow((f"{path.parent.name}/{path.name}", row["timestamp"], int(flags.pop((path.name, at), False))))
    scorer = os.environ.get("BENCH_SCORER") or str(folder.parent.parent / "tools" / "nab_score.py")
    words = [sys.executable, scorer, str(folder), str(alerts), *(["--half", half] if half else [])]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_labelled_series(checkout: Checkout, folder: Path) -> None:
    fit = os.environ.get("BENCH_FIT", "group")
    for seed in map(int, os.environ.get("BENCH_SEEDS", "1").split(",")):
        print("\n" + json.dumps(judged(checkout, seed, fit)))
        for half in ("", "A", "B"):
            print(f"{'half ' + half if half else 'all'}\n{score(checkout, folder, half)}", end="", flush=True)
