"""Raw runs, run records and logs that are old go, what is needed stays, and a kill in between leaves a whole chain."""

import json
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ulid import ULID

from ingest.retention import retire
from ingest.verify import raw_list, verify
from lake import paths
from lake.declared import read_declarations
from lake.errors import LockedError, UsageError
from lake.settings import Settings
from lake.sources import load_sources
from local.feeds import Feeds
from orchestration.maintain import Upkeep
from orchestration.old_records import NEWEST, remove_old_logs, remove_old_records
from orchestration.plan import planned_tables, published_tables
from store import effects, leases, raw
from store.objects import Objects
from store.runs import run_ids, write_record
from tests.integration.conftest import lake_of
from tests.integration.lakes import declare, publish, published, pulled, shop_declarations, verb

LATER = datetime.now(UTC) + timedelta(days=100)
KEEPS = {"retention": "90 days"}


@pytest.fixture
def lake(minio_server: Any, feeds: Feeds, tmp_path: Any) -> Settings:
    settings = lake_of(minio_server, tmp_path, FAKESTORE_URL=feeds.url, LAKE_SOURCES=str(tmp_path / "sources"))
    shop_declarations(settings)
    return settings


def runs(lake: Settings, feeds: Feeds, count: int, **declared: Any) -> Any:
    """So many runs of a source in raw, all of them in its table."""
    declare(lake, "things", url="${env:FAKESTORE_URL}/users", **declared)
    for number in range(count):
        feeds.data["users"] = [{"id": number}]
        pulled(lake, "things")
    published(lake, "things")
    return load_sources(lake.sources)["things"]


def seqs(lake: Settings) -> list[int]:
    assert [problem.message for problem in verify(Objects(lake), ["things"]).problems] == []
    return [run["seq"] for run in raw_list(Objects(lake), "things")][::-1]


def test_runs_that_are_old_and_in_the_table_go_and_the_chain_begins_behind_them(lake: Settings, feeds: Feeds) -> None:
    source, objects = runs(lake, feeds, 3, **KEEPS), Objects(lake)
    assert retire(objects, source, 3, "R", LATER - timedelta(days=20)) == 0
    feeds.data["users"] = [{"id": 9}]
    pulled(lake, "things")
    feeds.data["users"] = [{"id": 10}]
    pulled(lake, "things")
    assert retire(objects, source, 3, "R", LATER) == 3
    assert seqs(lake) == [4, 5]
    assert retire(objects, source, 3, "R", LATER) == 0
    assert len({info.key.partition("/run=")[2][:26] for info in objects.list("raw/things/dt=")}) == 2
    objects.delete([paths.source_state("things")])
    assert raw.source_state(objects, "things")["head"]["seq"] == 5
    assert retire(objects, source, 5, "R", LATER) == 1
    assert seqs(lake) == [5]


def test_a_run_that_is_lost_behind_the_beginning_is_still_told(lake: Settings, feeds: Feeds) -> None:
    source, objects = runs(lake, feeds, 4, **KEEPS), Objects(lake)
    first, second = raw.runs_after(objects, "things", 0)[:2]
    raw.begin_at(objects, "things", second.link)
    assert {problem.kind for problem in verify(objects, ["things"]).problems} == {"orphan"}
    assert retire(objects, source, 1, "R", LATER) == 0
    assert objects.bytes_of(first.link.manifest) is None
    objects.delete([second.link.manifest])
    kinds = [(problem.kind, problem.key) for problem in verify(objects, ["things"]).problems]
    assert ("chain", second.link.manifest) in kinds


@pytest.mark.parametrize("load", ["merge", "append", "overwrite"])
def test_retention_needs_consent_where_a_rebuild_needs_all_runs(lake: Settings, feeds: Feeds, load: str) -> None:
    more = {"partition": "id"} if load == "overwrite" else {}
    with pytest.raises(UsageError, match="`rebuilds_from: remaining` beside it"):
        runs(lake, feeds, 1, load=load, **KEEPS, **more)
    assert runs(lake, feeds, 1, load=load, **KEEPS, **more, rebuilds_from="remaining").retention == "90 days"


def planned(lake: Settings) -> Any:
    declared = read_declarations(lake)
    published = published_tables(lake, Objects(lake), ["trusted.things"])
    return planned_tables(Objects(lake), declared, published, ["things"], [], [])[0]


def test_a_rebuild_from_what_is_left_says_so_and_waits_where_nobody_consented(lake: Settings, feeds: Feeds) -> None:
    source = runs(lake, feeds, 3, load="append", **KEEPS, rebuilds_from="remaining")
    assert retire(Objects(lake), source, 3, "R", LATER) == 2
    assert planned(lake)["build"] is False
    more = {"url": "${env:FAKESTORE_URL}/users", "load": "append", "max_shrink": 0.1}
    declare(lake, "things", **more, **KEEPS, rebuilds_from="remaining")
    entry = planned(lake)
    assert ([run["seq"] for run in entry["runs"]], entry["reason"]) == ([3], "its declaration changed")
    assert entry["told"] == "; runs 1 to 2 were removed by retention, it is built from what is left"
    declare(lake, "things", **more)
    with pytest.raises(UsageError, match="runs 1 to 2 were removed by retention, and it is to be built again"):
        planned(lake)


