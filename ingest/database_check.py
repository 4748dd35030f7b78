"""Proves that a chunk arrived as the server read it: a checksum in every row, and the number of rows in the same statement.

A row's checksum is taken of one text: a 0 or 1 per column that says which are null, then the texts of the others, with bars
in between. The server takes it (CRC-32 in MySQL, the first half of an MD5 in PostgreSQL) of the texts it sends, and the bot
of the texts it received.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.database_ahead import ahead
from ingest.database_server import Field, Server
from lake.errors import SourceError, TemporaryError


@dataclass(frozen=True)
class Chunk:
    """Rows of one statement: those that keep a condition, in an order, and at most so many, or all."""

    condition: str = ""
    order: str = ""
    limit: int | None = None

    def rows(self, server: Server) -> str:
        """What stands from FROM on."""
        kept = f" where {self.condition}" if self.condition else ""
        return f"from {server.relation()}{kept}"

    @property
    def order_and_limit(self) -> str:
        """What stands behind the rows."""
        ordered = f" order by {self.order}" if self.order else ""
        return f"{ordered} limit {self.limit}" if self.limit else ordered

    def count(self, server: Server) -> str:
        """The statement that counts them."""
        first = self.order_and_limit if self.limit else ""
        return f"select count(*) from (select 1 {self.rows(server)}{first}) as counted"  # noqa: S608 - every name is quoted

    def select(self, server: Server, fields: Sequence[Field]) -> str:
        """The statement that reads their columns, each row's checksum, and in every row their count."""
        columns = ", ".join(field.read for field in fields)
        return f"select {columns}, {server.check(fields)}, ({self.count(server)}) {self.rows(server)}{self.order_and_limit}"


def checked(server: Server, fields: Sequence[Field], chunk: Chunk, where: str) -> Iterator[list[Any]]:
    """The columns of a chunk, batch by batch, that are what the server read.

    Raises SourceError when a row or the number of rows is not what the server says, TemporaryError when it falls silent.
    """
    came = counted = 0
    for *columns, checks, counts in _steady(server, server.batches(chunk.select(server, fields), len(fields) + 2), where):
        texts = [as_text(column, field, where) for column, field in zip(columns, fields, strict=True)]
        if not server.checks(_lines(texts)).equals(checks.cast(pa.string())):
            raise SourceError(f"{where}: got a row that differs from its checksum, expected what the server sent; run again")
        came += len(checks)
        counted = int(counts[-1].as_py())
        yield texts
    if not came:  # no row could carry the count
        counted = int(server.row(chunk.count(server))[0] or 0)
    if came != counted:
        raise SourceError(f"{where}: got {came:,} rows, expected {counted:,} as the same statement counts; run again")


def _steady(server: Server, batches: Iterator[list[Any]], where: str) -> Iterator[list[Any]]:
    try:
        yield from ahead(batches, server.patience_seconds)
    except TimeoutError:
        silent = f"{where}: got no rows for {server.patience_seconds:g} s, expected some"
        raise TemporaryError(f"{silent}; try again later, or raise timeout_seconds") from None


def as_text(column: Any, field: Field, where: str) -> Any:
    """A column as it came, as text; bytes stay bytes where the column holds bytes."""
    if pa.types.is_binary(column.type) and not pa.types.is_binary(field.type):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            raise SourceError(f"{where}: got text in {field.name} that is not UTF-8") from None
    return column


def _lines(columns: Sequence[Any]) -> Any:
    """One text per row, from which its checksum is taken."""
    texts = [_hexed(column) if pa.types.is_binary(column.type) else column for column in columns]
    zero, one = pa.scalar("0"), pa.scalar("1")
    nulls = [pc.if_else(column.is_null(), one, zero) if column.null_count else zero for column in columns]
    mask = pc.binary_join_element_wise(*nulls, "")
    return pc.binary_join_element_wise(mask, *texts, "|", null_handling="skip")


def _hexed(column: Any) -> Any:
    return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
