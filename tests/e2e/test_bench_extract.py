"""How fast a table of 2,000,000 rows x 10 columns is read, beside ConnectorX, the plain drivers and dlt (`make bench-extract`)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import HOME
from local import mariadb, postgresql
from local.shop_database import _SocketIdentity
from tests.integration.conftest import INHERITED, server

#: Else dlt stops at the second chunk, where it takes a double for a decimal of another precision.
DLT = {"DATA_WRITER__ARROW_CONCAT_PROMOTE_OPTIONS": "default"}
ROWS = 2_000_000
TURNS = 3
#: So far behind that one turn tells.
SLOW = ("driver", "dlt")
OTHERS = ("connectorx", "driver", "dlt")
OURS = ("engine", "proven", "raw", "decoded")
#: What the others need; none of it is a part of the lake.
PACKAGES = (
    "connectorx",
    "pyarrow",
    "pymysql",
    "cryptography",
    "psycopg[binary]",
    "psycopg2-binary",
    "dlt[filesystem,parquet,sql_database]",
)
COLUMNS = (
    "id bigint primary key, qty int, price decimal(12,2), score {double}, name varchar(100), city varchar(50),"
    " day_on date, seen_at {stamp}, n smallint, note varchar(100)"
)
#: The same rows in both servers, from arithmetic alone: no chance, no seed.
VALUES = (
    "g, (g * 7919) % 1000000007, ((g * 104729) % 100000000) / 100, g / 7e0, concat('épsilon ', (g * 7919) % 100003),"
    " concat('city ', g % 977), {day}, {stamp}, g % 3000, case when g % 11 = 0 then null else concat('note ', g) end"
)


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a server with the table."""
    module = mariadb if request.param == "mysql" else postgresql
    with tempfile.TemporaryDirectory(prefix="db-") as folder:
        running = server(module, Path(folder))
        running.start()
        module.provision(running.settings, running.state)
        try:
            (_fill_mysql if request.param == "mysql" else _fill_postgresql)(running)
            (found,) = running.variables.values()
            yield found
        finally:
            running.stop()
            if request.param == "postgresql":
                shutil.rmtree(postgresql.home_folder(running.settings), ignore_errors=True)


def _fill_mysql(running: object) -> None:
    import pymysql

    socket = str(mariadb.socket_path(running.settings))  # type: ignore[attr-defined]
    plugins = {"unix_socket": _SocketIdentity, b"unix_socket": _SocketIdentity}
    with pymysql.connect(unix_socket=socket, user=mariadb.user(), database="shop", auth_plugin_map=plugins) as connection:
        connection.query(f"create table t ({COLUMNS.format(double='double', stamp='datetime(6)')})")
        stamp = "timestamp('2020-01-01') + interval g second + interval g % 1000000 microsecond"
        values = VALUES.format(day="date('2010-01-01') + interval g % 5000 day", stamp=stamp)
        connection.query(f"insert into t select {values} from (select seq as g from seq_1_to_{ROWS}) as s")
        connection.commit()


def _fill_postgresql(running: object) -> None:
    with postgresql.connect(running.state, postgresql.DATABASE) as connection:  # type: ignore[attr-defined]
        connection.execute(f"create table t ({COLUMNS.format(double='double precision', stamp='timestamp(6)')})")
        stamp = "timestamp '2020-01-01' + g * interval '1 second' + (g % 1000000) * interval '1 microsecond'"
        values = VALUES.format(day="date '2010-01-01' + (g % 5000)::int", stamp=stamp).replace(") / 100,", ") / 100.0,")
        connection.execute(f"insert into t select {values} from generate_series(1::bigint, {ROWS}) as s(g)")
        connection.execute("vacuum analyze t")


@pytest.fixture(scope="module")
def others() -> str | None:
    """The Python of an environment with the other engines; none where they cannot be installed."""
    folder = HOME / ".lake" / "bench-extract"
    python = folder / "bin" / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if python.exists():
        return str(python)
    if uv is None:
        return None
    made = subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=False)
    filled = subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES], check=False)
    if made.returncode or filled.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return str(python)


def measured(python: str, way: str, url: str) -> dict[str, float] | None:
    """One reading in a process of its own; none when it failed."""
    environment = {**INHERITED, "PYTHONPATH": str(HOME), "RUNTIME__DLTHUB_TELEMETRY": "false", **DLT}
    words = [python, str(HOME / "tests" / "e2e" / "extract.py"), way]
    ended = subprocess.run(words, input=url, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(f"{way}: {ended.stderr.strip()[-2000:]}")
        return None
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    assert found["rows"] == ROWS
    return found


@pytest.mark.bench
def test_how_fast_a_large_table_is_read(url: str, others: str | None) -> None:
    best: dict[str, dict[str, float]] = {}
    for turn in range(TURNS):
        for way in OTHERS + OURS:
            if turn and way in SLOW:
                continue
            python = sys.executable if way in OURS else others
            found = measured(python, way, url) if python else None
            if found and (way not in best or found["seconds"] < best[way]["seconds"]):
                best[way] = found
    print(f"\n{url.partition(':')[0]}, {ROWS:,} rows x 10 columns, best of {TURNS}, load {os.getloadavg()[0]:.1f}")
    base = best.get("connectorx")
    for way in OTHERS + OURS:
        if way in best:
            found, rate = best[way], ROWS / best[way]["seconds"]
            share = f"{base['seconds'] / found['seconds']:.2f} of ConnectorX" if base else ""
            cost = f"{found['seconds']:6.2f} s  {found['cpu_seconds']:6.2f} s CPU  {found['peak_mb']:5.0f} MB"
            print(f"  {way:<11} {rate:>11,.0f} rows/s  {cost}  {share}")
    for way in OURS:
        assert best[way]["peak_mb"] < 400
