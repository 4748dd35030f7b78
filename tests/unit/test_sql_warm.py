"""What an engine keeps from one question to the next is never stale, and no question takes longer than it may."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from lake.errors import TimeLimitError
from sql.duckdb_copies import WORTH
from sql.duckdb_engine import DuckDBEngine
from sql.engine import Terms


class Tables:
    """A catalog whose metadata locations are names of DuckDB tables, which a test may change."""

    def __init__(self) -> None:
        self.known = {"refined.t": "first", "trusted.u": "u"}

    def tables(self) -> dict[str, str]:
        return dict(self.known)


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def engine(tables: Tables) -> DuckDBEngine:
    connection = duckdb.connect()
    connection.execute("create table first as select i, 'first' as s, 1.5::decimal(10,2) as p from range(1000) r(i)")
    connection.execute("create table second as select i, 'second' as s, 2.5::double as p from range(10) r(i)")
    connection.execute("create table first_7 as select -1::bigint as i")
    connection.execute("create table u as select 1 as k")
    connection.execute(
        "create macro fake_scan(location, snapshot_from_id := 0) as table"
        " select * from query_table(case snapshot_from_id when 0 then location else location || '_' || snapshot_from_id end)"
    )
    return DuckDBEngine(connection, tables, reader="fake_scan", is_copying=True)


def asked(engine: DuckDBEngine, text: str, parameters: Sequence[Any] = (), terms: Terms | None = None) -> list[Any]:
    return list(engine.ask(text, parameters, terms or Terms({})).rows)


def copied(engine: DuckDBEngine, text: str) -> None:
    """Ask until there is a copy."""
    for _ in range(WORTH):
        asked(engine, text)
    assert engine.copies
    engine.copies.settle()


def test_equal_questions_with_other_values_get_their_own_answers(engine: DuckDBEngine) -> None:
    for number in (1, 5, 1):
        assert asked(engine, "SELECT i, s FROM t WHERE i = ?", [number]) == [(number, "first")]
    assert asked(engine, "SELECT ? / 3", [Decimal("1.0")]) == [(Decimal("0.3"),)]
    assert asked(engine, "SELECT ? / 3", [Decimal("1.000")]) == [(Decimal("0.333"),)]
    assert asked(engine, "SELECT ? / 2", [7]) == [(3,)]
    assert asked(engine, "SELECT ? / 2", [7.0]) == [(3.5,)]


def test_a_text_is_bound_whatever_it_holds(engine: DuckDBEngine) -> None:
    for text in ("a\x00b", "'; DROP TABLE t; --", "\\", "é\u2028", ""):
        assert asked(engine, "SELECT ?, cast(? AS varchar) || 'x' FROM t WHERE i = 1", [text, text]) == [(text, f"{text}x")]


@pytest.mark.parametrize("is_copied", [False, True])
def test_a_publish_shows_at_the_next_question(engine: DuckDBEngine, tables: Tables, is_copied: bool) -> None:
    text = "SELECT s, p, count(*) FROM t GROUP BY s, p"
    assert asked(engine, text) == [("first", Decimal("1.50"), 1000)]
    if is_copied:
        copied(engine, text)
    tables.known["refined.t"] = "second"
    answer = engine.ask(text)
    assert [column.type for column in answer.columns] == ["varchar", "double", "bigint"]
    assert list(answer.rows) == [("second", 2.5, 10)]
    assert answer.pinned == {"refined.t": "second"}


def test_a_table_that_appears_takes_its_name(engine: DuckDBEngine, tables: Tables) -> None:
    assert asked(engine, "SELECT * FROM u") == [(1,)]
    tables.known["refined.u"] = "first_7"
    assert asked(engine, "SELECT * FROM u") == [(-1,)]


def test_a_table_is_read_at_the_snapshot_that_was_asked_for(engine: DuckDBEngine) -> None:
    assert asked(engine, "SELECT i FROM t", terms=Terms({"refined.t": 7})) == [(-1,)]
    assert asked(engine, "SELECT count(*) FROM t") == [(1000,)]


def test_a_table_that_is_asked_often_is_read_from_a_copy(engine: DuckDBEngine) -> None:
    text = "SELECT a.i, t.s FROM t a JOIN refined.t ON a.i = t.i WHERE a.i = ?"
    asked(engine, text, [3])
    copied(engine, "SELECT count(*) FROM t")
    engine.connection.execute("drop table first")
    assert asked(engine, text, [3]) == [(3, "first")]
    assert asked(engine, "SELECT max(i) FROM t") == [(999,)]


def test_copies_take_no_more_memory_than_they_may(
    engine: DuckDBEngine, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sql.duckdb_copies.MOST_CELLS", 3005)
    monkeypatch.setattr("sql.duckdb_copies.GRACE_SECONDS", 0.0)
    copied(engine, "SELECT count(*) FROM t")
    copied(engine, "SELECT count(*) FROM u")
    tables.known["refined.t"] = "second"
    copied(engine, "SELECT count(*) FROM t")
    names = engine.connection.execute("select table_name from duckdb_tables() where database_name = 'copies'").fetchall()
    assert sorted(names) == [("t1",), ("t2",), ("t3",)]
    copied(engine, "SELECT count(*) FROM t WHERE i > 1")
    tables.known["refined.t"] = "first_7"
    copied(engine, "SELECT count(*) FROM t")
    names = engine.connection.execute("select table_name from duckdb_tables() where database_name = 'copies'").fetchall()
    assert sorted(names) == [("t2",), ("t3",), ("t4",)]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM t a, t b, t c, t d WHERE a.i * b.i + c.i * d.i = -1",
        "SELECT a.i, b.i, c.i, d.i FROM t a, t b, t c, t d",
    ],
    ids=["before the first row", "while rows are read"],
)
def test_a_question_is_given_up_when_its_time_is_over(engine: DuckDBEngine, text: str) -> None:
    with pytest.raises(TimeLimitError, match="longer than it may"):
        for _ in engine.ask(text, (), Terms({}, 0.2)).rows:
            pass
    assert asked(engine, "SELECT count(*) FROM t", terms=Terms({}, 60)) == [(1000,)]
