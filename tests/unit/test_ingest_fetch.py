"""Fetching: what is tried again, how long, with which credentials, and what an error says."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.fetch import Body, Clock, Limits, Request, fetch
from ingest.http import Answer, Trouble
from lake.errors import SourceError, TemporaryError, UsageError

LIMITS = Limits(seconds=30, max_bytes=1000)
URL = "https://api.example.com/things"


@dataclass
class Scripted:
    """An answer that is told what to be; a Trouble among its pieces is raised."""

    status: int = 200
    body: bytes | list[bytes | Trouble] = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    def __post_init__(self) -> None:
        self.pieces = list(self.body) if isinstance(self.body, list) else [self.body]

    def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Trouble):
            raise piece
        return piece

    def close(self) -> None:
        self.closed = True


@dataclass
class Script:
    """A transport that plays its answers one after the other."""

    answers: list[Scripted | Trouble]
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        self.asked.append((url, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Trouble):
            raise answer
        return answer


@dataclass
class Hours:
    """A clock that moves only when somebody sleeps, and luck that is always the same."""

    luck: float = 0.5
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(self.now, lambda: 1_600_000_000 + self.now(), self.slept.append, lambda: self.luck)

    def now(self) -> float:
        return sum(self.slept)


def fetched(
    path: Path, *answers: Scripted | Trouble, request: Request | None = None, hours: Hours | None = None
) -> Body | None:
    script = Script(list(answers))
    body = fetch(request or Request("things", URL, URL), path / "body", LIMITS, script, (hours or Hours()).clock)
    assert not script.answers
    return body


def refused(path: Path, *answers: Scripted | Trouble, kind: type[Exception] = SourceError, **more: object) -> str:
    with pytest.raises(kind) as caught:
        fetched(path, *answers, **more)  # type: ignore[arg-type]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_a_body_is_saved_with_its_length_and_hash(tmp_path: Path) -> None:
    body = fetched(tmp_path, Scripted(body=[b"[1,", b"2]"], headers={"content-length": "5", "etag": '"a"'}))
    assert body is not None
    assert (tmp_path / "body").read_bytes() == b"[1,2]"
    assert (body.bytes, body.sha256, body.etag) == (5, hashlib.sha256(b"[1,2]").hexdigest(), '"a"')


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(tmp_path: Path, status: int) -> None:
    hours = Hours()
    assert fetched(tmp_path, Scripted(status), Scripted(), hours=hours)
    assert hours.slept == [0.5]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 422])
def test_any_other_refusal_is_final(tmp_path: Path, status: int) -> None:
    assert f"got status {status}" in refused(tmp_path, Scripted(status))


@pytest.mark.parametrize("what", ["no connection", "no answer in time", "a truncated body"])
def test_a_connection_that_fails_is_tried_again(tmp_path: Path, what: str) -> None:
    assert fetched(tmp_path, Trouble(what, again=True), Scripted())


def test_a_body_that_breaks_off_is_fetched_again_from_its_start(tmp_path: Path) -> None:
    broken = Scripted(body=[b"[1,", Trouble("a truncated body", again=True)])
    assert fetched(tmp_path, broken, Scripted(body=b"[1,2]"))
    assert (tmp_path / "body").read_bytes() == b"[1,2]"
    assert broken.closed


def test_a_body_shorter_than_announced_is_truncated(tmp_path: Path) -> None:
    short = [Scripted(body=b"[1", headers={"content-length": "5"}) for _ in range(5)]
    message = refused(tmp_path, *short, kind=TemporaryError)
    assert "a body truncated after 2 of 5 bytes; tried 5 times" in message


def test_waits_grow_with_full_jitter_and_a_cap(tmp_path: Path) -> None:
    hours = Hours(luck=1.0)
    refused(tmp_path, *[Scripted(503) for _ in range(5)], kind=TemporaryError, hours=hours)
    assert hours.slept == [1, 2, 4, 8]


@pytest.mark.parametrize(("said", "waited"), [("7", 7), ("0", 0), ("Sun, 13 Sep 2020 12:26:49 GMT", 9), ("soon", 0.5)])
def test_retry_after_is_honoured_in_both_forms(tmp_path: Path, said: str, waited: float) -> None:
    hours = Hours()
    fetched(tmp_path, Scripted(429, headers={"retry-after": said}), Scripted(), hours=hours)
    assert hours.slept == [pytest.approx(waited)]


def test_a_wait_longer_than_the_patience_ends_the_run_for_now(tmp_path: Path) -> None:
    hours = Hours()
    answer = Scripted(429, headers={"retry-after": "86400"})
    assert "asks to wait 86,400 s; tried 1 time; try again later" in refused(tmp_path, answer, kind=TemporaryError, hours=hours)
    assert hours.slept == []


def test_an_error_names_the_kind_of_what_came_and_no_excerpt(tmp_path: Path) -> None:
    page = Scripted(404, b"<!DOCTYPE html><p>password=hunter2", {"content-type": "text/html"})
    assert refused(tmp_path, page) == f"things: {URL}: got status 404, an HTML page, expected status 200"


def test_a_body_that_announces_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    answer = Scripted(body=[], headers={"content-length": "12000001"})
    assert refused(tmp_path, answer).endswith("got 12,000,001 bytes, more than max_bytes 1,000")


def test_a_body_that_grows_too_large_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, Scripted(body=[b"x" * 600] * 2)).endswith("got more bytes than max_bytes 1,000")


def test_a_small_gzip_body_that_swells_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    assert "more bytes than max_bytes" in refused(tmp_path, Scripted(body=bomb, headers={"content-encoding": "gzip"}))


def test_gzip_is_undone_and_its_members_are_joined(tmp_path: Path) -> None:
    body = gzip.compress(b"[1,") + gzip.compress(b"2]")
    assert fetched(tmp_path, Scripted(body=[body[:10], body[10:]], headers={"content-encoding": "gzip"}))
    assert (tmp_path / "body").read_bytes() == b"[1,2]"


def test_gzip_that_ends_too_soon_is_tried_again(tmp_path: Path) -> None:
    headers = {"content-encoding": "gzip"}
    assert fetched(tmp_path, Scripted(body=gzip.compress(b"[1,2]")[:-4], headers=headers), Scripted())


def test_an_encoding_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    assert "got content encoding 'br', expected gzip or none" in refused(tmp_path, Scripted(headers={"content-encoding": "br"}))


def test_not_modified_needs_a_question(tmp_path: Path) -> None:
    conditional = Request("things", URL, URL, etag='"a"', last_modified="Sun, 13 Sep 2020 12:26:40 GMT")
    assert fetched(tmp_path, Scripted(304, b""), request=conditional) is None
    assert "status 304, an empty body" in refused(tmp_path, Scripted(304, b""))


def redirect(location: str) -> Scripted:
    return Scripted(302, b"", {"location": location})


def test_a_redirect_on_the_same_host_keeps_the_credentials(tmp_path: Path) -> None:
    script = Script([redirect("/v2/things"), Scripted()])
    fetch(Request("things", URL, URL, {"X-Api-Key": "s3cret"}), tmp_path / "body", LIMITS, script)
    assert script.asked[1][0] == "https://api.example.com/v2/things"
    assert script.asked[1][1]["X-Api-Key"] == "s3cret"


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.org/things",
        "http://api.example.com/things",
        "https://api.example.com:8443/things",
        "//evil.example.org/x",
        "https://api.example.com@evil.example.org/",
    ],
)
def test_credentials_do_not_follow_to_another_host(tmp_path: Path, location: str) -> None:
    script = Script([redirect(location), redirect(URL), Scripted()])
    request = Request("things", URL.replace("//", "//ann:s3cret@"), URL, {"X-Api-Key": "s3cret", "Accept": "application/json"})
    fetch(request, tmp_path / "body", LIMITS, script)
    assert script.asked[0][1]["Authorization"] == "Basic YW5uOnMzY3JldA=="
    for url, headers in script.asked[1:]:
        assert "s3cret" not in f"{url}{headers}"
        assert "Authorization" not in headers
        assert headers["Accept"] == "application/json"


def test_redirects_have_an_end(tmp_path: Path) -> None:
    assert "more than 5 redirects" in refused(tmp_path, *[redirect("/again") for _ in range(6)])


@pytest.mark.parametrize("location", ["ftp://api.example.com/x", "file:///etc/passwd", ""])
def test_a_redirect_that_leaves_http_is_refused(tmp_path: Path, location: str) -> None:
    assert "a redirect that leads nowhere" in refused(tmp_path, redirect(location))


def test_a_certificate_that_is_not_valid_is_final(tmp_path: Path) -> None:
    assert "certificate" in refused(tmp_path, Trouble("a certificate or TLS handshake that is not valid"))


def test_an_address_that_is_none_is_the_users_mistake(tmp_path: Path) -> None:
    assert "got an address that is none" in refused(tmp_path, Trouble("an address that is none", misused=True), kind=UsageError)


def test_a_request_hides_what_may_be_secret() -> None:
    request = Request("things", "https://ann:s3cret@api.example.com/", "https://api.example.com/", {"X-Api-Key": "s3cret"})
    assert "s3cret" not in repr(request)


def test_a_body_that_trickles_longer_than_its_time_is_tried_again(tmp_path: Path) -> None:
    hours = Hours()
    slow = Scripted(body=[b"["] * 3)
    slow.read = lambda: hours.slept.append(20) or b"["  # type: ignore[func-returns-value,method-assign]
    assert fetched(tmp_path, slow, Scripted(), hours=hours)
