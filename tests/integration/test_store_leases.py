"""Leases between real processes: one owner at a time, the dead are followed at once, the late do not write."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ulid import ULID

from ingest.landing import pull
from lake import paths
from lake.errors import LockedError
from lake.settings import HOME, Settings
from local.feeds import Answer, Feeds, json_answer
from local.processes import wait_until
from store import leases, raw
from store.documents import encoded, read_document
from store.objects import Objects
from tests.integration.conftest import Server, lake_of, rest_source

HOLD = """
import sys
from lake.settings import read_settings
from store import leases
from store.objects import Objects
with leases.held(Objects(read_settings()), "table/x", "01RUN"):
    print("held", flush=True)
    sys.stdin.readline()
"""
PULL = """
import json, sys
from ingest.bots import Failure, pull_all
from lake.settings import read_settings
from lake.sources import source_from
source = source_from(json.loads(sys.argv[1]), "things.yaml")
(outcome,) = pull_all({"things": source}, ["things"], read_settings())
print(outcome.error if isinstance(outcome, Failure) else outcome, flush=True)
sys.exit(outcome.error.exit_code if isinstance(outcome, Failure) else 0)
"""


def started(settings: Settings, program: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *words]
    environment = dict(settings.environment)
    return subprocess.Popen(command, cwd=HOME, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def test_a_lease_says_whether_an_owner_before_died_or_failed_until_that_is_put_right(objects: Objects) -> None:
    with leases.held(objects, "table/left", "first") as lease:
        assert not lease.has_leftovers
    with pytest.raises(ValueError, match="broken"), leases.held(objects, "table/left", "fails") as lease:
        raise ValueError("broken")
    for run in ("second", "third"):
        with leases.held(objects, "table/left", run) as lease:
            assert lease.has_leftovers
    with leases.held(objects, "table/left", "fourth") as lease:
        lease.has_leftovers = False
    holder = started(objects.settings, HOLD.replace("table/x", "table/left"))
    assert said(holder) == "held\n"
    holder.kill()
    holder.wait()
    with leases.held(objects, "table/left", "fifth") as lease:
        assert lease.has_leftovers


def test_a_lease_has_one_owner_and_its_token_grows(objects: Objects) -> None:
    with leases.held(objects, "table/x", "first") as lease:
        assert lease.token == 1
        with pytest.raises(LockedError, match=rf"table/x: run first holds it \(process {os.getpid()} on"):
            leases.held(objects, "table/x", "second").__enter__()
    assert leases.holder(objects, "table/x") is None
    with leases.held(objects, "table/x", "second") as lease:
        assert lease.token == 2


def test_another_process_is_kept_out_and_a_dead_one_is_followed_at_once(objects: Objects, lake_settings: Settings) -> None:
    with started(lake_settings, HOLD) as owner:
        assert said(owner) == "held\n"
        with pytest.raises(LockedError, match="run 01RUN holds it"):
            leases.held(objects, "table/x", "mine").__enter__()
        owner.kill()
        owner.wait()
        with leases.held(objects, "table/x", "mine") as lease:
            assert lease.token == 2


def test_an_owner_on_another_host_is_waited_for_until_its_heartbeat_stops(objects: Objects) -> None:
    with leases.held(objects, "table/x", "theirs"):
        document = read_document(objects, paths.lease("table/x"))
    assert document
    elsewhere = {**document, "state": "held", "owner": {**document["owner"], "host": "elsewhere", "pid": 1}}
    objects.put(paths.lease("table/x"), encoded(elsewhere))
    with pytest.raises(LockedError, match="process 1 on elsewhere"):
        leases.held(objects, "table/x", "mine").__enter__()
    objects.put(paths.lease("table/x"), encoded({**elsewhere, "expires_at": 0}))
    with leases.held(objects, "table/x", "mine"):
        pass


def test_a_heartbeat_keeps_the_lease_and_a_stolen_one_is_lost(minio_server: Server, tmp_path: Path) -> None:
    objects = Objects(lake_of(minio_server, tmp_path, LAKE_LEASE_SECONDS="0.4"))
    with leases.held(objects, "table/x", "mine") as lease:
        first = lease.document["expires_at"]
        assert wait_until(lambda: lease.document["expires_at"] > first, 10)
        objects.put(paths.lease("table/x"), encoded({**lease.document, "token": 99}))
        assert wait_until(lambda: lease.lost, 10)
        with pytest.raises(LockedError, match="lost to another run"):
            lease.check()
    stored = read_document(objects, paths.lease("table/x"))
    assert stored
    assert stored["token"] == 99


def test_a_suspended_bot_that_wakes_up_late_writes_nothing(minio_server: Server, feeds: Feeds, tmp_path: Path) -> None:
    settings = lake_of(minio_server, tmp_path, LAKE_LEASE_SECONDS="1")
    objects = Objects(settings)
    source = rest_source(feeds, "things", "/users", {"id": "bigint"})
    late = json_answer([{"id": 1}])
    feeds.faults["/users"] = [Answer(late.status, late.body, late.headers, delay_seconds=0.5)]
    with started(settings, PULL, source.model_dump_json(by_alias=True)) as sleeper:
        assert wait_until(lambda: bool(feeds.requests), 30)
        os.kill(sleeper.pid, signal.SIGSTOP)
        assert wait_until(lambda: leases.holder(objects, "source/things") is None, 30)
        newer = pull("things", {"things": source}, objects, str(ULID()))
        before = [(info.key, info.modified_at) for info in objects.list("")]
        os.kill(sleeper.pid, signal.SIGCONT)
        assert "lost to another run while this one was stopped; nothing more was written" in said(sleeper)
        assert sleeper.wait() == LockedError.exit_code
    assert [(info.key, info.modified_at) for info in objects.list("")] == before
    assert [run.run for run in raw.runs_after(objects, "things", 0)] == [newer.run]
