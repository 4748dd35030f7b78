"""Random kills of the run, of Spark and of MinIO for as long as one likes, while a reader looks on: `make soak`."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lake.settings import HOME
from local.fakestore import load_fakestore
from local.feeds import Feeds, start_feeds
from local.state import read_state
from tests.e2e.user import Lake, command_line, descendants, ended, kill, user_environment

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("SOAK_KILLS", "200"))
SEED = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))
TABLES = ("category_summary", "product_sales")
VICTIMS = ("lake", "jvm", "driver", "minio")
#: How the processes of a job are known by their command lines: Spark's JVM, and the Python driver below it.
SIGNS = {"jvm": lambda line: "SparkSubmit" in line, "driver": lambda line: "jobs/run.py" in line and "SparkSubmit" not in line}
CHECKED_EVERY = 3
READER = """
import json, sys
from lake.errors import TemporaryError
from lake.settings import read_settings
from sql.engine import open_engine
engine, last = open_engine(read_settings()), None
while True:
    for query in sys.argv[1:]:
        try:
            state = json.dumps([query, [list(map(str, row)) for row in engine.ask(query).rows]])
        except TemporaryError:
            continue
        except Exception as error:
            state = json.dumps([query, f"{type(error).__name__}: {error}"])
        if state != last:
            print(state, flush=True)
            last = state
"""
PRICES = "SELECT avg_price, products_quant FROM refined.category_summary ORDER BY category"
SALES = "SELECT sum(units) AS units, sum(revenue) AS revenue FROM refined.product_sales"
QUANTITIES = ["6", "4", "4", "6"]


class Soak:
    """A lake whose products all cost as much as the version says."""

    def __init__(self, lake: Lake, feeds: Feeds, folder: Path) -> None:
        self.lake, self.feeds, self.folder, self.version = lake, feeds, folder, 0
        self.random, self.longest = random.Random(SEED), 20.0

    def serve(self) -> None:
        """A new version of the shop."""
        self.version += 1
        self.feeds.data["products"] = [{**product, "price": self.version} for product in load_fakestore()["products"]]

    def kill_once(self) -> str:
        """Start something, and kill one of the processes at a random moment; what was killed."""
        verb = self.random.choice(["run", "run", "run", "ingest"])
        words = ["run", *TABLES] if verb == "run" else ["ingest", "--all"]
        victim = self.random.choice(VICTIMS) if verb == "run" else self.random.choice(("lake", "minio"))
        process = self.lake.start(*words)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0.2, self.longest if verb == "run" else 2))
        self._kill(victim, process)
        if victim == "minio":
            assert self.lake("up").code == 0
        end = ended(process)
        assert end.code in (0, 1, 5, 75, -9), end.err
        return f"{verb}/{victim}/{end.code}"

    def _kill(self, victim: str, process: "subprocess.Popen[str]") -> None:
        if victim == "lake":
            process.kill()
        elif victim == "minio":
            minio = read_state(self.lake.settings.local)["minio"].process
            assert minio
            kill([(minio.pid, minio.started)])
        else:
            kill([each for each in descendants(process.pid) if SIGNS[victim](command_line(each[0]))])

    def check(self) -> None:
        """After a whole run the tables are as the source says, and raw is proven."""
        for _ in range(3):
            began = time.monotonic()
            end = self.lake("run", *TABLES)
            if end.code == 0:
                self.longest = time.monotonic() - began
                break
            assert end.code in (5, 75), end.err
        assert end.code == 0, end.err
        price = float(self.version)
        assert [(row["avg_price"], str(row["products_quant"])) for row in self.lake.rows(PRICES)] == [
            (price, q) for q in QUANTITIES
        ]
        (sales,) = self.lake.rows(SALES)
        assert float(sales["revenue"]) == price * sales["units"]
        proof = self.lake("raw", "verify")
        assert proof.code == 0, proof.out
        for source in ("products", "carts"):
            history = self.lake.publications(f"trusted.{source}")
            assert len({each["inputs"][source]["seq"] for each in history}) == len(history)


@contextmanager
def reader(lake: Lake, seen: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A second process that asks for the tables again and again and writes down every answer that differs."""
    with seen.open("wb") as file:
        environment = {**lake.environment, "PYTHONPATH": str(HOME)}
        process = subprocess.Popen([sys.executable, "-c", READER, PRICES], env=environment, cwd=HOME, stdout=file)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    """A lake of its own on real servers."""
    feeds = start_feeds()
    places = {"LAKE_HOME": str(tmp_path), "LAKE_SOURCES": str(HOME / "ingest" / "sources")}
    places |= {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "FLIGHTS_URL": feeds.flights_url}
    places |= {"FLIGHTS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "LAKE_LEASE_SECONDS": "10"}
    lake = Lake({**user_environment(), **places})
    assert lake("up").code == 0
    yield Soak(lake, feeds, tmp_path)
    lake("down")
    feeds.close()


def test_nothing_is_lost_or_doubled_however_often_it_is_killed(soak: Soak, tmp_path: Path) -> None:
    print(f"\nSOAK_SEED={SEED} SOAK_KILLS={KILLS}")
    soak.serve()
    soak.check()
    killed: Counter[str] = Counter()
    with reader(soak.lake, tmp_path / "seen") as looking:
        for number in range(1, KILLS + 1):
            soak.serve()
            outcome = soak.kill_once()
            killed[outcome] += 1
            print(f"{number:>4} {outcome}", flush=True)
            if number % CHECKED_EVERY == 0 or number == KILLS:
                soak.check()
        assert looking.poll() is None
    states = [json.loads(line)[1] for line in (tmp_path / "seen").read_text().splitlines()]
    print(f"{dict(killed)}; the reader saw {len(states)} states")
    for state in states:
        assert isinstance(state, list), state
        assert [row[1] for row in state] == QUANTITIES
        assert len({row[0] for row in state}) == 1
    versions = [float(state[0][0]) for state in states]
    assert versions == sorted(set(versions))
    assert len(versions) > 1
