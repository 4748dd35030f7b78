"""Values that come as text: what they become, what is refused, and that a cursor's text gives the value again."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.types import INSTANT, declared_type, iceberg_type
from sql.values import text_of, value_of

TYPES = {
    "varchar": st.text(),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "decimal(38,10)": st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "date": st.dates(),
    "timestamp(6)": st.datetimes(),
}


@given(st.sampled_from(sorted(TYPES)).flatmap(lambda type_: st.tuples(st.just(type_), TYPES[type_])))
def test_the_text_of_a_value_gives_the_value_again(typed: tuple[str, Any]) -> None:
    type_, value = typed
    assert value_of(text_of(value), type_) == value


@given(st.datetimes(timezones=st.timezones()).filter(lambda instant: 1900 < instant.year < 9000))
def test_an_instant_of_any_zone_is_the_same_instant_in_utc(instant: datetime) -> None:
    assert value_of(text_of(instant), INSTANT) == instant.astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("+7", "bigint", 7),
        ("-9223372036854775808", "bigint", -(2**63)),
        ("10.50", "decimal(10,2)", Decimal("10.50")),
        ("10.5000", "decimal(10,2)", Decimal("10.5")),
        (".5", "decimal(10,2)", Decimal("0.5")),
        ("2e-3", "double", 0.002),
        ("2024-02-29", "date", date(2024, 2, 29)),
        ("2024-02-29T12:30:00+01:00", INSTANT, datetime.fromisoformat("2024-02-29T11:30:00")),
        ("2024-02-29 12:30Z", INSTANT, datetime.fromisoformat("2024-02-29T12:30:00")),
    ],
)
def test_a_text_is_read_as_its_type(text: str, type_: str, value: Any) -> None:
    assert value_of(text, type_) == value


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        ("9223372036854775808", "bigint", "between -9223372036854775808 and 9223372036854775807"),
        ("1.0", "bigint", "a whole number"),
        ("١", "bigint", "a whole number"),
        ("1.005", "decimal(10,2)", "at most 8 digits before the point and 2 behind it"),
        ("123456789", "decimal(10,2)", "at most 8 digits"),
        ("1e2", "decimal(10,2)", "at most 8 digits"),
        ("nan", "double", "a number such as 1.5"),
        ("1e999", "double", "a number such as 1.5"),
        ("1_0", "double", "a number such as 1.5"),
        ("True", "boolean", "true or false"),
        ("2023-02-29", "date", "a date such as"),
        ("20240229", "date", "a date such as"),
        ("2024-02-29T12:30:00", INSTANT, "an instant such as"),
        ("2024-02-29T12:30:00.1234567Z", INSTANT, "an instant such as"),
        ("2024-02-29T12:30:00 01:00", INSTANT, "%2B"),
        ("0001-01-01T00:00:00+14:00", INSTANT, "an instant such as"),
        ("\ud800", "varchar", "text in Unicode"),
        ("x", "array(varchar)", "cannot be compared"),
    ],
)
def test_a_text_that_is_no_value_of_the_type_is_refused_with_what_was_expected(text: str, type_: str, expected: str) -> None:
    with pytest.raises(ValueError, match=r"^(expected|a column)") as error:
        value_of(text, type_)
    assert expected in str(error.value)


def test_infinities_have_texts_too() -> None:
    assert [text_of(value) for value in (math.inf, -math.inf, math.nan)] == ["inf", "-inf", "nan"]


def test_types_of_declarations_and_of_iceberg_are_spelled_as_trino_spells_them() -> None:
    declared = ("string", "int", "bigint", "decimal(10,2)", "timestamp", "date")
    assert [declared_type(each) for each in declared] == ["varchar", "integer", "bigint", "decimal(10,2)", INSTANT, "date"]
    place = {
        "type": "struct",
        "fields": [{"name": "row", "type": "long"}, {"name": "tags", "type": {"type": "list", "element": "string"}}],
    }
    stored = ("long", "decimal(10, 2)", "timestamptz", "timestamp", "binary", place)
    assert [iceberg_type(each) for each in stored] == [
        *("bigint", "decimal(10,2)", INSTANT, "timestamp(6)", "varbinary", "row(row bigint, tags array(varchar))")
    ]
