"""The bot for files behind addresses: lists them, and brings those that are new or have changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest.amounts import FilesAmount
from ingest.archives import packing
from ingest.fetch import Clock
from ingest.files_places import Came, FileAt, addresses
from ingest.files_readers import Absent, readers_of
from ingest.http import Transport
from ingest.news import hashed
from ingest.originals import Fetched, Moved, Stopped, Token, Validators, Visit, unchanged
from lake.errors import SourceError
from lake.files_source import FilesSource
from lake.references import public_url, resolved
from store.manifests import Original

#: A killed pull loses no more than the downloads of so many seconds.
CHECKPOINT_SECONDS = 5.0
EXTENSIONS = {"excel": "xlsx"}
PACKED = {"gzip": "gz", "zip": "zip"}


@dataclass(frozen=True)
class Seen:
    """What is known of a file: what its source said of it, its length and hash; `is_gone` when it was no longer listed."""

    etag: str | None
    modified: str | None
    bytes: int
    sha256: str
    is_gone: bool = False

    def is_same(self, file: FileAt) -> bool:
        """Whether the listing alone shows that it has not changed."""
        if file.bytes is None or file.bytes != self.bytes:
            return False
        return file.etag == self.etag if file.etag else file.modified is not None and file.modified == self.modified

    @property
    def facts(self) -> list[Any]:
        """As a cursor holds it."""
        return [self.etag, self.modified, self.bytes, self.sha256, *([True] if self.is_gone else [])]


class FilesBot:
    """A source of files; gzip is not asked for on the way, so that the bytes are the files' own."""

    def __init__(
        self,
        source: FilesSource,
        environment: Mapping[str, str],
        transport: Transport,
        clock: Clock | None = None,
    ) -> None:
        self.source, self._environment, self._clock = source, environment, clock or Clock()
        self.extension = EXTENSIONS.get(source.format, source.format)
        self._readers = readers_of(source, environment, transport, self._clock)

    def fingerprint(self) -> str:
        """Hash of the declared addresses; their dates move on without making it another question."""
        source = self.source
        urls = [public_url(resolved(url, self._environment, f"{source.name}.yaml: url")) for url in source.addresses]
        dates = source.dates.model_dump(mode="json") if source.dates else None
        return hashed([urls, dates, source.index, source.entries])

    def originals(self, visit: Visit) -> Iterator[Fetched]:
        """New and changed files; for a snapshot every file, those that did not change carried over.

        Raises TemporaryError, SourceError, UsageError, and Moved when another list of files has to be gone through.
        """
        files = self._listed(visit)
        listing = hashed([[file.shown, file.request] for file in files])
        progress = _Progress(visit, self.source, listing, self._clock.now())
        progress.tell_gone(files)
        originals = {one.url: one for one in visit.known}
        amount = FilesAmount([file.bytes for file in files], visit.came)
        for number, file in enumerate(files, 1):
            if number <= progress.done:
                continue
            if visit.stop.is_set():
                raise Stopped(f"{self.source.name}: stopped by a signal before file {number:,} of {len(files):,}; run again")
            amount.begin(number)
            answer = self._answer(file, visit, progress.known.get(file.shown), originals, amount.came)
            if answer is not None:
                cursor = progress.cursor_with(file, answer)
                token = None if number == len(files) else progress.token(number, self._clock.now())
                yield replace(answer, resume=token, cursor=cursor)

    def _listed(self, visit: Visit) -> list[FileAt]:
        """The files of all addresses, each once, in the order of the addresses and then of their names.

        Raises SourceError where nothing is, or too much.
        """
        found: dict[str, FileAt] = {}
        for address in addresses(self.source, self._environment, visit.window):
            count = len(found)
            for file in self._readers[address.scheme].files(address):
                request = {"file": file.name, **({"date": address.date} if address.date else {})}
                found.setdefault(file.url, replace(file, request=request))
                if len(found) > self.source.max_files:
                    raise SourceError(
                        f"{self.source.name}: {address.shown}: got more than max_files {self.source.max_files:,} files"
                    )
            if (
                len(found) == count
                and self.source.missing == "error"
                and not any(file.url == address.url for file in found.values())
            ):
                raise self._absent(address.shown)
        return list(found.values())

    def _answer(
        self, file: FileAt, visit: Visit, known: Seen | None, originals: Mapping[str, Original], came: Came
    ) -> Fetched | None:
        """What this file brings to the run; None when that is nothing."""
        is_snapshot = self.source.load == "snapshot"
        carried = originals.get(file.shown) if is_snapshot else None
        if known and known.is_same(file):
            return unchanged(carried) if carried else None
        validators = Validators(known.etag, known.modified) if known and file.bytes is None else Validators()
        path = visit.new_path()
        try:
            answer = self._readers[file.url.partition(":")[0].lower()].fetched(file, path, validators, came)
        except Absent:
            path.unlink(missing_ok=True)
            if self.source.missing == "error":
                raise self._absent(file.shown) from None
            return None
        if answer is None:
            return unchanged(carried) if carried else None
        if known and answer.sha256 == known.sha256 and not is_snapshot:
            path.unlink()
            return None
        packed = packing(path) if self.source.format != "excel" else None
        return replace(answer, extension=PACKED[packed]) if packed else answer

    def _absent(self, shown: str) -> SourceError:
        return SourceError(f"{self.source.name}: {shown}: got no such file, expected one; `missing: skip` passes over it")


