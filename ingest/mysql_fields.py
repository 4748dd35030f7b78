"""MySQL's column types: which text of a value is exact, and the Arrow type that may keep it."""

from typing import Any

import pyarrow as pa

from ingest.column_types import CLOCK, INSTANT, TEXT, decimal_type
from ingest.database_server import Field, KeyPart

#: Numbers of the types in the protocol.
DECIMAL, TINY, SHORT, LONG, FLOAT, DOUBLE, TIMESTAMP, LONGLONG, INT24 = 0, 1, 2, 3, 4, 5, 7, 8, 9
DATE, DATETIME, NEWDATE, BIT, VECTOR, NEWDECIMAL, GEOMETRY = 10, 12, 14, 16, 242, 246, 255
TEXTS = {15, 247, 248, 249, 250, 251, 252, 253, 254}
INTEGERS = {TINY, SHORT, LONG, LONGLONG, INT24}
UNSIGNED, SET, ENUM = 32, 2048, 256
BYTES_CHARSET = 63
#: Types of key columns whose literals compare as an index orders them; enum and set are ordered by number, compared by name.
KEY_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal"), "number"),
    **dict.fromkeys(("char", "varchar", "date", "datetime", "timestamp", "uuid"), "text"),
    **dict.fromkeys(("binary", "varbinary"), "bytes"),
}


def field_of(column: Any, quoted: str, is_mariadb: bool) -> Field:
    """How to read a column that the server describes in the head of a result."""
    kind, is_bytes = column.type_code, column.charsetnr == BYTES_CHARSET
    if kind in INTEGERS:
        return Field(column.name, quoted, quoted, pa.uint64() if column.flags & UNSIGNED else pa.int64())
    if kind in (DECIMAL, NEWDECIMAL):
        signs = (column.scale > 0) + (not column.flags & UNSIGNED)
        return Field(column.name, quoted, quoted, decimal_type(column.length - signs, column.scale))
    if kind in (FLOAT, DOUBLE):
        # As a double, because a float's own text has six digits. MySQL writes a double with other digits, and fewer of them,
        # where it is part of a text as in the checksum; not so in JSON.
        exact = f"cast({quoted} as {'double' if is_mariadb else 'json'})"
        return Field(column.name, exact, exact, pa.float32() if kind == FLOAT else pa.float64())
    if kind in (DATE, NEWDATE, DATETIME, TIMESTAMP):
        temporal = {DATE: pa.date32(), NEWDATE: pa.date32(), DATETIME: CLOCK, TIMESTAMP: INSTANT}[kind]
        return Field(column.name, quoted, quoted, temporal)
    if kind == GEOMETRY:
        number = f"st_srid({quoted})"
        shown = f"concat(if({number} = 0, '', concat('SRID=', {number}, ';')), st_astext({quoted}))"
        return Field(column.name, shown, _utf8(shown), TEXT)
    if kind == BIT:
        number = f"cast({quoted} + 0 as char)"
        return Field(column.name, number, number, TEXT)
    if kind == VECTOR or (kind in TEXTS and is_bytes and not column.flags & (ENUM | SET)):
        return Field(column.name, quoted, f"lower(hex({quoted}))", pa.binary())
    if kind in TEXTS:
        return Field(column.name, quoted, _utf8(quoted), TEXT)
    shown = f"cast({quoted} as char)"
    return Field(column.name, shown, _utf8(shown), TEXT)


def key_part(name: str | None, kind: str | None, prefix: str | None, nullable: str | None) -> KeyPart | None:
    """A part of a unique index along which rows can be read; None for an expression, a prefix and what may be null."""
    is_fit = name is not None and kind in KEY_TYPES and prefix is None and nullable == "NO"
    return KeyPart(str(name), str(kind)) if is_fit else None


def _utf8(expression: str) -> str:
    """The text in the character set in which the server sends it."""
    return f"convert({expression} using utf8mb4)"
