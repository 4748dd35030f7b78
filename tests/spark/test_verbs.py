"""The verbs around a source as a person gives them: their words, exit codes and effects, with jobs in the shared session."""

import importlib
import io
import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import orchestration.run
from jobs.run import ACTIONS
from lake.errors import LakeError
from lake.settings import HOME
from orchestration.spark_process import Ended
from orchestration.words import parser
from store.objects import Objects
from store.runs import read_plan
from tests.spark.conftest import Lab


@dataclass
class Told:
    """How a verb ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Lake = Callable[..., Told]


@pytest.fixture
def jobs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that verbs start run in this process; the actions of those that did."""
    done: list[str] = []

    def run_job(settings: Any, place: Any, run: str, action: str, told: Callable[[dict[str, Any]], None]) -> Ended:
        done.append(action)
        said = io.StringIO()
        with redirect_stdout(said):
            code = ACTIONS[action](lab.tables, read_plan(Objects(settings), run))
        for line in said.getvalue().splitlines():
            told(json.loads(line))
        return Ended(code, 0)

    monkeypatch.setattr(orchestration.run, "run_job", run_job)
    return done


@pytest.fixture
def lake(lab: Lab, jobs: list[str], capsys: pytest.CaptureFixture[str]) -> Lake:
    """The command line of the lab's lake, in which the sources of the example are declared too."""
    shutil.copytree(HOME / "ingest" / "sources", lab.settings.sources)

    def told(*words: str) -> Told:
        given = parser().parse_args(words)
        module, _, function = given.where.partition(":")
        capsys.readouterr()
        try:
            verb = getattr(importlib.import_module(f"orchestration.{module}"), function)
            code = verb(lab.settings, given, SimpleNamespace(place=lambda: None))
        except LakeError as error:
            return Told(error.exit_code, capsys.readouterr().out, str(error))
        return Told(code, *capsys.readouterr())

    return told


def offers(lab: Lab, low: int, name: str = "offers") -> None:
    columns = {"id": "bigint", "price": "decimal(10,2)", "mail": {"type": "string", "pii": True}}
    checks = [{"column": "price", "rule": "between", "low": low, "high": 100}]
    lab.declare(name, columns, checks=checks, load="append")


def rejected(lake: Lake, name: str) -> list[tuple[int, int]]:
    """Rejected rows of a source and the runs that they came in, as `list` says it."""
    return [(each["rows"], each["runs"]) for each in lake("quarantine", "list", "--json").json if each["source"] == name]


def records(*prices: float) -> list[dict[str, Any]]:
    return [{"id": number, "price": price, "mail": "hidden@example.org"} for number, price in enumerate(prices, 1)]


def test_rejected_rows_are_listed_shown_mended_and_forgotten(lab: Lab, lake: Lake, jobs: list[str]) -> None:
    offers(lab, low=0)
    unknown = lake("quarantine", "show", "offers")
    assert (unknown.code, "of which no row was ever rejected" in unknown.err) == (2, True)
    assert lake("quarantine", "replay", "offers").err.endswith("run `lake run offers` first")
    lab.serve("offers", records(1, -9, 2, -1, -5))
    assert lake("run", "offers").code == 0

    assert rejected(lake, "offers") == [(3, 1)]
    shown = lake("quarantine", "show", "offers").out
    assert "hidden" not in shown
    assert [line.strip() for line in shown.splitlines() if "between" in line] == [
        f"price: got '{price}', expected at least 0 and at most 100 (between)" for price in ("-9", "-1", "-5")
    ]
    assert lake("quarantine", "show", "offers", "--run", "0" * 26).out == f"no row is rejected of run {'0' * 26}\n"

    offers(lab, low=-5)
    assert lake("quarantine", "replay", "offers").code == 0
    assert [row[0] for row in lab.rows("trusted.offers", "id")] == [1, 3, 4, 5]
    (left,) = lake("quarantine", "show", "offers", "--json").json
    assert left["_raw_row"]["row"] == 2
    number = lab.tables.publications("trusted.offers")[0].number
    again = lake("quarantine", "replay", "offers")
    assert (again.code, "nothing new to build" in again.err, jobs) == (0, True, ["build", "build"])
    assert lab.tables.publications("trusted.offers")[0].number == number


