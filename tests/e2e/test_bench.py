"""How long the usual commands take, measured from outside the process: `make bench`; nothing is asserted about times."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.settings import HOME
from local.spark import driver_options, spark_environment, spark_submit
from tests.e2e.user import Lake, user_environment

pytestmark = pytest.mark.bench
QUERY = "SELECT * FROM refined.category_summary ORDER BY category"
FIRST_ROW = """
import sys
from jobs.session import open_session
from lake.settings import read_settings
print(open_session(read_settings(), "bench").table("lake.refined.category_summary").first())
"""
Measured = tuple[str, list[float]]


def seconds(act: Callable[[], int]) -> float:
    """How long it takes until it has ended well."""
    began = time.perf_counter()
    code = act()
    took = time.perf_counter() - began
    assert code == 0
    return took


def table_of(measured: list[Measured]) -> str:
    """One line per command: runs, median, fastest and slowest."""
    lines = [f"{'':<34}{'runs':>5}{'median s':>10}{'min s':>8}{'max s':>8}"]
    for name, times in measured:
        lines.append(f"{name:<34}{len(times):>5}{statistics.median(times):>10.2f}{min(times):>8.2f}{max(times):>8.2f}")
    return "\n".join(lines)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake of its own with running servers and nothing in it."""
    made = Lake({**user_environment(), "LAKE_HOME": str(tmp_path), "LAKE_SOURCES": str(HOME / "ingest" / "sources")})
    assert made("up").code == 0
    yield made
    made("down")


def first_run(lake: Lake, number: int) -> float:
    """Time of a first run on an empty lake beside the others."""
    home = lake.settings.home / f"empty-{number}"
    variables = ("LAKE_S3_ENDPOINT", "LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY")
    feeds = ("FAKESTORE_URL", "SHOP_FILES_URL", "SHOP_DATABASE_URL", "FLIGHTS_URL", "FLIGHTS_DATABASE_URL")
    known = {name: lake.settings.environment[name] for name in (*variables, *feeds)}
    empty = lake.having(**known, LAKE_HOME=str(home), LAKE_ROOT=f"{lake.settings.root}/{home.name}")
    took = seconds(lambda: empty("run").code)
    shutil.rmtree(home)
    return took


def test_times(lake: Lake, tmp_path: Path) -> None:
    script = tmp_path / "first_row.py"
    script.write_text(FIRST_ROW)
    submit = [str(spark_submit()), "--master", "local[*]", *driver_options(lake.settings), str(script)]
    environment = {**spark_environment(lake.settings), "PYTHONPATH": str(HOME)}

    def quiet(command: list[str], **more: str) -> int:
        return subprocess.run(command, cwd=HOME, env={**environment, **more}, capture_output=True, check=False).returncode

    measured: list[Measured] = [("lake run, first, empty lake", [first_run(lake, number) for number in range(3)])]
    assert lake("run").code == 0
    for name, times, act in (
        ("make setup, nothing to do", 5, lambda: quiet(["make", "setup"])),
        ("lake --help", 10, lambda: lake("--help").code),
        ("lake tables", 10, lambda: lake("tables").code),
        ("lake sql", 5, lambda: lake("sql", QUERY).code),
        ("lake run, nothing new", 5, lambda: lake("run").code),
        ("Spark from start to first row", 3, lambda: quiet(submit)),
    ):
        measured.append((name, [seconds(act) for _ in range(times)]))
    print(f"\n{table_of(measured)}")
