"""How an answer looks as a table, as CSV and as JSON."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UsageError
from sql import output
from sql.engine import Answer, AnswerColumn
from sql.output import write_answer


def answer(types: dict[str, str], *rows: tuple[Any, ...]) -> Answer:
    return Answer(tuple(AnswerColumn(name, kind) for name, kind in types.items()), iter(rows), {})


def written(of: Answer, format: str, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    write_answer(of, format, stream)
    return stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_has_numbers_to_the_right_and_counts_its_rows() -> None:
    of = answer({"category": "varchar", "avg_price": "double"}, ("electronics", 332.49833333333333), (None, 5.0))
    assert written(of, "table") == (
        "category              avg_price\n"
        "-----------  ------------------\n"
        "electronics  332.49833333333333\n"
        "NULL                        5.0\n"
        "(2 rows)\n"
    )


def test_a_table_without_rows_keeps_its_header() -> None:
    assert written(answer({"n": "bigint"}), "table") == "n\n-\n(0 rows)\n"


def test_only_a_terminal_cuts_wide_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    wide = {"id": "bigint", "title": "varchar"}
    assert written(answer(wide, (1, "x" * 50)), "table", Terminal()).splitlines()[2] == "1".rjust(2) + "  " + "x" * 15 + "…"
    assert "x" * 50 in written(answer(wide, (1, "x" * 50)), "table")


def test_a_line_break_or_an_escape_in_a_cell_does_not_reach_the_terminal() -> None:
    assert "a\\nb\\x1b[31m" in written(answer({"s": "varchar"}, ("a\nb\x1b[31m",)), "table")


def test_csv_quotes_what_must_be_and_leaves_null_empty() -> None:
    of = answer(
        {"a": "varchar", "b": "boolean", "c": "decimal(10,2)"}, ('say "hi", you', True, Decimal("1.50")), (None, None, None)
    )
    assert written(of, "csv") == 'a,b,c\r\n"say ""hi"", you",true,1.50\r\n,,\r\n'


def test_json_keeps_every_digit_and_writes_instants_with_z() -> None:
    types = {
        "n": "bigint",
        "p": "decimal(38,2)",
        "d": "double",
        "at": "timestamp(6) with time zone",
        "on": "date",
        "a": "array(double)",
    }
    row = (
        9007199254740993,
        Decimal("99999999999999999999.10"),
        0.1,
        datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
        date(2024, 2, 29),
        [1.5, None],
    )
    assert written(answer(types, row), "json") == (
        '[\n  {"n": 9007199254740993, "p": 99999999999999999999.10, "d": 0.1, "at": "2024-02-29T01:02:03.000004Z",'
        ' "on": "2024-02-29", "a": [1.5, null]}\n]\n'
    )


def test_json_has_null_for_numbers_that_json_cannot_write() -> None:
    of = answer({"d": "double", "e": "double"}, (float("nan"), float("-inf")))
    assert json.loads(written(of, "json")) == [{"d": None, "e": None}]


def test_json_without_rows_is_an_empty_array() -> None:
    assert json.loads(written(answer({"n": "bigint"}), "json")) == []


def test_json_refuses_two_columns_of_one_name() -> None:
    of = Answer((AnswerColumn("n", "bigint"), AnswerColumn("n", "bigint")), iter([]), {})
    with pytest.raises(UsageError, match="two columns are called 'n'"):
        written(of, "json")


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="--format: got 'xml', expected table, csv or json"):
        written(answer({"n": "bigint"}), "xml")


@pytest.mark.parametrize("format", output.FORMATS)
def test_rows_are_written_as_they_come(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MEASURED", 2)
    stream = io.StringIO()
    seen: list[int] = []

    def rows() -> Iterator[tuple[int]]:
        for n in range(1000, 1006):
            seen.append(len(stream.getvalue()))
            yield (n,)

    assert write_answer(Answer((AnswerColumn("n", "bigint"),), rows(), {}), format, stream) == 6
    assert seen[-1] > seen[3]


@given(st.lists(st.tuples(st.text(), st.none() | st.integers(), st.floats(allow_nan=False, allow_infinity=False)), max_size=5))
def test_csv_and_json_read_back_as_what_was_written(rows: list[tuple[str, int | None, float]]) -> None:
    types = {"s": "varchar", "n": "bigint", "d": "double"}
    assert [tuple(row.values()) for row in json.loads(written(answer(types, *rows), "json"))] == rows
    back = list(csv.reader(io.StringIO(written(answer(types, *rows), "csv"), newline="")))[1:]
    assert [(s, int(n) if n else None, float(d)) for s, n, d in back] == rows
