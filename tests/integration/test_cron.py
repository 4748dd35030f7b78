"""The scheduler with real runs: what is due runs once, failures are told once, and Debian's own cron calls it each minute."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lake.errors import LakeError
from lake.settings import HOME, Settings, read_settings
from local import debian
from local.feeds import Answer, Feeds
from local.processes import wait_until
from local.steps import StepFailed
from orchestration.cron_state import alone, lock_name, read_memories
from orchestration.cron_tick import LOG_BYTES, Tick
from orchestration.run_records import last_records
from store.objects import Objects
from tests.e2e.user import descendants, kill
from tests.integration.conftest import INHERITED, Server, lake_of
from tests.integration.lakes import declare, shop, shop_declarations, verb

HOURLY = "0 * * * *"
UPKEEP = "maintain 33 3 * * *"
NOON = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)


@pytest.fixture
def idle(minio_server: Server, feeds: Feeds, tmp_path: Path) -> Settings:
    """A lake of the shop in which nothing was pulled, and the users alone have a schedule: every hour."""
    places = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "LAKE_SOURCES": str(tmp_path / "sources")}
    made = lake_of(minio_server, tmp_path, **places)
    shop_declarations(made)
    for path in made.sources.glob("*.yaml"):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("schedule:")))
    users = made.sources / "users.yaml"
    users.write_text(f'schedule: "{HOURLY}"\n{users.read_text()}')
    return made


@pytest.fixture
def settings(idle: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The lake with all pulled and published; the commands that this process starts find it."""
    shop(idle)
    for name, value in idle.environment.items():
        monkeypatch.setenv(name, value)
    return idle


def tick(settings: Settings, minutes: int) -> list[str]:
    return Tick(settings, NOON + timedelta(minutes=minutes)).run()


def told(settings: Settings, path: Path) -> Settings:
    """The lake, telling a command that keeps each notice as a line."""
    script = path / "announce"
    script.write_text(f"#!/bin/sh\ncat >> {path}/notices\necho >> {path}/notices\n")
    script.chmod(0o700)
    return read_settings({**settings.environment, "LAKE_ANNOUNCE": f"{script} now"})


def notices(path: Path) -> list[dict[str, Any]]:
    file = path / "notices"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def asked(feeds: Feeds) -> list[str]:
    return [request.path for request in feeds.requests]


def test_a_firing_asks_its_sources_alone_and_runs_once_however_many_were_missed(settings: Settings, feeds: Feeds) -> None:
    assert tick(settings, -1) == []
    before = len(feeds.requests)
    assert tick(settings, 0) == [HOURLY]
    assert asked(feeds)[before:] == ["/users"]
    last = read_memories(settings)[HOURLY].last
    assert last
    assert (last["exit_code"], last["published"], last["errors"]) == (0, 0, [])
    assert tick(settings, 1) == []
    assert tick(settings, 60 * 5 + 7) == [HOURLY]
    assert tick(settings, 60 * 5 + 8) == []
    assert asked(feeds)[before:] == ["/users", "/users"]


def test_a_failure_is_told_once_and_its_recovery_once(settings: Settings, feeds: Feeds, tmp_path: Path) -> None:
    lake = told(settings, tmp_path)
    tick(lake, -1)
    feeds.faults["/users"] = [Answer(404, b"gone")] * 2
    for hour in (0, 1, 2):
        assert tick(lake, 60 * hour) == [HOURLY]
    failure, recovery = notices(tmp_path)
    assert (failure["event"], failure["exit_code"], failure["sources"]) == ("failure", 1, ["users"])
    assert failure["errors"] == [f"users: users: {feeds.url}/users: got status 404, a text, expected status 200"]
    assert (recovery["event"], recovery["exit_code"]) == ("recovery", 0)
    assert "they failed since 2026-01-05 12:00 UTC" in recovery["text"]


