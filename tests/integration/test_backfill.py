"""A source's past comes window by window, once each, whatever fails or is killed on the way."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lake.errors import UsageError
from lake.settings import Settings, read_settings
from local.feeds import Answer, Feeds
from local.processes import wait_until
from orchestration import backfill
from store import leases, raw
from store.documents import read_document
from store.objects import Objects
from tests.e2e.user import Lake, ended
from tests.integration.conftest import INHERITED, Server, decoded_rows, lake_of
from tests.integration.lakes import declare, published, pulled, shop_declarations, verb

DAYS = [f"2024-01-0{day}" for day in range(1, 6)]


@dataclass
class Past:
    """A lake whose source `sales` has a file a day, of which the first five of January are asked for."""

    settings: Settings
    feeds: Feeds
    capsys: pytest.CaptureFixture[str]

    def backfill(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and record of a backfill of the five days."""
        self.capsys.readouterr()
        given = ["backfill", "sales", "--from", "2024-01-01", "--to", "2024-01-06", "--json", *(words or ["--no-build"])]
        code = verb(self.settings, *given)
        return code, json.loads(self.capsys.readouterr().out)

    def outcomes(self, *words: str) -> tuple[int, list[str]]:
        """Exit code, and what became of each window."""
        code, record = self.backfill(*words)
        return code, [window["outcome"] for window in record["windows"]]

    def asked(self) -> list[str]:
        """The days that were asked for so far."""
        return [request.path.rpartition("/")[2].removesuffix(".csv") for request in self.feeds.requests]


@pytest.fixture
def past(minio_server: Server, feeds: Feeds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Past:
    places = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "LAKE_SOURCES": str(tmp_path / "sources")}
    settings = lake_of(minio_server, tmp_path, **places)
    shop_declarations(settings)
    declare_sales(settings)
    for day in DAYS:
        feeds.files[f"{day}.csv"] = f"id,day\n{int(day[-1])},{day}\n".encode()
    return Past(settings, feeds, capsys)


def declare_sales(settings: Settings, **keys: Any) -> None:
    dates = {"from": "2023-12-01", "to": "2024-02-01"}
    url = "${env:SHOP_FILES_URL}/{date:%Y-%m-%d}.csv"
    columns = {"id": "bigint", "day": "date"}
    declare(settings, "sales", **{"kind": "files", "url": url, "dates": dates, "load": "merge", "columns": columns, **keys})


def test_each_window_is_a_run_beside_the_live_cursor_and_comes_once(past: Past) -> None:
    assert past.outcomes() == (0, ["new"] * 5)
    objects = Objects(past.settings)
    runs = raw.runs_after(objects, "sales", 0)
    assert [run.window for run in runs] == [
        {"from": day, "to": after} for day, after in zip(DAYS, [*DAYS[1:], "2024-01-06"], strict=True)
    ]
    assert [row["id"] for run in runs for row in decoded_rows(objects, run.first_decoding)] == ["1", "2", "3", "4", "5"]
    assert raw.source_state(objects, "sales").get("cursor") is None
    asked = past.asked()
    assert past.outcomes() == (0, ["there"] * 5)
    assert past.asked() == asked == DAYS


def test_windows_of_another_declaration_are_asked_again(past: Past) -> None:
    past.backfill()
    declare_sales(past.settings, url="${env:SHOP_FILES_URL}/{date:%Y-%m-%d}.csv?version=2")
    assert past.outcomes() == (0, ["new"] * 5)


def test_a_window_that_fails_is_named_and_the_others_go_on(past: Past) -> None:
    whole = past.feeds.files.pop("2024-01-03.csv")
    code, record = past.backfill()
    assert code == 1
    assert [window["outcome"] for window in record["windows"]] == ["new", "new", "failed", "new", "new"]
    assert "2024-01-03.csv: got status 404" in record["windows"][2]["reason"]
    past.feeds.files["2024-01-03.csv"] = whole
    assert past.outcomes() == (0, ["there", "there", "new", "there", "there"])


def test_a_server_that_stays_away_is_not_asked_for_every_window(past: Past) -> None:
    for day in DAYS[1:4]:
        past.feeds.faults[f"/files/{day}.csv"] = [Answer(503, headers={"Retry-After": "0"})] * 5
    assert past.outcomes() == (75, ["new", "failed", "failed", "failed", "not asked"])
    assert past.outcomes() == (0, ["there", "new", "new", "new", "new"])


def test_a_window_without_rows_is_remembered_too(past: Past) -> None:
    past.feeds.files["2024-01-02.csv"] = b"id,day\n"
    pulled_before = raw.head(Objects(past.settings), "sales")
    assert pulled_before is None
    declare_sales(past.settings, missing="skip")
    past.feeds.files.pop("2024-01-04.csv")
    assert past.outcomes() == (0, ["new"] * 5)
    assert past.outcomes() == (0, ["there"] * 5)


