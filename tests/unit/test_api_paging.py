"""Paging through the rows of one snapshot: every row once, in one order, whatever the pages and whatever is published."""

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cursor import Cursor, read_cursor
from api.problems import Problem
from api.rows import Asked, answered, page_of
from api.tables import Declared, Table
from sql.duckdb_engine import DuckDBEngine
from sql.engine import Terms
from store.metadata import TableState

PLACE = {"type": "struct", "fields": [{"name": "row", "type": "long"}]}
PLAIN = {"id": "long", "name": "string", "price": "decimal(10, 2)", "rating": "double", "day": "date", "seen": "timestamptz"}
COLUMNS: dict[str, Any] = {**PLAIN, "_raw_row": PLACE}
TYPES = ("bigint", "varchar", "decimal(10,2)", "double", "date", "timestamptz", 'struct("row" bigint)')
ZEROS = [(None, None, 0.0, None, None), (None, None, -0.0, None, None)]
ROW = st.tuples(
    st.none() | st.sampled_from(["", "a", "B", "é", "-0.0"]),
    st.none() | st.sampled_from([Decimal("-1.00"), Decimal("0.50"), Decimal("2.00")]),
    st.none() | st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 1.5]),
    st.none() | st.dates().filter(lambda day: day.year > 1),
    st.none() | st.datetimes().filter(lambda instant: 1 < instant.year < 9000),
)
#: Few different rows, so that many are equal.
ROWS = st.lists(ROW, min_size=1, max_size=3).flatmap(lambda pool: st.lists(st.sampled_from([*pool, *ZEROS]), max_size=9))
SORTS = st.lists(st.sampled_from(list(PLAIN)), unique=True, max_size=3).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
)


class Tables:
    """One table, whose location is the name of a DuckDB table."""

    location = "rows_1"

    def tables(self) -> dict[str, str]:
        return {"refined.things": self.location}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    connection = duckdb.connect()
    connection.execute(
        "create macro fake_scan(location, snapshot_from_id := 0) as table select * from query_table('rows_' || snapshot_from_id)"
    )
    return DuckDBEngine(connection, Tables(), reader="fake_scan")


