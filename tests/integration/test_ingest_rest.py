"""Paged APIs on real ports to raw: every way of paging, kills and signals on the way, incremental runs, credentials."""

import json
import os
import signal
import subprocess
from typing import Any

import pytest
from ulid import ULID

from ingest.amounts import Amount
from ingest.bots import pull_all
from ingest.landing import Pull, Wish, pull
from ingest.originals import Window
from ingest.verify import sweep, verify
from lake import paths
from lake.errors import SourceError, UsageError
from lake.settings import Settings, read_settings
from lake.sources import source_from
from local.processes import wait_until
from store import raw
from store.leases import holder
from store.objects import Objects
from tests.integration.conftest import decoded_rows
from tests.integration.test_ingest_crashes import child, places  # noqa: F401 - child is a fixture
from tests.paged_api import Asked, PagedApi, Said, said, serving

WAYS: dict[str, dict[str, Any]] = {
    "page": {"kind": "page", "size_param": "limit", "size": 10},
    "offset": {"kind": "offset", "size": 10},
    "cursor": {"kind": "cursor", "param": "after", "next": "next"},
    "link": {"kind": "link_header"},
    "next": {"kind": "next_url", "next": "next"},
}


@pytest.fixture
def api() -> Any:
    found = PagedApi(records(95))
    with serving(found):
        yield found


def records(number: int) -> list[dict[str, Any]]:
    return [{"id": each, "at": f"2024-01-01T00:{each // 60:02}:{each % 60:02}Z"} for each in range(number)]


def declaration(api: PagedApi, way: str = "cursor", **more: Any) -> dict[str, Any]:
    facts = {"name": "things", "description": "One row per thing.", "kind": "rest", "load": "append", "records": "items"}
    columns = {"id": "bigint", "at": "timestamp"}
    return {**facts, "url": f"{api.base}/{way}", "pagination": WAYS[way], "columns": columns, **more}


def landed(objects: Objects, declared: dict[str, Any], wish: Wish | None = None, told: list[str] | None = None) -> Pull:
    source = source_from(declared, "things.yaml")

    def tell(source: str, what: str | Amount) -> None:
        if told is not None and isinstance(what, str):
            told.append(what)

    return pull("things", {"things": source}, objects, str(ULID()), tell, wish)


def rows(objects: Objects) -> list[int]:
    """The ids of the newest run, which must be whole and alone."""
    head = raw.head(objects, "things")
    assert head
    assert verify(objects, ["things"]).problems == []
    assert not [info.key for info in objects.list(paths.raw_source("things")) if "/checkpoint/" in info.key]
    return [int(row["id"]) for row in decoded_rows(objects, head.first_decoding)]