def test_a_table_rolled_back_behind_the_beginning_is_not_built_with_a_gap(lake: Settings, feeds: Feeds) -> None:
    source = runs(lake, feeds, 4, load="append", **KEEPS, rebuilds_from="remaining")
    retire(Objects(lake), source, 4, "R", LATER)
    from lake.planning import Wanted

    declared = read_declarations(lake)
    old = Wanted(source.declaration, declared.trusted_code, {"things": {"seq": 1, "run": "R"}})
    publish(lake, "trusted.things", old, 1)
    with pytest.raises(UsageError, match="runs 2 to 3 were removed by retention, and the publish it was rolled back to"):
        planned(lake)


def test_retention_killed_anywhere_leaves_a_whole_chain_and_goes_on(lake: Settings, feeds: Feeds, tmp_path: Any) -> None:
    source, place = runs(lake, feeds, 3, **KEEPS), 0
    while True:
        place += 1
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                effects._counter = effects._Counter()
                settings = replace(lake, crash_at=f"{place}:after", lease_seconds=3600)
                effects.arm(settings)
                retire(Objects(settings), source, 3, "R", LATER)
                code = 0
            finally:
                os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert ended in (0, -signal.SIGKILL)
        found = verify(Objects(lake), ["things"])
        assert {problem.kind for problem in found.problems} <= {"orphan"}
        assert [run["seq"] for run in raw_list(Objects(lake), "things")] in ([3, 2, 1], [3])
        if ended == 0:
            break
    assert place > 4
    retire(Objects(lake), source, 3, "R", LATER)
    assert seqs(lake) == [3]


def test_a_source_that_is_pulled_now_is_left_alone(lake: Settings, feeds: Feeds) -> None:
    source, objects = runs(lake, feeds, 2, **KEEPS), Objects(lake)
    with leases.held(objects, "source/things", "other"), pytest.raises(LockedError, match="run other holds it"):
        retire(objects, source, 2, "R", LATER)
    assert seqs(lake) == [1, 2]


def test_the_verb_tells_what_it_took_from_raw_and_what_it_left_alone(lake: Settings, feeds: Feeds) -> None:
    runs(lake, feeds, 3, **KEEPS)
    objects, notes = Objects(lake), list[str]()

    def maintained(is_dry: bool) -> Any:
        upkeep = Upkeep(lake, objects, lambda event: notes.append(event["message"]), is_dry, now=LATER)
        upkeep.raw()
        return upkeep.record["raw"]

    with leases.held(objects, "table/trusted.things", "other"):
        assert [each["outcome"] for each in maintained(False)] == ["skipped"]
    assert maintained(True) == maintained(True) == [{"source": "things", "outcome": "maintained", "runs": 2}]
    assert seqs(lake) == [1, 2, 3]
    assert maintained(False) == [{"source": "things", "outcome": "maintained", "runs": 2}]
    assert maintained(False) == [{"source": "things", "outcome": "maintained", "runs": 0}]
    assert seqs(lake) == [3]
    assert "raw things: left alone" in notes[0]
    assert notes[-1] == "  raw things: 2 runs older than 90 days removed"


def test_old_records_and_logs_go_and_the_newest_and_what_runs_stay(lake: Settings) -> None:
    objects, now = Objects(lake), datetime.now(UTC)
    old = [str(ULID.from_datetime(now - timedelta(days=31, minutes=n))) for n in range(NEWEST + 3, 0, -1)]
    for run in old[:4]:
        write_record(objects, run, {"run": run, "exit_code": 0})
    write_record(objects, old[1], {"run": old[1], "process": leases.this_process()})
    for run in old:
        objects.put(paths.run_plan(run), b"{}")
        (lake.local / "logs").mkdir(parents=True, exist_ok=True)
        (lake.local / "logs" / f"job-{run}.log").write_text("said")
    (lake.local / "logs" / "cron.log").write_text("kept")
    assert (remove_old_records(lake, objects, now, True), remove_old_logs(lake, now, True)) == (2, 3)
    assert (remove_old_records(lake, objects, now, False), remove_old_logs(lake, now, False)) == (2, 3)
    assert list(run_ids(objects)) == [old[1], *old[3:]]
    assert len(list((lake.local / "logs").iterdir())) == NEWEST + 1
    assert remove_old_records(replace(lake, keep_records_days=32), objects, now, False) == 0


def test_the_verb_without_anything_to_do_starts_no_spark(
    lake: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(lake, feeds, 1)
    objects, (table,) = Objects(lake), published_tables(lake, Objects(lake))
    from store.catalog import open_catalog
    from store.documents import encoded

    location = objects.key(open_catalog(lake).tables()[table])
    facts = {"metadata": location, "keep": 20, "pinned": [], "hours": 6.0, "again_at": None}
    objects.put(paths.maintenance(table), encoded(facts))
    assert verb(lake, "maintain") == 0
    assert "no table needs anything" in capsys.readouterr().out
    assert verb(lake, "maintain", "--json") == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
    with pytest.raises(UsageError, match=r"TABLE: got 'things', expected one of trusted\.things"):
        verb(lake, "maintain", "things")
    with pytest.raises(UsageError, match="--keep: got 0"):
        verb(lake, "maintain", "--keep", "0")
