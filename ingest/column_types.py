"""MySQL column types to Arrow types that keep every value; a value with no exact type arrives as its exact text."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json")
BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
GEOMETRIES = (
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
    "multipolygon", "geometrycollection", "geomcollection",
)  # fmt: skip


@dataclass(frozen=True)
class SelectedColumn:
    """A column, the SQL that reads it, and the type it is kept in."""

    name: str
    expression: str
    type: pa.DataType

    def array(self, values: list[Any]) -> Any:
        """The server's texts in the column's type."""
        if pa.types.is_binary(self.type):
            return pa.array(values, pa.binary())
        texts = pa.array(values, pa.string())
        if pa.types.is_timestamp(self.type) and self.type.tz:
            return pc.assume_timezone(pc.cast(texts, pa.timestamp("us")), self.type.tz)
        return texts if pa.types.is_string(self.type) else pc.cast(texts, self.type)


def identifier(name: str) -> str:
    """The name quoted for SQL."""
    return "`" + name.replace("`", "``") + "`"


def selected(
    name: str, data_type: str, column_type: str, precision: str | None, scale: str | None, *, is_exact: bool
) -> SelectedColumn:
    """How to read a column that information_schema describes; `is_exact` is false for dates that are none."""
    quoted = identifier(name)
    kind = data_type.lower()
    if kind in INTEGERS:
        return SelectedColumn(name, quoted, pa.uint64() if "unsigned" in column_type.lower() else pa.int64())
    if kind == "decimal":
        digits = int(precision or 65)
        decimal = pa.decimal128 if digits <= 38 else pa.decimal256
        return SelectedColumn(name, quoted, decimal(digits, int(scale or 0)))
    if kind in ("float", "double"):
        return SelectedColumn(name, f"cast({quoted} as double)", pa.float32() if kind == "float" else pa.float64())
    if kind in ("date", "datetime", "timestamp"):
        return _temporal(name, quoted, kind, is_exact)
    if kind in TEXTS:
        return SelectedColumn(name, quoted, pa.string())
    if kind in BYTES:
        return SelectedColumn(name, quoted, pa.binary())
    if kind == "bit":
        return SelectedColumn(name, f"cast({quoted} + 0 as char)", pa.string())
    if kind in GEOMETRIES:
        return SelectedColumn(name, f"st_astext({quoted})", pa.string())
    return SelectedColumn(name, f"cast({quoted} as char)", pa.string())


def _temporal(name: str, quoted: str, kind: str, is_exact: bool) -> SelectedColumn:
    """Dates and times to the microsecond."""
    if kind == "date":
        return SelectedColumn(name, f"cast({quoted} as char)", pa.date32() if is_exact else pa.string())
    kept = pa.timestamp("us", "UTC" if kind == "timestamp" else None)
    return SelectedColumn(name, f"cast(cast({quoted} as datetime(6)) as char)", kept if is_exact else pa.string())


def odd_dates(name: str) -> str:
    """SQL that counts the values of a date column that no calendar has: a part is zero, or the month has no such day."""
    quoted = identifier(name)
    is_real = f"coalesce(from_days(to_days({quoted})) = date({quoted}) and year({quoted}) > 0, 0)"
    return f"sum({quoted} is not null and {is_real} = 0)"
