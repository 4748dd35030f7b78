"""The engine of a laptop: a question, transpiled, over Iceberg metadata that DuckDB reads from S3."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

import duckdb

from lake.errors import LakeError
from sql.dialect import Listing, no_table, resolve_table
from sql.duckdb_copies import Copies
from sql.duckdb_errors import our_errors
from sql.duckdb_open import close_to_changes
from sql.duckdb_plan import Plan, Planner, spelled
from sql.duckdb_source import Source
from sql.engine import FREELY, Answer, AnswerColumn, Parameter, Tables, Terms
from sql.types import WITH_ZONE
from sql.watch import Watch
from sql.words import at_first

BATCH = 1000
BIGINT = range(-(2**63), 2**63)


class DuckDBEngine:
    """Answers on one DuckDB instance in memory; every question has a cursor of its own."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: Tables,
        reader: str = "iceberg_scan",
        is_copying: bool = False,
    ) -> None:
        self.connection = connection
        self.catalog = catalog
        self.copies = Copies(connection, reader) if is_copying else None
        self._planner = Planner(reader, self.copies)
        self._watch = Watch()
        close_to_changes(connection)

    def ask(self, text: str, parameters: Sequence[Parameter] = (), terms: Terms = FREELY) -> Answer:
        """Answer of one question; the tables are read as they were when it was asked."""
        known = self.catalog.tables()
        cursor = self.connection.cursor()
        token = self._watch.begin(cursor, terms.seconds)
        try:
            plan = self._planner.plan(text, parameters, terms.at, known, cursor)
            if isinstance(plan, Listing):
                answer = self._listing(text, plan, known, cursor)
                self._end(cursor, token)
                return answer
            with our_errors(text):
                cursor.execute(plan.sql, list(parameters))
        except BaseException:
            self._end(cursor, token)
            raise
        pinned = {full: source.location for full, source in plan.sources.items()}
        return Answer(plan.columns, self._rows(cursor, token, text, plan), pinned)

    def close(self) -> None:
        """Begin nothing more in threads of its own."""
        if self.copies:
            self.copies.close()

    def _rows(self, cursor: duckdb.DuckDBPyConnection, token: int | None, text: str, plan: Plan) -> Iterator[tuple[Any, ...]]:
        """Rows as they come, a batch at a time."""
        zoned = [number for number, (_, kind) in enumerate(plan.answered) if kind == WITH_ZONE]
        summed = [number for number, (_, kind) in enumerate(plan.answered) if kind == "HUGEINT"]
        try:
            with our_errors(text):
                while batch := cursor.fetchmany(BATCH):
                    yield from (_as_trino(row, zoned, summed) for row in batch) if zoned or summed else batch
        finally:
            self._end(cursor, token)

    def _end(self, cursor: duckdb.DuckDBPyConnection, token: int | None) -> None:
        self._watch.done(token)
        cursor.close()

    def _listing(self, text: str, listing: Listing, known: Mapping[str, str], cursor: duckdb.DuckDBPyConnection) -> Answer:
        if listing.verb == "tables":
            names = [full for full in sorted(known) if listing.name in ("", full.partition(".")[0])]
            return Answer((AnswerColumn("Table", "varchar"),), [(name,) for name in names], {})
        full = resolve_table(listing.name, known)
        if full is None:
            raise at_first(text, listing.name, no_table(listing.name, known))
        with our_errors(text):
            columns = self._planner.columns_of(Source(known[full]), cursor)
        described = (AnswerColumn("Column", "varchar"), AnswerColumn("Type", "varchar"))
        return Answer(described, list(spelled(columns).items()), {full: known[full]})


def _as_trino(row: tuple[Any, ...], zoned: Iterable[int], summed: Iterable[int]) -> tuple[Any, ...]:
    values = list(row)
    for number in zoned:
        if values[number] is not None:
            values[number] = values[number].replace(tzinfo=UTC)
    for number in summed:
        if values[number] is not None and values[number] not in BIGINT:
            raise LakeError(f"bigint overflow: {values[number]}")
    return tuple(values)
