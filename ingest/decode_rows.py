"""Database rows to rows of text, column by column: the exact text of every type a Parquet original may hold."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.column_texts import texts_of
from ingest.decoded import Batch
from ingest.json_text import Unusable
from lake.database_source import DatabaseSource

BATCH = 20_000
#: Numbers are written bare into `_extra`; the special ones of floats have no digits and are not.
NUMBER = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"
NEEDS_ESCAPE = r'["\\\x00-\x1f]'


@dataclass
class TableRows:
    """Decodes the tables of one source; `observed` grows by the columns that nobody declared."""

    source: DatabaseSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Batch]:
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
            number = 1
            for batch in file.iter_batches(BATCH):
                columns = [_column(batch, name, request) for name in paths]
                yield Batch(columns, number, _extras(batch, undeclared))
                number += batch.num_rows


def _column(batch: Any, name: str, request: Mapping[str, str]) -> Any:
    """A column's texts; of a request parameter the same text in each row, of a column that is missing nulls."""
    if name in batch.schema.names:
        return texts_of(batch.column(name))
    return pa.array([request.get(name[1:]) if name.startswith("@") else None] * batch.num_rows, pa.string())


def _extras(batch: Any, names: list[str]) -> list[str | None] | None:
    """The undeclared columns of each row that are not null, as a JSON object; null where all are."""
    if not names:
        return None
    pairs = [_pairs(name, batch.column(name)) for name in names]
    # Arrow drops a row of nulls alone, so each begins with an empty text; the comma behind it is cut off again.
    inside = pc.utf8_slice_codeunits(pc.binary_join_element_wise("", *pairs, ",", null_handling="skip"), 1)
    objects = pc.binary_join_element_wise("{", inside, "}", "")
    found: list[str | None] = pc.if_else(pc.equal(inside, ""), pa.scalar(None, pa.string()), objects).to_pylist()
    return found


def _pairs(name: str, column: Any) -> Any:
    """`"name":value` in each row, null where the value is."""
    kind, texts = column.type, texts_of(column)
    is_number = pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind)
    if not is_number:
        values = _quoted(texts)
    elif pa.types.is_floating(kind):
        values = pc.if_else(pc.match_substring_regex(texts, NUMBER), texts, _quoted(texts))
    else:
        values = texts
    return pc.binary_join_element_wise(f"{json.dumps(name, ensure_ascii=False)}:", values, "")


def _quoted(texts: Any) -> Any:
    if pc.any(pc.match_substring_regex(texts, NEEDS_ESCAPE)).as_py():
        values = texts.to_pylist()
        return pa.array([None if text is None else json.dumps(text, ensure_ascii=False) for text in values], pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")
