"""Named queries: their headers, their parameters, and what is said when either is wrong."""

from decimal import Decimal

import pytest

from lake.errors import UsageError
from lake.queries import query_from
from sql.named import Question, load_questions, question_of

TEXT = """/*
description: One row per product.
parameters:
  low: {type: "decimal(10,2)", default: 0, description: USD}
  category: string
  after: {type: date, default: null}
*/
SELECT id, ':low' AS colon -- :category
FROM products
WHERE price >= :low AND price < :low + 1 AND category = :category AND (:after IS NULL OR sold_on > :after);
"""


def question(text: str = TEXT) -> Question:
    return question_of(query_from(text, "cheap", "cheap.sql"))


def test_parameters_are_bound_with_their_types_and_never_written_into_the_text() -> None:
    asked = question()
    assert asked.order == ("low", "low", "category", "after", "after")
    assert asked.text.count("cast(? AS decimal(10,2))") == 2
    assert "':low' AS colon -- :category" in asked.text
    values = asked.values({"low": "9.50", "category": "'; DROP TABLE x; --"})
    assert asked.bound(values) == [Decimal("9.50"), Decimal("9.50"), "'; DROP TABLE x; --", None, None]


def test_a_default_counts_where_a_parameter_is_left_out() -> None:
    assert question().values({"category": "a"}) == {"low": Decimal(0), "category": "a", "after": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, {"category": "is missing; expected a value of type string"}),
        ({"category": None}, {"category": "got null, expected a value of type string"}),
        ({"category": "a", "low": None}, {"low": "got null, expected a value of type decimal(10,2)"}),
        ({"category": "a", "after": "x"}, {"after": "got 'x', expected a date such as 2024-01-31"}),
        ({"category": "a", "lo": "1"}, {"lo": "no such parameter; did you mean 'low'?"}),
    ],
)
def test_every_wrong_parameter_is_named(given: dict[str, str | None], said: dict[str, str]) -> None:
    assert question().problems(given) == said
    with pytest.raises(UsageError, match=next(iter(said))):
        question().values(given)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/*", "--", "cheap.sql: expected a comment"),
        ("SELECT", "DELETE", "cheap.sql: line 1, column 1: got 'DELETE', expected one SELECT"),
        ("description:", "descripton:", "cheap.sql: descripton: no such key; did you mean 'description'?"),
        ("category: string", "category: text", "cheap.sql: parameters.category.type: got 'text', expected string, boolean"),
        (
            ":category AND",
            ":categry AND",
            "cheap.sql: line 3, column 57: no parameter 'categry' is declared; did you mean 'category'",
        ),
        ("category = :category", "category = 'a'", "cheap.sql: parameters.category: the text never uses :category"),
        ("default: 0,", "default: cheap,", "cheap.sql: parameters.low.default: got 'cheap', expected a number"),
        ("FROM products", "FROM read_csv('x')", "functions that make tables are not allowed here"),
        ("low: {", "Low: {", "expected lower-case letters, digits and _"),
    ],
)
def test_a_wrong_file_says_where_and_what_was_expected(old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        question(TEXT.replace(old, new, 1))
    assert said in str(error.value)


def test_every_named_query_of_the_checkout_is_a_question_with_described_parameters() -> None:
    questions = load_questions()
    assert {"best_sellers", "customer_value", "revenue_by_category"} <= set(questions)
    for asked in questions.values():
        assert asked.query.description.startswith("One row")
        assert all(parameter.description for parameter in asked.query.parameters.values())
