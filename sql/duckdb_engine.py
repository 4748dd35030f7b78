"""The engine of a laptop: a question, transpiled, over Iceberg metadata that DuckDB reads from S3."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lake.errors import LakeError, TemporaryError, UsageError
from lake.settings import Settings
from sql.dialect import Listing, bind_columns, bind_tables, no_table, parse, resolve_table
from sql.engine import Answer, AnswerColumn, Parameter, Tables
from sql.probe import Probe
from sql.rewrites import MACROS, rewrite_plain
from sql.typed import rewrite_typed
from sql.types import WITH_ZONE, trino_type
from sql.words import at_first, at_node

BATCH = 1000
BIGINT = range(-(2**63), 2**63)
UNNAMED = re.compile(r"_col_?\d+")


def open_duckdb(settings: Settings, catalog: Tables) -> "DuckDBEngine":
    """An engine with S3 and Iceberg loaded and its configuration locked."""
    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config={**options, "temp_directory": str(settings.local / "duckdb")})
    for name in ("httpfs", "avro", "iceberg", *(() if settings.s3_access_key else ("aws",))):
        connection.load_extension(str(_extension(name)))
    connection.execute(_secret(settings))
    return DuckDBEngine(connection, catalog)


def _extension(name: str) -> Path:
    """File of an extension that was installed as a wheel."""
    spec = find_spec(f"duckdb_extension_{name}")
    places = (spec.submodule_search_locations or []) if spec else []
    found = [path for place in places for path in Path(place).rglob("*.duckdb_extension")]
    if not found:
        raise LakeError(f"duckdb: extension {name} is missing; run `make setup`")
    return found[0]


def _secret(settings: Settings) -> str:
    """Statement that tells DuckDB where S3 is and who asks."""
    scheme, _, host = settings.s3_endpoint.rpartition("://")
    options = {"type": "s3", "region": settings.s3_region}
    if settings.s3_access_key:
        options |= {"key_id": settings.s3_access_key, "secret": str(settings.s3_secret_key)}
    else:
        options |= {"provider": "credential_chain"}
    if host:
        options |= {"endpoint": host, "url_style": "path", "use_ssl": "false" if scheme == "http" else "true"}
    return f"create secret lake ({', '.join(f'{key} {_quoted(value)}' for key, value in options.items())})"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class DuckDBEngine:
    """Answers on one DuckDB instance in memory; every question has a cursor of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Tables, reader: str = "iceberg_scan") -> None:
        self.connection = connection
        self.reader = reader
        self.catalog = catalog
        self._columns: dict[str, tuple[str, dict[str, str]]] = {}
        connection.execute("set global TimeZone = 'UTC'")
        connection.execute("set global python_enable_replacements = false")
        connection.execute("set global ieee_floating_point_ops = true")
        for macro in MACROS:
            connection.execute(macro)
        connection.execute("set lock_configuration = true")

    def ask(self, text: str, parameters: Sequence[Parameter] = ()) -> Answer:
        """Answer of one question; the tables are read as they were when it was asked."""
        question = parse(text)
        known = self.catalog.tables()
        if isinstance(question, Listing):
            return self._listing(text, question, known)
        written = _written_names(question)
        literals = _typed_literals(question, parameters)
        named = sorted(bind_tables(text, question, known))
        pinned = {full: known[full] for full in named}
        cursor = self.connection.cursor()
        with _our_errors(text):
            columns = {full: self._columns_of(full, cursor, location) for full, location in pinned.items()}
        rewrite_plain(text, question)
        bound = bind_columns(text, question, {full: _spelled(types) for full, types in columns.items()})
        probe = Probe(lambda sql: _described(cursor, sql), columns, literals)
        unknown = rewrite_typed(text, bound, probe)
        with _our_errors(text):
            answered = _describe(cursor, probe.without_rows(bound.copy()).sql("duckdb"))
        if unknown:
            raise at_node(text, unknown[0], "cannot tell a type here; write cast(... as ...) around it")
        _read_pinned(bound, pinned, self.reader)
        sql = _without_zones(bound.sql("duckdb", identify=True), answered)
        with _our_errors(text):
            cursor.execute(sql, list(parameters))
        return Answer(_answer_columns(answered, written), _rows(cursor, text, answered), pinned)

    def _columns_of(self, full: str, cursor: duckdb.DuckDBPyConnection, location: str) -> dict[str, str]:
        """DuckDB types of a table's columns; they are asked once for every state of the table."""
        kept = self._columns.get(full)
        if kept is None or kept[0] != location:
            kept = location, dict(_describe(cursor, f"from {self.reader}({_quoted(location)})"))
            self._columns[full] = kept
        return kept[1]

    def _listing(self, text: str, listing: Listing, known: dict[str, str]) -> Answer:
        if listing.verb == "tables":
            names = [full for full in sorted(known) if listing.name in ("", full.partition(".")[0])]
            return Answer((AnswerColumn("Table", "varchar"),), [(name,) for name in names], {})
        full = resolve_table(listing.name, known)
        if full is None:
            raise at_first(text, listing.name, no_table(listing.name, known))
        with _our_errors(text):
            columns = self._columns_of(full, self.connection.cursor(), known[full])
        described = (AnswerColumn("Column", "varchar"), AnswerColumn("Type", "varchar"))
        return Answer(described, list(_spelled(columns).items()), {full: known[full]})


