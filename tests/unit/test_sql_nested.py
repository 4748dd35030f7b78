"""Rows and arrays: answers and refusals that a Trino server (476) gave too for the same text over the same rows."""

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from lake.errors import LakeError, UsageError
from sql.duckdb_engine import DuckDBEngine

PROBLEM = 'struct("column" varchar, rule varchar, "value" varchar, message varchar)'
ROWS = """
    (1, [{'column': 'price', 'rule': 'between', 'value': '9.99', 'message': 'high'},
         {'column': 'id', 'rule': 'type', 'value': null, 'message': 'bad'}], {'object': 1, 'row': 7, 'child': null}, [1, 2, 3]),
    (2, [], {'object': 1, 'row': 8, 'child': 2}, []),
    (3, null, null, null),
    (4, [null, {'column': null, 'rule': 'required', 'value': null, 'message': 'none'}], null, [null, 5])
"""
TYPE = "row(column varchar, rule varchar, value varchar, message varchar)"


class Tables:
    """A catalog of one table."""

    def tables(self) -> dict[str, str]:
        return {"quarantine.q": "q"}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    connection = duckdb.connect()
    columns = f'id bigint, problems {PROBLEM}[], _raw_row struct("object" integer, "row" bigint, child integer), xs integer[]'
    connection.execute(f"create table q({columns})")
    connection.execute(f"insert into q values {ROWS}")
    connection.execute("create macro fake_scan(location) as table select * from query_table(location)")
    return DuckDBEngine(connection, Tables(), reader="fake_scan")


def asked(engine: DuckDBEngine, text: str) -> list[tuple[Any, ...]]:
    return list(engine.ask(text).rows)


FROM = "FROM quarantine.q CROSS JOIN UNNEST(problems)"
NAMED = f"{FROM} AS t(col, rule, value, message)"
UNNESTED = [
    (
        f"SELECT id, col, rule, value, message {NAMED} ORDER BY id, rule",
        [
            (1, "price", "between", "9.99", "high"),
            (1, "id", "type", None, "bad"),
            (4, None, "required", None, "none"),
            (4, None, None, None, None),
        ],
    ),
    (f"SELECT id, rule {FROM} ORDER BY id, rule", [(1, "between"), (1, "type"), (4, "required"), (4, None)]),
    (f"SELECT q.id, x.rule {FROM} AS x WHERE x.rule = 'type'", [(1, "type")]),
    (
        f"SELECT id, col, n {FROM} WITH ORDINALITY AS t(col, rule, value, message, n) ORDER BY 1, n",
        [(1, "price", 1), (1, "id", 2), (4, None, 1), (4, None, 2)],
    ),
    (
        (
            "SELECT id, col, x, n FROM quarantine.q"
            " CROSS JOIN UNNEST(problems, xs) WITH ORDINALITY AS t(col, rule, value, message, x, n) ORDER BY 1, n"
        ),
        [(1, "price", 1, 1), (1, "id", 2, 2), (1, None, 3, 3), (4, None, None, 1), (4, None, 5, 2)],
    ),
    (
        "SELECT id, rule FROM quarantine.q LEFT JOIN UNNEST(problems) AS t(col, rule, value, message) ON TRUE ORDER BY 1, 2",
        [(1, "between"), (1, "type"), (2, None), (3, None), (4, "required"), (4, None)],
    ),
    ("SELECT id, x FROM quarantine.q, UNNEST(xs) AS t(x) ORDER BY 1, 2", [(1, 1), (1, 2), (1, 3), (4, 5), (4, None)]),
    (
        f"SELECT rule, count(*), count(value), count(DISTINCT id) {NAMED} GROUP BY rule ORDER BY rule",
        [("between", 1, 1, 1), ("required", 1, 0, 1), ("type", 1, 0, 1), (None, 1, 0, 1)],
    ),
    (f"SELECT id, CAST(value AS decimal(10,2)) / 2 {NAMED} WHERE value IS NOT NULL", [(1, Decimal("5.00"))]),
    (
        f"WITH a AS (SELECT id, rule {NAMED}), b AS (SELECT id, count(*) AS n FROM a GROUP BY id) SELECT * FROM b ORDER BY 1",
        [(1, 2), (4, 2)],
    ),
    (
        "SELECT id, y FROM quarantine.q CROSS JOIN UNNEST(transform(problems, p -> p.rule)) AS t(y) WHERE id = 1 ORDER BY 2",
        [(1, "between"), (1, "type")],
    ),
    (
        (
            f"SELECT a.rule, b.rule {FROM} AS a(col, rule, value, message) CROSS JOIN UNNEST(problems) AS b(col, rule, value, message)"
            " WHERE id = 1 ORDER BY 1, 2"
        ),
        [("between", "between"), ("between", "type"), ("type", "between"), ("type", "type")],
    ),
    (
        (
            "SELECT id, (SELECT array_join(array_agg(rule), ',') FROM UNNEST(problems) AS t(col, rule, value, message))"
            " FROM quarantine.q ORDER BY 1"
        ),
        [(1, "between,type"), (2, None), (3, None), (4, "required")],
    ),
    ("SELECT id FROM quarantine.q WHERE NOT EXISTS (SELECT 1 FROM UNNEST(xs) AS t(x)) ORDER BY 1", [(2,), (3,)]),
    ("SELECT a, b, c FROM UNNEST(ARRAY[(1, 'x'), (2, 'y')], ARRAY[9]) AS t(a, b, c)", [(1, "x", 9), (2, "y", None)]),
]


