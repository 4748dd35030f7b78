"""Conditions on rows: what each operator means in SQL, with bound values, and what is said when one is wrong."""

from decimal import Decimal
from typing import Any

import pytest

from api.filters import MOST_CONDITIONS, conditions
from api.tables import Column

COLUMNS = {
    name: Column(name, type_, "")
    for name, type_ in {
        "id": "bigint",
        "title": "varchar",
        "price": "decimal(10,2)",
        "limit": "integer",
        "tags": "array(varchar)",
    }.items()
}


@pytest.mark.parametrize(
    ("parameter", "text", "sql", "values"),
    [
        ("id", "7", '"id" = cast(? AS bigint)', (7,)),
        ("price.ge", "9.5", '"price" >= cast(? AS decimal(10,2))', (Decimal("9.5"),)),
        ("title.ne", "' OR 1=1", '"title" <> cast(? AS varchar)', ("' OR 1=1",)),
        ("id.in", "1,2", '"id" IN (cast(? AS bigint), cast(? AS bigint))', (1, 2)),
        ("title.in", 'a,"b,c",', '"title" IN (cast(? AS varchar), cast(? AS varchar), cast(? AS varchar))', ("a", "b,c", "")),
        ("title.like", "a\\%%", "\"title\" LIKE cast(? AS varchar) ESCAPE '\\'", ("a\\%%",)),
        ("title.prefix", "a", 'starts_with("title", cast(? AS varchar))', ("a",)),
        ("tags.null", "true", '"tags" IS NULL', ()),
        ("title.null", "false", '"title" IS NOT NULL', ()),
        ("limit.eq", "5", '"limit" = cast(? AS integer)', (5,)),
    ],
)
def test_an_operator_is_a_condition_whose_values_are_bound(
    parameter: str, text: str, sql: str, values: tuple[Any, ...]
) -> None:
    (condition,), wrong = conditions([(parameter, text), ("limit", "x")], COLUMNS, ["limit"])
    assert (condition.sql, condition.values, wrong) == (sql, values, [])


@pytest.mark.parametrize(
    ("parameter", "text", "said"),
    [
        ("titel.eq", "a", "no column 'titel'; did you mean 'title'?"),
        ("price.gte", "1", "no operator 'gte'; did you mean 'gt' or 'ge'?"),
        ("price", "cheap", "got 'cheap', expected a number with at most 8 digits"),
        ("id.in", "1,x", "got 'x', expected a whole number"),
        ("title.in", '"a', "expected values separated by commas"),
        ("price.like", "1%", "like is for text, and the column is of type decimal(10,2)"),
        ("tags.eq", "a", "a column of type array(varchar) cannot be compared"),
        ("title.null", "yes", "got 'yes', expected true or false"),
        ("", "x", "no column ''"),
        ("id.in", ",".join(["1"] * 1001), "got 1001 values, expected at most 1000"),
    ],
)
def test_a_wrong_condition_is_named_with_what_was_expected(parameter: str, text: str, said: str) -> None:
    found, wrong = conditions([(parameter, text)], COLUMNS, [])
    assert found == []
    assert [name for name, _ in wrong] == [parameter]
    assert said in wrong[0][1]


def test_too_many_conditions_are_refused() -> None:
    _, wrong = conditions([("id.ge", "1")] * (MOST_CONDITIONS + 1), COLUMNS, [])
    assert wrong == [("filters", "got 51 conditions, expected at most 50")]