def test_an_empty_window_beside_a_live_cursor_is_remembered_too(past: Past) -> None:
    columns = {"id": "bigint", "carted_at": {"type": "timestamp", "from": "date"}}
    cursor = {"column": "carted_at", "param": "startdate", "until": "enddate"}
    declare(past.settings, "baskets", url="${env:FAKESTORE_URL}/carts", load="merge", columns=columns, cursor=cursor)
    pulled(past.settings, "baskets")
    before = raw.source_state(Objects(past.settings), "baskets")
    words = ["backfill", "baskets", "--from", "2020-02-28", "--to", "2020-03-03", "--window", "1d", "--no-build", "--json"]
    for outcome in ("new", "there"):
        past.capsys.readouterr()
        assert verb(past.settings, *words) == 0
        assert {each["outcome"] for each in json.loads(past.capsys.readouterr().out)["windows"]} == {outcome}
    runs = raw.runs_after(Objects(past.settings), "baskets", 1)
    assert [run.first_decoding.rows for run in runs] == [0, 4, 5, 1]
    after = raw.source_state(Objects(past.settings), "baskets")
    assert (after["cursor"], after["looked_at"]) == (before["cursor"], before["looked_at"])


def test_a_database_is_asked_window_by_window(past: Past, shop_database: Server) -> None:
    lake = read_settings({**past.settings.environment, **shop_database.variables})
    columns = {"customer_id": "bigint", "registered_on": "date"}
    declared = {"kind": "database", "url": "${env:SHOP_DATABASE_URL}", "table": "customers", "key": ["customer_id"]}
    declare(lake, "members", **declared, load="merge", columns=columns, cursor={"column": "registered_on"})
    words = ["backfill", "members", "--from", "2019-01-01", "--to", "2019-05-01", "--window", "1 month", "--no-build"]
    assert verb(lake, *words) == 0
    assert [run.first_decoding.rows for run in raw.runs_after(Objects(lake), "members", 0)] == [1, 1, 1, 1]
    assert "4 windows, 4 brought, exit code 0" in past.capsys.readouterr().err


def test_all_is_built_once_at_the_end(past: Past) -> None:
    for path in past.settings.sources.glob("*.yaml"):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("schedule:")))
    past.backfill()
    published(past.settings, "sales")
    code, record = past.backfill("--window", "1d")
    assert code == 0
    built = read_document(Objects(past.settings), f"state/runs/{record['build']}/record.json")
    assert built
    assert (built["names"], built["sources"], built["exit_code"]) == (["sales"], [], 0)


def test_a_source_that_takes_no_windows_is_told_at_once(past: Past) -> None:
    with pytest.raises(UsageError, match="users: got load snapshot, expected append or merge"):
        verb(past.settings, "backfill", "users", "--from", "2024-01-01", "--to", "2024-01-06")
    declare(past.settings, "plain", url="${env:FAKESTORE_URL}/users", load="append")
    with pytest.raises(UsageError, match=r"plain: got a window, expected cursor\.until"):
        verb(past.settings, "backfill", "plain", "--from", "2024-01-01", "--to", "2024-01-06")
    with pytest.raises(UsageError, match="source: got 'nope', expected one of"):
        verb(past.settings, "backfill", "nope", "--from", "2024-01-01", "--to", "2024-01-06")


def test_rows_that_will_double_are_announced(past: Past) -> None:
    declare_sales(past.settings, load="append", key=[])
    words = ["backfill", "sales", "--from", "2024-01-01", "--to", "2024-01-02", "--no-build"]
    verb(past.settings, *words)
    assert "sales adds rows and has no key: what the table has of this range will double" in past.capsys.readouterr().err


def test_another_run_of_the_source_is_waited_for(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(backfill, "PAUSE_SECONDS", 0.0)
    with leases.held(Objects(past.settings), "source/sales", "01M89WPN3RCY9EDFFHT1H4NSWD"):
        assert past.outcomes() == (5, ["failed"] * 5)
    assert past.outcomes() == (0, ["new"] * 5)


def test_a_backfill_that_was_stopped_or_killed_is_gone_on_with(past: Past) -> None:
    lake = Lake({name: value for name, value in past.settings.environment.items() if name in INHERITED or "_" in name})
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        slow = DAYS[1] if number == signal.SIGTERM else DAYS[2]
        past.feeds.faults[f"/files/{slow}.csv"] = [Answer(200, past.feeds.files[f"{slow}.csv"], delay_seconds=5)]
        words = ["backfill", "sales", "--from", "2024-01-01", "--to", "2024-01-06", "--no-build"]
        process = lake.start(*words)
        assert wait_until(lambda slow=slow: slow in past.asked(), 60)
        process.send_signal(number)
        end = ended(process)
        assert end.code == code, end.err
        assert "Traceback" not in end.err
    assert lake("runs", "list", "--json").json[-1]["outcome"] == "no end: its process is gone"
    assert past.outcomes()[0] == 0
    objects = Objects(past.settings)
    runs = raw.runs_after(objects, "sales", 0)
    assert sorted(str(run.window["from"]) for run in runs if run.window) == DAYS
    assert len(runs) == 5
