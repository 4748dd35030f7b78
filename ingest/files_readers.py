"""One reader for each scheme: lists what an address stands for, and copies a file that has changed."""

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from ingest.fetch import Clock, Limits, RefusedError, Request, fetch
from ingest.files_http import CountingTransport, CuttingTransport, ResumingTransport, links
from ingest.files_places import Address, Came, FileAt, addresses, matcher
from ingest.files_s3 import S3Reader
from ingest.http import Transport
from ingest.originals import Fetched, Validators
from lake.errors import SourceError, TemporaryError, UsageError
from lake.files_source import FilesSource
from lake.references import public_url, resolved
from store.scratch import scratch

INDEX_BYTES = 20_000_000


class Absent(Exception):
    """There is no such file."""


class Reader(Protocol):
    """How the files of one scheme are listed and read."""

    def files(self, address: Address) -> Iterator[FileAt]:
        """The files of an address; a plain address may be listed without being looked at."""

    def fetched(self, file: FileAt, path: Path, known: Validators, came: Came) -> Fetched | None:
        """The file, copied to `path`; None when it has not changed; `came` hears of its bytes. Raises Absent."""

    def start(self, file: FileAt, most: int) -> Iterator[bytes]:
        """At least so much of the file's start, for whoever wants no more than that."""


class HttpReader:
    """Files behind http and https."""

    def __init__(self, source: FilesSource, environment: Mapping[str, str], transport: Transport, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._inner, self._transport = transport, ResumingTransport(transport, clock)
        name = source.name
        self._headers = {
            key: resolved(value, environment, f"{name}.yaml: headers.{key}") for key, value in source.headers.items()
        }
        self._index = resolved(source.index, environment, f"{name}.yaml: index") if source.index else None

    def files(self, address: Address) -> Iterator[FileAt]:
        """The address itself, or the links of its index page that match."""
        if not address.is_glob:
            yield FileAt(address.url, address.shown)
            return
        login, host = urlsplit(address.url).netloc.rpartition("@")[::2]
        page_url = self._index or address.prefix
        path = urlsplit(address.url).path
        if not self._index and "/" in path[len(urlsplit(address.prefix).path) :]:
            raise UsageError(
                f"{self._source.name}.yaml: url: got `*` in a folder's name, expected `index`, a page with the links"
            )
        pattern = matcher(unquote(path))
        for link in links(self._page(page_url), page_url):
            parts = urlsplit(link)
            if parts.netloc.rpartition("@")[2] == host and pattern.fullmatch(unquote(parts.path)):
                url = urlunsplit((parts.scheme, f"{login}@{host}" if login else host, parts.path, parts.query, ""))
                yield FileAt(url, public_url(url))

    def _page(self, url: str) -> str:
        request = Request(self._source.name, url, public_url(url), self._headers, compressed=True)
        with scratch() as folder:
            path = folder / "index"
            fetch(request, path, Limits(self._source.timeout_seconds, INDEX_BYTES), self._transport, self._clock)
            return path.read_text("utf-8", "replace")

    def fetched(self, file: FileAt, path: Path, known: Validators, came: Came) -> Fetched | None:
        """The file, asked for with its validators."""
        limits = Limits(self._source.timeout_seconds, self._source.max_bytes)
        request = Request(
            self._source.name, file.url, file.shown, self._headers, known.etag, known.last_modified, compressed=False
        )
        try:
            body = fetch(request, path, limits, CountingTransport(self._transport, came), self._clock)
        except RefusedError as refused:
            if refused.status in (404, 410) and self._source.missing == "skip":
                raise Absent from None
            raise
        if body is None:
            return None
        validators = Validators(body.etag, body.last_modified)
        return file.brought(path, body.bytes, body.sha256, validators, body.fetched_at, body.status, body.content_type)

    def start(self, file: FileAt, most: int) -> Iterator[bytes]:
        """The first bytes of the body; the rest is not waited for."""
        with scratch() as folder:
            path, limits = folder / "start", Limits(self._source.timeout_seconds, self._source.max_bytes)
            request = Request(self._source.name, file.url, file.shown, self._headers, compressed=False)
            fetch(request, path, limits, CuttingTransport(self._inner, most), self._clock)
            yield path.read_bytes()


@dataclass
class LocalReader:
    """Files of this machine."""

    source: FilesSource

    def files(self, address: Address) -> Iterator[FileAt]:
        """The file, or all that match, in the order of their names."""
        path = address.url.removeprefix("file://")
        names = sorted(glob.iglob(path, recursive=True)) if address.is_glob else [path]
        for name in names:
            with _local_errors(self.source.name, name):
                try:
                    facts = os.stat(name)
                except FileNotFoundError:
                    continue
                if os.path.isfile(name):
                    yield FileAt(f"file://{name}", f"file://{name}", {}, facts.st_size, None, str(facts.st_mtime_ns))

    def fetched(self, file: FileAt, path: Path, known: Validators, came: Came) -> Fetched | None:
        """A copy of the file as it was all the while it was read."""
        name, where = file.url.removeprefix("file://"), f"{self.source.name}: {file.shown}"
        digest, length = hashlib.sha256(), 0
        with _local_errors(self.source.name, name), open(name, "rb") as found, path.open("wb") as out:
            while piece := found.read(1 << 20):
                length += len(piece)
                came(length, file.bytes)
                if length > self.source.max_bytes:
                    raise SourceError(f"{where}: got more bytes than max_bytes {self.source.max_bytes:,}")
                digest.update(piece)
                out.write(piece)
            facts = os.fstat(found.fileno())
        if (facts.st_size, str(facts.st_mtime_ns)) != (length, file.modified):
            raise TemporaryError(f"{where}: the file changed while it was read; try again later")
        return file.brought(path, length, digest.hexdigest(), Validators(None, file.modified))

    def start(self, file: FileAt, most: int) -> Iterator[bytes]:
        """The file as it is now."""
        name = file.url.removeprefix("file://")
        with _local_errors(self.source.name, name), open(name, "rb") as found:
            while piece := found.read(1 << 20):
                yield piece


def readers_of(source: FilesSource, environment: Mapping[str, str], transport: Transport, clock: Clock) -> dict[str, Reader]:
    """The reader of each scheme."""
    http = HttpReader(source, environment, transport, clock)
    return {"http": http, "https": http, "s3": S3Reader(source, environment, clock), "file": LocalReader(source)}


def sampled(
    source: FilesSource, environment: Mapping[str, str], transport: Transport, clock: Clock, path: Path, most: int
) -> bool:
    """Save the start of a source's first file; whether that is all of it.

    Raises SourceError when there is no file.
    """
    readers = readers_of(source, environment, transport, clock)
    for address in addresses(source, environment):
        for file in readers[address.scheme].files(address):
            pieces, came = readers[address.scheme].start(file, most + 1), 0
            with path.open("wb") as out:
                for piece in pieces:
                    out.write(piece[: most - came])
                    came += len(piece)
                    if came > most:
                        return False
            return True
    raise SourceError(f"{source.name}: {public_url(source.addresses[0])}: got no file, expected one")


@contextmanager
def _local_errors(source: str, name: str) -> Iterator[None]:
    """What the file system says, as an error of ours."""
    try:
        yield
    except FileNotFoundError:
        raise Absent from None
    except (PermissionError, IsADirectoryError) as error:
        raise SourceError(f"{source}: file://{name}: cannot be read: {error.strerror}") from None
