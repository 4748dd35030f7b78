"""The bot for databases: a table, view or query in one snapshot, chunk by chunk along its key, each chunk proven."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ingest.amounts import Amount
from ingest.database_address import Address, parsed_address
from ingest.database_check import Chunk, checked
from ingest.database_cursor import Slice, slice_of
from ingest.database_keys import all_keys
from ingest.database_parts import Written, empty, written
from ingest.database_server import Field, KeyPart, Lost, Server
from ingest.news import hashed
from ingest.originals import AllKeys, Fetched, Moved, Visit
from lake.database_source import DatabaseSource
from lake.errors import SourceError, TemporaryError
from lake.references import resolved

#: Seconds before each new connection after one was lost; a chunk that arrives begins them anew.
PAUSES = (0.2, 1, 2, 4, 8)


class DatabaseBot:
    """Reads one table; equal tables with a unique key give equal bytes."""

    extension = "parquet"

    def __init__(self, source: DatabaseSource, environment: Mapping[str, str]) -> None:
        where = f"{source.name}.yaml: url"
        self.source = source
        self._address = parsed_address(resolved(source.url, environment, where), where)

    @property
    def shown(self) -> str:
        """The table's address without secrets."""
        return f"{self._address.shown}/{self.source.table or '(query)'}"

    def fingerprint(self) -> str:
        """Hash of what is read: address, table or query, and the cursor's column and start."""
        cursor = self.source.cursor
        return hashed([self.shown, self.source.query, cursor.column if cursor else None, cursor.start if cursor else None])

    def originals(self, visit: Visit) -> Iterator[Fetched]:
        """The rows in Parquet, chunk by chunk; then the keys of all rows, where deleted ones are to be found.

        Raises TemporaryError when the server is away or busy, SourceError and UsageError when it refuses, and Moved when
        the table has other columns or another key than when a killed run began.
        """
        reading = _Reading(self.source, self._address, visit, f"{self.source.name}: {self.shown}")
        try:
            for part in reading.parts():
                yield Fetched(
                    part.path,
                    self.shown,
                    part.bytes,
                    part.sha256,
                    datetime.now(UTC).isoformat(),
                    resume=reading.resume(),
                    cursor=reading.slice.cursor,
                )
            if self.source.sweeps_keys and not visit.window:
                visit.keep_keys(reading.all_keys())
        finally:
            reading.server.close()


