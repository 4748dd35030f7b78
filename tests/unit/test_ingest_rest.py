"""The REST bot without a network: every way of paging, cursors, windows, credentials and what an API does wrong."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.amounts import Amount
from ingest.fetch import Clock
from ingest.originals import Fetched, Moved, Stopped, Token, Visit, Window
from ingest.rest import RestBot
from lake.errors import SourceError, UsageError
from lake.sources import source_from
from store.manifests import Original
from tests.paged_api import Asked, InMemory, PagedApi, Said, said

WAYS: dict[str, dict[str, Any]] = {
    "page": {"kind": "page", "size_param": "limit", "size": 10},
    "offset": {"kind": "offset", "size": 10},
    "cursor": {"kind": "cursor", "param": "after", "next": "next"},
    "link": {"kind": "link_header"},
    "next": {"kind": "next_url", "next": "next"},
}


def declared(way: str = "page", **more: Any) -> Any:
    facts = {"name": "things", "description": "One row per thing.", "kind": "rest", "load": "append", "records": "items"}
    paging = {"pagination": WAYS[way]} if way in WAYS else {}
    columns = {"id": "bigint", "at": "timestamp"}
    return source_from({**facts, "url": f"http://api.test/{way}", **paging, "columns": columns, **more}, "things.yaml")


@dataclass
class Desk:
    """Asks an API as landing would, and keeps what came."""

    api: PagedApi
    folder: Path
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 1_600_000_000.0

    def bot(self, source: Any, values: Callable[[Any], list[str]] = lambda each: []) -> RestBot:
        clock = Clock(lambda: self.now, lambda: self.now, self._sleep, lambda: 0.5)
        environment = {"TOKEN": "s3cret", "CLIENT": "embalse"}
        return RestBot(source, environment, InMemory(self.api), values, clock=clock)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def visit(self, **more: Any) -> Visit:
        number = count(1)
        where = Path(tempfile.mkdtemp(dir=self.folder))
        return Visit(lambda: where / f"original-{next(number)}", note=self.told.append, **more)

    def brought(self, source: Any, values: Callable[[Any], list[str]] = lambda each: [], **more: Any) -> list[Fetched]:
        return list(self.bot(source, values).originals(self.visit(**more)))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(PagedApi(records(25)), tmp_path)


def records(number: int) -> list[dict[str, Any]]:
    return [{"id": each, "at": f"2024-01-01T00:{each // 60:02}:{each % 60:02}Z"} for each in range(number)]


def ids(found: list[Fetched]) -> list[int]:
    return [record["id"] for each in found for record in json.loads(each.path.read_bytes())["items"]]


def refused(desk: Desk, source: Any, kind: type[Exception] = SourceError, **more: Any) -> str:
    with pytest.raises(kind) as caught:
        desk.brought(source, **more)
    return str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_paging_brings_every_record_once(desk: Desk, way: str) -> None:
    assert ids(desk.brought(declared(way))) == list(range(25))


def test_a_first_run_without_any_word_of_a_second_page_says_so(desk: Desk) -> None:
    source = declared("cursor", pagination={**WAYS["cursor"], "next": "nxt"})
    first = desk.brought(source)
    assert desk.told == ["the first page has nothing at 'nxt', so it is taken for the only one"]
    desk.brought(source, known=[each.original("key") for each in first], copy_of=lambda known: first[0].path)
    assert len(desk.told) == 1
    desk.brought(declared("cursor"))
    assert len(desk.told) == 1


def test_a_total_is_held_to_where_pages_go_on_by_a_cursor(desk: Desk) -> None:
    desk.api.has_total = True
    paging = {**WAYS["cursor"], "total": "meta.total"}
    assert ids(desk.brought(declared("cursor", pagination=paging))) == list(range(25))
    told = refused(desk, declared("cursor", pagination={**paging, "next": "nxt"}))
    assert "got 10 records in 1 pages, expected 25 as the API's total says" in told


@pytest.mark.parametrize(
    ("paging", "shares"),
    [
        ({**WAYS["page"], "total": "meta.total"}, [None, 0.4, 0.8, 1.0]),
        (WAYS["cursor"], [None, None, None, 1.0]),
    ],
)
def test_how_far_it_is_is_told_where_the_api_says_a_total(
    desk: Desk, paging: dict[str, Any], shares: list[float | None]
) -> None:
    desk.api.has_total, told = True, list[Amount]()
    desk.brought(declared(paging["kind"], pagination=paging), came=told.append)
    assert [each.share for each in told] == shares
    assert [each.rows for each in told] == [0, 10, 20, 25]


def test_of_many_requests_each_is_the_same_share(desk: Desk) -> None:
    told: list[Amount] = []
    each = {"for_each": {"id": {"source": "others", "column": "id"}}, "pagination": {"kind": "none"}}
    source = declared("one", url="http://api.test/page?page=3&of={id}", **each)
    desk.brought(source, values=lambda each: ["1", "2", "3", "4"], came=told.append)
    assert [each.share for each in told] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [each.at for each in told][1:] == ["page 1", "page 2", "page 3", "page 4"]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(WAYS)), st.integers(0, 45), st.integers(1, 12), st.integers(1, 50), st.booleans())
def test_wherever_it_is_killed_each_record_comes_exactly_once(way: str, total: int, size: int, kill: int, known: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(PagedApi(records(total), size, has_total=known), Path(folder))
        paging = {**WAYS[way], **({"size": size} if "size" in WAYS[way] else {})}
        if known and "size" in paging:
            paging["total"] = "meta.total"
        source = declared(way, pagination=paging)
        stored: list[Fetched] = []
        token: Token | None = None
        for answer in desk.bot(source).originals(desk.visit()):
            stored.append(answer)
            token = json.loads(json.dumps(answer.resume))
            if len(stored) == kill:
                break
        if token and len(stored) == kill:
            stored += desk.brought(source, resume=token)
        assert ids(stored) == list(range(total))


@pytest.mark.parametrize("way", WAYS)
def test_a_source_that_moved_while_nobody_looked_is_not_gone_on_with(desk: Desk, way: str) -> None:
    source = declared(way)
    first = next(iter(desk.bot(source).originals(desk.visit())))
    desk.api.records.insert(0, {"id": 99, "at": "2024-01-01T00:00:00Z"})
    with pytest.raises(Moved, match="is not what it was"):
        desk.brought(source, resume=first.resume)


def test_a_token_that_the_api_forgot_is_not_gone_on_with(desk: Desk) -> None:
    bot = desk.bot(declared("cursor")).originals(desk.visit())
    next(bot)
    second = next(bot)
    desk.api.before = lambda asked: Said(410) if "after" in asked.query else None
    with pytest.raises(Moved, match="cannot be fetched again"):
        desk.brought(declared("cursor"), resume=second.resume)


def test_the_last_page_needs_no_checkpoint_and_those_before_it_do(desk: Desk) -> None:
    assert [each.resume is not None for each in desk.brought(declared("cursor"))] == [True, True, False]


def test_an_empty_answer_is_one_original_and_an_empty_page_behind_the_last_is_none(desk: Desk) -> None:
    desk.api.records = records(20)
    assert len(desk.brought(declared("page"))) == 2
    desk.api.records = []
    assert [json.loads(each.path.read_bytes()) for each in desk.brought(declared("page"))] == [{"items": []}]


def test_a_total_saves_the_question_behind_the_last_page(desk: Desk) -> None:
    desk.api.has_total, desk.api.records = True, records(20)
    desk.brought(declared("page", pagination={**WAYS["page"], "total": "meta.total"}))
    assert len(desk.api.asked) == 2


def test_a_total_that_is_not_reached_is_an_error(desk: Desk) -> None:
    desk.api.before = lambda asked: said({"items": [], "meta": {"total": 7}})
    source = declared("page", pagination={**WAYS["page"], "total": "meta.total"})
    assert "got 0 records in 1 pages, expected 7 as the API's total says" in refused(desk, source)


def test_a_total_that_changes_while_pages_are_read_is_told(desk: Desk) -> None:
    desk.api.has_total = True
    pages = desk.bot(declared("page", pagination={**WAYS["page"], "total": "meta.total"})).originals(desk.visit())
    next(pages)
    desk.api.records.append({"id": 25, "at": "2024-01-01T00:00:25Z"})
    list(pages)
    assert desk.told == ["the total changed from 25 to 26 while pages were read"]


def test_a_parameter_that_the_api_does_not_know_is_a_loop(desk: Desk) -> None:
    source = declared("page", pagination={"kind": "page", "param": "seite"})
    assert "page 2 with the very records of the page before" in refused(desk, source)
    assert "does the API know the parameter 'seite'?" in refused(desk, source)


@pytest.mark.parametrize("way", ["cursor", "next"])
def test_a_cursor_that_comes_again_is_a_loop(desk: Desk, way: str) -> None:
    following = "MTA=" if way == "cursor" else "http://api.test/next?after=MTA%3D"
    desk.api.before = lambda asked: said({"items": [{"id": len(desk.api.asked)}], "next": following})
    assert "page 2 that leads back to a page before it" in refused(desk, declared(way))


def test_pages_without_end_are_stopped(desk: Desk) -> None:
    desk.api.before = lambda asked: said({"items": [{"id": len(desk.api.asked)}]})
    paging = {"kind": "page", "max_pages": 5}
    assert refused(desk, declared("page", pagination=paging)).endswith("got more than 5 pages, expected at most max_pages")


def test_a_page_size_that_changes_on_the_way_is_named(desk: Desk) -> None:
    def shrinking(asked: Asked) -> Said:
        sizes = {"1": 10, "2": 5, "3": 5}
        return said({"items": [{"id": f"{asked.query['page']}-{each}"} for each in range(sizes[asked.query["page"]])]})

    desk.api.before = shrinking
    assert "got a page with fewer than 10 records and page 3 behind it" in refused(desk, declared("page"))


def test_a_page_size_that_the_api_caps_is_told_and_nothing_is_lost(desk: Desk) -> None:
    desk.api.before = lambda asked: desk.api._page(Asked(asked.method, asked.path, {**asked.query, "limit": "10"}, {}))
    for way in ("page", "offset"):
        assert ids(desk.brought(declared(way, pagination={**WAYS[way], "size": 50}))) == list(range(25))
    assert desk.told == ["got pages of 10 records, expected 50 as size says"] * 2


def test_an_api_that_filters_its_pages_may_say_so(desk: Desk) -> None:
    sizes = [3, 1, 2, 0]
    desk.api.before = lambda asked: said({"items": [{"id": f"{asked.query['page']}-{n}"} for n in range(sizes.pop(0))]})
    assert len(ids(desk.brought(declared("page", pagination={"kind": "page", "short_pages": "any"})))) == 6


def test_a_boolean_ends_the_pages(desk: Desk) -> None:
    paging = {"kind": "cursor", "param": "starting_after", "next": "items.-1.id", "more": "has_more"}

    def page(asked: Asked) -> Said:
        start = int(asked.query.get("starting_after", -1)) + 1
        return said({"items": records(7)[start : start + 3], "has_more": start + 3 < 7})

    desk.api.before = page
    assert ids(desk.brought(declared("cursor", pagination=paging))) == list(range(7))


def test_pages_are_asked_conditionally_and_read_from_raw_when_they_are_the_same(desk: Desk) -> None:
    desk.api.has_etags = True
    source = declared("page")
    first = desk.brought(source)
    known = [each.original(f"raw/{number}") for number, each in enumerate(first)]
    paths = {original.key: each.path for original, each in zip(known, first, strict=True)}

    def copy_of(original: Original) -> Path:
        path = desk.visit().new_path()
        path.write_bytes(paths[original.key].read_bytes())
        return path

    desk.api.records[24]["at"] = "2024-01-02T00:00:00Z"
    second = desk.brought(source, known=known, copy_of=copy_of)
    assert [each.carried is not None for each in second] == [True, True, False]


CURSOR = {"column": "at", "param": "since"}


def test_a_cursor_is_the_greatest_value_and_begins_the_next_run(desk: Desk) -> None:
    source = declared("page", cursor=CURSOR)
    desk.api.records = [*records(25)[::-1], {"id": 9, "at": None}]
    stored = desk.brought(source)[-1].cursor
    assert stored == {"column": "at", "value": "2024-01-01T00:00:24Z"}
    assert "since" not in desk.api.asked[0].query
    desk.brought(source, cursor=stored)
    assert desk.api.asked[-1].query["since"] == "2024-01-01T00:00:24Z"


@pytest.mark.parametrize(
    ("value", "lag", "sent"),
    [
        ("2024-03-01T00:00:10Z", "15s", "2024-02-29T23:59:55Z"),
        ("2024-03-01T00:00:10.5+02:00", "1h", "2024-02-29T23:00:10.500000+02:00"),
        ("2024-03-01 00:00:10", "1d", "2024-02-29 00:00:10"),
        ("2024-03-01T00:00:10Z", "0", "2024-03-01T00:00:10Z"),
    ],
)
def test_a_lag_asks_again_for_a_while_before_the_cursor(desk: Desk, value: str, lag: str, sent: str) -> None:
    desk.api.records = []
    desk.brought(declared("page", cursor={**CURSOR, "lag": lag}), cursor={"column": "at", "value": value})
    assert desk.api.asked[0].query["since"] == sent


def test_a_cursor_of_numbers_is_compared_as_numbers(desk: Desk) -> None:
    source = declared("page", cursor={"column": "id", "param": "after_id", "lag": "5", "start": 0})
    assert desk.brought(source)[-1].cursor == {"column": "id", "value": "24"}
    desk.api.records = []
    desk.brought(source, cursor={"column": "id", "value": "100"})
    assert [asked.query["after_id"] for asked in desk.api.asked if asked.query["page"] == "1"] == ["0", "95"]


def test_instants_of_other_zones_are_compared_as_instants(desk: Desk) -> None:
    desk.api.records = [{"id": 1, "at": "2024-01-01T00:30:00+02:00"}, {"id": 2, "at": "2023-12-31T23:00:00Z"}]
    assert desk.brought(declared("page", cursor=CURSOR))[-1].cursor == {"column": "at", "value": "2023-12-31T23:00:00Z"}


def test_a_cursor_that_goes_backwards_is_named(desk: Desk) -> None:
    desk.api.before = lambda asked: said({"items": records(3) if asked.query["page"] == "1" else []})
    stored = {"column": "at", "value": "2024-06-01T00:00:00Z"}
    assert "which goes backwards, expected 2024-06-01T00:00:00Z or later" in refused(
        desk, declared("page", cursor=CURSOR), cursor=stored
    )
    desk.brought(declared("page", cursor={**CURSOR, "lag": "200d"}), cursor=stored)
    assert desk.told == ["at goes backwards: got up to 2024-01-01T00:00:02Z, had 2024-06-01T00:00:00Z; the cursor stays"]


def test_a_cursor_that_is_no_instant_is_named(desk: Desk) -> None:
    desk.api.records = [{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "yesterday"}]
    message = refused(desk, declared("page", cursor=CURSOR))
    assert "a value that is no timestamp in the cursor column at" in message
    assert "yesterday" not in message


def test_a_window_is_asked_for_beside_the_cursor(desk: Desk) -> None:
    source = declared("page", cursor={**CURSOR, "until": "before"})
    desk.brought(source, cursor={"column": "at", "value": "2030-01-01T00:00:00Z"}, window=Window("2024-01-01", "2024-02-01"))
    assert (desk.api.asked[0].query["since"], desk.api.asked[0].query["before"]) == ("2024-01-01", "2024-02-01")


def test_a_window_that_nothing_takes_is_the_users_mistake(desk: Desk) -> None:
    message = refused(desk, declared("page"), UsageError, window=Window("2024-01-01", "2024-02-01"))
    assert message == "things: got a window, expected cursor.until, or {from}, {to} or {date} in url or parameters"


def test_dates_stand_in_url_and_parameters_in_the_form_asked_for(desk: Desk) -> None:
    source = declared("none", url="http://api.test/{date:%Y/%m/%d}", parameters={"to": "{to:epoch_s}", "day": "{date:%d.%m.}"})
    desk.brought(source)
    desk.brought(source, window=Window("2024-02-28", "2024-03-01"))
    assert [(asked.path, asked.query) for asked in desk.api.asked] == [
        ("/2020/09/13", {"day": "13.09."}),
        ("/2024/02/28", {"to": "1709251200", "day": "28.02."}),
        ("/2024/02/29", {"to": "1709251200", "day": "29.02."}),
    ]


def test_each_value_is_cut_into_pages_and_a_kill_between_two_is_gone_on_with(desk: Desk) -> None:
    each = {"shop": {"source": "shops", "column": "shop"}}
    source = declared("page", url="http://api.test/{shop}/page", for_each=each)
    whole = desk.brought(source, lambda one: ["a", "b"])
    assert [each.request["shop"] for each in whole] == ["a"] * 3 + ["b"] * 3
    again = desk.brought(source, lambda one: ["a", "b"], resume=whole[2].resume)
    assert [each.request["shop"] for each in again] == ["b"] * 3


def test_an_empty_run_may_be_declared_an_error(desk: Desk) -> None:
    desk.api.records = []
    assert "got no records, expected some" in refused(desk, declared("page", on_empty="error"))


@pytest.mark.parametrize("answer", [Said(404, b"<html>no</html>"), Said(200, b"null"), Said(200, b"")])
def test_an_answer_may_be_declared_to_mean_no_rows(desk: Desk, answer: Said) -> None:
    desk.api.before = lambda asked: answer
    assert len(desk.brought(declared("page", no_rows=[404, "null", "empty"]))) == 1
    assert refused(desk, declared("page"))


AUTHS: list[tuple[dict[str, Any], Callable[[Asked], str | None], str]] = [
    (
        {"kind": "api_key", "header": "X-Key", "value": "${env:TOKEN}"},
        lambda asked: asked.headers.get("x-key"),
        "s3cret",
    ),
    ({"kind": "api_key", "query": "appid", "value": "${env:TOKEN}"}, lambda asked: asked.query.get("appid"), "s3cret"),
    (
        {"kind": "basic", "user": "ann", "password": "${env:TOKEN}"},
        lambda asked: asked.headers.get("authorization"),
        "Basic YW5uOnMzY3JldA==",
    ),
    ({"kind": "bearer", "token": "${env:TOKEN}"}, lambda asked: asked.headers.get("authorization"), "Bearer s3cret"),
]


@pytest.mark.parametrize(("auth", "seen", "value"), AUTHS)
@pytest.mark.parametrize("way", ["page", "next", "link"])
def test_every_page_says_who_asks_and_nothing_shows_it(
    desk: Desk, way: str, auth: dict[str, Any], seen: Callable[[Asked], str | None], value: str
) -> None:
    found = desk.brought(declared(way, auth=auth))
    assert {seen(asked) for asked in desk.api.asked} == {value}
    assert "s3cret" not in repr(found) + json.dumps([each.resume for each in found]) + repr(declared(way, auth=auth))
    assert "s3cret" not in "".join(each.shown for each in found)


@pytest.mark.parametrize("auth", [auth for auth, _, _ in AUTHS])
@pytest.mark.parametrize("elsewhere", ["http://evil.test", "https://api.test", "http://api.test:8080", "//evil.test"])
def test_credentials_do_not_follow_a_next_address_to_another_host(desk: Desk, auth: dict[str, Any], elsewhere: str) -> None:
    last = said({"items": [{"id": 2}]})
    echoed = "&appid=s3cret" if "query" in auth else ""
    first = said({"items": [{"id": 1}], "next": f"{elsewhere}/x?after=1{echoed}"})
    desk.api.before = lambda asked: last if "after" in asked.query else first
    desk.brought(declared("next", auth=auth))
    assert "s3cret" not in repr(desk.api.asked[1])
    assert "authorization" not in desk.api.asked[1].headers


def test_user_and_password_of_the_address_go_to_every_page_of_its_host(desk: Desk) -> None:
    found = desk.brought(declared("next", url="http://ann:${env:TOKEN}@api.test/next"))
    assert [asked.headers.get("authorization") for asked in desk.api.asked] == ["Basic YW5uOnMzY3JldA=="] * 3
    assert "s3cret" not in repr(found)


def test_a_secret_must_be_a_reference() -> None:
    with pytest.raises(UsageError, match=r"auth\.bearer\.token: .*expected a reference such as \$\{env:NAME\}") as caught:
        declared("page", auth={"kind": "bearer", "token": "s3cret"})
    assert "s3cret" not in str(caught.value)


OAUTH = {
    "kind": "oauth2_client_credentials",
    "token_url": "http://login.test/token",
    "client_id": "${env:CLIENT}",
    "client_secret": "${env:TOKEN}",
    "scope": "things.read",
}


@dataclass
class Login:
    """Gives tokens and accepts only the newest."""

    seconds: int = 3600
    given: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Said | None:
        if asked.path == "/token":
            self.given.append(f"t{len(self.given)}")
            return said({"access_token": self.given[-1], "token_type": "Bearer", "expires_in": self.seconds})
        is_good = bool(self.given) and asked.headers.get("authorization") == f"Bearer {self.given[-1]}"
        return None if is_good else Said(401)


def test_a_token_is_asked_for_once_with_the_client_in_the_header(desk: Desk) -> None:
    desk.api.before = login = Login()
    assert ids(desk.brought(declared("page", auth=OAUTH))) == list(range(25))
    assert login.given == ["t0"]
    token = desk.api.asked[0]
    assert (token.method, token.body) == ("POST", "grant_type=client_credentials&scope=things.read")
    assert token.headers["authorization"] == "Basic ZW1iYWxzZTpzM2NyZXQ="


def test_a_token_is_renewed_before_it_ends(desk: Desk) -> None:
    desk.api.before = login = Login(seconds=100)
    pages = desk.bot(declared("page", auth=OAUTH)).originals(desk.visit())
    next(pages)
    desk.now += 95
    assert len([*pages]) == 2
    assert login.given == ["t0", "t1"]


def test_a_token_that_is_refused_is_renewed_once(desk: Desk) -> None:
    desk.api.before = login = Login()
    pages = desk.bot(declared("page", auth=OAUTH)).originals(desk.visit())
    next(pages)
    login.given.append("revoked")
    assert len([*pages]) == 2
    desk.api.before = lambda asked: login(asked) if asked.path == "/token" else Said(401)
    assert "got status 401" in refused(desk, declared("page", auth=OAUTH))


def test_a_token_server_that_redirects_or_says_something_else_is_refused(desk: Desk) -> None:
    desk.api.before = lambda asked: Said(302, b"", {"location": "http://evil.test/"})
    assert "credentials are not sent on" in refused(desk, declared("page", auth=OAUTH))
    desk.api.before = lambda asked: said({"access_token": 7, "hint": "s3cret"})
    message = refused(desk, declared("page", auth=OAUTH))
    assert message == "things: http://login.test/token: got no bearer token, expected a JSON object with access_token"


def test_a_secret_parameter_is_not_shown(desk: Desk) -> None:
    (found,) = desk.brought(declared("none", parameters={"appid": "${env:TOKEN}", "units": "metric"}))
    assert found.shown == "http://api.test/none?appid=***&units=metric"
    assert desk.api.asked[0].query == {"appid": "s3cret", "units": "metric"}


def test_a_rate_limit_spaces_the_requests(desk: Desk) -> None:
    desk.brought(declared("cursor", rate_limit=2))
    assert desk.slept == [0.5, 0.5]


def test_a_stop_ends_a_wait(desk: Desk) -> None:
    desk.api.before = lambda asked: Said(503, b"", {"retry-after": "10"})
    visit = desk.visit()
    visit.stop.set()
    with pytest.raises(Stopped):
        list(desk.bot(declared("page")).originals(visit))


@pytest.mark.parametrize(
    ("more", "said_"),
    [
        ({"pagination": "pages"}, "pagination.kind: got 'pages', expected one of 'none', 'page', 'offset', 'cursor'"),
        ({"pagination": {"kind": "cursor", "param": "after"}}, "next: this key is missing"),
        ({"auth": {"kind": "digest"}}, "auth.kind: got 'digest', expected one of 'api_key', 'basic', 'bearer'"),
        ({"auth": {"kind": "api_key", "value": "${env:K}"}}, "expected one of header, query"),
        ({"cursor": {"column": "name"}}, "cursor.column: got 'name', expected one of id, at"),
        ({"cursor": {"column": "at", "lag": "5"}}, "cursor.lag: got '5', expected a duration such as 30s"),
        ({"cursor": {"column": "at"}, "load": "snapshot", "key": ["id"]}, "expected load append or merge"),
        ({"records": {"keyed_by": "nobody"}}, "records.keyed_by: got 'nobody', expected one of id, at"),
        ({"on_empty": "fail"}, "on_empty: got 'fail', expected 'rows' or 'error'"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(more: dict[str, Any], said_: str) -> None:
    with pytest.raises(UsageError) as caught:
        declared("none", **more)
    assert said_ in str(caught.value)