class _Progress:
    """How far a pull has come, and what is known of every file so far."""

    def __init__(self, visit: Visit, source: FilesSource, listing: str, now: float) -> None:
        self._source, self._listing, self._saved_at, self._visit = source, listing, now, visit
        self.known = self._known()
        self._seen = {} if source.load == "snapshot" else dict(self.known)
        self.done = 0
        if visit.resume:
            if visit.resume["listing"] != listing:
                raise Moved("other files are listed than when the stopped run began")
            self.done = int(visit.resume["done"])
        self._new = {name: Seen(*facts) for name, facts in visit.resume["seen"].items()} if visit.resume else {}
        self._seen.update(self._new)

    def _known(self) -> dict[str, Seen]:
        visit = self._visit
        if visit.is_full or visit.window:
            return {}
        if self._source.load != "snapshot" and visit.cursor and "files" in visit.cursor:
            return {name: Seen(*facts) for name, facts in visit.cursor["files"].items()}
        return {one.url: _seen(one) for one in visit.known}

    def tell_gone(self, files: list[FileAt]) -> None:
        """Name the files that were there the last time; those of a window or of `--full` are not compared."""
        here = {file.shown for file in files}
        leaves = ", and its rows leave" if self._source.load == "snapshot" else ", its rows stay"
        for name in [name for name, seen in self.known.items() if name not in here and not seen.is_gone]:
            self._visit.note(f"{name} is gone{leaves}")
            if name in self._seen:
                self._seen[name] = replace(self._seen[name], is_gone=True)

    def cursor_with(self, file: FileAt, answer: Fetched) -> Token | None:
        """The cursor if the run ends with this file; a snapshot has none, its originals say it all."""
        if self._source.load == "snapshot":
            return None
        seen = Seen(answer.validators.etag, answer.validators.last_modified, answer.bytes, answer.sha256)
        self._seen[file.shown] = self._new[file.shown] = seen
        return {"files": {name: each.facts for name, each in self._seen.items()}}

    def token(self, number: int, now: float) -> Token | None:
        """How another process goes on behind this file, every few seconds."""
        if now - self._saved_at < CHECKPOINT_SECONDS:
            return None
        self._saved_at = now
        return {"listing": self._listing, "done": number, "seen": {name: each.facts for name, each in self._new.items()}}


def _seen(original: Original) -> Seen:
    return Seen(original.etag, original.last_modified, original.bytes, original.sha256)
