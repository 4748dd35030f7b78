"""What a bot is told and what it brings: the seam between the three kinds of bots and the raw zone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ingest.amounts import Amount
from lake.errors import TemporaryError
from store.manifests import Keys, Original

#: What a bot needs to go on or to begin the next run: JSON that only the bot reads, without secrets.
Token = dict[str, Any]


class Moved(Exception):
    """The source is no longer what it was when a killed run stopped: what that run stored cannot be gone on with."""


class Stopped(TemporaryError):
    """A signal ended the pull after its present original."""


@dataclass(frozen=True)
class Validators:
    """What a source said about its answer, by which it can tell whether it has changed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Window:
    """Instants in ISO 8601: from `start` on, before `end`. A run with a window never moves the cursor."""

    start: str
    end: str


@dataclass(frozen=True)
class AllKeys:
    """The keys of all rows that a source has now, as texts in a temporary Parquet file."""

    path: Path
    bytes: int
    sha256: str
    rows: int
    fields: list[str]

    def stored(self, key: str) -> Keys:
        """The facts of it as a manifest holds them."""
        return Keys(key=key, bytes=self.bytes, sha256=self.sha256, rows=self.rows, fields=self.fields)


@dataclass(frozen=True)
class Visit:
    """What a bot is told about this run.

    `known` are the newest run's originals when the same is asked again; `cursor` is where the last run ended; `resume`
    is the token of the last original that a killed run stored; `copy_of` gives a known original as a file again.
    `tell` shows what the run does, `came` how far it is, `note` is for what a person should know of it later too; `keep_keys` takes
    the keys of all rows, read in a snapshot that is no older than any original.
    """

    new_path: Callable[[], Path]
    tell: Callable[[str], None] = lambda message: None
    came: Callable[[Amount], None] = lambda amount: None
    note: Callable[[str], None] = lambda message: None
    keep_keys: Callable[[AllKeys], None] = lambda keys: None
    known: Sequence[Original] = ()
    copy_of: Callable[[Original], Path] | None = None
    cursor: Token | None = None
    resume: Token | None = None
    window: Window | None = None
    is_full: bool = False
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Fetched:
    """One original in a temporary file, or with `carried` one of the known that did not change, without a file.

    `resume` lets the bot go on after it in another process: a checkpoint is written for it. `cursor` is the source's
    cursor if the run ends here. `shown` names it without secrets.
    """

    path: Path
    shown: str
    bytes: int
    sha256: str
    fetched_at: str
    request: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    content_type: str | None = None
    validators: Validators = Validators()
    resume: Token | None = None
    cursor: Token | None = None
    carried: Original | None = None
    extension: str | None = None

    def original(self, key: str) -> Original:
        """The facts of it as a manifest holds them."""
        return Original(
            key=key,
            bytes=self.bytes,
            sha256=self.sha256,
            url=self.shown,
            request=self.request,
            status=self.status,
            content_type=self.content_type,
            etag=self.validators.etag,
            last_modified=self.validators.last_modified,
            fetched_at=self.fetched_at,
        )


def unchanged(known: Original, resume: Token | None = None, cursor: Token | None = None) -> Fetched:
    """What a bot brings for a known original of which the source said that it has not changed."""
    return Fetched(
        path=Path(),
        shown=known.url,
        bytes=known.bytes,
        sha256=known.sha256,
        fetched_at=known.fetched_at,
        request=known.request,
        status=known.status,
        content_type=known.content_type,
        validators=Validators(known.etag, known.last_modified),
        resume=resume,
        cursor=cursor,
        carried=known,
        extension=known.key.rpartition(".")[2],
    )


class Bot(Protocol):
    """A way to get the originals of one source."""

    extension: str

    def fingerprint(self) -> str:
        """Hash of what this source asks for; neither secrets nor the cursor nor the window are part of it."""

    def originals(self, visit: Visit) -> Iterator[Fetched]:
        """Everything the source has for this visit, in an order that is the same each time.

        Raises TemporaryError (what came so far is kept and gone on with), SourceError or UsageError (it is given up),
        and Moved when `visit.resume` no longer fits.
        """