@pytest.mark.parametrize(("text", "rows"), UNNESTED, ids=[row[0] for row in UNNESTED])
def test_an_array_becomes_rows_and_its_rows_columns(engine: DuckDBEngine, text: str, rows: list[tuple[Any, ...]]) -> None:
    assert asked(engine, text) == rows


def test_columns_of_an_unnest_without_names_are_called_as_their_fields_or_as_trino_calls_them(engine: DuckDBEngine) -> None:
    answer = engine.ask("SELECT id, t.* FROM quarantine.q CROSS JOIN UNNEST(problems, xs) WITH ORDINALITY AS t")
    assert [(column.name, column.type) for column in answer.columns] == [
        ("id", "bigint"),
        *((name, "varchar") for name in ("column", "rule", "value", "message")),
        ("_col5", "integer"),
        ("_col6", "bigint"),
    ]


#: expression over q -> its type and its values in the rows 1 to 4.
BY_ROW = [
    ("element_at(problems, 1).rule", "varchar", ["between", None, None, None]),
    ("element_at(problems, -1).Message", "varchar", ["bad", None, None, "none"]),
    ("q.problems", f"array({TYPE})", None),
    ("_raw_row.row", "bigint", [7, 8, None, None]),
    ("cardinality(problems)", "bigint", [2, 0, None, 2]),
    ("any_match(problems, p -> p.rule = 'type')", "boolean", [True, False, None, None]),
    ("all_match(problems, p -> p.rule = 'type')", "boolean", [False, True, None, False]),
    ("none_match(problems, p -> p.rule = 'type')", "boolean", [False, True, None, None]),
    ("any_match(xs, x -> x > 4)", "boolean", [False, False, None, True]),
    ("all_match(xs, x -> x < 9)", "boolean", [True, True, None, None]),
    ("any_match(xs, x -> x / 2 = 1)", "boolean", [True, False, None, None]),
    ("any_match(xs, x -> x IS NULL)", "boolean", [False, False, None, True]),
    ("transform(problems, p -> p.rule)", "array(varchar)", [["between", "type"], [], None, [None, "required"]]),
    ("transform(problems, p -> p.rule || ':' || coalesce(p.value, '?'))", "array(varchar)", None),
    ("transform(xs, x -> x / 2)", "array(integer)", [[0, 1, 1], [], None, [None, 2]]),
    ("transform(xs, x -> x * id)", "array(bigint)", [[1, 2, 3], [], None, [None, 20]]),
    ("transform(xs, id -> id + 1)", "array(integer)", [[2, 3, 4], [], None, [None, 6]]),
    ("transform(filter(xs, x -> x > 1), x -> x / 2)", "array(integer)", [[1, 1], [], None, [2]]),
    ("cardinality(filter(problems, p -> p.rule = 'type' AND p.value IS NULL))", "bigint", [1, 0, None, 0]),
    ("element_at(filter(problems, p -> p.rule = 'type'), 1).message", "varchar", ["bad", None, None, None]),
    ("filter(transform(problems, p -> p.rule), r -> r LIKE 't%')", "array(varchar)", [["type"], [], None, []]),
    ("any_match(problems, p -> any_match(xs, x -> x > 2) AND p.rule = 'type')", "boolean", [True, False, None, None]),
    ("array_join(transform(problems, p -> p.rule), ', ')", "varchar", ["between, type", "", None, "required"]),
    ("contains(transform(problems, p -> p.rule), 'type')", "boolean", [True, False, None, None]),
    ("contains(xs, 5)", "boolean", [False, False, None, True]),
    ("array_position(xs, 5)", "bigint", [0, 0, None, 2]),
    ("array_max(xs)", "integer", [3, None, None, None]),
    ("array_min(xs)", "integer", [1, None, None, None]),
]