class _Reading:
    """One run through a table."""

    def __init__(self, source: DatabaseSource, address: Address, visit: Visit, where: str) -> None:
        self._source, self._address, self._visit, self._where = source, address, visit, where
        self._rows = self._bytes = 0
        self._guess: int | None = None
        self.slice = Slice()
        self.server = connected(source, address)
        try:
            self._look()
        except BaseException:
            self.server.close()
            raise

    def _look(self) -> None:
        """What the table is now, and which rows of it are wanted."""
        self._fields = self.server.fields()
        check_names(self._source, self._fields, self._where)
        self._key = self.server.key(self._fields)
        self._layout = layout(self._fields, self._key)
        resume = self._visit.resume
        if resume and resume["layout"] != self._layout:
            raise Moved("the table's columns or its key have changed")
        self._after: list[str] | None = resume["after"] if resume else None
        self.slice = slice_of(self._source, self.server, self._visit, self._where)

    def parts(self) -> Iterator[Written]:
        """The originals in order; when a connection is lost a new one goes on behind the last whole chunk."""
        if self.slice.is_empty:
            return
        self._guess = None if self._after else self.server.estimate(self.slice.condition)
        self._tell(self._rows, self._bytes)
        if not self._key:
            yield from self._or_empty(list(self._chunk(None)))
            return
        pauses = iter(PAUSES)
        while True:
            try:
                chunk = list(self._chunk(self._source.chunk_rows))
            except Lost as lost:
                self._reconnect(lost, pauses)
                continue
            is_last = sum(part.rows for part in chunk) < self._source.chunk_rows
            for part in chunk if self._after else self._or_empty(chunk):
                chunk = chunk[1:]
                self._after = self._key_of(part) if chunk or not is_last else None
                yield part
            if is_last:
                return
            pauses = iter(PAUSES)

    def all_keys(self) -> AllKeys:
        """The keys of all rows in one snapshot; in a later one, from the start, when the connection is lost."""
        pauses = iter(PAUSES)
        while True:
            try:
                return all_keys(self._source, self.server, self._fields, self._key, self._visit, self._where)
            except Lost as lost:
                self._reconnect(lost, pauses)

    def resume(self) -> dict[str, Any] | None:
        """How another process goes on behind the part that came last; None behind the last of all."""
        return {"layout": self._layout, "after": self._after, "cursor": self.slice.cursor} if self._after else None

    def _chunk(self, limit: int | None) -> Iterator[Written]:
        """The next rows behind those that came, proven when the last of its parts has been written."""
        conditions = [condition for condition in (self.slice.condition,) if condition]
        if self._after:
            conditions.append(self.server.after(self._key, self._after))
        order = ", ".join(self.server.quoted(part.name) for part in self._key)
        chunk = Chunk(" and ".join(conditions), order, limit)
        batches = checked(self.server, self._fields, chunk, self._where)
        rows, size = self._rows, self._bytes
        for part in written(batches, self._fields, self._visit.new_path):
            rows, size = rows + part.rows, size + part.bytes
            self._tell(rows, size)
            yield part
        self._rows, self._bytes = rows, size

    def _tell(self, rows: int, size: int) -> None:
        """Tell how much has come, of as many rows as the server guessed."""
        self._visit.came(Amount(rows, size, min(1.0, rows / self._guess) if self._guess else None))

    def _or_empty(self, parts: list[Written]) -> list[Written]:
        return parts or [empty(self._fields, self._visit.new_path())]

    def _key_of(self, part: Written) -> list[str]:
        """The key of a part's last row, which is never null."""
        values = dict(zip((field.name for field in self._fields), part.last, strict=True))
        return [str(values[each.name]) for each in self._key]

    def _reconnect(self, lost: Lost, pauses: Iterator[float]) -> None:
        """A new connection, and with it a later snapshot.

        Raises TemporaryError when there is none after all pauses, or when the table was altered meanwhile.
        """
        self.server.close()
        for pause in pauses:
            if self._visit.stop.wait(pause):
                break
            try:
                self.server = connected(self._source, self._address)
            except Lost as still:
                lost = still
                continue
            fields = self.server.fields()
            if layout(fields, self.server.key(fields)) != self._layout:
                raise TemporaryError(f"{self._where}: got other columns than before the connection was lost; run again")
            return
        raise lost


def connected(source: DatabaseSource, address: Address) -> Server:
    """A connection to the server of the URL."""
    if address.engine == "mysql":
        from ingest.mysql import MySql

        return MySql(source, address)
    from ingest.postgres import Postgres

    return Postgres(source, address)


def check_names(source: DatabaseSource, fields: list[Field], where: str) -> None:
    """Refuse two columns of one name, and a declared column that is not there.

    Raises SourceError.
    """
    names = [field.name for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{where}: got column {twice[0]!r} twice, expected a name of its own for each column of the query")
    wanted = [column.from_ or name for name, column in source.columns.items()]
    for name in [*wanted, *([source.cursor.column] if source.cursor else [])]:
        if name not in names and not name.startswith("@"):
            raise SourceError(f"{where}: got no column {name!r}, expected it among {', '.join(names)}")


def layout(fields: list[Field], key: list[KeyPart]) -> str:
    """Hash of columns, types and key: a run can only be gone on with while they stay."""
    return hashed([[[field.name, str(field.type)] for field in fields], [[part.name, part.type] for part in key]])
