"""A value that came as text, as the type it is meant to have: of a filter, a named parameter, a cursor."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sql.engine import Parameter
from sql.types import INSTANT

WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
PLAIN_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
DECIMAL_TYPE = re.compile(r"decimal\((\d+),(\d+)\)")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(?P<zone>Z|[+-]\d{2}:\d{2})?")
BITS = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}
FLOATS = ("double", "real")


def value_of(text: str, type_: str) -> Parameter:
    """The value of a type as Trino spells it.

    Raises ValueError that says what was expected, without the value.
    """
    match = DECIMAL_TYPE.fullmatch(type_)
    if match:
        return _decimal(text, int(match[1]), int(match[2]))
    if type_ not in READERS:
        raise ValueError(f"a column of type {type_} cannot be compared")
    return READERS[type_](text)


def is_comparable(type_: str) -> bool:
    """Whether values of the type can be given as text, compared and put in order."""
    return type_ in READERS or DECIMAL_TYPE.fullmatch(type_) is not None


def text_of(value: Any) -> str:
    """The text from which `value_of` makes the value again."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z" if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
    return str(value)


def placeholder(type_: str) -> str:
    """How a value of the type stands in a question: bound, and with its type."""
    return f"cast(? AS {type_})"


def _whole(bits: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if WHOLE.fullmatch(text) else None
        if number is None or not -(2**bits) <= number < 2**bits:
            raise ValueError(f"expected a whole number between {-(2**bits)} and {2**bits - 1}")
        return number

    return read


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    expected = f"expected a number with at most {precision - scale} digits before the point and {scale} behind it"
    if not PLAIN_DECIMAL.fullmatch(text) or len(text) > 100:
        raise ValueError(expected)
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(expected) from None
    before, _, behind = f"{abs(number):f}".partition(".")
    if len(before.lstrip("0")) > precision - scale or len(behind.rstrip("0")) > scale:
        raise ValueError(expected)
    return number


def _double(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if not math.isfinite(number) or "_" in text:
        raise ValueError("expected a number such as 1.5 or 2e-3")
    return number


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected text in Unicode") from None
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text if DATE.fullmatch(text) else "")
    except ValueError:
        raise ValueError("expected a date such as 2024-01-31") from None


def _instant(text: str) -> datetime:
    """An instant as the same time of day in UTC, without a zone: DuckDB's Python needs pytz for one."""
    try:
        match = TIME.fullmatch(text)
        if match and match["zone"]:
            return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        pass
    raise ValueError("expected an instant such as 2024-01-31T12:30:00Z (in a URL, + is written %2B)")


def _timestamp(text: str) -> datetime:
    try:
        match = TIME.fullmatch(text)
        if match and not match["zone"]:
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("expected a time without zone such as 2024-01-31T12:30:00")


READERS: dict[str, Callable[[str], Parameter]] = {
    "varchar": _text,
    "boolean": _boolean,
    **{type_: _whole(bits) for type_, bits in BITS.items()},
    **dict.fromkeys(FLOATS, _double),
    "date": _date,
    INSTANT: _instant,
    "timestamp(6)": _timestamp,
}
