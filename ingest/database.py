"""The bot for MySQL and MariaDB: one table in one consistent snapshot, as Parquet with exact types."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.column_types import SelectedColumn, identifier, odd_dates, selected
from ingest.originals import Ask, Fetched, Validators
from lake.database_source import DatabaseSource
from lake.errors import LakeError, SourceError, TemporaryError, UsageError
from lake.references import resolved
from lake.settings import Secret

BATCH = 10_000
#: Client and server errors after which the same read may succeed.
TEMPORARY = {
    1040, 1041, 1042, 1053, 1129, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1412, 1927, 1969,
    2002, 2003, 2005, 2006, 2013, 2014, 2055, 3024,
}  # fmt: skip
MEANING = {
    1044: "no right to the database", 1045: "access denied for the user", 1698: "access denied for the user",
    1049: "no such database", 1142: "no right to the table", 1146: "no such table", 1040: "too many connections",
    2002: "no connection", 2003: "no connection", 2005: "an unknown host",
    2006: "a server that went away", 2013: "a connection lost while reading", 1412: "a table that was altered meanwhile",
    1969: "a statement that took too long", 3024: "a statement that took too long",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    """A database server, with the password that is never shown."""

    host: str
    port: int
    user: str
    database: str
    password: Secret = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without user and password."""
        return f"mysql://{self.host}:{self.port}/{self.database}"


def parsed_address(url: str, where: str) -> Address:
    """The parts of a mysql:// URL, percent-decoded.

    Raises UsageError that shows nothing of it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 3306
    except ValueError:
        raise UsageError(f"{where}: got a URL that cannot be read, expected mysql://user:password@host:port/database") from None
    database = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("mysql", "mariadb") or not host or not database or "/" in database or parts.query:
        raise UsageError(f"{where}: got another form, expected mysql://user:password@host:port/database")
    return Address(host, port, unquote(parts.username or ""), database, Secret(unquote(parts.password or "")))


class DatabaseBot:
    """Reads one table; equal tables with a primary key give equal bytes."""

    extension = "parquet"

    def __init__(self, source: DatabaseSource, environment: Mapping[str, str]) -> None:
        where = f"{source.name}.yaml: url"
        self.source = source
        self._address = parsed_address(resolved(source.url, environment, where), where)

    def asks(self) -> list[Ask]:
        """The table."""
        return [Ask(f"{self._address.shown}/{self.source.table}")]

    def originals(self, ask: Ask, new_path: Callable[[], Path], known: Validators) -> Iterator[Fetched | None]:
        """The whole table in one Parquet file.

        Raises TemporaryError when the server is away or busy, SourceError and UsageError when it refuses.
        """
        path = new_path()
        with self._errors(ask), self._connected() as connection:
            columns = self._columns(connection, ask)
            try:
                _write(connection, self._select(connection, columns), columns, path)
            except pa.ArrowInvalid:  # its words would hold the value
                inexact = f"{self.source.name}: {ask.shown}: got a value that its column's type cannot hold"
                raise SourceError(f"{inexact}, expected what information_schema says") from None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield Fetched(path, ask, path.stat().st_size, digest, datetime.now(UTC).isoformat())

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection inside one read-only snapshot, in UTC, whose values come as the server's text."""
        import pymysql
        from pymysql.converters import conversions

        seconds = self.source.timeout_seconds
        connection = pymysql.connect(
            host=self._address.host,
            port=self._address.port,
            user=self._address.user,
            password=str(self._address.password),
            database=self._address.database,
            charset="utf8mb4",
            connect_timeout=10,
            read_timeout=seconds,
            write_timeout=seconds,
            conv={kind: convert for kind, convert in conversions.items() if not isinstance(kind, int)},
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute("set session time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'")
                cursor.execute("set session transaction isolation level repeatable read")
                cursor.execute("start transaction with consistent snapshot, read only")
            yield connection
        finally:
            connection.close()

    def _columns(self, connection: Any, ask: Ask) -> list[SelectedColumn]:
        """The table's columns as they are to be selected.

        Raises SourceError when there is no such table or it lacks a declared column.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "select column_name, data_type, column_type, numeric_precision, numeric_scale from information_schema.columns"
                " where table_schema = %s and table_name = %s order by ordinal_position",
                (self._address.database, self.source.table),
            )
            found = cursor.fetchall()
            if not found:
                cursor.execute(
                    "select table_name from information_schema.tables where table_schema = %s order by 1 limit 50",
                    (self._address.database,),
                )
                there = ", ".join(name for (name,) in cursor.fetchall()) or "none that this user may read"
                raise SourceError(f"{self.source.name}: {ask.shown}: got no such table, expected one of {there}")
            names = [row[0] for row in found]
            for name, column in self.source.columns.items():
                wanted = column.from_ or name
                if wanted not in names and not wanted.startswith("@"):
                    raise SourceError(
                        f"{self.source.name}: {ask.shown}: got no column {wanted!r}, expected it among {', '.join(names)}"
                    )
            inexact = self._inexact(cursor, [row[0] for row in found if row[1] in ("date", "datetime", "timestamp")])
        return [selected(*row, is_exact=row[0] not in inexact) for row in found]

    def _inexact(self, cursor: Any, names: list[str]) -> set[str]:
        """Date columns that hold zero or impossible dates, which no type but text can keep."""
        if not names:
            return set()
        counts = ", ".join(odd_dates(name) for name in names)
        cursor.execute(f"select {counts} from {identifier(self.source.table)}")  # noqa: S608 - every name is quoted
        return {name for name, zeros in zip(names, cursor.fetchone(), strict=True) if zeros not in (None, "0")}

    def _select(self, connection: Any, columns: list[SelectedColumn]) -> str:
        """The statement that reads the table, by its primary key where it has one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "select column_name from information_schema.key_column_usage where table_schema = %s and table_name = %s"
                " and constraint_name = 'PRIMARY' order by ordinal_position",
                (self._address.database, self.source.table),
            )
            key = [identifier(name) for (name,) in cursor.fetchall()]
        order = f" order by {', '.join(key)}" if key else ""
        read = ", ".join(column.expression for column in columns)
        return f"select {read} from {identifier(self.source.table)}{order}"  # noqa: S608 - every name is quoted

    @contextmanager
    def _errors(self, ask: Ask) -> Iterator[None]:
        """Errors of the client turned into ours; the server's own words stay away, they may hold data."""
        import pymysql

        try:
            yield
        except (pymysql.err.Error, TimeoutError, ConnectionError) as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            raise _ours(code, f"{self.source.name}: {ask.shown}") from None


def _ours(code: int, where: str) -> LakeError:
    meaning = f"{MEANING.get(code, 'an error of the server')} (MySQL error {code})"
    if code in TEMPORARY or code == 0:
        return TemporaryError(f"{where}: got {meaning}; try again later")
    if code in (1044, 1045, 1049, 1142, 1698):
        return UsageError(f"{where}: got {meaning}; check user, password and database in url")
    return SourceError(f"{where}: got {meaning}")


def _write(connection: Any, statement: str, columns: list[SelectedColumn], path: Path) -> None:
    """The rows of a statement as Parquet, streamed."""
    from pymysql.cursors import SSCursor

    schema = pa.schema([(column.name, column.type) for column in columns])
    with connection.cursor(SSCursor) as cursor, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        cursor.execute(statement)
        while rows := cursor.fetchmany(BATCH):
            arrays = [column.array(list(values)) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
