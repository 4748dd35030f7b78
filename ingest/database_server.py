"""What the bot needs of a database: the seam between reading in chunks and the two families of servers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from lake.errors import TemporaryError


class Lost(TemporaryError):
    """The connection is gone; a new one may go on."""


@dataclass(frozen=True)
class Field:
    """A column to read: the SQL that reads it, the SQL whose text its checksum takes, and the type it is kept in."""

    name: str
    read: str
    checked: str
    type: pa.DataType


@dataclass(frozen=True)
class KeyPart:
    """A column of the key by which a table is read in chunks; `type` is what a literal of it is cast to."""

    name: str
    type: str


def first_key(indexes: Iterable[tuple[str, KeyPart | None]], fields: Sequence[Field]) -> list[KeyPart]:
    """The first index whose parts are all columns that are read; None stands for a part that is no column, or unfit."""
    found: dict[str, list[KeyPart | None]] = {}
    for index, part in indexes:
        found.setdefault(index, []).append(part)
    names = {field.name for field in fields}
    for parts in found.values():
        whole = [part for part in parts if part and part.name in names]
        if len(whole) == len(parts):
            return whole
    return []


class Server(Protocol):
    """A connection inside one read-only snapshot. Every call may raise TemporaryError, SourceError and UsageError."""

    patience_seconds: float
    """Longest wait for the next rows: a little more than the server gives one statement."""

    def relation(self) -> str:
        """The table, view or query as it stands behind FROM."""

    def fields(self) -> list[Field]:
        """The columns in their order."""

    def key(self, fields: Sequence[Field]) -> list[KeyPart]:
        """Those of the fields that are a unique key without nulls whose order the server itself keeps; none for views and
        queries.
        """

    def estimate(self, condition: str) -> int | None:
        """How many rows keep a condition as the server guesses, which costs it next to nothing; None when it cannot."""

    def quoted(self, name: str) -> str:
        """A name as SQL."""

    def after(self, key: Sequence[KeyPart], values: Sequence[str]) -> str:
        """The condition that a row comes behind the key with these values."""

    def literal(self, column: str, value: str) -> str:
        """A value of a column as SQL that compares as the column does."""

    def less(self, literal: str, column: str, lag: int) -> str:
        """A literal of a column less a number, or less so many seconds."""

    def check(self, fields: Sequence[Field]) -> str:
        """The SQL of a row's checksum."""

    def checks(self, lines: Any) -> Any:
        """The checksums of rows whose texts were joined."""

    def text(self, column: str) -> str:
        """The SQL of a column's exact text."""

    def row(self, statement: str) -> tuple[str | None, ...]:
        """The only row of a statement, as texts."""

    def batches(self, statement: str, columns: int) -> Iterator[list[Any]]:
        """The columns of a statement's rows, as texts or bytes, batch by batch."""

    def close(self) -> None:
        """End the connection."""
