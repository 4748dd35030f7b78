"""How a question is answered by DuckDB: its SQL over pinned tables, made once and kept for equal questions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

import duckdb
from sqlglot import exp

from lake.errors import UsageError
from lake.kept import Kept
from sql.dialect import Listing, bind_columns, bind_tables, parse
from sql.duckdb_copies import Copies
from sql.duckdb_errors import our_errors
from sql.duckdb_source import Source
from sql.engine import AnswerColumn, Parameter
from sql.probe import Probe
from sql.rewrites import rewrite_plain
from sql.typed import rewrite_typed
from sql.types import WITH_ZONE, trino_type
from sql.unnest import left_over, spread_unnests
from sql.words import at_node

KEPT = 512
UNNAMED = re.compile(r"_col_?\d+")
INTEGER = range(-(2**31), 2**31)


@dataclass(frozen=True)
class Plan:
    """SQL that DuckDB runs with the question's parameters, and what comes out of it."""

    sql: str
    answered: list[tuple[str, str]]
    """Name and DuckDB type of every column."""
    columns: tuple[AnswerColumn, ...]
    sources: Mapping[str, Source]
    copies: Mapping[str, str | None]
    """Names of the copies that are read instead of the sources."""


class Planner:
    """Makes plans, and keeps them while the tables they read stay as they are."""

    def __init__(self, reader: str, copies: Copies | None = None) -> None:
        self.reader = reader
        self.copies = copies
        self._plans: Kept[Any, Plan] = Kept(KEPT)
        self._columns: Kept[Source, dict[str, str]] = Kept(KEPT)

    def plan(
        self,
        text: str,
        parameters: Sequence[Parameter],
        at: Mapping[str, int],
        known: Mapping[str, str],
        cursor: duckdb.DuckDBPyConnection,
    ) -> Plan | Listing:
        """How to answer the question over the known tables, those in `at` read at that snapshot.

        Raises UsageError that points at the word for a wrong question.
        """
        key = (text, tuple(map(_signature, parameters)), tuple(sorted(at.items())), tuple(known))
        kept = self._plans.get(key)
        if kept is not None and self._is_valid(kept, known):
            return kept
        question = parse(text)
        if isinstance(question, Listing):
            return question
        return self._plans.put(key, self._made(text, question, parameters, at, known, cursor))

    def columns_of(self, source: Source, cursor: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """DuckDB types of a table's columns; they are asked once for every state of the table."""
        kept = self._columns.get(source)
        if kept is None:
            kept = self._columns.put(source, dict(_describe(cursor, f"from {source.scan(self.reader).sql('duckdb')}")))
        return kept

    def _is_valid(self, plan: Plan, known: Mapping[str, str]) -> bool:
        """Whether the plan's tables are as they were, and read from where they would be now."""
        is_current = all(known[full] == source.location for full, source in plan.sources.items())
        return is_current and self._copies_of(plan.sources) == plan.copies

    def _copies_of(self, sources: Mapping[str, Source]) -> dict[str, str | None]:
        return {full: self.copies.of(source) if self.copies else None for full, source in sources.items()}

    def _made(
        self,
        text: str,
        question: exp.Query,
        parameters: Sequence[Parameter],
        at: Mapping[str, int],
        known: Mapping[str, str],
        cursor: duckdb.DuckDBPyConnection,
    ) -> Plan:
        written = _written_names(question)
        literals = _typed_literals(question, parameters)
        named = sorted(bind_tables(text, question, known))
        sources = {full: Source(known[full], at.get(full)) for full in named}
        with our_errors(text):
            columns = {full: self.columns_of(source, cursor) for full, source in sources.items()}
        rewrite_plain(text, question)
        probe = Probe(lambda sql: _described(cursor, sql), columns, literals)
        spread_unnests(text, question, probe)
        bound = bind_columns(text, question, {full: spelled(types) for full, types in columns.items()})
        left_over(text, bound)
        with our_errors(text):
            unknown = rewrite_typed(text, bound, probe)
            answered = _describe(cursor, probe.without_rows(bound.copy()).sql("duckdb"))
        if unknown:
            raise at_node(text, unknown[0], "cannot tell a type here; write cast(... as ...) around it")
        copies = self._copies_of(sources)
        _read_pinned(bound, sources, copies, self.reader)
        sql = _without_zones(bound.sql("duckdb", identify=True), answered)
        return Plan(sql, answered, _answer_columns(answered, written), sources, copies)


def spelled(types: Mapping[str, str]) -> dict[str, str]:
    """The types as Trino spells them."""
    return {name: trino_type(kind) for name, kind in types.items()}


def _signature(value: Parameter) -> tuple[Any, ...]:
    """What of a parameter decides about types: questions that differ in the rest alone have one plan."""
    if isinstance(value, Decimal):
        return Decimal, len(value.as_tuple().digits), value.as_tuple().exponent
    if isinstance(value, int) and not isinstance(value, bool):
        return int, value in INTEGER
    return (type(value),)


def _typed_literals(query: exp.Query, parameters: Sequence[Parameter]) -> list[exp.Expr]:
    """The parameters for the binder, which must know their types; what runs has them bound."""
    expected = max((int(mark.name) for mark in query.find_all(exp.Parameter)), default=0)
    if expected != len(parameters):
        raise UsageError(f"got {len(parameters)} parameters, expected {expected}: one for each ? of the question")
    return [_typed_literal(value) for value in parameters]


def _typed_literal(value: Parameter) -> exp.Expr:
    if isinstance(value, str):
        return exp.cast(exp.null(), "varchar")
    if isinstance(value, float):
        return exp.cast(exp.convert(value) if isfinite(value) else exp.Literal.string(str(value)), "double")
    return exp.convert(value)


def _describe(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in cursor.execute(f"describe {sql}").fetchall()]


def _described(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]] | None:
    try:
        return _describe(cursor, sql)
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.ConversionException):
        return None


def _read_pinned(query: exp.Query, sources: Mapping[str, Source], copies: Mapping[str, str | None], reader: str) -> None:
    """Put the scan of its pinned metadata, or its copy, in the place of each table."""
    for table in list(query.find_all(exp.Table)):
        full = f"{table.db}.{table.name}" if table.db else ""
        if full in sources:
            name = copies[full]
            copy = exp.to_table(name, dialect="duckdb") if name else None
            table.set("this", copy.this if copy else sources[full].scan(reader))
            table.set("db", copy.args["db"] if copy else None)


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
