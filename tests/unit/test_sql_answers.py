"""Answers on DuckDB that a Trino server (476) gave too for the same text over the same rows."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from lake.errors import LakeError, UsageError
from sql.duckdb_engine import DuckDBEngine

inf = float("inf")


class Tables:
    """A catalog whose metadata locations are names of DuckDB tables."""

    def tables(self) -> dict[str, str]:
        return {"refined.t": "t", "trusted.u": "u", "trusted.t": "u"}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        "create table t as select * from (values"
        " (1, 10::bigint, 10.50::decimal(10,2), 1.5::double, 'a', date '2024-02-29', timestamp '2024-02-29 13:14:15.123456', true),"
        " (2, 20, 0.05, -2.5, 'Bb', date '2023-12-31', timestamp '2023-12-31 23:59:59', false),"
        " (3, -7, -3.33, 0.0, '', date '2024-12-30', timestamp '2024-12-30 00:00:00', true),"
        " (4, null, null, null, null, null, null, null)) v(i, n, p, d, s, on_day, at_ts, b)"
    )
    connection.execute("alter table t add column at_tz timestamptz")
    connection.execute("update t set at_tz = at_ts::timestamptz")
    connection.execute("create table u as select * from (values (1, 'x'), (1, 'y'), (3, 'z')) v(k, w)")
    connection.execute("create macro fake_scan(location) as table select * from query_table(location)")
    return DuckDBEngine(connection, Tables(), reader="fake_scan")


def asked(engine: DuckDBEngine, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return list(engine.ask(text, parameters).rows)


#: expression over t -> its type and its values in the rows 1 to 4.
BY_ROW = [
    ("7 / 2", "integer", [3, 3, 3, 3]),
    ("-7 / 2", "integer", [-3, -3, -3, -3]),
    ("n / i", "bigint", [10, 10, -2, None]),
    ("10 / 4.0", "decimal(12,1)", [Decimal("2.5")] * 4),
    ("p / 3", "decimal(10,2)", [Decimal("3.50"), Decimal("0.02"), Decimal("-1.11"), None]),
    ("p / n", "decimal(10,2)", [Decimal("1.05"), Decimal("0.00"), Decimal("0.48"), None]),
    ("p / p", "decimal(12,2)", [Decimal("1.00"), Decimal("1.00"), Decimal("1.00"), None]),
    ("d / 0", "double", [inf, -inf, pytest.approx(float("nan"), nan_ok=True), None]),
    ("p % 3", "decimal(10,2)", [Decimal("1.50"), Decimal("0.05"), Decimal("-0.33"), None]),
    ("round(p, 1)", "decimal(11,2)", [Decimal("10.50"), Decimal("0.10"), Decimal("-3.30"), None]),
    ("round(d)", "double", [2.0, -3.0, 0.0, None]),
    ("sign(d)", "double", [1.0, -1.0, 0.0, None]),
    ("cast(d AS integer)", "integer", [2, -3, 0, None]),
    ("cast(p AS integer)", "integer", [11, 0, -3, None]),
    ("try_cast('1.5' AS integer)", "integer", [None] * 4),
    ("cast(' 1' AS bigint)", "bigint", [1] * 4),
    ("try_cast('yes' AS boolean)", "boolean", [None] * 4),
    ("substr('hello', 0)", "varchar", [""] * 4),
    ("substr('hello', -3, 2)", "varchar", ["ll"] * 4),
    ("split_part('a,b', ',', 5)", "varchar", [None] * 4),
    ("s = 'BB'", "boolean", [False, False, False, None]),
    ("s || 'x'", "varchar", ["ax", "Bbx", "x", None]),
    ("length(s)", "bigint", [1, 2, 0, None]),
    ("extract(dow FROM on_day)", "bigint", [4, 7, 1, None]),
    ("day_of_week(on_day)", "bigint", [4, 7, 1, None]),
    ("week(on_day)", "bigint", [9, 52, 1, None]),
    ("year_of_week(on_day)", "bigint", [2024, 2023, 2025, None]),
    ("date_trunc('month', on_day)", "date", [date(2024, 2, 1), date(2023, 12, 1), date(2024, 12, 1), None]),
    ("date_add('month', 1, on_day)", "date", [date(2024, 3, 29), date(2024, 1, 31), date(2025, 1, 30), None]),
    ("on_day + interval '1' day", "date", [date(2024, 3, 1), date(2024, 1, 1), date(2024, 12, 31), None]),
    ("date_diff('month', on_day, date '2024-03-15')", "bigint", [0, 2, -9, None]),
    ("date_diff('hour', at_ts, timestamp '2024-03-01 00:00:00')", "bigint", [10, 1440, -7296, None]),
    ("date_diff('day', at_ts, timestamp '2024-03-01 00:00:00')", "bigint", [0, 60, -304, None]),
    (
        "date_format(at_ts, '%d/%m/%Y %H:%i:%s')",
        "varchar",
        ["29/02/2024 13:14:15", "31/12/2023 23:59:59", "30/12/2024 00:00:00", None],
    ),
    ("date_parse('31/01/2024', '%d/%m/%Y')", "timestamp(3)", [datetime.fromisoformat("2024-01-31")] * 4),
    ("cast('2024-01-31 10:11:12' AS timestamp)", "timestamp(3)", [datetime.fromisoformat("2024-01-31T10:11:12")] * 4),
    ("at_tz > timestamp '2024-01-01 00:00:00'", "boolean", [True, False, True, None]),
    ("at_tz BETWEEN date '2024-01-01' AND date '2024-03-01'", "boolean", [True, False, False, None]),
    ("element_at(array[1, 2], i)", "integer", [1, 2, None, None]),
    ("array[n, 5][2]", "bigint", [5] * 4),
    ("if(n > 15, 'big')", "varchar", [None, "big", None, None]),
    ("greatest(n, i)", "bigint", [10, 20, 3, None]),
    ("lag(n) OVER (ORDER BY i)", "bigint", [None, 10, 20, -7]),
    ("avg(p) OVER (ORDER BY i)", "decimal(10,2)", [Decimal("10.50"), Decimal("5.28"), Decimal("2.41"), Decimal("2.41")]),
    ("(SELECT count(*) FROM u WHERE u.k = t.i)", "bigint", [2, 0, 1, 0]),
    ("n / (SELECT max(k) FROM u WHERE u.k = t.i)", "bigint", [10, None, -2, None]),
]


@pytest.mark.parametrize(("expression", "kind", "values"), BY_ROW, ids=[row[0] for row in BY_ROW])
def test_an_expression_has_the_type_and_values_it_has_on_trino(
    engine: DuckDBEngine, expression: str, kind: str, values: list[Any]
) -> None:
    answer = engine.ask(f"SELECT {expression} FROM t ORDER BY i")
    assert answer.columns[0].type == kind
    assert [value for (value,) in answer.rows] == values


WHOLE = [
    ("SELECT avg(p), sum(p), sum(n), avg(n) FROM t", [(Decimal("2.41"), Decimal("7.22"), 23, 23 / 3)]),
    ("SELECT avg(p) FILTER (WHERE i > 1), avg(DISTINCT p) FROM t", [(Decimal("-1.64"), Decimal("2.41"))]),
    ("SELECT avg(p) FROM t WHERE i > 100", [(None,)]),
    (
        "SELECT b, sum(p) / count(*) + i / 2 FROM t GROUP BY b, i ORDER BY i LIMIT 2",
        [(True, Decimal("10.50")), (False, Decimal("1.05"))],
    ),
    ("SELECT n FROM t ORDER BY n", [(-7,), (10,), (20,), (None,)]),
    ("SELECT n FROM t ORDER BY n DESC", [(20,), (10,), (-7,), (None,)]),
    ("SELECT b, sum(n) AS n FROM t GROUP BY b HAVING sum(n) > 5 ORDER BY b", [(False, 20)]),
    ("SELECT b, sum(n) AS n FROM (SELECT * FROM t) x GROUP BY b HAVING min(x.n) = -7 AND max(n) = 10", [(True, 3)]),
    ("SELECT max_by(s, i), max_by(s, n), min_by(s, i) FROM t", [(None, "Bb", "a")]),
    ("SELECT b, count(*) FROM t GROUP BY ROLLUP (b) ORDER BY 1, 2", [(False, 1), (True, 2), (None, 1), (None, 4)]),
    (
        "WITH a AS (SELECT p / 2 AS h FROM t) SELECT h / 3 FROM a ORDER BY 1",
        [(Decimal("-0.56"),), (Decimal("0.01"),), (Decimal("1.75"),), (None,)],
    ),
    ("SELECT x / 2, y FROM (VALUES (1, 'a'), (5, 'b')) AS v(x, y) ORDER BY 1", [(0, "a"), (2, "b")]),
    ("SELECT x, o FROM unnest(array['a', 'b']) WITH ORDINALITY AS u(x, o)", [("a", 1), ("b", 2)]),
    (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 3) SELECT x / 2 FROM r ORDER BY x",
        [(0,), (1,), (1,)],
    ),
    ("SELECT i FROM t UNION SELECT k FROM u ORDER BY 1 LIMIT 2", [(1,), (2,)]),
    ("SELECT t.i, w FROM t LEFT JOIN u ON t.i = u.k WHERE t.i > 2 ORDER BY 1", [(3, "z"), (4, None)]),
    ("SELECT at_tz FROM t WHERE i = 1", [(datetime(2024, 2, 29, 13, 14, 15, 123456, UTC),)]),
    ("VALUES (1, 'a')", [(1, "a")]),
]


@pytest.mark.parametrize(("text", "rows"), WHOLE, ids=[row[0] for row in WHOLE])
def test_a_question_has_the_rows_it_has_on_trino(engine: DuckDBEngine, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert asked(engine, text) == rows


@pytest.mark.parametrize("text", ["n / 0", "p / 0", "n % 0", "i / (i - 1)"])
def test_dividing_by_zero_is_an_error_unless_it_is_a_double(engine: DuckDBEngine, text: str) -> None:
    with pytest.raises(LakeError, match=r"^Division by zero$"):
        asked(engine, f"SELECT {text} FROM t")


@pytest.mark.parametrize(
    "text",
    [
        "cast('1.5' AS integer)",
        "9223372036854775807 + 1",
        "i * 2000000000",
        "array[1, 2][5]",
        "cast('x' AS double)",
        "sum(i * 4611686018427387904)",
    ],
)
def test_what_fails_on_trino_fails_here_too(engine: DuckDBEngine, text: str) -> None:
    with pytest.raises(LakeError):
        asked(engine, f"SELECT {text} FROM t")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT i FROM t WHERE i = '1'", "'=' cannot be applied to integer, varchar"),
        ("SELECT s || n FROM t", "'||' cannot be applied to varchar, bigint"),
        ("SELECT i FROM t WHERE on_day > '2024-01-01'", "write date '...'"),
        ("SELECT s / 2 FROM t", "'/' cannot be applied to varchar, integer"),
        ("SELECT i + 1 AS k, k * 2 FROM t", "no column 'k'"),
        ("SELECT i + 1 AS k FROM t WHERE k > 1", "no column 'k'"),
        ("SELECT i + 1 AS k FROM t GROUP BY k", "no column 'k'"),
        ("SELECT i AS k, count(*) FROM t GROUP BY i HAVING k > 1", "no column 'k'"),
        ("SELECT i, sum(n) FROM t", "must appear in the GROUP BY clause"),
        ("SELECT sum(s) FROM t", "sum(VARCHAR)"),
        ("SELECT cast(d AS varchar) FROM t", "prints differently on Athena"),
        ("SELECT cast(at_ts AS varchar) FROM t", "prints differently on Athena"),
        ("SELECT on_day - date '2024-01-01' FROM t", "use date_diff"),
        ("SELECT date_format(at_ts, '%f') FROM t", "without %f"),
    ],
)
def test_what_would_differ_or_fail_on_athena_is_refused(engine: DuckDBEngine, text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        asked(engine, text)
    assert said in str(error.value)


def test_unnamed_columns_are_called_as_trino_calls_them_and_names_keep_their_case(engine: DuckDBEngine) -> None:
    answer = engine.ask("SELECT t.I, count(*), n + 1 AS Next FROM t GROUP BY i, n")
    assert [column.name for column in answer.columns] == ["I", "_col1", "Next"]


def test_a_name_without_schema_is_looked_for_in_refined_and_then_in_trusted(engine: DuckDBEngine) -> None:
    assert engine.ask("SELECT * FROM t").pinned == {"refined.t": "t"}
    assert engine.ask("SELECT * FROM u").pinned == {"trusted.u": "u"}


def test_parameters_are_bound_in_the_order_of_the_text(engine: DuckDBEngine) -> None:
    text = "WITH a AS (SELECT ? AS x) SELECT x, CASE WHEN i = ? THEN ? END FROM a, t WHERE s = ? LIMIT ?"
    assert asked(engine, text, ["one'; --", 2, "two", "Bb", 5]) == [("one'; --", "two")]


def test_a_question_with_too_few_parameters_is_refused(engine: DuckDBEngine) -> None:
    with pytest.raises(UsageError, match="got 1 parameters, expected 2"):
        engine.ask("SELECT ? + ?", [1])


def test_no_setting_can_be_changed_once_the_engine_is_open(engine: DuckDBEngine) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="locked"):
        engine.connection.execute("set TimeZone = 'Europe/Madrid'")