def fill(engine: DuckDBEngine, snapshot: int, rows: list[tuple[Any, ...]]) -> None:
    """Let the table have these rows at a snapshot; the last ones stood first where they came from."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(COLUMNS, TYPES, strict=True))
    engine.connection.execute(f"create or replace table rows_{snapshot} ({columns})")
    placed = [(*row, {"row": len(rows) - number}) for number, row in enumerate(rows)]
    if rows:
        engine.connection.executemany(f"insert into rows_{snapshot} values (?, ?, ?, ?, ?, ?, ?)", placed)


def table(snapshot: int, key: tuple[str, ...]) -> Table:
    """The table as its metadata shows it."""
    fields = [{"name": name, "type": type_} for name, type_ in COLUMNS.items()]
    publication = {
        "number": snapshot,
        "snapshot": snapshot,
        "published_at": "2026-01-31T00:00:00+00:00",
        "facts": {"declaration": "x"},
    }
    snapshots = [{"snapshot-id": snapshot, "schema-id": 0}]
    metadata = {
        "schemas": [{"schema-id": 0, "fields": fields}],
        "current-schema-id": 0,
        "snapshots": snapshots,
        "properties": {"lake.publications": json.dumps([publication])},
    }
    return Table("refined.things", TableState("rows", metadata), snapshot, Declared("", key, fingerprint="x"))


def page(engine: DuckDBEngine, shown: Table, sort: str, limit: int, cursor: Cursor | None, given: Any = ()) -> Any:
    """The rows of a page, and the next cursor."""
    asked = page_of(shown, Asked(",".join(COLUMNS), sort, limit, cursor, given))
    text, values = asked.sql()
    _, texts, after = answered(asked, engine.ask(text, values, Terms({"refined.things": shown.snapshot or 0})), 10**6)
    return [json.loads(text) for text in texts], after and read_cursor(after.text())


def read_through(engine: DuckDBEngine, shown: Table, sort: str, limit: int) -> list[dict[str, Any]]:
    """All rows, page by page, while something else is published after each."""
    rows, cursor = page(engine, shown, sort, limit, None)
    while cursor is not None:
        assert len(rows) % limit == 0
        fill(engine, 2, [(9, "x", None, None, None, None)])
        more, cursor = page(engine, shown, sort, limit, cursor)
        assert more
        rows += more
        assert len(rows) < 100, "the pages do not end"
    return rows


@settings(max_examples=15, deadline=None)
@given(ROWS, SORTS, st.integers(1, 5), st.booleans())
def test_every_row_comes_once_and_in_order(
    engine: DuckDBEngine, rows: list[tuple[Any, ...]], sort: tuple[str, ...], limit: int, has_key: bool
) -> None:
    fill(engine, 1, [(number if has_key else 1, *row) for number, row in enumerate(rows)])
    shown = table(1, ("id",) if has_key else ())
    paged = read_through(engine, shown, ",".join(sort), limit)
    whole, after = page(engine, shown, ",".join(sort), 100, None)
    assert after is None
    assert paged == whole
    assert sorted(row["_raw_row"]["row"] for row in paged) == list(range(1, len(rows) + 1))


def test_a_column_that_is_fixed_by_a_filter_needs_no_order(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(number, "ab"[number % 2], None, None, None, None) for number in range(6)])
    shown = table(1, ("id", "name"))
    for filters in ([("name", "a")], [("name.eq", "a"), ("id.ge", "0")]):
        rows, cursor = page(engine, shown, "-name,-id", 2, None, filters)
        more, cursor = page(engine, shown, "-name,-id", 2, cursor, filters)
        assert ([row["id"] for row in rows + more], cursor) == ([4, 2, 0], None)
    text, _ = page_of(shown, Asked("", "", 5, None, [("id", "3"), ("name", "b")])).sql()
    assert "ORDER BY" not in text


def test_nulls_come_last_in_both_directions_and_the_key_decides_among_equals(engine: DuckDBEngine) -> None:
    prices = [Decimal(2), None, Decimal(1), Decimal(2), None]
    fill(engine, 1, [(number, None, price, None, None, None) for number, price in enumerate(prices)])
    shown = table(1, ("id",))
    assert [row["id"] for row in read_through(engine, shown, "price", 1)] == [2, 0, 3, 1, 4]
    assert [row["id"] for row in read_through(engine, shown, "-price", 2)] == [0, 3, 2, 1, 4]
    assert [row["id"] for row in read_through(engine, shown, "price,-id", 2)] == [2, 3, 0, 4, 1]


def test_rows_that_nothing_in_the_order_tells_apart_come_once_each(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(1, "a", None, None, None, None)] * 5)
    shown = table(1, ())
    for limit in (1, 2, 3):
        assert [row["_raw_row"]["row"] for row in read_through(engine, shown, "name", limit)] == [1, 2, 3, 4, 5]


def test_a_table_whose_columns_have_no_order_is_paged_through_as_well(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(1, "a", None, None, None, None)] * 3)
    metadata = {**table(1, ()).state.metadata, "schemas": [{"schema-id": 0, "fields": [{"name": "_raw_row", "type": PLACE}]}]}
    shown = Table("refined.things", TableState("rows", metadata), 1, Declared())
    cursor, rows = None, []
    for _ in range(3):
        asked = page_of(shown, Asked("_raw_row", "", 1, cursor, ()))
        _, texts, cursor = answered(asked, engine.ask(*asked.sql(), Terms({"refined.things": 1})), 10**6)
        rows += [json.loads(text)["_raw_row"]["row"] for text in texts]
    assert (rows, cursor) == ([1, 2, 3], None)


def test_nan_is_greater_than_every_number(engine: DuckDBEngine) -> None:
    ratings = [float("nan"), 1.0, None, float("inf"), float("nan")]
    fill(engine, 1, [(number, None, None, rating, None, None) for number, rating in enumerate(ratings)])
    shown = table(1, ("id",))
    assert [row["rating"] for row in read_through(engine, shown, "rating", 1)] == [1.0, "Infinity", "NaN", "NaN", None]
    assert [row["rating"] for row in read_through(engine, shown, "-rating", 1)] == ["NaN", "NaN", "Infinity", 1.0, None]


def test_a_key_of_another_declaration_than_the_published_one_is_not_trusted(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(1, name, None, None, None, None) for name in "cab"])
    shown = Table("refined.things", table(1, ()).state, 1, Declared("", ("id",), fingerprint="another"))
    assert shown.key == []
    assert [row["name"] for row in read_through(engine, shown, "", 1)] == ["a", "b", "c"]


def test_a_page_that_would_be_too_large_ends_earlier(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(number, "x" * 100, None, None, None, None) for number in range(10)])
    asked = page_of(table(1, ("id",)), Asked("", "", 10, None, ()))
    _, texts, after = answered(asked, engine.ask(*asked.sql(), Terms({"refined.things": 1})), 500)
    assert 0 < len(texts) < 5
    assert after
    assert after.place == (str(len(texts) - 1),)
    _, texts, after = answered(asked, engine.ask(*asked.sql(), Terms({"refined.things": 1})), 1)
    assert (len(texts), after is not None) == (1, True)


def test_a_cursor_goes_with_its_question_alone(engine: DuckDBEngine) -> None:
    fill(engine, 1, [(number, "a", None, None, None, None) for number in range(3)])
    shown = table(1, ("id",))
    _, cursor = page(engine, shown, "-id", 1, None, [("name", "a")])
    for sort, filters in (("id", [("name", "a")]), ("-id", []), ("-id", [("name", "b")])):
        with pytest.raises(Problem, match="belongs to another question"):
            page(engine, shown, sort, 1, cursor, filters)
    foreign = Cursor(cursor.snapshot, cursor.question, ("not a number",), 1)
    with pytest.raises(Problem, match="cursor"):
        page(engine, shown, "-id", 1, foreign, [("name", "a")])
