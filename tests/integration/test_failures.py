"""What a person sees when the store, the disk, the catalog or the machine fails in the middle of a run, and that it heals."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from ulid import ULID

from ingest.landing import pull
from lake.settings import HOME
from lake.sources import source_from
from local import minio
from local.feeds import Feeds, start_feeds
from local.processes import wait_until
from store import raw
from store.objects import Objects
from tests.e2e.user import Ended, Lake, descendants, ended, kill, user_environment, wait_for_effect
from tests.integration.conftest import Server, lake_of, server

pytestmark = pytest.mark.slow
TABLE = "trusted.things"
WRITES = f"write {TABLE}"
THINGS = {
    "name": "things",
    "description": "One row per thing.",
    "kind": "rest",
    "url": "${env:SHOP_FILES_URL}/things.json",
    "load": "snapshot",
    "key": ["id"],
    "columns": {"id": "bigint", "version": "int"},
}


@dataclass
class Things:
    """A lake whose only interesting table holds three rows of one version."""

    lake: Lake
    store: Server
    feeds: Feeds
    log: Path
    version: int = 0

    def serve(self) -> int:
        """Let the source have a new version from now on."""
        self.version += 1
        records = [{"id": number, "version": self.version} for number in (1, 2, 3)]
        self.feeds.files["things.json"] = json.dumps(records).encode()
        return self.version

    def run(self, **more: str) -> Ended:
        """Run to the end."""
        return self.lake("run", "things", **more)

    def start(self, **more: str) -> "subprocess.Popen[str]":
        """A run under way that logs its effects."""
        self.log.unlink(missing_ok=True)
        return self.lake.start("run", "things", LAKE_CRASH_LOG=str(self.log), **more)

    def served(self) -> list[int]:
        """The versions that readers see, one per row."""
        return [row["version"] for row in self.lake.rows(f"SELECT version FROM {TABLE} ORDER BY id")]

    def heals(self) -> None:
        """The next run publishes what the source has, once."""
        again = self.run()
        assert again.code == 0, again.err
        assert self.served() == [self.version] * 3
        published = self.lake.publications(TABLE)
        assert len({p["inputs"]["things"]["seq"] for p in published}) == len(published)
        assert self.lake("raw", "verify").code == 0


@contextmanager
def things_in(folder: Path) -> Iterator[Things]:
    """A lake on a MinIO of its own."""
    feeds, store = start_feeds(), server(minio, folder / "store")
    store.start()
    try:
        sources = folder / "sources"
        sources.mkdir()
        for path in (HOME / "ingest" / "sources").glob("*.yaml"):
            (sources / path.name).write_bytes(path.read_bytes())
        (sources / "things.yaml").write_text(json.dumps(THINGS))
        settings = lake_of(
            store,
            folder,
            FAKESTORE_URL=feeds.url,
            SHOP_FILES_URL=feeds.files_url,
            LAKE_SOURCES=str(sources),
            LAKE_SPARK_MEMORY="1g",
        )
        yield Things(Lake(dict(settings.environment)), store, feeds, folder / "effects")
    finally:
        feeds.close()
        kill([(store.process.pid, store.process.started)], signal.SIGCONT)
        store.stop()


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Things]:
    """A lake that published its table once."""
    with things_in(tmp_path_factory.mktemp("things")) as lake:
        lake.serve()
        lake.heals()
        yield lake


def test_a_store_that_dies_during_a_build_is_temporary_and_harms_nothing(things: Things) -> None:
    before = things.served()
    things.serve()
    run = things.start(LAKE_LEASE_SECONDS="4")
    wait_for_effect(run, things.log, WRITES)
    os.kill(things.store.process.pid, signal.SIGKILL)
    end = ended(run)
    assert end.code == 75, end.err
    assert "Traceback" not in end.err
    asked = things.run()
    assert asked.code == 75
    assert "S3 does not answer" in asked.last_line
    assert len(asked.err.strip().splitlines()) <= 2
    things.store.start()
    assert things.served() == before
    things.heals()


def test_a_store_that_stands_still_longer_than_the_leases_harms_nothing(things: Things) -> None:
    before = things.served()
    things.serve()
    run = things.start(LAKE_LEASE_SECONDS="1")
    wait_for_effect(run, things.log, WRITES)
    stopped = time.monotonic()
    os.kill(things.store.process.pid, signal.SIGSTOP)
    assert wait_until(lambda: time.monotonic() - stopped > 1.5, 5)
    os.kill(things.store.process.pid, signal.SIGCONT)
    end = ended(run)
    assert end.code in (0, 5, 75), end.err
    assert things.served() in (before, [things.version] * 3)
    things.heals()


def test_a_catalog_locked_for_too_long_is_temporary_and_harms_nothing(things: Things) -> None:
    before = things.served()
    things.serve()
    run = things.start(LAKE_CATALOG_WAIT_SECONDS="1")
    wait_for_effect(run, things.log, f"state/leases/table/{TABLE}")
    with closing(sqlite3.connect(things.lake.settings.catalog.removeprefix("sqlite:"), isolation_level=None)) as other:
        other.execute("begin exclusive")
        end = ended(run)
    assert end.code == 75, end.err
    assert "the catalog stayed locked" in end.err
    assert things.served() == before
    things.heals()


def test_a_suspended_run_that_wakes_up_after_another_one_does_not_publish(things: Things) -> None:
    things.serve()
    late = things.start(LAKE_LEASE_SECONDS="2")
    wait_for_effect(late, things.log, WRITES)
    family = [*descendants(late.pid), *_itself(late.pid)]
    kill(family, signal.SIGSTOP)
    newer = things.serve()
    assert wait_until(lambda: things.lake("run", "things").code == 0 and things.served() == [newer] * 3, 120)
    numbers = [(p["number"], p["run"]) for p in things.lake.publications(TABLE)]
    kill(family, signal.SIGCONT)
    end = ended(late)
    assert end.code == 5, end.err
    assert "Traceback" not in end.err
    assert things.served() == [newer] * 3
    assert [(p["number"], p["run"]) for p in things.lake.publications(TABLE)] == numbers


def _itself(pid: int) -> list[tuple[int, str]]:
    return [each for each in descendants(os.getpid()) if each[0] == pid]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB for the store of `tmp_path`, which only root can have; it goes even when the tests are killed."""
    folder = tmp_path / "store" / ".lake" / "minio"
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("no small file system to be had; the store's own answer is tested beside this")
    until_we_end = ["sh", "-c", 'cat > /dev/null; exec umount --lazy "$0"', folder]
    with subprocess.Popen(until_we_end, stdin=subprocess.PIPE, start_new_session=True) as guard:
        yield folder
    assert guard.returncode == 0


