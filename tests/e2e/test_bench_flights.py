"""The flights through the whole lake beside a script written by hand, in one run: `make bench`; times are printed, not judged."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import HOME
from local.feeds import Feeds, start_feeds
from local.flights import monthly_files
from local.spark import class_path, driver_options, spark_environment, spark_submit
from tests.e2e.user import Lake, user_environment

pytestmark = pytest.mark.bench
TABLES = ("carrier_performance", "route_performance", "hourly_delays")
SCRIPT = HOME / "tests" / "e2e" / "handwritten.py"
LAST = ("flights_2013-12.csv", "weather_2013-12.csv")


@pytest.fixture
def feeds() -> Iterator[Feeds]:
    """The stand-in without December so far."""
    files = {name: data for name, data in monthly_files().items() if name not in LAST}
    running = start_feeds(flights=lambda: files)
    yield running
    running.close()


@pytest.fixture
def lake(feeds: Feeds, tmp_path: Path) -> Iterator[Lake]:
    """A lake of its own with running servers and nothing in it."""
    places = {"LAKE_HOME": str(tmp_path), "LAKE_SOURCES": str(HOME / "ingest" / "sources")}
    urls = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "FLIGHTS_URL": feeds.flights_url}
    made = Lake({**user_environment(), **places, **urls, "SHOP_DATABASE_URL": "mysql://nobody@127.0.0.1:1/none"})
    assert made("up").code == 0
    yield made
    made("down")


def by_hand(lake: Lake, feeds: Feeds, folder: Path, options: list[str], environment: dict[str, str]) -> float:
    """Seconds of the script after its session was up."""
    settings = lake.settings
    folder.mkdir()
    words = [str(SCRIPT), feeds.flights_url, settings.s3_endpoint, settings.bucket, str(folder)]
    command = [str(spark_submit()), "--master", "local[*]", *options, *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(ended.stdout.split("seconds ")[1].split()[0])


def test_the_flights_beside_a_script_written_by_hand(lake: Lake, feeds: Feeds, tmp_path: Path) -> None:
    first = lake("run", *TABLES, "--json").json
    files = monthly_files()
    feeds.flights = lambda: files
    month = lake("run", *TABLES, "--json").json
    settings, environment = lake.settings, spark_environment(lake.settings)
    plain = ["--driver-class-path", ":".join(class_path(settings)), "--driver-memory", settings.spark_memory]
    as_it_comes = {name: value for name, value in environment.items() if name != "SPARK_LAUNCHER_OPTS"}
    hand = by_hand(lake, feeds, tmp_path / "plain", plain, as_it_comes)
    tuned = by_hand(lake, feeds, tmp_path / "tuned", driver_options(settings), environment)
    ours, later = (record["asked_seconds"] + record["build_seconds"] for record in (first, month))
    print(f"\nby hand, by Spark as it comes, once it was up {hand:6.1f} s")
    print(f"by hand, with the lake's options for Java    {tuned:6.1f} s")
    print(
        f"lake run, eleven months, once Spark was up   {ours:6.1f} s, {ours / hand:.2f} of it as it comes (wanted at most 1.5)"
    )
    print(f"  beside it with the lake's options             {ours / tuned:13.2f}")
    print(f"lake run, one new month                      {later:6.1f} s, {later / ours:.2f} of the first (wanted at most 0.40)")
    print(f"largest process                              {first['peak_memory_bytes'] / 1e9:6.2f} GB (wanted under 3)")
    print(f"  asking the sources {first['asked_seconds']:.1f} s, Spark's start {first['spark_seconds']:.1f} s")
    for record in (first, month):
        print(json.dumps({name: table["seconds"] for name, table in record["tables"].items()}))