@pytest.mark.parametrize(("expression", "kind", "values"), BY_ROW, ids=[row[0] for row in BY_ROW])
def test_an_expression_over_rows_and_arrays_has_the_type_and_values_it_has_on_trino(
    engine: DuckDBEngine, expression: str, kind: str, values: list[Any] | None
) -> None:
    answer = engine.ask(f"SELECT {expression} FROM quarantine.q ORDER BY id")
    assert answer.columns[0].type == kind
    if values is not None:
        assert [value for (value,) in answer.rows] == values


WHOLE = [
    ("SELECT id, problems[1].rule FROM quarantine.q WHERE cardinality(problems) > 0 ORDER BY 1", [(1, "between"), (4, None)]),
    ('SELECT q.problems[1]."column", problems[2].RULE FROM quarantine.q WHERE id = 1', [("price", "type")]),
    ("SELECT max(cardinality(filter(xs, x -> x > 1))) FROM quarantine.q", [(2,)]),
    ("SELECT transform(array_agg(id ORDER BY id), x -> x + 1) FROM quarantine.q", [([2, 3, 4, 5],)]),
    ("SELECT count(*) FILTER (WHERE any_match(problems, p -> p.rule = 'type')) FROM quarantine.q", [(1,)]),
    ("SELECT any_match(ARRAY[1, 2], x -> any_match(ARRAY[2, 3], y -> x = y))", [(True,)]),
    ("SELECT transform(ARRAY[1.5, 2.5], x -> x / 2)", [([Decimal("0.8"), Decimal("1.3")],)]),
    ("SELECT transform(ARRAY['1', 'x'], s -> try_cast(s AS integer))", [([1, None],)]),
    ("SELECT array_distinct(ARRAY[3, 1, NULL, 3, NULL, 2]), array_position(ARRAY[1, 2], NULL)", [([3, 1, None, 2], None)]),
]


@pytest.mark.parametrize(("text", "rows"), WHOLE, ids=[row[0] for row in WHOLE])
def test_a_question_over_rows_and_arrays_has_the_rows_it_has_on_trino(
    engine: DuckDBEngine, text: str, rows: list[tuple[Any, ...]]
) -> None:
    assert asked(engine, text) == rows


@pytest.mark.parametrize("subscript", ["problems[1].rule", "problems[3].rule"])
def test_a_subscript_beyond_the_end_is_an_error(engine: DuckDBEngine, subscript: str) -> None:
    with pytest.raises(LakeError, match="Array subscript out of bounds"):
        asked(engine, f"SELECT {subscript} FROM quarantine.q")


