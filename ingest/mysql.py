"""The MySQL and MariaDB side of the bot: one connection in one read-only snapshot, and the SQL of its dialect."""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ingest.database_address import Address
from ingest.database_server import Field, KeyPart, first_key
from ingest.mysql_errors import ours
from ingest.mysql_fields import KEY_TYPES, field_of, key_part
from ingest.mysql_wire import Broken, Refused, Rows
from lake.database_source import DatabaseSource
from lake.errors import SourceError, UsageError

CONNECT_SECONDS = 10
#: A view whose text this user may not see, or that stands on tables that are closed to it.
NOT_EXPLAINED = (1142, 1345)
READ_BYTES = 1 << 20
NUMBER = re.compile(r"-?\d+(\.\d+)?")
KEYS = (
    "select s.index_name, s.column_name, c.data_type, s.sub_part, c.is_nullable from information_schema.statistics s"
    " left join information_schema.columns c using (table_schema, table_name, column_name)"
    " where s.table_schema = {schema} and s.table_name = {table} and s.non_unique = 0"
    " order by s.index_name <> 'PRIMARY', s.index_name, s.seq_in_index"
)


class MySql:
    """Reads tables by PyMySQL's connection, and the rows of chunks straight from its socket."""

    def __init__(self, source: DatabaseSource, address: Address) -> None:
        self._source, self._address = source, address
        self.patience_seconds = source.timeout_seconds + CONNECT_SECONDS
        schema, self._table = source.table_parts if source.table else (None, "")
        self._schema = schema or address.database
        self._where = f"{source.name}: {address.shown}{'/' + source.table if source.table else ''}"
        with self._errors():
            self._connection = self._connected()

    def _connected(self) -> Any:
        """A connection whose values come as the server's texts, in UTC."""
        import pymysql
        from pymysql.converters import conversions

        seconds = self._source.timeout_seconds
        connection: Any = pymysql.connect(
            host=self._address.host,
            port=self._address.port,
            user=self._address.user,
            password=str(self._address.password).encode(),
            database=self._address.database,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self.patience_seconds,  # the server's own word for a statement that takes too long comes first
            write_timeout=seconds,
            conv={kind: convert for kind, convert in conversions.items() if not isinstance(kind, int)},
            **_tls(self._source),
        )
        with connection.cursor() as cursor:
            cursor.execute("set session time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'")
            if _is_mariadb(connection):
                cursor.execute("set session max_statement_time = %s", (seconds,))
            else:
                cursor.execute("set session max_execution_time = %s", (int(seconds * 1000),))
            cursor.execute("set session transaction isolation level repeatable read")
            cursor.execute("start transaction with consistent snapshot, read only")
        return connection

    def close(self) -> None:
        """End the connection; rows that were not read are not waited for."""
        self._connection._force_close()

    def relation(self) -> str:
        """The table or query behind FROM."""
        if self._source.query is not None:
            return f"({_one_statement(self._source.query)}\n) as queried"
        return f"{self.quoted(self._schema)}.{self.quoted(self._table)}"

    def fields(self) -> list[Field]:
        """The columns as the server describes an empty result.

        Raises SourceError when there is no such table.
        """
        import pymysql

        with self._errors(), self._connection.cursor() as cursor:
            try:
                cursor.execute(f"select * from {self.relation()} limit 0")  # noqa: S608 - every name is quoted
            except pymysql.err.ProgrammingError as error:
                if error.args[0] != 1146:
                    raise
                raise SourceError(f"{self._where}: got no such table, expected one of {self._tables()}") from None
            is_mariadb = _is_mariadb(self._connection)
            return [field_of(column, self.quoted(column.name), is_mariadb) for column in cursor._result.fields]

    def _tables(self) -> str:
        found = self._rows(
            f"select table_name from information_schema.tables where table_schema = {_text(self._schema)} order by 1 limit 50"  # noqa: S608
        )
        return ", ".join(str(name) for (name,) in found) or "none that this user may read"

    def key(self, fields: Sequence[Field]) -> list[KeyPart]:
        """The primary key, or another unique index without nulls, if literals of its columns compare as they are ordered.

        A part that is an expression has no name, and an invisible column is not among the fields.
        """
        if not self._table:
            return []
        rows = self._rows(KEYS.format(schema=_text(self._schema), table=_text(self._table)))
        return first_key(((str(index), key_part(*facts)) for index, *facts in rows), fields)

    def estimate(self, condition: str) -> int | None:
        """As the optimizer guesses for a single table; a view it may not explain has none."""
        import pymysql

        where = f" where {condition}" if condition else ""
        with self._errors(), self._connection.cursor(pymysql.cursors.DictCursor) as cursor:
            try:
                cursor.execute(f"explain select * from {self.relation()}{where}")  # noqa: S608
            except pymysql.err.OperationalError as error:
                if error.args[0] not in NOT_EXPLAINED:
                    raise
                return None
            plan = [{str(name).lower(): value for name, value in step.items()} for step in cursor.fetchall()]
        if len(plan) != 1 or plan[0]["rows"] is None or (condition and plan[0]["type"] == "ALL" and "filtered" not in plan[0]):
            return None
        return round(int(plan[0]["rows"]) * float(plan[0].get("filtered") or 100) / 100)

    def quoted(self, name: str) -> str:
        """A name in backticks."""
        return "`" + name.replace("`", "``") + "`"

    def after(self, key: Sequence[KeyPart], values: Sequence[str]) -> str:
        """The row-wise comparison written out, which is what the server can look up in an index."""
        conditions = []
        for depth, (part, value) in enumerate(zip(key, values, strict=True)):
            same = [f"{self.quoted(k.name)} = {_literal(k.type, v)}" for k, v in zip(key[:depth], values[:depth], strict=True)]
            conditions.append(" and ".join([*same, f"{self.quoted(part.name)} > {_literal(part.type, value)}"]))
        return "(" + " or ".join(f"({condition})" for condition in conditions) + ")"

    def literal(self, column: str, value: str) -> str:
        """Numbers bare, so that no digit is lost; anything else as text."""
        return value if NUMBER.fullmatch(value) else _text(value)

    def less(self, literal: str, column: str, lag: int) -> str:
        """Numbers less the lag, times less so many seconds."""
        if not lag:
            return literal
        return f"{literal} - {lag}" if NUMBER.fullmatch(literal) else f"{literal} - interval {lag} second"

    def text(self, column: str) -> str:
        """The column as text."""
        return f"cast({column} as char)"

    def check(self, fields: Sequence[Field]) -> str:
        """CRC-32 of which are null and of the texts of the others."""
        nulls = ", ".join(f"isnull({self.quoted(field.name)})" for field in fields)
        return f"crc32(concat_ws('|', concat({nulls}), {', '.join(field.checked for field in fields)}))"

    def checks(self, lines: Any) -> Any:
        """CRC-32 of each text."""
        return pa.array(map(str, map(zlib.crc32, lines.cast(pa.binary()).to_pylist())), pa.string(), size=len(lines))

    def row(self, statement: str) -> tuple[str | None, ...]:
        """The only row."""
        return self._rows(statement)[0]

    def _rows(self, statement: str) -> list[tuple[str | None, ...]]:
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def batches(self, statement: str, columns: int) -> Iterator[list[Any]]:
        """The rows as they come, without PyMySQL's own reading of them."""
        from pymysql.cursors import SSCursor

        with self._errors():
            cursor = self._connection.cursor(SSCursor)
            cursor.execute(statement)
            result, cursor._result = cursor._result, None
            result.unbuffered_active = False  # else PyMySQL would wait for the rows that are read here
            stream = self._connection._rfile
            rows = Rows(lambda: stream.read1(READ_BYTES), columns, self._connection._next_seq_id)
            yield from rows.batches()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the client turned into ours; the server's own words stay away, they may hold data."""
        import ssl

        import pymysql

        try:
            yield
        except Refused as refused:
            raise ours(struct.unpack("<H", refused.packet[1:3])[0], self._where) from None
        except (pymysql.err.Error, Broken, OSError, RuntimeError) as error:
            cause = getattr(error, "original_exception", error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                proof = f"{self._where}: got a certificate that does not prove the server, expected one of tls.ca for its host"
                raise UsageError(proof) from None
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            raise ours(code if isinstance(error, pymysql.err.Error) else 0, self._where) from None


def _is_mariadb(connection: Any) -> bool:
    return "MariaDB" in connection.server_version


def _tls(source: DatabaseSource) -> dict[str, Any]:
    """The arguments of a connection that is encrypted and proven, or not."""
    import ssl

    if source.tls.mode == "off":
        return {"ssl_disabled": True}
    try:
        context = ssl.create_default_context(cafile=source.tls.ca)
    except (OSError, ssl.SSLError):
        raise UsageError(f"{source.name}.yaml: tls: ca: got {source.tls.ca!r}, expected a PEM file of certificates") from None
    context.check_hostname = source.tls.mode == "verify_identity"
    return {"ssl": context}


def _one_statement(query: str) -> str:
    return query.strip().rstrip(";")


def _text(value: str) -> str:
    """A text as a literal that no mode of the server reads otherwise."""
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _literal(kind: str, value: str) -> str:
    """A value of a key column as a literal of its own kind, so that it is compared as the index orders it."""
    if KEY_TYPES[kind] == "number" and NUMBER.fullmatch(value):
        return value
    return f"x'{value}'" if KEY_TYPES[kind] == "bytes" else _text(value)
