"""Database rows to rows of text: the exact text of every type a Parquet original may hold."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.decoded import Row
from ingest.json_text import Number, Unusable, compact
from lake.database_source import DatabaseSource

BATCH = 10_000


@dataclass
class TableRows:
    """Decodes the tables of one source; `observed` grows by the columns that nobody declared."""

    source: DatabaseSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original, counted from 1.

        Raises Unusable when a declared column is not in the table.
        """
        with pq.ParquetFile(path) as file:
            names: list[str] = file.schema_arrow.names
            paths = [column.from_ or name for name, column in self.source.columns.items()]
            for wanted in paths:
                if wanted not in names and not wanted.startswith("@") and not self.missing_is_null:
                    raise Unusable(f"no column {wanted!r}, expected it among {', '.join(names)}")
            undeclared = [name for name in names if name not in paths]
            self.observed.update(undeclared)
            number = 0
            for batch in file.iter_batches(BATCH):
                texts = {name: _texts(batch.column(name)) for name in names}
                for position in range(batch.num_rows):
                    number += 1
                    values = [texts[name][position] if name in texts else request.get(name[1:]) for name in paths]
                    yield Row(values, number, 0, _extra(batch.schema, undeclared, texts, position))


def _extra(schema: pa.Schema, names: list[str], texts: dict[str, list[str | None]], position: int) -> str | None:
    found: dict[str, Any] = {}
    for name in names:
        text = texts[name][position]
        if text is not None:
            found[name] = Number(text) if _is_number(schema.field(name).type, text) else text
    return compact(found) if found else None


def _is_number(kind: pa.DataType, text: str) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind)) and text[-1].isdigit()


def _texts(column: Any) -> list[str | None]:
    """The values of a column as exact text."""
    text = _text_of(column.type)
    return [None if value is None else text(value) for value in column.to_pylist()]


def _text_of(kind: pa.DataType) -> Callable[[Any], str]:
    """How one value of this type is written: numbers plain, times ISO with microseconds, bytes as hexadecimal digits."""
    if pa.types.is_decimal(kind):
        return lambda value: format(value, "f")
    if pa.types.is_float32(kind):
        return _float32
    if pa.types.is_floating(kind):
        return repr
    if pa.types.is_boolean(kind):
        return lambda value: "true" if value else "false"
    if pa.types.is_timestamp(kind):
        return lambda value: str(value.replace(tzinfo=None).isoformat(" ", "microseconds"))
    if pa.types.is_binary(kind):
        return lambda value: str(value.hex())
    if pa.types.is_nested(kind):
        return lambda value: json.dumps(value, ensure_ascii=False, default=str)
    return str


def _float32(value: float) -> str:
    import numpy as np

    return str(np.float32(value))