def test_what_was_dropped_is_gone_until_raw_is_judged_again(lab: Lab, lake: Lake, jobs: list[str]) -> None:
    offers(lab, 0, "bids")
    lab.serve("bids", records(1, -9))
    run = lake("run", "bids", "--json").json["sources"][0]["run"]
    assert lake("quarantine", "drop", "bids", "--run", "0" * 26).out == "there is nothing to drop\n"
    assert lake("quarantine", "drop", "bids", "--run", run).code == 0
    assert rejected(lake, "bids") == [(0, 0)]
    assert lake("quarantine", "drop", "bids").out == "there is nothing to drop\n"
    assert [lake("quarantine", "replay", "bids").code for _ in range(2)] == [0, 0]
    assert rejected(lake, "bids") == [(1, 1)]
    assert jobs == ["build", "drop", "build"]


def test_a_source_is_listed_shown_and_checked_before_its_first_run(lab: Lab, lake: Lake) -> None:
    offers(lab, 0, "quotes")
    lab.serve("quotes", records(1, -9))
    listed = [line.split()[:5] for line in lake("source", "list").out.splitlines()]
    assert listed[0] == ["source", "kind", "load", "schedule", "columns"]
    assert ["quotes", "rest", "append", "3", "One"] in listed
    assert lake("source", "show", "quotes").json["max_shrink"] == 0.5
    before = [info.key for info in lab.objects.list("")]
    checked = lake("source", "check", "quotes")
    assert checked.code == 0
    assert "row 2 would be quarantined: price: got '-9', expected at least 0 and at most 100 (between)" in checked.out
    assert "1 of the first 2 rows would be published; nothing was changed" in checked.out
    assert "hidden" not in checked.out
    assert [info.key for info in lab.objects.list("")] == before
    for action in ("show", "check"):
        wrong = lake("source", action, "quote")
        assert (wrong.code, wrong.err.startswith("source: got 'quote', expected one of airlines, ")) == (2, True)
    assert lake("source", "check").code == 2


def test_a_draft_of_a_declaration_is_one(lab: Lab, lake: Lake) -> None:
    lab.feeds.files["prices.csv"] = b"id;price\n1;2,50\n2;3,25\n"
    draft = lake("source", "suggest", f"{lab.feeds.files_url}/prices.csv", "--name", "drafted")
    assert draft.code == 0
    (lab.settings.sources / "drafted.yaml").write_text(draft.out)
    assert lake("ingest", "drafted", "--json").json[0]["rows"] == 2
    assert lake("source", "suggest", f"{lab.feeds.files_url}/none.csv").code == 1


def test_a_window_and_everything_again_are_asked_for_by_name(lab: Lab, lake: Lake) -> None:
    cursor = {"column": "at", "param": "since", "until": "before"}
    lab.declare("sales", {"id": "bigint", "at": "timestamp"}, load="merge", cursor=cursor)
    lab.serve("sales", [{"id": 1, "at": "2024-05-01T00:00:00Z"}])

    def asked(*words: str) -> tuple[int, dict[str, str]]:
        code = lake("ingest", "sales", *words).code
        return code, dict(parse_qsl(urlsplit(lab.feeds.requests[-1].path).query))

    assert asked() == (0, {})
    assert asked() == (0, {"since": "2024-05-01T00:00:00Z"})
    assert asked("--from", "2024-01-01", "--to", "2024-02-01") == (0, {"since": "2024-01-01", "before": "2024-02-01"})
    assert asked("--full") == (0, {})
    assert asked() == (0, {"since": "2024-05-01T00:00:00Z"})
    assert lake("ingest", "sales", "--from", "2024-01-01").err == "--from, --to: got one of them, expected both or none"
    assert "ends after it begins" in lake("ingest", "sales", "--from", "2024-02-01", "--to", "2024-01-01").err
    lab.declare("wholes", {"id": "bigint"})
    told = lake("ingest", "wholes", "sales", "--from", "2024-01-01", "--to", "2024-02-01")
    assert (told.code, "wholes: got a window for load snapshot" in " ".join(told.err.split())) == (2, True)