REFUSED = [
    (f"SELECT col {FROM} AS t(col)", "got 1 names, expected 4: the columns that this UNNEST has"),
    (f"SELECT col {FROM} AS t(col, rule, value, message, more)", "got 5 names, expected 4"),
    ("SELECT 1 FROM quarantine.q CROSS JOIN UNNEST(id) AS t(x)", "cannot unnest bigint, expected an array"),
    ("SELECT 1 FROM quarantine.q CROSS JOIN UNNEST(_raw_row) AS t(x)", "cannot unnest row(object integer"),
    ("SELECT 1 FROM quarantine.q CROSS JOIN UNNEST(nope) AS t(x)", "no column 'nope'"),
    ("SELECT 1 FROM quarantine.q LEFT JOIN UNNEST(xs) AS t(x) ON x > 1", "a JOIN of UNNEST is only ON TRUE"),
    ("SELECT 1 FROM quarantine.q JOIN UNNEST(xs) AS t(id) USING (id)", "a JOIN of UNNEST is only ON TRUE"),
    ("SELECT 1 FROM quarantine.q RIGHT JOIN UNNEST(xs) AS t(x) ON TRUE", "cannot stand on the right of RIGHT JOIN"),
    ("SELECT id FROM quarantine.q WHERE EXISTS (SELECT 1 FROM UNNEST(xs) AS t(x) WHERE x > 2)", "write any_match"),
    ("SELECT id FROM quarantine.q WHERE 5 IN (SELECT x FROM UNNEST(xs) AS t(x))", "write any_match"),
    ("SELECT id, (SELECT count(*) FROM UNNEST(xs) AS t(x) GROUP BY x) FROM quarantine.q", "write any_match"),
    ("SELECT problems[1].nope FROM quarantine.q", "no field 'nope'; expected one of column, message, rule, value"),
    ("SELECT any_match(problems, p -> p.rul = 'x') FROM quarantine.q", "no field 'rul'; did you mean 'rule'?"),
    ("SELECT problems.rule FROM quarantine.q", "has no fields, expected a row before the dot"),
    ("SELECT problems[1].rule() FROM quarantine.q", "expected the name of a field after the dot"),
    ("SELECT problems[id].rule FROM quarantine.q", "for anything else write element_at(x, i)"),
    ("SELECT any_match(problems, p -> p.rule = 3) FROM quarantine.q", "'=' cannot be applied to varchar, integer"),
    ("SELECT filter(xs, x -> x + 1) FROM quarantine.q", "got a lambda that gives integer, expected boolean"),
    ("SELECT any_match(xs, x -> NULL) FROM quarantine.q", "got a lambda that gives null"),
    ("SELECT any_match(id, x -> x > 1) FROM quarantine.q", "got bigint, expected an array"),
    ("SELECT any_match(xs, (x, y) -> x > y) FROM quarantine.q", "got a lambda of 2 arguments, expected 1"),
    ("SELECT transform(xs, xs) FROM quarantine.q", "expected an array and a lambda"),
    ("SELECT any_match(xs, xs) FROM quarantine.q", "expected an array and a lambda"),
    ("SELECT transform(xs, x -> sum(x)) FROM quarantine.q", "a lambda holds no aggregate, window or subquery"),
    ("SELECT transform(xs, x -> (SELECT 1)) FROM quarantine.q", "a lambda holds no aggregate, window or subquery"),
    ("SELECT array_agg(x -> x) FROM quarantine.q", "did not expect a lambda here"),
    ("SELECT reduce(xs, 0, (s, x) -> s + x, s -> s) FROM quarantine.q", "no function 'reduce' here"),
    ("SELECT problems[1] = problems[1] FROM quarantine.q", "compare fields or elements"),
    ("SELECT cast(problems AS varchar) FROM quarantine.q", "write array_join(transform(x, y -> ...), ', ')"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_trino_refuses_or_would_answer_otherwise_is_refused(engine: DuckDBEngine, text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        asked(engine, text)
    assert said in str(error.value)
