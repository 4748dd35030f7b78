"""Addresses of files: globs, dates, and what is no address; the rest of a broken download."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fetch import Clock
from ingest.files_http import ResumingTransport, links
from ingest.files_places import addresses, matcher
from ingest.http import Trouble
from ingest.originals import Window
from lake.errors import UsageError
from lake.sources import source_from


def source_of(**more: Any) -> Any:
    declared = {"name": "things", "description": "One row per thing.", "kind": "files", "load": "append"}
    return source_from({**declared, "columns": {"a": "string"}, **more}, "things.yaml")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("x/*.csv", "x/a.csv", True),
        ("x/*.csv", "x/y/a.csv", False),
        ("x/**/*.csv", "x/y/z/a.csv", True),
        ("x/**/*.csv", "x/a.csv", True),
        ("x/[ab]?.csv", "x/b1.csv", True),
        ("x/[!ab].csv", "x/a.csv", False),
        ("a+b.csv", "aab.csv", False),
    ],
)
def test_a_glob_matches_within_its_folder(pattern: str, name: str, fits: bool) -> None:
    assert bool(matcher(pattern).fullmatch(name)) is fits


@given(st.text(st.characters(exclude_characters="*?[", exclude_categories=["Cs"]), max_size=20))
def test_a_text_without_signs_matches_itself_alone(text: str) -> None:
    assert matcher(text).fullmatch(text)
    assert not matcher(text).fullmatch(f"{text}x")


def test_dates_give_each_address_once_with_its_first_day() -> None:
    source = source_of(url="http://h/{date:%Y-%m}.csv", dates={"from": "2024-01-15", "to": "2024-03-01"})
    assert [(address.url, address.date) for address in addresses(source, {})] == [
        ("http://h/2024-01.csv", "2024-01-15"),
        ("http://h/2024-02.csv", "2024-02-01"),
        ("http://h/2024-03.csv", "2024-03-01"),
    ]


def test_a_window_chooses_among_the_dates() -> None:
    source = source_of(url="http://h/{date:%Y%m%d}.csv", dates={"from": "2024-01-01", "to": "today"})
    window = Window("2024-01-03", "2024-01-05")
    assert [address.date for address in addresses(source, {}, window)] == ["2024-01-03", "2024-01-04"]
    with pytest.raises(UsageError, match="expected a source with"):
        addresses(source_of(url="http://h/a.csv"), {}, window)


def test_today_is_the_last_day_of_an_open_range() -> None:
    source = source_of(url="http://h/{date:%Y%m%d}.csv", dates={"from": "2024-01-01"})
    assert addresses(source, {})[-1].date == dt.datetime.now(dt.UTC).date().isoformat()


@pytest.mark.parametrize("url", ["", "ftp://h/x", "http://", "s3://bucket", "file:x.csv", "http://h:99999999/x"])
def test_what_is_no_address_is_the_users_mistake_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        addresses(source_of(url=url or "${env:URL:-}"), {})
    assert "hunter2" not in str(caught.value)


def test_links_are_taken_from_the_own_host_once() -> None:
    page = '<a href="b.csv">b</a><A HREF="/d/a%20b.csv#x">a</A><a href="b.csv">again</a><a href="//evil/c.csv">c</a><a>no</a>'
    assert links(page, "http://h/d/") == ["http://h/d/b.csv", "http://h/d/a%20b.csv"]


class Body:
    """An answer that gives these pieces and then breaks or ends."""

    def __init__(self, status: int, headers: Mapping[str, str], *pieces: bytes | None) -> None:
        self.status, self.headers, self._pieces = status, headers, list(pieces)

    def read(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if piece is None:
            raise Trouble("a truncated body", again=True)
        return piece

    def close(self) -> None:
        pass


class Server:
    """Answers in turn; remembers what it was asked with."""

    def __init__(self, *answers: Body) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Any:
        self.asked.append(dict(headers))
        return self.answers.pop(0)

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Any:
        raise AssertionError


ETAG = {"etag": '"v1"'}
WHOLE = {**ETAG, "content-length": "6"}
QUIET = Clock(sleep=lambda seconds: None, random=lambda: 0.0)


def read_all(server: Server) -> bytes:
    answer = ResumingTransport(server, QUIET).get("http://h/x", {"If-None-Match": "x", "A": "b"}, 1, 1)
    found = b""
    while piece := answer.read():
        found += piece
    return found


def test_a_broken_download_goes_on_where_it_ended() -> None:
    rest = Body(206, {**ETAG, "content-range": "bytes 3-5/6"}, b"d", None)
    last = Body(206, {**ETAG, "content-range": "bytes 4-5/6"}, b"ef")
    server = Server(Body(200, WHOLE, b"ab", b"c", None), rest, last)
    assert read_all(server) == b"abcdef"
    assert server.asked[1:] == [
        {"A": "b", "Range": "bytes=3-", "If-Range": '"v1"'},
        {"A": "b", "Range": "bytes=4-", "If-Range": '"v1"'},
    ]


@pytest.mark.parametrize(
    "rest",
    [
        Body(200, WHOLE, b"abcdef"),
        Body(206, {**ETAG, "content-range": "bytes 2-5/6"}, b"cdef"),
        Body(206, {**ETAG, "content-range": "bytes 3-5/7"}, b"def"),
        Body(206, {**ETAG, "content-range": "bytes 3-4/6"}, b"de"),
        Body(206, {"etag": '"v2"', "content-range": "bytes 3-5/6"}, b"xyz"),
        Body(206, ETAG, b"def"),
        Body(206, {**ETAG, "content-range": "bytes 3-5/6", "content-encoding": "gzip"}, b"def"),
        Body(416, ETAG),
    ],
)
def test_a_rest_that_does_not_match_is_not_taken(rest: Body) -> None:
    with pytest.raises(Trouble, match="no matching rest") as caught:
        read_all(Server(Body(200, WHOLE, b"abc", None), rest))
    assert caught.value.again


@pytest.mark.parametrize("headers", [{"etag": 'W/"v1"'}, {}, {"last-modified": "Wed, 01 Jan 2020 00:00:00 GMT"}])
def test_without_a_proof_of_sameness_nothing_is_gone_on_with(headers: dict[str, str]) -> None:
    server = Server(Body(200, headers, b"abc", None))
    with pytest.raises(Trouble, match="a truncated body"):
        read_all(server)
    assert len(server.asked) == 1


def test_an_old_time_of_change_is_a_proof() -> None:
    changed = "Wed, 01 Jan 2020 00:00:00 GMT"
    headers = {"last-modified": changed, "date": "Thu, 02 Jan 2020 00:00:00 GMT", "content-length": "4"}
    rest = Body(206, {"last-modified": changed, "content-range": "bytes 3-3/4"}, b"d")
    assert read_all(Server(Body(200, headers, b"abc"), rest)) == b"abcd"
