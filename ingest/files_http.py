"""Files over HTTP: a download that broke off goes on where it ended, and pages of links."""

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from ingest.fetch import BASE_SECONDS, CAP_SECONDS, Clock
from ingest.files_places import Came
from ingest.http import Answer, Transport, Trouble

RESUMES = 5
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class ResumingTransport:
    """HTTP whose bodies go on after a break, as long as the server proves that they are still the same."""

    def __init__(self, inner: Transport, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        """The answer to one GET. Raises Trouble."""
        answer = self._inner.get(url, headers, connect, read)
        validator = _strong(answer.headers)
        encoding = answer.headers.get("content-encoding", "identity")
        if answer.status != 200 or validator is None or encoding not in ("identity", ""):
            return answer
        plain = {name: value for name, value in headers.items() if not name.lower().startswith("if-")}
        return _Resumed(answer, validator, self._clock, lambda more: self._inner.get(url, {**plain, **more}, connect, read))

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Answer:
        """The answer to one POST of a form. Raises Trouble."""
        return self._inner.post(url, headers, form, connect, read)


class _Resumed:
    """An answer that asks for its rest when it breaks off."""

    def __init__(self, answer: Answer, validator: str, clock: Clock, ask: Callable[[Mapping[str, str]], Answer]) -> None:
        self._answer, self._validator, self._clock, self._ask = answer, validator, clock, ask
        self.status, self.headers = answer.status, answer.headers
        length = answer.headers.get("content-length", "")
        self._total = int(length) if length.isdigit() else None
        self._came = self._breaks = 0

    def read(self) -> bytes:
        """What has come of the body; empty at its end.

        Raises Trouble.
        """
        while True:
            try:
                piece = self._answer.read()
                if piece or self._total is None or self._came >= self._total:
                    self._came += len(piece)
                    self._breaks = 0 if piece else self._breaks
                    return piece
                trouble = Trouble("a truncated body", again=True)
            except Trouble as error:
                trouble = error
            self._go_on(trouble)

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()

    def _go_on(self, trouble: Trouble) -> None:
        """Ask for the rest.

        Raises Trouble when there is no matching rest, so that the file is fetched from its start.
        """
        self._answer.close()
        while trouble.again and self._came and self._breaks < RESUMES:
            self._breaks += 1
            self._clock.sleep(self._clock.random() * min(CAP_SECONDS, BASE_SECONDS * 2**self._breaks))
            try:
                answer = self._ask({"Range": f"bytes={self._came}-", "If-Range": self._validator})
            except Trouble as error:
                trouble = error
                continue
            self._answer = answer
            if self._fits(answer):
                return
            answer.close()
            raise Trouble("a truncated body, and no matching rest of it", again=True)
        raise trouble

    def _fits(self, answer: Answer) -> bool:
        """Whether the answer is just the rest of the same file."""
        found = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        if answer.status != 206 or found is None or "content-encoding" in answer.headers:
            return False
        first, last, total = map(int, found.groups())
        self._total = total if self._total is None else self._total
        validators = (answer.headers.get("etag"), answer.headers.get("last-modified"))
        is_same = self._validator in validators or validators == (None, None)
        return is_same and (first, last + 1, total) == (self._came, self._total, self._total)


class CuttingTransport(ResumingTransport):
    """HTTP whose good answers end after so many bytes."""

    def __init__(self, inner: Transport, most: int) -> None:
        self._inner, self._most = inner, most

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        """The answer to one GET. Raises Trouble."""
        answer = self._inner.get(url, headers, connect, read)
        if answer.status != 200:
            return answer
        return _Cut(answer, self._most)


class _Cut:
    """The start of an answer."""

    def __init__(self, answer: Answer, most: int) -> None:
        self._answer, self._left, self.status = answer, most, answer.status
        self.headers: Mapping[str, str] = {name: value for name, value in answer.headers.items() if name != "content-length"}

    def read(self) -> bytes:
        """What has come; empty at the end. Raises Trouble."""
        piece = self._answer.read()[: self._left] if self._left else b""
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()


class CountingTransport:
    """HTTP that tells how much of a good answer has come, from nothing again with every new try."""

    def __init__(self, inner: Transport, came: Came) -> None:
        self._inner, self._came = inner, came

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        """The answer to one GET. Raises Trouble."""
        answer = self._inner.get(url, headers, connect, read)
        return _Counted(answer, self._came) if answer.status == 200 else answer

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Answer:
        """The answer to one POST of a form. Raises Trouble."""
        return self._inner.post(url, headers, form, connect, read)


class _Counted:
    """An answer whose bytes are counted."""

    def __init__(self, answer: Answer, came: Came) -> None:
        self._answer, self._told, self._count = answer, came, 0
        self.status, self.headers = answer.status, answer.headers
        length = answer.headers.get("content-length", "")
        self._announced = int(length) if length.isdigit() else None

    def read(self) -> bytes:
        """What has come; empty at the end. Raises Trouble."""
        piece = self._answer.read()
        self._count += len(piece)
        self._told(self._count, self._announced)
        return piece

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()


def _strong(headers: Mapping[str, str]) -> str | None:
    """What proves byte for byte that a file is the same: a strong ETag, or a time of change well before the answer's."""
    etag, changed = headers.get("etag"), headers.get("last-modified")
    if etag:
        return None if etag.startswith("W/") else etag
    try:
        age = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(changed or "")
    except (TypeError, ValueError):
        return None
    return changed if age.total_seconds() >= 60 else None


def links(page: str, url: str) -> list[str]:
    """The addresses a page links to on its own host, in order, each once and without fragment."""
    parser = _Links()
    parser.feed(page)
    base = urljoin(url, parser.base) if parser.base else url
    found = []
    for href in parser.found:
        try:
            target, _ = urldefrag(urljoin(base, href))
            is_near = urlsplit(target)[:2] == urlsplit(url)[:2]
        except ValueError:
            continue
        if is_near:
            found.append(target)
    return list(dict.fromkeys(found))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "a":
            self.found.append(href.strip())
        elif href and tag == "base":
            self.base = self.base or href
