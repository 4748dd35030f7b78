"""Types of an answer as Trino spells them, from DuckDB's spelling."""

import re
from typing import Any

#: HUGEINT is what DuckDB sums bigints into; Trino's sum is a bigint, and `sql.duckdb_engine` checks that the value is one.
SPELLED = {
    "HUGEINT": "bigint",
    "FLOAT": "real",
    "BLOB": "varbinary",
    "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone",
    "TIMESTAMP": "timestamp(6)",
    "TIMESTAMP_S": "timestamp(0)",
    "TIMESTAMP_MS": "timestamp(3)",
    "TIMESTAMP_NS": "timestamp(9)",
    "TIME": "time(6)",
    "INTERVAL": "interval day to second",
    '"NULL"': "unknown",
    "NULL": "unknown",
}
WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
INSTANT = "timestamp(6) with time zone"
INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})
FLOATS = frozenset({"FLOAT", "DOUBLE"})
PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def trino_type(duckdb_type: str) -> str:
    """Trino's name of a DuckDB type."""
    item, fields = item_type(duckdb_type), _fields(duckdb_type)
    if item is not None:
        return f"array({trino_type(item)})"
    if fields is not None:
        return f"row({', '.join(f'{name} {trino_type(kind)}'.lstrip() for name, kind in fields)})"
    if match := re.fullmatch(r"MAP\((.*)\)", duckdb_type, re.DOTALL):
        return f"map({', '.join(trino_type(part) for part in _split(match[1]))})"
    return SPELLED.get(duckdb_type, duckdb_type.lower().replace(", ", ","))


#: Types of declarations and of Iceberg's metadata that Trino calls otherwise.
_DECLARED = {
    "string": "varchar",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "timestamp": INSTANT,
    "timestamptz": INSTANT,
    "binary": "varbinary",
}


def declared_type(type_: str) -> str:
    """Trino's name of a type as declarations write it; a timestamp is an instant there."""
    return _DECLARED.get(type_, type_)


def iceberg_type(type_: Any) -> str:
    """Trino's name of a type in Iceberg's metadata."""
    if isinstance(type_, str):
        return "timestamp(6)" if type_ == "timestamp" else _DECLARED.get(type_, type_.replace(", ", ","))
    if type_["type"] == "struct":
        fields = (f"{field['name']} {iceberg_type(field['type'])}" for field in type_["fields"])
        return f"row({', '.join(fields)})"
    if type_["type"] == "list":
        return f"array({iceberg_type(type_['element'])})"
    return f"map({iceberg_type(type_['key'])}, {iceberg_type(type_['value'])})"


def item_type(duckdb_type: str) -> str | None:
    """Type of an array's elements; None for what is no array."""
    return duckdb_type[:-2] if duckdb_type.endswith("[]") else None


def row_fields(duckdb_type: str) -> list[str] | None:
    """Names of a row's fields, empty where they have none; None for what is no row."""
    fields = _fields(duckdb_type)
    return None if fields is None else [name.strip('"').replace('""', '"') for name, _ in fields]


def decimal_of(duckdb_type: str) -> tuple[int, int] | None:
    """Precision and scale of a decimal, and of an integer seen as one as Trino does; None for any other type."""
    if match := _DECIMAL.fullmatch(duckdb_type):
        return int(match[1]), int(match[2])
    return {"TINYINT": (3, 0), "SMALLINT": (5, 0), "INTEGER": (10, 0), "BIGINT": (19, 0), "HUGEINT": (19, 0)}.get(duckdb_type)


def is_decimal(duckdb_type: str) -> bool:
    """Whether it is a decimal and not an integer."""
    return _DECIMAL.fullmatch(duckdb_type) is not None


def _fields(duckdb_type: str) -> list[tuple[str, str]] | None:
    """Names and types of a row's fields; a name has quotes where Trino writes it with them."""
    match = re.fullmatch(r"STRUCT\((.*)\)", duckdb_type, re.DOTALL)
    if match is None:
        return None
    named = (re.fullmatch(r'("(?:[^"]|"")*"|[^\s(]+) (?!WITH )(.+)', part, re.DOTALL) for part in _split(match[1]))
    parts = [(found[1], found[2]) if found else ("", part) for found, part in zip(named, _split(match[1]), strict=True)]
    return [(name.strip('"') if PLAIN_NAME.fullmatch(name.strip('"')) else name, kind) for name, kind in parts]


def _split(inner: str) -> list[str]:
    """The parts between the commas that are in no brackets and no quotes."""
    parts, depth, quoted, begin = [], 0, False, 0
    for place, letter in enumerate(inner):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "," and not depth and not quoted:
            parts.append(inner[begin:place].strip())
            begin = place + 1
    return [*parts, inner[begin:].strip()]
