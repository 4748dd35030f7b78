"""The exact text of every type that a Parquet original may hold, a whole column at once."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def texts_of(column: Any) -> Any:
    """The values as text: numbers plain, times ISO with microseconds and Z for instants, bytes as hexadecimal digits."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_dictionary(kind):
        return texts_of(column.dictionary_decode())
    if pa.types.is_decimal(kind):
        return _plain(pc.cast(column, pa.string()))
    if pa.types.is_timestamp(kind):
        return _stamps(column)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        values = column.to_pylist()
        written = [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values]
        return pa.array(written, pa.string())
    return pc.cast(column, pa.string())


def _plain(texts: Any) -> Any:
    """Decimals without the exponent that Arrow gives very small ones."""
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    from decimal import Decimal

    return pa.array([None if text is None else format(Decimal(text), "f") for text in texts.to_pylist()], pa.string())


def _stamps(column: Any) -> Any:
    """Times to the microsecond, or finer where the column is; instants in UTC."""
    kind = column.type
    unit = "ns" if kind.unit == "ns" else "us"
    return pc.cast(pc.cast(column, pa.timestamp(unit, "UTC" if kind.tz else None)), pa.string())
