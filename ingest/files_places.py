"""Declared addresses to the files they stand for: references, dates, globs and pages of links."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.originals import Fetched, Validators, Window
from lake.errors import UsageError
from lake.files_source import DATE, FilesSource
from lake.references import public_url, resolved

_MAGIC = re.compile(r"[*?\[]")
_MAGIC_HTTP = re.compile(r"[*\[]")


#: Hears how many bytes of a file are here, and how many were announced.
Came = Callable[[int, int | None], None]


@dataclass(frozen=True)
class FileAt:
    """One file; `shown` is its address without secrets, the facts are those its listing gave."""

    url: str = field(repr=False)
    shown: str
    request: dict[str, str] = field(default_factory=dict)
    bytes: int | None = None
    etag: str | None = None
    modified: str | None = None

    @property
    def name(self) -> str:
        """The last part of its address."""
        return unquote(urlsplit(self.shown).path).rpartition("/")[2] if not self.is_local else self.shown.rpartition("/")[2]

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine or in a bucket, whose names are not percent-encoded."""
        return self.shown.startswith(("file://", "s3://"))

    def brought(
        self,
        path: Path,
        length: int,
        sha256: str,
        validators: Validators,
        fetched_at: str | None = None,
        status: int | None = None,
        content_type: str | None = None,
    ) -> Fetched:
        """The file as it came."""
        at = fetched_at or datetime.now(UTC).isoformat()
        return Fetched(path, self.shown, length, sha256, at, self.request, status, content_type, validators)


@dataclass(frozen=True)
class Address:
    """A declared address with its references and dates filled in; `date` is the first day it stands for."""

    url: str = field(repr=False)
    date: str | None = None

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return public_url(self.url) if self.scheme in ("http", "https") else self.url

    @property
    def scheme(self) -> str:
        """http, https, s3 or file."""
        return self.url.partition(":")[0].lower()

    @property
    def is_glob(self) -> bool:
        """Whether it stands for all files that match."""
        if self.scheme in ("http", "https"):
            return bool(_MAGIC_HTTP.search(urlsplit(self.url).path))
        return bool(_MAGIC.search(self.url))

    @property
    def prefix(self) -> str:
        """The folder below which all that matches lies, ending with a slash."""
        found = _MAGIC.search(self.url)
        return self.url[: found.start() if found else None].rpartition("/")[0] + "/"


def addresses(source: FilesSource, environment: Mapping[str, str], window: Window | None = None) -> list[Address]:
    """Every address of this pull, each once.

    Raises UsageError for one that nobody can read, and for a window where no address has a date.
    """
    if window and not source.dates:
        raise UsageError(f"{source.name}: got a window, expected a source with {{date:...}} in its address, or --full")
    found: dict[str, Address] = {}
    for declared in source.addresses:
        url = resolved(declared, environment, f"{source.name}.yaml: url")
        for address in _dated(url, source, window):
            _check(address, source.name)
            found.setdefault(address.url, address)
    return list(found.values())


def _dated(url: str, source: FilesSource, window: Window | None) -> Iterator[Address]:
    if not DATE.search(url):
        if not window:
            yield Address(url)
        return
    wanted = set()
    named: dict[str, str] = {}
    for day in days(source):
        text = DATE.sub(lambda found, day=day: day.strftime(found[1]), url)  # type: ignore[misc]
        named.setdefault(text, day.isoformat())
        if not window or (window.start[:10] <= day.isoformat() and _begins(day) < window.end):
            wanted.add(text)
    yield from (Address(text, day) for text, day in named.items() if text in wanted)


def days(source: FilesSource, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> Iterator[date]:
    """The days of the declared range.

    Raises UsageError when it ends before it begins.
    """
    assert source.dates
    day, last = source.dates.from_, source.dates.to
    end = today() - timedelta(days=last == "yesterday") if isinstance(last, str) else last
    if day > end:
        raise UsageError(f"{source.name}.yaml: dates: got {day} to {end}, expected a range that ends after it begins")
    while day <= end:
        yield day
        day += timedelta(days=1)


def _begins(day: date) -> str:
    return f"{day.isoformat()}T00:00:00"


def _check(address: Address, source: str) -> None:
    wrong = f"{source}.yaml: url: got something else, expected http://, https://, s3://BUCKET/KEY or file:///PATH"
    try:
        parts = urlsplit(address.url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError(wrong) from None
    fits = {"http": has_host, "https": has_host, "s3": has_host and len(address.url.split("/", 3)) == 4}
    fits["file"] = address.url.startswith("file:///")
    if not fits.get(address.scheme):
        raise UsageError(wrong)


def matcher(pattern: str) -> re.Pattern[str]:
    """What a glob matches: `*` and `?` stay within a folder, `**` does not, `[...]` is one of these characters."""
    out, at = [], 0
    signs = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]")
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    for found in signs.finditer(pattern):
        out.append(re.escape(pattern[at : found.start()]))
        inside = found[0][1:-1].replace("\\", "\\\\")
        out.append(words.get(found[0]) or f"[{'^' + inside[1:] if inside[:1] in '!^' else inside}]")
        at = found.end()
    out.append(re.escape(pattern[at:]))
    return re.compile("".join(out), re.DOTALL)