def killed(process: "subprocess.Popen[str]", settings: Settings, declared: dict[str, Any], at: str = "", log: str = "") -> int:
    """Exit code of a pull in its own process that dies at an effect."""
    assert process.stdin
    assert process.stdout
    names = ("LAKE_HOME", "LAKE_ROOT", "LAKE_S3_ENDPOINT", "LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY")
    environment = {name: settings.environment[name] for name in names} | {"LAKE_CRASH_AT": at, "LAKE_CRASH_LOG": log}
    process.stdin.write(json.dumps({"verb": "pull", "environment": environment, "source": declared}) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def pages_asked(api: PagedApi) -> list[str]:
    return [asked.query.get("page", "") for asked in api.asked]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_paging_lands_every_record_once(api: PagedApi, objects: Objects, way: str) -> None:
    assert landed(objects, declaration(api, way)).rows == 95
    assert rows(objects) == list(range(95))
    assert landed(objects, declaration(api, way)).outcome == "unchanged"


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_a_page_it_goes_on_behind_it(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    objects: Objects,
    way: str,
) -> None:
    declared = declaration(api, way)
    lease_and_run, effects_of_a_page = 2, 3
    assert killed(child, objects.settings, declared, f"{lease_and_run + 7 * effects_of_a_page}:after") == -signal.SIGKILL
    before = len(api.asked)
    told: list[str] = []
    assert landed(objects, declared, told=told).rows == 95
    assert told[0] == "goes on behind 7 originals that a stopped run had stored"
    assert rows(objects) == list(range(95))
    assert api.asked[before].query == api.asked[6].query
    assert len(api.asked) - before == (5 if way in ("page", "offset") else 4)


def test_the_source_that_moved_meanwhile_is_read_anew(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    objects: Objects,
) -> None:
    declared = declaration(api, "page")
    assert killed(child, objects.settings, declared, "14:after") == -signal.SIGKILL
    api.records.insert(0, {"id": 1000, "at": None})
    told: list[str] = []
    landed(objects, declared, told=told)
    assert "begins again: " in told[1]
    assert rows(objects) == [1000, *range(95)]


@pytest.mark.parametrize("change", [{"pagination": {**WAYS["page"], "size": 20}}, {"columns": {"id": "bigint"}}])
def test_a_changed_declaration_begins_anew(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    objects: Objects,
    change: dict[str, Any],
) -> None:
    declared = declaration(api, "page")
    assert killed(child, objects.settings, declared, "14:after") == -signal.SIGKILL
    landed(objects, {**declared, **change})
    assert rows(objects) == list(range(95))


def test_the_sweeper_spares_what_can_be_gone_on_with(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    objects: Objects,
) -> None:
    assert killed(child, objects.settings, declaration(api), "14:after") == -signal.SIGKILL
    assert sweep(objects, "things") == []
    assert verify(objects, ["things"]).problems == []
    told: list[str] = []
    landed(objects, declaration(api), told=told)
    assert told[0].startswith("goes on behind 4 originals")


@pytest.mark.parametrize(("is_known", "effects"), [(False, 14), (True, 13)])
def test_killed_at_any_effect_of_a_paged_pull_nothing_is_lost_or_doubled(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    lake_settings: Settings,
    tmp_path: Any,
    is_known: bool,
    effects: int,
) -> None:
    log = tmp_path / "effects.log"
    for place in ["", *places(effects, both_sides=False)]:
        root = f"s3://{lake_settings.bucket}/{place.replace(':', '-') or 'clean'}"
        settings = read_settings({**lake_settings.environment, "LAKE_ROOT": root})
        api.size, declared = 1, declaration(api)
        if is_known:
            api.records = records(2)
            assert killed(child, settings, declared) == 0
            api.records = [records(2)[0], *records(3)[2:], records(2)[1]]
        else:
            api.records = records(3)
        code = killed(child, settings, declared, place, "" if place else str(log))
        if not place:
            assert len(log.read_text().splitlines()) == effects
        assert code == (-signal.SIGKILL if place else 0)
        assert killed(child, settings, declared) == 0
        found = Objects(settings)
        assert rows(found) == [record["id"] for record in api.records]
        assert raw.source_state(found, "things")["open"] == []


def test_a_signal_ends_the_page_and_the_next_pull_goes_on(api: PagedApi, lake_settings: Settings) -> None:
    def ended(number: int, frame: Any) -> None:
        raise SystemExit(143)

    def third(asked: Asked) -> Said | None:
        if asked.query.get("page") == "3":
            os.kill(os.getpid(), signal.SIGTERM)
            api.before = lambda asked: None
        return None

    api.before = third
    sources = {"things": source_from(declaration(api, "page"), "things.yaml")}
    handler = signal.signal(signal.SIGTERM, ended)
    try:
        with pytest.raises(SystemExit):
            pull_all(sources, ["things"], lake_settings)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert wait_until(lambda: holder(Objects(lake_settings), "source/things") is None, 30)
    before = pages_asked(api)
    pull_all(sources, ["things"], lake_settings)
    after = pages_asked(api)[len(before) :]
    assert after[0] == before[-1]
    assert len(before) < 10
    assert rows(Objects(lake_settings)) == list(range(95))


def test_pages_that_have_not_changed_are_not_sent_again(api: PagedApi, objects: Objects) -> None:
    api.has_etags = True
    landed(objects, declaration(api, "page"))
    api.asked.clear()
    assert landed(objects, declaration(api, "page")).outcome == "unchanged"
    assert [bool(asked.headers.get("if-none-match")) for asked in api.asked] == [True] * 10 + [False]
    api.records[94]["at"] = "2024-02-01T00:00:00Z"
    assert landed(objects, declaration(api, "page")).outcome == "new"
    assert rows(objects) == list(range(95))


def test_a_long_look_that_finds_nothing_new_leaves_nothing(api: PagedApi, objects: Objects) -> None:
    api.size, api.records = 1, records(60)
    landed(objects, declaration(api))
    there = [info.key for info in objects.list(paths.raw_source("things"))]
    assert landed(objects, declaration(api)).outcome == "unchanged"
    assert [info.key for info in objects.list(paths.raw_source("things"))] == there
    assert raw.source_state(objects, "things")["open"] == []


def test_a_run_that_is_killed_while_all_is_as_it_was_goes_on_too(
    child: "subprocess.Popen[str]",  # noqa: F811
    api: PagedApi,
    objects: Objects,
) -> None:
    api.size, api.records = 1, records(60)
    landed(objects, declaration(api))
    api.records[59] = {"id": 77, "at": None}
    assert killed(child, objects.settings, declaration(api), "3:after") == -signal.SIGKILL
    told: list[str] = []
    landed(objects, declaration(api), told=told)
    assert told[0] == "goes on behind 50 originals that a stopped run had stored"
    assert rows(objects) == [*range(59), 77]


INCREMENTAL = {"cursor": {"column": "at", "param": "since", "until": "before"}, "load": "merge", "key": ["id"]}


def test_an_incremental_source_brings_what_is_new_and_moves_its_cursor_with_the_head(api: PagedApi, objects: Objects) -> None:
    declared = declaration(api, "page", **INCREMENTAL)
    landed(objects, declared)
    assert raw.source_state(objects, "things")["cursor"] == {"column": "at", "value": "2024-01-01T00:01:34Z"}
    api.records.append({"id": 95, "at": "2024-01-01T00:01:35Z"})
    assert landed(objects, declared).outcome == "new"
    assert rows(objects) == [94, 95]
    head = raw.head(objects, "things")
    assert head
    assert head.cursor == {"column": "at", "value": "2024-01-01T00:01:35Z"}


def test_an_incremental_look_without_records_makes_no_run(api: PagedApi, objects: Objects) -> None:
    declared = declaration(api, "page", **INCREMENTAL)
    first = landed(objects, declared)
    api.records.clear()
    second = landed(objects, declared)
    assert (second.outcome, second.run) == ("unchanged", first.run)


def test_a_window_lands_beside_the_cursor(api: PagedApi, objects: Objects) -> None:
    declared = declaration(api, "page", **INCREMENTAL)
    landed(objects, declared)
    window = Window("2024-01-01T00:01:30Z", "2024-01-02T00:00:00Z")
    assert landed(objects, declared, Wish(window)).rows == 5
    head = raw.head(objects, "things")
    assert head
    assert head.window == {"from": window.start, "to": window.end}
    assert head.cursor == raw.source_state(objects, "things")["cursor"] == {"column": "at", "value": "2024-01-01T00:01:34Z"}
    assert landed(objects, declared).rows == 1
    assert landed(objects, declared, Wish(is_full=True)).rows == 95


def test_a_window_of_a_snapshot_is_refused(api: PagedApi, objects: Objects) -> None:
    declared = declaration(api, "page", load="snapshot", key=["id"])
    with pytest.raises(UsageError, match="expected load append or merge"):
        landed(objects, declared, Wish(Window("2024-01-01", "2024-01-02")))


def test_an_answer_that_cannot_be_used_on_a_later_page_leaves_nothing(api: PagedApi, objects: Objects) -> None:
    api.before = lambda asked: Said(200, b"<html>sorry</html>") if asked.query.get("page") == "4" else None
    with pytest.raises(SourceError, match=r"/page\?page=4&limit=10: got an HTML page"):
        landed(objects, declaration(api, "page"))
    assert list(objects.list(paths.raw_source("things"))) == []


def test_a_busy_server_is_asked_again(api: PagedApi, objects: Objects) -> None:
    busy = [Said(429, b"", {"retry-after": "0"}), Said(503, b"", {"retry-after": "Sun, 13 Sep 2020 12:26:49 GMT"})]
    api.before = lambda asked: busy.pop() if busy else None
    assert landed(objects, declaration(api)).rows == 95


def test_tokens_are_renewed_on_the_way_and_follow_no_redirect_to_another_host(
    api: PagedApi, objects: Objects, tmp_path: Any
) -> None:
    tokens: list[str] = []

    def login(asked: Asked) -> Said | None:
        if asked.path == "/token":
            tokens.append(f"t0ken{len(tokens)}")
            return said({"access_token": tokens[-1], "token_type": "bearer", "expires_in": 3600})
        if (asked.query.get("page") == "3" and len(tokens) == 1) or not asked.headers.get("authorization"):
            return Said(401)
        if asked.query.get("page") == "5":
            return Said(302, b"", {"location": f"{other.base}/page?page=5&limit=10"})
        return None

    (tmp_path / "secret").write_text("hunter2\n")
    auth = {"kind": "oauth2_client_credentials", "token_url": f"{api.base}/token", "client_id": "me"}
    api.before, other = login, PagedApi(records(95))
    with serving(other):
        declared = declaration(api, "page", auth={**auth, "client_secret": f"${{file:{tmp_path}/secret}}"})
        assert landed(objects, declared).rows == 95
    assert tokens == ["t0ken0", "t0ken1"]
    assert [asked.headers.get("authorization") for asked in other.asked] == [None]
    documents = [objects.get(info.key) for info in objects.list("") if info.key.endswith(".json")]
    assert not any(b"hunter2" in document or b"t0ken" in document for document in documents)


def test_a_key_follows_no_next_address_to_another_host(api: PagedApi, objects: Objects, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("hunter2")
    other = PagedApi(records(5))
    with serving(other):
        api.before = lambda asked: said({"items": [{"id": 9}], "next": f"{other.base}/next?key=hunter2"})
        for place in ({"header": "X-Key"}, {"query": "key"}):
            auth = {"kind": "api_key", "value": f"${{file:{tmp_path}/key}}", **place}
            assert landed(objects, declaration(api, "next", auth=auth)).rows == 6
    by_header, by_query = other.asked
    assert "x-key" not in by_header.headers
    assert "hunter2" not in repr(by_query)
    assert [asked.headers.get("x-key") or asked.query.get("key") for asked in api.asked] == ["hunter2"] * 2