def test_an_announcer_that_fails_breaks_nothing_and_is_asked_again(
    idle: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (idle.sources / "wrong.yaml").write_text("name: wrong\n")
    for announcer, trouble in (
        ("false", "ended with 1"),
        ("no-such-program", "cannot be started"),
        ("http://127.0.0.1:1", "gave"),
    ):
        tick(read_settings({**idle.environment, "LAKE_ANNOUNCE": announcer}), 0)
        assert trouble in capsys.readouterr().out
    for _ in range(2):
        tick(told(idle, tmp_path), 1)
    assert [notice["event"] for notice in notices(tmp_path)] == ["failure"]


def test_a_webhook_gets_the_notice_as_json(idle: Settings) -> None:
    got: list[tuple[str, dict[str, Any]]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    (idle.sources / "wrong.yaml").write_text("name: wrong\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tick(read_settings({**idle.environment, "LAKE_ANNOUNCE": f"http://127.0.0.1:{server.server_port}/hook"}), 0)
        server.shutdown()
    ((kind, notice),) = got
    assert (kind, notice["event"], notice["exit_code"]) == ("application/json", "failure", 2)
    assert "wrong.yaml" in notice["text"]


def test_a_store_that_is_away_is_tried_again_and_nothing_else_runs_meanwhile(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = told(settings, tmp_path)
    tick(lake, -1)
    monkeypatch.setenv("LAKE_S3_ENDPOINT", "http://127.0.0.1:1")
    assert tick(lake, 0) == [HOURLY]
    assert tick(lake, 0) == []
    memory = read_memories(lake)[HOURLY]
    assert memory.last
    assert (memory.last["exit_code"], memory.again_at) == (75, NOON + timedelta(minutes=1))
    monkeypatch.undo()
    for name, value in settings.environment.items():
        monkeypatch.setenv(name, value)
    assert tick(lake, 1) == [HOURLY]
    assert read_memories(lake)[HOURLY].tries == 0
    assert notices(tmp_path) == []


def test_a_run_that_still_goes_on_is_not_joined_by_a_second(settings: Settings, feeds: Feeds) -> None:
    tick(settings, -1)
    before = len(feeds.requests)
    with alone(settings, lock_name(HOURLY)):
        tick(settings, 0)
    assert len(feeds.requests) == before
    assert tick(settings, 1) == [HOURLY]
    assert read_memories(settings)[HOURLY].last is not None


def test_a_killed_minute_leaves_a_run_that_is_tried_again(settings: Settings, feeds: Feeds) -> None:
    tick(settings, -61)
    feeds.faults["/users"] = [Answer(200, b"[]", delay_seconds=60)]
    words = "from lake.settings import *; from orchestration.cron_tick import *; from tests.integration.test_cron import NOON; "
    words += "Tick(read_settings(), NOON).run()"
    process = subprocess.Popen([sys.executable, "-c", words], cwd=HOME)
    before = len(feeds.requests)
    assert wait_until(lambda: len(feeds.requests) > before, 60)
    (child,) = descendants(process.pid)
    process.kill()
    process.wait()
    tick(settings, 0)
    assert read_memories(settings)[HOURLY].begun_at == NOON, "the run goes on and holds its lock"
    kill([child])
    assert wait_until(lambda: not _is_locked(settings), 30)
    tick(settings, 1)
    memory = read_memories(settings)[HOURLY]
    assert (memory.begun_at, memory.tries, memory.again_at) == (None, 1, NOON + timedelta(minutes=2))
    assert tick(settings, 2) == [HOURLY]
    assert read_memories(settings)[HOURLY].tries == 0


def test_a_wrong_declaration_is_told_once_and_does_not_forget_the_schedules(settings: Settings, tmp_path: Path) -> None:
    lake = told(settings, tmp_path)
    tick(lake, -1)
    wrong = settings.sources / "wrong.yaml"
    wrong.write_text("name: wrong\n")
    assert [tick(lake, 0), tick(lake, 1)] == [[], []]
    wrong.unlink()
    assert tick(lake, 2) == [HOURLY]
    assert tick(lake, 3) == []
    assert [(notice["event"], notice["schedule"]) for notice in notices(tmp_path)] == [
        ("failure", "declarations"),
        ("recovery", "declarations"),
    ]
    assert list(read_memories(lake)) == [HOURLY, UPKEEP]


def test_upkeep_comes_at_night_is_tried_again_and_caught_up_once(
    idle: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in idle.sources.glob("*.yaml"):
        source.unlink()
    for name in ("customers", "users"):
        declare(idle, name)
    lake, night = told(idle, tmp_path), 15 * 60 + 33
    for name, value in idle.environment.items():
        monkeypatch.setenv(name, value)
    assert tick(lake, night - 1) == []
    with monkeypatch.context() as away:
        away.setenv("LAKE_S3_ENDPOINT", "http://127.0.0.1:1")
        assert tick(lake, night) == [UPKEEP]
    memory = read_memories(lake)[UPKEEP]
    assert memory.last
    assert (memory.last["exit_code"], memory.again_at) == (75, NOON + timedelta(minutes=night + 1))
    assert tick(lake, night + 1) == [UPKEEP]
    assert tick(lake, night + 2) == []
    assert tick(lake, night + 3 * 24 * 60 + 5) == [UPKEEP]
    assert tick(lake, night + 3 * 24 * 60 + 6) == []
    done = [(record["verb"], record["exit_code"]) for record in last_records(Objects(lake), 5)]
    assert done == [("maintain", 0), ("maintain", 0)]
    assert "exit code 0, run" in capsys.readouterr().out
    verb(cron_settings(idle, environment_file(idle, tmp_path), os.environ["PATH"]), "cron", "show", "--json")
    (shown,) = json.loads(capsys.readouterr().out)["schedules"]
    assert (shown["what"], shown["last"]["maintained"], shown["last"]["exit_code"]) == ("`lake maintain`", 0, 0)
    assert notices(tmp_path) == []
    wrong = read_settings({**lake.environment, "LAKE_MAINTAIN": "nightly"})
    assert tick(wrong, night + 3 * 24 * 60 + 7) == []
    (failure,) = notices(tmp_path)
    assert "LAKE_MAINTAIN: got 'nightly', expected five fields" in failure["text"]
    never = read_settings({**lake.environment, "LAKE_MAINTAIN": "off"})
    assert tick(never, night + 9 * 24 * 60) == []
    assert read_memories(never) == {}


def test_a_long_log_is_turned_and_the_oldest_goes(idle: Settings) -> None:
    log = idle.local / "logs" / "cron.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        log.with_name(f"cron.log.{number}").write_text(str(number))
    log.write_text("x" * LOG_BYTES)
    words = "from lake.settings import *; from orchestration.cron_tick import *; turn_log(read_settings()); print('new')"
    environ = {**INHERITED, "LAKE_HOME": str(idle.home)}
    with log.open("a") as output:
        subprocess.run([sys.executable, "-c", words], stdout=output, env=environ, check=True)
    assert log.read_text() == "new\n"
    kept = {path.name: path.read_text()[:1] for path in log.parent.glob("cron.log.*")}
    assert kept == {"cron.log.1": "x", "cron.log.2": "1", "cron.log.3": "2", "cron.log.4": "3", "cron.log.5": "4"}


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    """A `crontab` that keeps its text in a file, in a folder for PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text(
        f"""#!/bin/sh
file={tmp_path}/crontab
case "$1" in
  -l) cat "$file" 2>/dev/null || {{ echo "no crontab for me" >&2; exit 1; }};;
  -r) rm "$file";;
  -) echo >> {tmp_path}/writes; cat > "$file";;
esac
"""
    )
    program.chmod(0o700)
    return folder


def test_installing_twice_writes_once_and_removing_leaves_what_was_there(
    idle: Settings, crontab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, secrets = tmp_path / "crontab", environment_file(idle, tmp_path)
    lake = cron_settings(idle, secrets, f"{crontab}:{os.environ['PATH']}")
    for others in ("", "MAILTO=me\n0 1 * * * mine %x\n"):
        file.write_text(others) if others else file.unlink(missing_ok=True)
        writes = (tmp_path / "writes").read_text() if (tmp_path / "writes").exists() else ""
        verb(lake, "cron", "install")
        once = file.read_text()
        verb(lake, "cron", "install")
        assert file.read_text() == once
        assert once.startswith(others)
        assert (tmp_path / "writes").read_text() == f"{writes}\n"
        capsys.readouterr()
        verb(lake, "cron", "show", "--json")
        shown = json.loads(capsys.readouterr().out)
        assert (shown["installed"], shown["current"]) == (True, True)
        verb(lake, "cron", "remove")
        assert (file.read_text() if file.exists() else "") == others
        verb(lake, "cron", "remove")
    verb(lake, "cron", "show")
    assert "`lake cron install` would write:" in capsys.readouterr().out


def test_a_crontab_that_cannot_be_read_is_not_written(idle: Settings, crontab: Path, tmp_path: Path) -> None:
    (crontab / "crontab").write_text("#!/bin/sh\necho 'you are not allowed' >&2\nexit 1\n")
    lake = cron_settings(idle, environment_file(idle, tmp_path), f"{crontab}:{os.environ['PATH']}")
    with pytest.raises(LakeError, match="crontab -l: you are not allowed"):
        verb(lake, "cron", "install")


def environment_file(settings: Settings, folder: Path) -> Path:
    """The lake's secrets and addresses where cron finds them."""
    names = ("LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY", "FAKESTORE_URL", "SHOP_FILES_URL")
    file = folder / "secrets.env"
    file.write_text("".join(f"export {name}='{settings.environment[name]}'\n" for name in names))
    file.chmod(0o600)
    return file


def cron_settings(settings: Settings, secrets: Path, path: str) -> Settings:
    """The lake as a shell names it whose secrets are in a file."""
    named = {name: value for name, value in settings.environment.items() if name in INHERITED or name.startswith("LAKE_")}
    plain = {name: value for name, value in named.items() if "ACCESS_KEY" not in name}
    return read_settings({**plain, "PATH": path, "LAKE_ENVIRONMENT_FILE": str(secrets)})


@pytest.fixture
def own_cron() -> list[str]:
    """What begins a command that has a crontab and a cron of its own: nobody else's is read, started or changed."""
    if os.geteuid() != 0:
        pytest.skip("cron needs root to run in the foreground")
    if not all(shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("cron", "crontab")):
        with suppress(StepFailed):
            debian.install(["cron"], dict(os.environ))
    if not shutil.which("cron", path="/usr/sbin"):
        pytest.skip("Debian's cron is not installed and cannot be")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody have mounts of his own, and the real crontab stays as it is")
    apart = """
set -e
touch "$1/none"
mount -t tmpfs none /etc/cron.d
mount -t tmpfs none /run
mount --bind "$1/none" /etc/crontab
mount -t tmpfs -o mode=1730,gid=$(stat -c %g /var/spool/cron/crontabs) none /var/spool/cron/crontabs
shift
exec "$@"
"""
    return ["unshare", "--mount", "sh", "-c", apart, "sh"]


@pytest.mark.slow
def test_debians_cron_runs_a_real_job_at_the_minute(idle: Settings, tmp_path: Path, own_cron: list[str]) -> None:
    """From the crontab's line through cron's bare environment to a table that Spark published."""
    declare(idle, "things", url="${env:FAKESTORE_URL}/users", schedule="* * * * *")
    secrets = environment_file(idle, tmp_path)
    lake = cron_settings(idle, secrets, os.environ["PATH"])
    program = str(Path(sys.executable).parent / "lake")
    script = f"{program} cron install && {program} cron install && crontab -l && exec cron -f"
    environ = {name: value for name, value in lake.environment.items() if name in ("PATH", "LANG") or name.startswith("LAKE_")}
    environ = {name: value for name, value in environ.items() if "ACCESS_KEY" not in name} | {"HOME": str(Path.home())}
    words = [*own_cron, str(tmp_path), "sh", "-c", script]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
        try:
            done = wait_until(lambda: _last_code(lake) is not None or daemon.poll() is not None, 300)
            log = lake.local / "logs" / "cron.log"
            assert done, "nothing ran"
            assert daemon.poll() is None, daemon.communicate()[0]
            assert _last_code(lake) == 0, log.read_text()
        finally:
            kill([*descendants(daemon.pid)])
            daemon.kill()
    assert "* * * * *: exit code 0, run" in log.read_text()
    assert "1 tables published" in log.read_text()
    assert idle.environment["LAKE_S3_SECRET_ACCESS_KEY"] not in log.read_text()


def _last_code(settings: Settings) -> int | None:
    memory = read_memories(settings).get("* * * * *")
    return int(memory.last["exit_code"]) if memory and memory.last else None


def _is_locked(settings: Settings) -> bool:
    with alone(settings, lock_name(HOURLY), is_waiting=False) as lock:
        return lock is None
