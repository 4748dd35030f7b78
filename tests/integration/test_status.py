"""What `lake status` and `lake runs` tell of a lake: freshness against promises, and how runs ended."""

import json
import subprocess
from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from ulid import ULID

from api.app import make_app
from ingest.landing import Wish
from ingest.originals import Window
from lake import paths
from lake.errors import FreshnessError, LakeError, TemporaryError, UsageError
from lake.settings import Settings, read_settings
from local.feeds import Feeds
from orchestration.run_records import recorded
from store import leases
from store.documents import read_document
from store.objects import Objects
from store.runs import write_record
from tests.asgi import ask
from tests.integration.conftest import INHERITED, Server, lake_of
from tests.integration.lakes import declare, published, pulled, shop, shop_declarations, verb


@pytest.fixture
def settings(minio_server: Server, feeds: Feeds, tmp_path: Any) -> Settings:
    """A lake in which all of the shop was pulled and published."""
    places = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "LAKE_SOURCES": str(tmp_path / "sources")}
    made = lake_of(minio_server, tmp_path, **places)
    shop_declarations(made)
    shop(made)
    return made


def tables(settings: Settings, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    verb(settings, "status", "--json")
    return {table["table"]: table for table in json.loads(capsys.readouterr().out)["tables"]}


def test_a_source_that_was_asked_and_is_in_its_table_keeps_the_promise(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb(settings, "status", "--check") == 0
    assert "kept" in capsys.readouterr().out
    looked = tables(settings, capsys)["trusted.users"]["as_of"]
    pulled(settings, "users")
    again = tables(settings, capsys)["trusted.users"]
    assert (again["because"], again["is_kept"], again["as_of"] >= looked) == ("users was asked", True, True)


def test_a_promised_table_that_was_never_published_is_named_with_exit_code_7(settings: Settings) -> None:
    declare(settings, "things", fresh_within="1 hour")
    with pytest.raises(FreshnessError) as caught:
        verb(settings, "status", "--check")
    assert "trusted.things: got nothing, expected at most 1 hour (it was never published)" in str(caught.value)
    assert caught.value.exit_code == 7


def test_news_that_no_build_took_over_breaks_the_promise_when_it_gets_old(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    feeds.data["users"] = [{"id": 1}]
    run = pulled(settings, "users")
    found = tables(settings, capsys)
    assert (found["trusted.users"]["because"], found["trusted.users"]["is_kept"]) == (f"run {run} of users is not in it", True)
    _make_older(settings, "users", run)
    with pytest.raises(FreshnessError) as caught:
        verb(settings, "status", "--check")
    told = f"days, expected at most 15 minutes (2026-01-01 00:00 UTC: run {run} of users is not in it)"
    assert told in next(line for line in str(caught.value).splitlines() if "trusted.users" in line)
    assert "refined.customer_value" in str(caught.value)


def test_a_refined_table_is_as_old_as_the_publish_it_was_not_built_from(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    published(settings, "products")
    found = tables(settings, capsys)
    assert found["trusted.products"]["is_kept"]
    assert found["refined.product_sales"]["because"] == "publish 2 of trusted.products is not in it"
    assert found["refined.product_sales"]["is_kept"] is False


def test_the_api_tells_of_every_table_what_status_tells(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    app, objects = make_app(settings), Objects(settings)
    assert _told_by(app, settings, capsys) == {True}
    feeds.data["users"] = [{"id": 1}]
    run = pulled(settings, "users")
    assert _told_by(app, settings, capsys) == {True}
    assert ask(app, "/v1/tables/trusted.users").json["because"] == f"run {run} of users is not in it"
    objects.delete([paths.source_state("users")])
    assert ask(app, "/v1/tables/trusted.users").json["because"] == f"run {run} of users is not in it"
    assert objects.bytes_of(paths.source_state("users")) is None, "who only reads writes nothing"
    published(settings, "products")
    declare(settings, "things", fresh_within="1 hour")
    again = make_app(settings)
    assert _told_by(again, settings, capsys) == {True, False}
    assert ask(again, "/v1/tables/refined.customer_value").json["because"] == "publish 2 of trusted.products is not in it"


def test_a_window_says_nothing_of_today(settings: Settings, feeds: Feeds) -> None:
    declare(settings, "users", url="${env:FAKESTORE_URL}/users?day={date}", load="append")
    before = read_document(Objects(settings), "state/sources/users.json")
    feeds.data["users"] = [{"id": 7}]
    wish = Wish(window=Window("2020-01-01", "2020-01-02"))
    pulled(settings, "users", wish)
    pulled(settings, "users", wish)
    after = read_document(Objects(settings), "state/sources/users.json")
    assert before
    assert after
    assert after["head"]["seq"] == before["head"]["seq"] + 1
    assert after["looked_at"] == before["looked_at"]


def test_a_store_that_is_away_is_no_kept_promise(settings: Settings, tmp_path: Any) -> None:
    variables = {**settings.environment, "LAKE_S3_ENDPOINT": "http://127.0.0.1:1"}
    away = read_settings({name: value for name, value in variables.items() if name in INHERITED or name.startswith("LAKE_")})
    with pytest.raises(TemporaryError):
        verb(away, "status", "--check")


def test_a_run_that_was_killed_is_listed_as_one_without_an_end(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    objects = Objects(settings)
    done, failed, gone, stopped, under_way = (str(ULID()) for _ in range(5))
    with recorded(objects, done, "run", record := {"exit_code": 0, "tables": {"trusted.a": {"outcome": "published"}}}):
        record |= {"sources": []}
    with pytest.raises(LakeError), recorded(objects, failed, "run", {}):
        raise LakeError("a: nothing came")
    with pytest.raises(KeyboardInterrupt), recorded(objects, stopped, "run", {}):
        raise KeyboardInterrupt(143)
    ended = subprocess.Popen(["true"])
    owner = {**leases.this_process(), "pid": ended.pid, "started": "1"}
    ended.wait()
    write_record(objects, gone, {"run": gone, "verb": "run", "started_at": "2026-01-01T00:00:00", "process": owner})
    mine = {"run": under_way, "verb": "run", "started_at": "2026-01-01T00:00:00", "process": leases.this_process()}
    write_record(objects, under_way, mine)
    assert verb(settings, "runs", "list", "--json") == 0
    outcomes = {each["run"]: each["outcome"] for each in json.loads(capsys.readouterr().out)}
    assert outcomes == {
        done: "done",
        failed: "exit code 1",
        gone: "no end: its process is gone",
        stopped: "stopped by SIGTERM",
        under_way: "running",
    }
    verb(settings, "runs", "list", "--failed", "--last", "2", "--json")
    assert [each["run"] for each in json.loads(capsys.readouterr().out)] == sorted([failed, gone, stopped])[-2:]
    verb(settings, "runs", "show", failed)
    assert "a: nothing came" in capsys.readouterr().out


def test_the_words_of_a_job_are_printed_or_it_is_said_why_there_are_none(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    objects, built, idle = Objects(settings), str(ULID()), str(ULID())
    with recorded(objects, built, "run", {"exit_code": 0, "tables": {}}):
        pass
    with recorded(objects, idle, "run", {"exit_code": 0}):
        pass
    with pytest.raises(LakeError, match="the log was removed"):
        verb(settings, "runs", "logs", built)
    with pytest.raises(LakeError, match="it built nothing"):
        verb(settings, "runs", "logs", idle)
    log = settings.local / "logs" / f"job-{built}.log"
    log.parent.mkdir(parents=True)
    log.write_text("Spark said this\n")
    assert verb(settings, "runs", "logs", built) == 0
    assert capsys.readouterr().out == "Spark said this\n"
    for wrong in ("../../env", str(ULID())):
        with pytest.raises(UsageError, match="expected one of `lake runs list`"):
            verb(settings, "runs", "logs", wrong)


def _told_by(app: FastAPI, settings: Settings, capsys: pytest.CaptureFixture[str]) -> set[bool | None]:
    """Check that list and description tell of every table what status tells; how its promises are kept."""
    names = ("as_of", "because", "fresh_within", "is_kept")
    by_status = {name: _instants([told[key] for key in names]) for name, told in tables(settings, capsys).items()}
    by_list = {told["table"]: told for told in ask(app, "/v1/tables").json["tables"]}
    assert set(by_list) == set(by_status) - {"trusted.things"}
    for name, listed in by_list.items():
        described = ask(app, f"/v1/tables/{name}").json
        assert _instants([listed[key] for key in names]) == _instants([described[key] for key in names]) == by_status[name]
    return {told["is_kept"] for told in by_list.values()} - {None}


def _instants(told: list[Any]) -> list[Any]:
    return [datetime.fromisoformat(told[0]) if told[0] else None, *told[1:]]


def _make_older(settings: Settings, source: str, run: str) -> None:
    """Let a raw run be of an earlier day."""
    objects = Objects(settings)
    key = paths.manifest(paths.raw_run(source, run))
    manifest = read_document(objects, key)
    objects.put(key, json.dumps({**(manifest or {}), "created_at": "2026-01-01T00:00:00+00:00"}).encode())
