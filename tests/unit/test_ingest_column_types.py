"""Texts to types and back: exact, or the text stays."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.column_texts import texts_of
from ingest.column_types import CLOCK, INSTANT, TEXT, decimal_type, kept
from ingest.decode_rows import TableRows
from lake.sources import source_from


def again(texts: list[str | None], wanted: pa.DataType) -> list[str | None]:
    found: list[str | None] = texts_of(kept(pa.array(texts, TEXT), wanted)).to_pylist()
    return found


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_whole_numbers_come_back_as_they_were(numbers: list[int | None]) -> None:
    texts = [None if number is None else str(number) for number in numbers]
    assert again(texts, pa.int64()) == texts


@given(st.integers(1, 65).flatmap(lambda digits: st.tuples(st.just(digits), st.integers(0, digits))), st.data())
def test_decimals_come_back_with_every_digit(shape: tuple[int, int], data: st.DataObject) -> None:
    digits, scale = shape
    unscaled = data.draw(st.integers(-(10**digits) + 1, 10**digits - 1))
    text = format(Decimal(unscaled).scaleb(-scale), "f") if scale == 0 else _fixed(unscaled, scale)
    assert again([text, None], decimal_type(digits, scale)) == [text, None]


def _fixed(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_reads_back_the_same(number: float) -> None:
    (text,) = again([repr(number)], pa.float64())
    assert text is not None
    assert float(text) == number
    assert Decimal(text) == Decimal(repr(number))  # the fewest digits, as Python's own


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_the_same(number: float) -> None:
    import numpy as np

    (text,) = again([repr(number)], pa.float32())
    assert np.float32(text) == np.float32(number)


@given(st.lists(st.datetimes(), min_size=1, max_size=5))
def test_times_come_back_to_the_microsecond(times: list[datetime]) -> None:
    texts = [time.isoformat(" ", "microseconds") for time in times]
    assert again(texts, CLOCK) == texts
    assert again([f"{text}+00" for text in texts], INSTANT) == [f"{text}Z" for text in texts]
    assert again(texts, INSTANT) == [f"{text}Z" for text in texts]


@given(st.dates())
def test_dates_come_back(day: date) -> None:
    assert kept(pa.array([day.isoformat()]), pa.date32()).type == pa.date32()
    assert again([day.isoformat()], pa.date32()) == [day.isoformat()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0000-00-00", pa.date32()),
        ("2020-02-31", pa.date32()),
        ("0000-01-01", pa.date32()),
        ("infinity", CLOCK),
        ("0044-03-15 00:00:00 BC", CLOCK),
        ("10000-01-01 00:00:00", CLOCK),
        ("NaN", pa.decimal128(10, 2)),
        ("1.005", pa.decimal128(10, 2)),
        ("Infinity", pa.float64()),
        ("NaN", pa.float32()),
        ("18446744073709551616", pa.uint64()),
    ],
)
def test_a_value_without_an_exact_form_stays_text(text: str, wanted: pa.DataType) -> None:
    assert kept(pa.array([text, None]), wanted).type == TEXT
    assert again([text, None], wanted) == [text, None]


def test_times_beside_an_impossible_one_are_written_as_if_alone() -> None:
    texts = ["2020-01-01 10:00:00", "0000-00-00 00:00:00", None, "2020-01-01 10:00:00.5"]
    expected = ["2020-01-01 10:00:00.000000", texts[1], None, "2020-01-01 10:00:00.500000"]
    assert again(texts, CLOCK) == expected
    assert again(["infinity", "2020-01-01 10:00:00+00"], INSTANT) == ["infinity", "2020-01-01 10:00:00.000000Z"]


@pytest.mark.parametrize("wanted", [pa.float64(), pa.float32()])
def test_numbers_beside_one_that_is_none_are_written_as_if_alone(wanted: pa.DataType) -> None:
    numbers = ["1e-05", "0.1", "-0", "1e+16", None, "12"]
    assert again(["NaN", "-Infinity", *numbers], wanted) == ["NaN", "-Infinity", *again(numbers, wanted)]
    assert again(["1e-05"], wanted) != ["1e-05"]


def decoded(table: Any, folder: Path, **columns: str) -> list[Any]:
    pq.write_table(table, folder / "original")
    facts = {"name": "t", "description": "x", "kind": "database", "url": "mysql://u@h/d", "table": "t", "load": "append"}
    source: Any = source_from({**facts, "columns": columns}, "t.yaml")
    (batch,) = TableRows(source).rows(folder / "original", {})
    return [*(column.to_pylist() for column in batch.columns), batch.extras]


def test_undeclared_columns_become_json_of_numbers_and_texts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2, 3]),
            "n": pa.array([Decimal("0.00000001"), None, None], pa.decimal128(20, 8)),
            "d": pa.array([1e16, None, -0.5]),
            "t": pa.array(['a "quote"\n\\', None, "é😀"]),
        }
    )
    extras = ['{"n":0.00000001,"d":1e+16,"t":"a \\"quote\\"\\n\\\\"}', None, '{"d":-0.5,"t":"é😀"}']
    assert decoded(table, tmp_path, id="bigint") == [["1", "2", "3"], extras]


def test_a_table_without_undeclared_columns_has_no_extras(tmp_path: Path) -> None:
    assert decoded(pa.table({"id": [1, None]}), tmp_path, id="bigint") == [["1", None], None]
