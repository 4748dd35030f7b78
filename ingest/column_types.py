"""A server's texts in the type of their column, where every value of a part has its exact form there; else as the texts they are."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.string()
INSTANT = pa.timestamp("us", "UTC")
CLOCK = pa.timestamp("us")
MOST_DIGITS = 76
#: What servers write for an instant in UTC.
IN_UTC = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)(?:\+00)?")


def decimal_type(digits: int, scale: int) -> pa.DataType:
    """The decimal type that holds so many digits, or text where none does."""
    if not 1 <= digits <= MOST_DIGITS or not 0 <= scale <= digits:
        return TEXT
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)


def kept(texts: Any, wanted: pa.DataType) -> Any:
    """The server's texts as `wanted`, or as text when a value has no exact form in it.

    A column of dates with one `infinity` or `0000-00-00`, or of floats with one `NaN`, stays text; its other values are then
    written as if they had been typed, so that a value's text is the same beside any other.
    """
    if texts.type == wanted:
        return texts
    try:
        return _typed(texts, wanted)
    except (pa.ArrowInvalid, ValueError, OverflowError):
        odd = texts.cast(TEXT)
        if pa.types.is_floating(wanted):
            return _by_finiteness(odd, wanted)
        return _by_value(odd, wanted) if pa.types.is_temporal(wanted) else odd


def _typed(texts: Any, wanted: pa.DataType) -> Any:
    """Raises ArrowInvalid or ValueError where a value does not fit exactly."""
    if pa.types.is_binary(wanted):
        return pa.array(
            [None if text is None else bytes.fromhex(text.removeprefix("\\x")) for text in texts.to_pylist()], wanted
        )
    if pa.types.is_floating(wanted):
        return _floats(texts, wanted)
    if not pa.types.is_temporal(wanted):
        return pc.cast(texts, wanted)
    if wanted == INSTANT:
        if texts.null_count == len(texts):
            return pa.nulls(len(texts), INSTANT)
        ends = pc.ends_with(texts, "+00")
        bare = pc.utf8_slice_codeunits(texts, 0, -3) if pc.any(ends).as_py() else texts
        if bare is not texts and not pc.all(ends).as_py():
            raise ValueError("instants of two forms")
        found = pc.assume_timezone(pc.cast(bare, CLOCK), "UTC")
    else:
        found = pc.cast(texts, wanted)
    if (first := pc.min(found).as_py()) is not None and (first.year < 1):
        raise ValueError("a year before 1")
    return found


def _floats(texts: Any, wanted: pa.DataType) -> Any:
    """Numbers in binary; the special ones have names that only text keeps."""
    doubles = pc.cast(texts, pa.float64())
    if not pc.all(pc.is_finite(doubles)).as_py() and doubles.null_count < len(doubles):
        raise ValueError("not finite")
    if wanted == pa.float64():
        return doubles
    return pc.cast(texts, pa.float32())


def _by_finiteness(texts: Any, wanted: pa.DataType) -> Any:
    """Numbers in binary: those that are finite in the form of typed ones, the others by name as the server wrote them."""
    numbers = pc.cast(pc.cast(texts, pa.float64()), wanted)
    return pc.if_else(pc.is_finite(numbers), pc.cast(numbers, TEXT), texts)


def _by_value(texts: Any, wanted: pa.DataType) -> Any:
    """Times and dates one by one: those a calendar has in the form of typed ones, the others as the server wrote them."""
    write: Callable[[str], str] = _date if pa.types.is_date(wanted) else _instant if wanted == INSTANT else _clock
    return pa.array([None if text is None else write(text) for text in texts.to_pylist()], TEXT)


def _date(text: str) -> str:
    return text


def _clock(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat(" ", "microseconds") if IN_UTC.fullmatch(text) else text
    except ValueError:
        return text


def _instant(text: str) -> str:
    match = IN_UTC.fullmatch(text)
    try:
        return f"{datetime.fromisoformat(match[1]).isoformat(' ', 'microseconds')}Z" if match else text
    except ValueError:
        return text
