"""The PostgreSQL side of the bot: one connection in one read-only snapshot, and rows by COPY, which writes every type exactly."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ingest.column_types import CLOCK, INSTANT, TEXT, decimal_type
from ingest.database_address import Address
from ingest.database_server import Field, KeyPart, first_key
from ingest.postgres_errors import ours
from lake.database_source import DatabaseSource
from lake.errors import SourceError

CONNECT_SECONDS = 10
BATCH_BYTES = 2 << 20
#: Half an MD5 in hexadecimal digits.
CHECK_DIGITS = 16
TYPES = {
    "bool": pa.bool_(), "int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(), "oid": pa.int64(),
    "float4": pa.float32(), "float8": pa.float64(), "date": pa.date32(), "timestamp": CLOCK, "timestamptz": INSTANT,
    "bytea": pa.binary(),
}  # fmt: skip
SESSION = (
    "set time zone 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres'; set extra_float_digits to 3;"
    " set bytea_output to 'hex'; set xmlbinary to 'base64'; set search_path to {path}; set statement_timeout to {milliseconds};"
)
#: The columns of unique indexes that hold for every row and have no nulls; the primary key first.
KEYS = (
    "select i.indexrelid::text, a.attname::text, format_type(a.atttypid, a.atttypmod)"
    " from pg_index i join pg_class c on c.oid = i.indrelid"
    " cross join unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k(attnum, position)"
    " left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum and a.attnotnull"
    " where c.oid = {table}::regclass and (c.relkind = 'p' or c.relkind = 'r' and not c.relhassubclass)"
    " and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null"
    " order by not i.indisprimary, i.indexrelid, k.position"
)


class Postgres:
    """Reads tables by psycopg and COPY."""

    def __init__(self, source: DatabaseSource, address: Address) -> None:
        self._source, self._address = source, address
        self.patience_seconds = source.timeout_seconds + CONNECT_SECONDS
        self._schema, self._table = source.table_parts if source.table else (None, "")
        self._where = f"{source.name}: {address.shown}{'/' + source.table if source.table else ''}"
        with self._errors():
            self._connection = self._connected()

    def _connected(self) -> Any:
        """A connection whose values come as texts of one form, in UTC."""
        import psycopg

        seconds = self._source.timeout_seconds
        tls = self._source.tls
        mode = {"off": "disable", "verify_ca": "verify-ca", "verify_identity": "verify-full"}[tls.mode]
        proof: dict[str, Any] = {} if tls.mode == "off" else {"sslrootcert": tls.ca or "system"}
        connection = psycopg.connect(
            host=self._address.host,
            port=self._address.port,
            user=self._address.user,
            password=str(self._address.password),
            dbname=self._address.database,
            sslmode=mode,
            connect_timeout=CONNECT_SECONDS,
            client_encoding="UTF8",
            keepalives_idle=30,
            tcp_user_timeout=int(seconds * 1000),
            autocommit=True,
            **proof,
        )
        path = '"$user", public' if self._schema is None else self.quoted(self._schema)
        connection.execute(SESSION.format(path=path, milliseconds=int(seconds * 1000)).encode())
        connection.execute("begin transaction isolation level repeatable read, read only")
        return connection

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def relation(self) -> str:
        """The table or query behind FROM."""
        if self._source.query is not None:
            return f"({self._source.query.strip().rstrip(';')}\n) as queried"
        schema = f"{self.quoted(self._schema)}." if self._schema else ""
        return f"{schema}{self.quoted(self._table)}"

    def fields(self) -> list[Field]:
        """The columns as the server describes an empty result.

        Raises SourceError when there is no such table.
        """
        import psycopg

        with self._errors(), self._connection.cursor() as cursor:
            try:
                cursor.execute(f"savepoint looked; select * from {self.relation()} limit 0".encode())  # noqa: S608
                cursor.nextset()
            except psycopg.errors.UndefinedTable:
                cursor.execute("rollback to looked")
                raise SourceError(f"{self._where}: got no such table, expected one of {self._tables()}") from None
            columns = list(cursor.description or ())
            cursor.execute(
                "select oid, typname::text from pg_type where oid = any(%s)", ([each.type_code for each in columns],)
            )
            names = dict(cursor.fetchall())
        return [self._field(column, names.get(column.type_code, "")) for column in columns]

    def _field(self, column: Any, kind: str) -> Field:
        quoted = self.quoted(column.name)
        if kind == "numeric":
            wanted = decimal_type(column.precision, column.scale) if column.precision else TEXT
            return Field(column.name, quoted, quoted, wanted)
        exact = f"{quoted}::text" if kind == "bool" else quoted
        return Field(column.name, exact, exact, TYPES.get(kind, TEXT))

    def _tables(self) -> str:
        found = self._rows(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema not in ('pg_catalog', 'information_schema') order by 1 limit 50"
        )
        return ", ".join(str(name) for (name,) in found) or "none that this user may read"

    def key(self, fields: Sequence[Field]) -> list[KeyPart]:
        """The primary key, or another unique index without nulls; none for views, and for tables with children."""
        if not self._table:
            return []
        rows = self._rows(KEYS.format(table=self._text(self.relation())))
        return first_key(((str(i), None if name is None else KeyPart(name, str(kind))) for i, name, kind in rows), fields)

    def estimate(self, condition: str) -> int | None:
        """As the planner guesses."""
        where = f" where {condition}" if condition else ""
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(f"explain (format json) select 1 from {self.relation()}{where}".encode())  # noqa: S608
            found = cursor.fetchone()
        return int(found[0][0]["Plan"]["Plan Rows"]) if found else None

    def quoted(self, name: str) -> str:
        """A name in double quotes."""
        return '"' + name.replace('"', '""') + '"'

    def after(self, key: Sequence[KeyPart], values: Sequence[str]) -> str:
        """The row-wise comparison, which an index answers."""
        columns = ", ".join(self.quoted(part.name) for part in key)
        literals = ", ".join(f"{self._text(value)}::{part.type}" for part, value in zip(key, values, strict=True))
        return f"({columns}) > ({literals})"

    def literal(self, column: str, value: str) -> str:
        """The value in the column's type."""
        return f"{self._text(value)}::{self._kind(column)}"

    def less(self, literal: str, column: str, lag: int) -> str:
        """Numbers less the lag, times less so many seconds."""
        if not lag:
            return literal
        is_time = self._kind(column).startswith(("date", "timestamp"))
        return f"{literal} - interval '{lag} seconds'" if is_time else f"{literal} - {lag}"

    def text(self, column: str) -> str:
        """The column as text."""
        return f"({column})::text"

    def check(self, fields: Sequence[Field]) -> str:
        """Half the MD5 of which are null and of the texts of the others."""
        nulls = ", ".join(f"({self.quoted(field.name)} is null)::int" for field in fields)
        texts = ", ".join(field.checked for field in fields)
        return f"left(md5(concat_ws('|', concat({nulls}), {texts})), {CHECK_DIGITS})"

    def checks(self, lines: Any) -> Any:
        """Half the MD5 of each text."""
        texts = lines.cast(pa.binary()).to_pylist()
        digests = [hashlib.md5(text, usedforsecurity=False).hexdigest()[:CHECK_DIGITS] for text in texts]
        return pa.array(digests, pa.string())

    def row(self, statement: str) -> tuple[str | None, ...]:
        """The only row."""
        return self._rows(statement)[0]

    def _rows(self, statement: str) -> list[tuple[str | None, ...]]:
        with self._errors(), self._connection.cursor() as cursor:
            found = cursor.execute(statement.encode()).fetchall()
        return [tuple(None if value is None else str(value) for value in row) for row in found]

    def _kind(self, column: str) -> str:
        """Name of a column's type."""
        column_type = f"select pg_typeof({self.quoted(column)})::text from {self.relation()} limit 1"  # noqa: S608
        found = self._rows(f"select coalesce(({column_type}), 'text')")  # without rows there is nothing to compare
        return str(found[0][0])

    def _text(self, value: str) -> str:
        """A text as a literal."""
        from psycopg import sql

        return sql.Literal(value).as_string(self._connection)

    def batches(self, statement: str, columns: int) -> Iterator[list[Any]]:
        """The rows as the server writes them, as texts."""
        pieces: list[bytes] = []
        size = 0
        with self._errors(), self._connection.cursor() as cursor:
            with cursor.copy(f"copy ({statement}) to stdout (format csv)".encode()) as copy:
                for piece in copy:  # whole rows each
                    pieces.append(bytes(piece))
                    size += len(piece)
                    if size >= BATCH_BYTES:
                        yield _columns(b"".join(pieces), columns)
                        pieces, size = [], 0
            if pieces:
                yield _columns(b"".join(pieces), columns)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of psycopg turned into ours."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise ours(error, self._where) from None


def _columns(data: bytes, columns: int) -> list[Any]:
    """The fields of CSV as PostgreSQL writes it: only what stands without quotes and empty is null."""
    names = [str(position) for position in range(columns)]
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns]
