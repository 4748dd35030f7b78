"""A bot killed before and after each of its effects, and run again: equal rows, one run each, nothing left over."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ingest.verify import verify
from lake import paths
from lake.settings import HOME, Settings, read_settings
from lake.sources import source_from
from local.feeds import Feeds
from store import leases, raw
from store.documents import read_document
from store.objects import Objects
from tests.integration.conftest import INHERITED, Server, decoded_rows, lake_of
from tests.integration.databases import Database, database_of, insert

NARROW = {"id": "bigint"}
WIDE = {"id": "bigint", "name": "string"}


@dataclass
class Lake:
    """One lake and a process that pulls into it when told."""

    child: "subprocess.Popen[str]"
    settings: Settings
    feeds: Feeds
    columns: dict[str, str] = field(default_factory=lambda: dict(NARROW))
    table: Database | None = None

    @property
    def declared(self) -> dict[str, Any]:
        if self.table:
            swept = {"load": "merge", "key": ["id"], "deletes": "key_sweep", "cursor": {"column": "version"}, "chunk_rows": 2}
            return dict(self.table.source(**swept).model_dump(mode="json", by_alias=True))
        facts = {"name": "things", "description": "One row per thing.", "kind": "rest", "load": "append"}
        return {**facts, "url": f"{self.feeds.url}/users", "columns": self.columns}

    def at(self, prefix: str) -> "Lake":
        """An empty lake beside this one."""
        root = f"s3://{self.settings.bucket}/{prefix}"
        settings = read_settings({**self.settings.environment, "LAKE_ROOT": root})
        return replace(self, settings=settings, columns=dict(NARROW))

    def run(self, verb: str = "pull", **crash: str) -> int:
        """Exit code of one run in its own process."""
        assert self.child.stdin
        assert self.child.stdout
        names = ("LAKE_HOME", "LAKE_ROOT", "LAKE_S3_ENDPOINT", "LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY")
        environment = {**{name: self.settings.environment[name] for name in names}, **crash}
        self.child.stdin.write(json.dumps({"verb": verb, "environment": environment, "source": self.declared}) + "\n")
        self.child.stdin.flush()
        return int(self.child.stdout.readline())


@pytest.fixture(scope="module")
def child() -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-m", "tests.integration.crash_child"]
    with subprocess.Popen(words, cwd=HOME, env=INHERITED, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        yield running
        assert running.stdin
        running.stdin.close()


@pytest.fixture
def lake(child: "subprocess.Popen[str]", minio_server: Server, feeds: Feeds, tmp_path: Path) -> Lake:
    return Lake(child, lake_of(minio_server, tmp_path), feeds)


def nothing(lake: Lake) -> None:
    """An empty lake and a first answer."""
    lake.feeds.data["users"] = [{"id": 1, "name": "x"}]


def news(lake: Lake) -> None:
    """A lake with one run, and another answer."""
    nothing(lake)
    assert lake.run() == 0
    lake.feeds.data["users"] = [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]


def no_news(lake: Lake) -> None:
    """A lake with one run, and the same answer."""
    nothing(lake)
    assert lake.run() == 0


def changed_declaration(lake: Lake) -> None:
    """A lake with one run whose declaration has got another column since."""
    no_news(lake)
    lake.columns = dict(WIDE)


def killed_once(lake: Lake) -> None:
    """A lake with one run, and another that was killed when it had written everything but its manifest."""
    news(lake)
    assert lake.run(LAKE_CRASH_AT="4:after") == -signal.SIGKILL


@pytest.mark.parametrize(
    ("before", "verb", "effects", "rows"),
    [
        (nothing, "pull", 7, [["1"]]),
        (news, "pull", 7, [["1"], ["1"], ["2"]]),
        (no_news, "pull", 3, [["1"]]),
        (changed_declaration, "pull", 5, [["1", "x"]]),
        (changed_declaration, "replay", 4, [["1", "x"]]),
        (killed_once, "pull", 10, [["1"], ["1"], ["2"]]),
    ],
)
def test_killed_at_any_effect_and_run_again_nothing_is_lost_or_doubled(
    lake: Lake, before: Any, verb: str, effects: int, rows: list[list[str]], tmp_path: Path
) -> None:
    log = tmp_path / "effects.log"
    clean = lake.at("clean")
    before(clean)
    assert clean.run(verb, LAKE_CRASH_LOG=str(log)) == 0
    assert len(log.read_text().splitlines()) == effects
    check(clean, rows)
    for place in places(effects, both_sides=before is news):
        crashed = lake.at(f"crash-{place.replace(':', '-')}")
        before(crashed)
        assert crashed.run(verb, LAKE_CRASH_AT=place) == -signal.SIGKILL
        assert crashed.run(verb) == 0
        check(crashed, rows)


def test_a_pull_may_be_killed_at_its_key_sweep_and_behind_it(lake: Lake, postgres_database: Server, tmp_path: Path) -> None:
    lake.table, log = database_of("postgresql", postgres_database), tmp_path / "effects.log"

    def prepared(name: str) -> Lake:
        """A lake with one run of a table that has a row less and one more since."""
        assert lake.table
        found = lake.at(name)
        lake.table.run("drop table if exists things; create table things (id int primary key, version int not null)")
        insert(lake.table, ["(1, 1)", "(2, 2)", "(3, 3)"])
        assert found.run() == 0
        lake.table.run("delete from things where id = 2; insert into things values (4, 4)")
        return found

    clean = prepared("clean")
    assert clean.run(LAKE_CRASH_LOG=str(log)) == 0
    effects = log.read_text().splitlines()
    (swept,) = [number for number, line in enumerate(effects, 1) if line.endswith("/keys.parquet")]
    for place in places(len(effects), both_sides=False)[swept - 1 :]:
        crashed = prepared(f"crash-{place.replace(':', '-')}")
        assert crashed.run(LAKE_CRASH_AT=place) == -signal.SIGKILL
        assert crashed.run() == 0
        check(crashed, [["1"], ["2"], ["3"], ["3"], ["4"]])
        newest = raw.head(Objects(crashed.settings), "things")
        assert newest
        assert newest.keys
        assert newest.keys.rows == 3
    lake.table.run("drop table things")


def places(effects: int, *, both_sides: bool) -> list[str]:
    """Where to kill: after one effect and before the next are the same to everybody else, so one side is enough elsewhere."""
    before = [f"{number}:before" for number in range(1, effects + 1)]
    after = [f"{number}:after" for number in range(1, effects + 1)]
    return before + after if both_sides else [*before, after[-1]]


def check(lake: Lake, rows: list[list[str]]) -> None:
    """See that the lake holds these rows over all its runs, a whole chain, and nothing else."""
    objects, source = Objects(lake.settings), source_from(lake.declared, "things.yaml")
    runs = raw.runs_after(objects, "things", 0)
    assert [run.seq for run in runs] == list(range(1, len(runs) + 1))
    assert sorted(run.run for run in runs) == [run.run for run in runs]
    found = []
    for run in runs:
        decoding = raw.decoding_of(objects, run, source.decoding)
        assert decoding
        found += [[row[name] for name in source.columns] for row in decoded_rows(objects, decoding)]
    assert found == rows
    assert verify(objects, ["things"]).problems == []
    state = read_document(objects, paths.source_state("things"))
    assert state
    assert state["open"] == []
    assert leases.holder(objects, "source/things") is None
