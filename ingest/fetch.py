"""Fetches one address into a file: retries, redirects, limits, and errors that say what came and hold no secret."""

import hashlib
import random
import re
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from ingest.credentials import carried, redirected, sent
from ingest.http import PIECE, Answer, Transport, Trouble
from ingest.kinds import kind_of
from lake.errors import SourceError, TemporaryError, UsageError

REDIRECTS = (301, 302, 303, 307, 308)
TEMPORARY = (408, 425, 429)
BASE_SECONDS, CAP_SECONDS = 0.5, 20.0


@dataclass(frozen=True)
class Limits:
    """How long and how much: `seconds` for one try as a whole; all tries and waits together get four times that."""

    seconds: float
    max_bytes: int
    tries: int = 5
    redirects: int = 5
    connect_seconds: float = 10.0
    read_seconds: float | None = None


@dataclass(frozen=True)
class Clock:
    """Time and chance, so that tests can replace them."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class Request:
    """What to fetch; `shown` is how messages and manifests name it.

    `accepted` are statuses beside 2xx whose body is an answer; a `form` is sent by POST and never to a redirect.
    """

    source: str
    url: str = field(repr=False)
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    etag: str | None = None
    last_modified: str | None = None
    compressed: bool = True
    accepted: Collection[int] = ()
    form: bytes | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """How an error begins."""
        return f"{self.source}: {self.shown}"


@dataclass(frozen=True)
class Body:
    """An answer that was saved: entity bytes, a gzip content encoding undone."""

    bytes: int
    sha256: str
    status: int
    content_type: str | None
    etag: str | None
    last_modified: str | None
    fetched_at: str
    link: str | None = None


class RefusedError(SourceError):
    """The server answered with a status that another try does not change."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Again(Exception):
    """A try that may be repeated, at the soonest after `wait` seconds."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.what, self.wait = what, wait


Turn = Callable[[], AbstractContextManager[None]]


def fetch(
    request: Request,
    path: Path,
    limits: Limits,
    transport: Transport,
    clock: Clock | None = None,
    turn: Turn = nullcontext,
) -> Body | None:
    """Save the answer in `path`; None when it is 304, not modified. Each try waits for its `turn`.

    Raises TemporaryError when every try failed for a reason that may pass, SourceError for an answer that cannot be used
    (RefusedError when it is the status), and UsageError for an address or header that cannot be sent.
    """
    clock = clock or Clock()
    ends = clock.now() + 4 * limits.seconds
    for number in range(1, limits.tries + 1):
        try:
            with turn():
                return _once(request, path, limits, transport, clock)
        except _Again as trouble:
            wait = clock.random() * min(CAP_SECONDS, BASE_SECONDS * 2**number) if trouble.wait is None else trouble.wait
            asked = "" if trouble.wait is None else f", which asks to wait {trouble.wait:,.0f} s"
            tried = f"tried {number} time{'s' if number > 1 else ''}; try again later"
            failure = TemporaryError(f"{request.where}: got {trouble.what}{asked}; {tried}")
        if clock.now() + wait > ends:
            break
        if number < limits.tries:
            clock.sleep(wait)
    raise failure


def _once(request: Request, path: Path, limits: Limits, transport: Transport, clock: Clock) -> Body | None:
    ends = clock.now() + limits.seconds
    url, headers = sent(request.url, _headers(request))
    for _ in range(limits.redirects + 1):
        with _ours(request), closing(_asked(request, transport, url, headers, limits, ends, clock)) as answer:
            if answer.status not in REDIRECTS:
                return _accepted(request, answer, path, limits, ends, clock)
            if request.form is not None:
                raise SourceError(f"{request.where}: got a redirect, expected status 200: credentials are not sent on")
            target = _target(request, url, answer)
        url, headers = target, carried(headers, url, target)
    raise SourceError(f"{request.where}: got more than {limits.redirects} redirects, expected at most {limits.redirects}")


def _asked(
    request: Request,
    transport: Transport,
    url: str,
    headers: Mapping[str, str],
    limits: Limits,
    ends: float,
    clock: Clock,
) -> Answer:
    left = ends - clock.now()
    if left <= 0:
        raise _Again("no answer in time")
    connect, read = min(limits.connect_seconds, left), min(limits.read_seconds or left, left)
    if request.form is not None:
        return transport.post(url, headers, request.form, connect, read)
    return transport.get(url, headers, connect, read)


def _accepted(request: Request, answer: Answer, path: Path, limits: Limits, ends: float, clock: Clock) -> Body | None:
    """The saved body of a good answer."""
    if answer.status == 304 and (request.etag or request.last_modified):
        return None
    if answer.status not in request.accepted and (not 200 <= answer.status < 300 or answer.status == 206):
        came = f"status {answer.status}, {_kind_of_rest(answer)}"
        if answer.status >= 500 or answer.status in TEMPORARY:
            raise _Again(came, _retry_after(answer.headers.get("retry-after"), clock))
        raise RefusedError(f"{request.where}: got {came}, expected status 200", answer.status)
    length, digest = 0, hashlib.sha256()
    with path.open("wb") as file:
        for piece in _decoded(request, answer, _pieces(request, answer, limits, ends, clock)):
            length += len(piece)
            if length > limits.max_bytes:
                raise SourceError(f"{request.where}: got more bytes than max_bytes {limits.max_bytes:,}")
            digest.update(piece)
            file.write(piece)
    return Body(
        length,
        digest.hexdigest(),
        answer.status,
        answer.headers.get("content-type"),
        answer.headers.get("etag"),
        answer.headers.get("last-modified"),
        datetime.fromtimestamp(clock.wall(), UTC).isoformat(),
        answer.headers.get("link"),
    )


def _pieces(request: Request, answer: Answer, limits: Limits, ends: float, clock: Clock) -> Iterator[bytes]:
    """The body as it comes, no longer than the try may last and exactly as long as announced."""
    declared = answer.headers.get("content-length", "")
    chunked = "chunked" in answer.headers.get("transfer-encoding", "").lower()
    announced = int(declared) if declared.isdigit() and not chunked else None
    if announced is not None and announced > limits.max_bytes:
        raise SourceError(f"{request.where}: got {announced:,} bytes, more than max_bytes {limits.max_bytes:,}")
    came = 0
    while piece := answer.read():
        came += len(piece)
        yield piece
        if clock.now() > ends:
            raise _Again(f"{came:,} bytes in {limits.seconds:g} s and no end")
    if announced is not None and came != announced:
        raise _Again(f"a body truncated after {came:,} of {announced:,} bytes")


def _decoded(request: Request, answer: Answer, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The entity's bytes: gzip undone, any other encoding refused."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        yield from pieces
        return
    if encoding not in ("gzip", "x-gzip"):
        raise SourceError(f"{request.where}: got content encoding {encoding[:40]!r}, expected gzip or none")
    unzip, ended = zlib.decompressobj(31), True
    try:
        for piece in pieces:
            while piece:
                if unzip.eof:
                    unzip = zlib.decompressobj(31)
                yield unzip.decompress(piece, PIECE)
                piece = unzip.unconsumed_tail or unzip.unused_data
            ended = unzip.eof
    except zlib.error:
        raise _Again("a damaged gzip body") from None
    if not ended:
        raise _Again("a truncated gzip body")


def _kind_of_rest(answer: Answer) -> str:
    """The kind of an error's body; its text is never shown."""
    try:
        start = answer.read()
    except Trouble:
        start = b""
    if answer.headers.get("content-encoding", "").lower() == "gzip":
        try:
            start = zlib.decompressobj(31).decompress(start, 4096)
        except zlib.error:
            start = b"\0"
    return kind_of(start, answer.headers.get("content-type"))


def _retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds to wait, from either form of the header; None when it says nothing."""
    if not value:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - clock.wall())


@contextmanager
def _ours(request: Request) -> Iterator[None]:
    """Turns what the transport raises into a repeat or an error of ours."""
    try:
        yield
    except Trouble as trouble:
        if trouble.again:
            raise _Again(trouble.what) from None
        if trouble.misused:
            wrong = f"{request.where}: got {trouble.what}, expected one that HTTP can use; see url and headers"
            raise UsageError(wrong) from None
        raise SourceError(f"{request.where}: got {trouble.what}") from None


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept-Encoding": "gzip" if request.compressed else "identity", "User-Agent": "embalse", **request.headers}
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.last_modified:
        headers["If-Modified-Since"] = request.last_modified
    return headers


def _target(request: Request, url: str, answer: Answer) -> str:
    target = redirected(url, answer.headers.get("location"))
    if target is None:
        raise SourceError(f"{request.where}: got a redirect that leads nowhere, expected an http or https address")
    return target
