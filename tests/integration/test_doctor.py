"""`lake doctor` finds each thing that was broken on purpose, says how to mend it, and changes nothing."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from ingest import reach
from lake import paths
from lake.errors import DoctorError, LakeError
from lake.probing import NotHere, Probe, Unwell
from lake.settings import Settings, read_settings
from lake.sources import load_sources
from local.feeds import Feeds
from orchestration import doctor, machine_probes
from store import leases
from store.catalog import open_catalog
from store.documents import encoded
from store.objects import Objects
from store.probes import store_probes
from tests.integration.conftest import Server, lake_of
from tests.integration.lakes import declare, pulled, shop_declarations, verb

OLD = str(ULID.from_datetime(datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.fixture
def settings(minio_server: Server, feeds: Feeds, tmp_path: Path) -> Settings:
    """A lake of the shop in which nothing was pulled."""
    places = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "LAKE_SOURCES": str(tmp_path / "sources")}
    made = lake_of(minio_server, tmp_path, **places)
    shop_declarations(made)
    return made


def look(probes: list[Probe], name: str) -> str:
    return next(probe for probe in probes if probe.name == name).look()


def at_store(settings: Settings, name: str) -> str:
    return look(store_probes(settings, Objects(settings)), name)


def on_machine(settings: Settings, name: str) -> str:
    return look(machine_probes.machine_probes(settings), name)


def test_all_is_well_and_nothing_is_left_behind(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    pulled(settings, "users")
    objects = Objects(settings)
    before = {info.key: objects.get(info.key) for info in objects.list("")}
    assert verb(settings, "doctor", "--json") == 0
    found = {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert {"failed"} & set(found.values()) == set()
    assert {"python", "java", "spark", "jars", "store", "declarations", "host 1", "memory"} <= set(found)
    assert {info.key: objects.get(info.key) for info in objects.list("")} == before


def test_what_failed_is_told_with_its_next_step_and_exit_code_6(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    sick = read_settings({**settings.environment, "LAKE_SPARK_MEMORY": "9000g", "FAKESTORE_URL": "http://127.0.0.1:1"})
    with pytest.raises(DoctorError, match=r"2 of .* probes failed: memory, host 1") as caught:
        verb(sick, "doctor")
    assert caught.value.exit_code == 6
    lines = capsys.readouterr().out.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("failed   memory")]
    assert "next: end other programs, or lower LAKE_SPARK_MEMORY" in lines[number + 1]


def test_a_wrong_declaration_is_one_finding_among_the_others(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    (settings.sources / "wrong.yaml").write_text("name: wrong\n")
    with pytest.raises(DoctorError):
        verb(settings, "doctor", "--json")
    (failed,) = [each for each in json.loads(capsys.readouterr().out) if each["state"] == "failed"]
    assert failed["name"] == "declarations"
    assert "wrong.yaml" in failed["message"]


def test_a_probe_that_hangs_has_failed_and_holds_nothing_up() -> None:
    hangs = threading.Event()
    try:
        found = doctor.examined([Probe("a", lambda: str(hangs.wait(60))), Probe("b", lambda: "fine")], 0.2)
    finally:
        hangs.set()
    assert [(each.state, each.message) for each in found] == [("failed", "no answer within 0.2 s"), ("ok", "fine")]


@dataclass
class Store:
    """A store that takes anything from anybody, and breaks the rules that a test names."""

    ignored: tuple[str, ...] = ()
    ahead: timedelta = timedelta()
    answer: bytes | None = None
    held: dict[str, bytes] = field(default_factory=dict)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = store.held.get(self.path)
                wanted = {name: self.headers[name] for name in ("If-None-Match", "If-Match") if name not in store.ignored}
                is_refused = (wanted.get("If-None-Match") and known is not None) or (
                    wanted.get("If-Match") not in (None, f'"{known!r}"')
                )
                if not is_refused:
                    store.held[self.path] = body
                self._answered(412 if is_refused else 200, b"", ETag=f'"{store.held[self.path]!r}"')

            def do_GET(self) -> None:
                if "list-type" in self.path:
                    self._answered(200, b"<ListBucketResult></ListBucketResult>")
                else:
                    self._answered(200, store.answer or store.held[self.path], ETag=f'"{store.held[self.path]!r}"')

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                store.held.clear()
                self._answered(200, b"<DeleteResult></DeleteResult>")

            def _answered(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(time.time() + store.ahead.total_seconds())

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def lake_on(store: Store, settings: Settings) -> Iterator[Settings]:
    with ThreadingHTTPServer(("127.0.0.1", 0), store.handler()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield replace(settings, s3_endpoint=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (Store(ignored=("If-None-Match",)), "it lets two writers create one object"),
        (Store(ignored=("If-Match",)), "it lets a writer replace what it has not seen"),
        (Store(answer=b"something else"), "it gives back something else"),
    ],
    ids=["create", "swap", "read"],
)
def test_a_store_without_compare_and_swap_is_refused_and_left_clean(settings: Settings, store: Store, message: str) -> None:
    with lake_on(store, settings) as lake, pytest.raises(Unwell, match=message):
        at_store(lake, "store")
    assert store.held == {}


def test_a_store_that_keeps_the_rules_is_well(settings: Settings) -> None:
    with lake_on(Store(), settings) as lake:
        assert "compare-and-swap in" in at_store(lake, "store")


@pytest.mark.parametrize(("ahead", "seconds"), [(timedelta(hours=1), "3,[56]"), (timedelta(minutes=-2), "1[12]")])
def test_a_clock_that_differs_from_the_stores_is_named(settings: Settings, ahead: timedelta, seconds: str) -> None:
    with lake_on(Store(ahead=ahead), settings) as lake, pytest.raises(Unwell, match=rf"got {seconds}\d+ s between"):
        at_store(lake, "store's clock")
    assert at_store(settings, "store's clock").endswith("s off")


def test_a_store_that_is_away_or_refuses_says_so(settings: Settings) -> None:
    for broken in (replace(settings, s3_endpoint="http://127.0.0.1:1"), replace(settings, s3_access_key="nobody")):
        with pytest.raises(LakeError):
            at_store(broken, "store")


def test_a_catalog_that_lost_a_table_or_blocks_its_readers_is_named(settings: Settings) -> None:
    with pytest.raises(NotHere):
        at_store(settings, "catalog")
    catalog = open_catalog(settings)
    catalog.register({"trusted.users": "s3://x/1.metadata.json"})
    assert at_store(settings, "catalog") == "1 tables, WAL"
    Objects(settings).put(paths.publication_hint("trusted.products"), b"{}")
    with pytest.raises(Unwell, match=r"it lost trusted\.products") as caught:
        at_store(settings, "catalog")
    assert caught.value.hint == "run `lake catalog rebuild`"
    catalog.register({"trusted.products": "s3://x/2.metadata.json"})
    with closing(sqlite3.connect(catalog.path)) as connection:
        connection.execute("pragma journal_mode = delete")
    with pytest.raises(Unwell, match="got journal mode rollback, expected wal"):
        at_store(settings, "catalog")


def lease(settings: Settings, name: str, run: str, expires_at: float, **owner: Any) -> None:
    document = {"owner": {**leases.this_process(), **owner}, "run": run, "token": 1, "expires_at": expires_at, "state": "held"}
    Objects(settings).put(paths.lease(name), encoded(document))


def test_a_lease_that_a_live_process_stopped_renewing_is_named(settings: Settings) -> None:
    now, later = str(ULID()), time.time() + 60
    lease(settings, "source/mine", now, later)
    lease(settings, "table/trusted.dead", now, later, started="1")
    lease(settings, "table/trusted.elsewhere", now, time.time() - 1, host="elsewhere")
    assert at_store(settings, "leases") == "1 held, 2 left by killed runs and free for the next"
    lease(settings, "source/mine", now, time.time() - 1)
    with pytest.raises(Unwell, match=r"source/mine: process .* holds it and has stopped renewing it"):
        at_store(settings, "leases")


def test_a_lease_that_was_held_for_days_is_named(settings: Settings) -> None:
    lease(settings, "table/trusted.hangs", OLD, time.time() + 60, host="elsewhere")
    with pytest.raises(Unwell, match=r"trusted\.hangs: process .* on elsewhere has held it for \d+ days") as caught:
        at_store(settings, "leases")
    assert caught.value.hint == f"see `lake runs show {OLD}`; end that process if it hangs"


def test_a_raw_run_that_nobody_settled_for_days_is_named(settings: Settings) -> None:
    objects = Objects(settings)
    pulled(settings, "users")
    state = json.loads(objects.get(paths.source_state("users")))
    objects.put(paths.source_state("users"), encoded({**state, "open": [str(ULID())]}))
    assert at_store(settings, "open runs") == "1 left by killed runs; the next pull goes on with them"
    objects.put(paths.source_state("users"), encoded({**state, "open": [OLD]}))
    with pytest.raises(Unwell, match=f"run {OLD} of users was left") as caught:
        at_store(settings, "open runs")
    assert verb(settings, *caught.value.hint.removeprefix("run `lake ").rstrip("`").split()) == 0
    assert at_store(settings, "open runs") == "none"


def test_secrets_that_others_can_read_are_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotHere):
        on_machine(settings, "credentials")
    settings.local.mkdir(exist_ok=True)
    env = settings.local / "env"
    env.write_text("")
    env.chmod(0o600)
    assert on_machine(settings, "credentials")
    env.chmod(0o640)
    with pytest.raises(Unwell, match="others can read") as caught:
        on_machine(settings, "credentials")
    assert caught.value.hint == f"run `chmod 600 {env}`"


def test_a_full_disk_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "free for" in on_machine(settings, "disk")
    monkeypatch.setattr(machine_probes, "LEAST_FREE", 1 << 60)
    with pytest.raises(Unwell, match="expected at least"):
        on_machine(settings, "disk")


def test_a_crontab_that_is_damaged_old_or_read_by_nobody_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncase $1 in -) cat > {tmp_path}/tab;; *) cat {tmp_path}/tab 2>&- || echo no crontab for me >&2;; esac\n"
    )
    program.chmod(0o700)
    private = tmp_path / "private"
    secret = {name: value for name, value in settings.environment.items() if name.endswith(("KEY", "KEY_ID", "_URL"))}
    private.write_text("".join(f"export {name}='{value}'\n" for name, value in secret.items()))
    private.chmod(0o600)
    environ = {**settings.environment, "PATH": f"{program.parent}:/usr/bin:/bin", "LAKE_ENVIRONMENT_FILE": str(private)}
    lake = read_settings(environ)
    (tmp_path / "tab").write_text("")
    with pytest.raises(NotHere, match="not installed"):
        on_machine(lake, "cron")
    verb(lake, "cron", "install")
    monkeypatch.setattr(machine_probes, "DAEMONS", ("no such daemon",))
    with pytest.raises(Unwell, match="no cron runs"):
        on_machine(lake, "cron")
    monkeypatch.setattr(machine_probes, "DAEMONS", (Path("/proc/self/comm").read_text().strip(),))
    assert on_machine(lake, "cron") == "installed and up to date"
    declare(lake, "things", schedule="1 * * * *")
    with pytest.raises(Unwell, match="of other declarations or settings") as caught:
        on_machine(lake, "cron")
    assert caught.value.hint == "run `lake cron install`"
    tab = tmp_path / "tab"
    tab.write_text(tab.read_text().rpartition("#")[0])
    with pytest.raises(LakeError, match="damaged block"):
        on_machine(lake, "cron")
    with pytest.raises(NotHere, match="no cron on this machine"):
        on_machine(read_settings({**environ, "PATH": str(tmp_path)}), "cron")


def at_sources(settings: Settings) -> str:
    (probe,) = reach.source_probes(load_sources(settings.sources), settings.environment)
    return probe.look()


def only(settings: Settings, **keys: Any) -> Settings:
    """The lake with one source."""
    for path in settings.sources.glob("*.yaml"):
        path.unlink()
    declare(settings, "things", **keys)
    return settings


def test_a_host_that_is_away_or_proves_nothing_is_named(settings: Settings, feeds: Feeds) -> None:
    assert at_sources(only(settings)) == f"{feeds.url} takes connections: things"
    with pytest.raises(Unwell, match=r"http://127\.0\.0\.1:1 for things: no connection \(Connection refused\)"):
        at_sources(only(settings, url="http://user:hidden@127.0.0.1:1/x?token=hidden"))
    with pytest.raises(Unwell, match="TLS handshake"):
        at_sources(only(settings, url=feeds.url.replace("http://", "https://")))
    with pytest.raises(LakeError, match=r"\$\{env:NOWHERE\} is not set"):
        at_sources(only(settings, url="${env:NOWHERE}/x"))
    assert feeds.requests == []


def test_a_folder_of_files_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    assert at_sources(only(settings, kind="files", url=f"file://{tmp_path}/*.csv")).startswith(str(tmp_path))
    with pytest.raises(Unwell, match="got no such folder"):
        at_sources(only(settings, kind="files", url=f"file://{tmp_path}/none/*.csv"))


def test_a_database_that_is_away_or_refuses_the_login_or_lacks_the_table_is_named(
    settings: Settings, shop_database: Server
) -> None:
    url = shop_database.variables["SHOP_DATABASE_URL"]
    lake = read_settings({**settings.environment, "SHOP_DATABASE_URL": url})
    declared = {
        "kind": "database",
        "url": "${env:SHOP_DATABASE_URL}",
        "table": "customers",
        "columns": {"customer_id": "bigint"},
    }
    declared |= {"key": ["customer_id"]}
    assert at_sources(only(lake, **declared)).endswith("lets us in")
    with pytest.raises(LakeError, match="got no such table"):
        at_sources(only(lake, **{**declared, "table": "nothing"}))
    for wrong in (url.replace("@", "x@"), "mysql://me:hidden@127.0.0.1:1/shop"):
        broken = read_settings({**settings.environment, "SHOP_DATABASE_URL": wrong})
        with pytest.raises((LakeError, Unwell)) as caught:
            at_sources(only(broken, **declared))
        assert "hidden" not in str(caught.value)
