"""How long answers over HTTP take, measured by a client on the same machine: `make bench-api`; nothing is asserted about times."""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests

from lake.settings import HOME
from tests.e2e.flights import flights_source
from tests.e2e.user import Lake, ended, user_environment

pytestmark = pytest.mark.bench
TIMES = 300
BUILD_SECONDS = 600
ROWS = "/v1/tables/trusted.flights/rows"
PAGE = f"{ROWS}?carrier=AA&dep_delay.gt=200&sort=-dep_delay&limit=100"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server over a lake with the shop's tables and the flights."""
    sources = tmp_path / "ingest" / "sources"
    shutil.copytree(HOME / "ingest" / "sources", sources)
    (sources / "flights.yaml").write_text(flights_source(tmp_path))
    lake = Lake({**user_environment(), "LAKE_HOME": str(tmp_path), "LAKE_SOURCES": str(sources)})
    assert lake("up").code == 0
    try:
        ran = ended(lake.start("run", "flights", "product_sales"), BUILD_SECONDS)
        assert ran.code == 0, ran.err
        with serving(lake) as url:
            yield url
    finally:
        lake("down")


@contextmanager
def serving(lake: Lake) -> Iterator[str]:
    """Address of a server whose log nobody reads."""
    command = [str(lake.checkout / ".venv" / "bin" / "lake"), "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, env=lake.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout
        try:
            yield json.loads("".join(server.stdout.readline() for _ in range(3)))["address"]
        finally:
            server.terminate()


def asked(session: requests.Session, url: str) -> tuple[float, Any]:
    """Milliseconds until the whole answer is there, and the answer."""
    began = time.perf_counter()
    answer = session.get(url, timeout=60)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took, answer


def measured(url: str, paths: list[str]) -> list[float]:
    """Milliseconds of so many questions one behind the other, after some that warm up."""
    with requests.Session() as session:
        for path in paths[:10]:
            asked(session, url + path)
        time.sleep(2)  # copies of tables are made meanwhile
        return sorted(asked(session, url + path)[0] for path, _ in zip(cycle(paths), range(TIMES), strict=False))


@contextmanager
def another_client(url: str, paths: list[str]) -> Iterator[None]:
    """A second client that asks all the while."""
    stop = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            for path in cycle(paths):
                if stop.is_set():
                    return
                asked(session, url + path)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_times(address: str) -> None:
    with requests.Session() as session:
        rows = asked(session, f"{address}{ROWS}?limit=200&columns=time_hour,carrier,flight")[1].json()["rows"]
        second = asked(session, address + PAGE)[1].json()["next"]
        count = next(t for t in asked(session, f"{address}/v1/tables")[1].json()["tables"] if t["table"] == "trusted.flights")
    lookups = [f"{ROWS}?time_hour={row['time_hour']}&carrier={row['carrier']}&flight={row['flight']}" for row in rows]
    asks = {
        "the process itself (/healthz)": ["/healthz"],
        "look-up by key": lookups,
        "filtered and sorted page of 100": [PAGE],
        "second page by cursor": [second],
        "first page of 1,000 in key order": [f"{ROWS}?limit=1000"],
        "table list": ["/v1/tables"],
        "named query": ["/v1/queries/revenue_by_category?minimum=1"],
    }
    print(f"\ntrusted.flights: {count['rows']:,} rows; {TIMES} questions each, milliseconds")
    print(f"{'':<34}{'p50':>8}{'p95':>8}   {'p50':>8}{'p95':>8}  with a second client that looks up keys")
    for name, paths in asks.items():
        alone = measured(address, paths)
        with another_client(address, lookups):
            beside = measured(address, paths)
        cells = [times[int(len(times) * share)] for times in (alone, beside) for share in (0.5, 0.95)]
        print(f"{name:<34}{cells[0]:>8.1f}{cells[1]:>8.1f}   {cells[2]:>8.1f}{cells[3]:>8.1f}")