def _spelled(types: dict[str, str]) -> dict[str, str]:
    return {name: trino_type(kind) for name, kind in types.items()}


def _typed_literals(query: exp.Query, parameters: Sequence[Parameter]) -> list[exp.Expr]:
    """The parameters for the binder, which must know their types; what runs has them bound."""
    expected = max((int(mark.name) for mark in query.find_all(exp.Parameter)), default=0)
    if expected != len(parameters):
        raise UsageError(f"got {len(parameters)} parameters, expected {expected}: one for each ? of the question")
    return [exp.cast(exp.convert(value), "double") if isinstance(value, float) else exp.convert(value) for value in parameters]


def _describe(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in cursor.execute(f"describe {sql}").fetchall()]


def _described(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]] | None:
    try:
        return _describe(cursor, sql)
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.ConversionException):
        return None


def _read_pinned(query: exp.Query, pinned: dict[str, str], reader: str) -> None:
    """Put the scan of its pinned metadata in the place of each table."""
    for table in list(query.find_all(exp.Table)):
        location = pinned.get(f"{table.db}.{table.name}") if table.db else None
        if location:
            scan = exp.Anonymous(this=reader, expressions=[exp.Literal.string(location)])
            table.set("this", scan)
            table.set("db", None)


def _without_zones(sql: str, answered: list[tuple[str, str]]) -> str:
    """The query with instants as plain UTC timestamps: DuckDB's Python needs pytz for others."""
    if not any(WITH_ZONE in kind for _, kind in answered):
        return sql
    names = [f"c{number}" for number in range(len(answered))]
    items = [
        f"cast({name} as {kind.replace(WITH_ZONE, 'TIMESTAMP')})" if WITH_ZONE in kind else name
        for name, (_, kind) in zip(names, answered, strict=True)
    ]
    return f"from ({sql}) as answer({', '.join(names)}) select {', '.join(items)}"


def _written_names(query: exp.Query) -> dict[str, str]:
    """Names of the answer's columns as they were written: names mean the same in any case, but Trino keeps it."""
    return {item.alias_or_name.lower(): item.alias_or_name for item in query.selects}


def _answer_columns(answered: list[tuple[str, str]], written: dict[str, str]) -> tuple[AnswerColumn, ...]:
    named = (f"_col{n}" if UNNAMED.fullmatch(name) else written.get(name, name) for n, (name, _) in enumerate(answered))
    return tuple(AnswerColumn(name, trino_type(kind)) for name, (_, kind) in zip(named, answered, strict=True))


def _rows(cursor: duckdb.DuckDBPyConnection, text: str, answered: list[tuple[str, str]]) -> Iterator[tuple[Any, ...]]:
    """Rows as they come, a batch at a time."""
    zoned = [number for number, (_, kind) in enumerate(answered) if kind == WITH_ZONE]
    summed = [number for number, (_, kind) in enumerate(answered) if kind == "HUGEINT"]
    with _our_errors(text):
        while batch := cursor.fetchmany(BATCH):
            yield from (_as_trino(row, zoned, summed) for row in batch) if zoned or summed else batch
    cursor.close()


def _as_trino(row: tuple[Any, ...], zoned: Iterable[int], summed: Iterable[int]) -> tuple[Any, ...]:
    values = list(row)
    for number in zoned:
        if values[number] is not None:
            values[number] = values[number].replace(tzinfo=UTC)
    for number in summed:
        if values[number] is not None and values[number] not in BIGINT:
            raise LakeError(f"bigint overflow: {values[number]}")
    return tuple(values)


@contextmanager
def _our_errors(text: str) -> Iterator[None]:
    """DuckDB's errors as ours, without its internals."""
    try:
        yield
    except (duckdb.HTTPException, duckdb.IOException) as error:
        if getattr(error, "status_code", None) in (401, 403):
            raise LakeError("S3 refused to show a table's files; check LAKE_S3_ACCESS_KEY_ID and its rights") from error
        raise TemporaryError(f"the tables' files cannot be read now: {_clean(error)}") from error
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        said = _clean(error)
        word = re.search(r"'(\w+)\(|\"(\w+)\"|function (\w+)", said)
        name = next((group for group in word.groups() if group), "") if word else ""
        raise (at_first(text, name, said) if name else UsageError(said)) from error
    except duckdb.Error as error:
        raise LakeError(_clean(error)) from error


def _clean(error: duckdb.Error) -> str:
    """First line of DuckDB's message without its class, places in its own SQL and addresses."""
    first = str(error).split("\n", 1)[0]
    first = re.sub(r"^(\w+ )+Error: ", "", first)
    first = re.sub(r" (error )?for HTTP \w+ to '?.*$", "", first)
    first = re.sub(r"(s3|https?)://\S+", "...", first)
    return first.replace("lake_", "").strip().rstrip(".!")
