"""What a bot asks for and what it brings: the seam between the three kinds of bots and the raw zone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Ask:
    """One thing to ask for; `shown` names it in messages and manifests, `url` may hold secrets."""

    shown: str
    url: str = field(default="", repr=False)
    request: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Validators:
    """What a source said about its answer, by which it can tell whether it has changed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """One original in a temporary file."""

    path: Path
    ask: Ask
    bytes: int
    sha256: str
    fetched_at: str
    status: int | None = None
    content_type: str | None = None
    validators: Validators = Validators()


class Bot(Protocol):
    """A way to get the originals of one source."""

    extension: str

    def asks(self) -> list[Ask]:
        """What this run asks for, in order; known before the first answer."""

    def originals(self, ask: Ask, new_path: Callable[[], Path], known: Validators) -> Iterator[Fetched | None]:
        """The answers to one ask, each in a new file; None when the source says that nothing changed since `known`.

        Raises TemporaryError or SourceError.
        """