def test_a_full_disk_is_temporary_and_harms_nothing(tmp_path: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with things_in(tmp_path) as things:
        things.serve()
        things.heals()
        before = things.served()
        things.serve()
        run = things.start()
        wait_for_effect(run, things.log, f"state/leases/table/{TABLE}")
        _fill(ballast)
        end = ended(run)
        assert end.code == 75, end.err
        assert "disk is full; free some space" in end.err
        asked = things.run()
        assert asked.code == 75
        assert "disk is full; free some space" in asked.last_line
        assert things.served() == before
        ballast.unlink()
        assert wait_until(lambda: things.run().code == 0, 60)  # the store looks at its disk again now and then
        things.heals()


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                pass
    except OSError:
        pass


class _Full(BaseHTTPRequestHandler):
    """A store that has no room: it knows no object and takes none."""

    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, code: str) -> None:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer(404, "NoSuchKey")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(507, "XMinioStorageFull")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_store_without_room_is_told_in_one_line(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Full) as store:
        Thread(target=store.serve_forever, daemon=True).start()
        place = {
            "LAKE_HOME": str(tmp_path),
            "LAKE_SOURCES": str(HOME / "ingest" / "sources"),
            "LAKE_S3_ENDPOINT": f"http://127.0.0.1:{store.server_port}",
        }
        identity = {"LAKE_S3_ACCESS_KEY_ID": "x", "LAKE_S3_SECRET_ACCESS_KEY": "y", "FAKESTORE_URL": "http://127.0.0.1:1"}
        refused = Lake({**user_environment(), **place, **identity})("ingest", "products")
        store.shutdown()
    assert refused.code == 75
    assert "the store's disk is full; free some space and run again" in refused.err
    assert "Traceback" not in refused.err


def test_a_clock_that_goes_backwards_does_not_change_the_order(minio_server: Server, tmp_path: Path) -> None:
    with closing(start_feeds()) as feeds:
        settings = lake_of(minio_server, tmp_path, SHOP_FILES_URL=feeds.files_url)
        objects, source = Objects(settings), source_from(THINGS, "things.yaml")
        years = [2030, 2020, 2025]
        for year in years:
            feeds.files["things.json"] = json.dumps([{"id": 1, "version": year}]).encode()
            pull("things", {"things": source}, objects, str(ULID.from_datetime(datetime(year, 1, 1, tzinfo=UTC))))
        runs = raw.runs_after(objects, "things", 0)
        newest = raw.head(objects, "things")
    assert [json.loads(objects.get(run.originals[0].key))[0]["version"] for run in runs] == years
    assert [run.seq for run in runs] == [1, 2, 3]
    assert newest == runs[-1]
