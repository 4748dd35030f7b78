"""Rows to Parquet originals of bounded size, cut at the same rows every time the same rows come."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.column_types import kept
from ingest.database_server import Field

PART_BYTES = 12 << 20
PART_ROWS = 100_000


@dataclass(frozen=True)
class Written:
    """One original: its file, its rows, and the texts of its last row."""

    path: Path
    bytes: int
    sha256: str
    rows: int
    last: tuple[str | None, ...]


Piece = list[list[Any]]
"""Consecutive batches of columns."""


def written(batches: Iterator[list[Any]], fields: Sequence[Field], new_path: Callable[[], Path]) -> Iterator[Written]:
    """The batches as originals, one per piece."""
    for piece in pieces(batches):
        yield _original(piece, fields, new_path())


def pieces(batches: Iterator[list[Any]]) -> Iterator[Piece]:
    """The batches cut anew: at most PART_BYTES of text and PART_ROWS each, but one row at least."""
    waiting: Piece = []
    size = rows = 0
    for columns in batches:
        sizes, start = _row_sizes(columns), 0
        while start < len(sizes):
            fits = int(np.searchsorted(np.cumsum(sizes[start : start + PART_ROWS - rows]), PART_BYTES - size, "right"))
            if not rows and not fits:
                fits = 1
            piece = [column.slice(start, fits) for column in columns]
            waiting.append(piece)
            size, rows, start = size + int(sizes[start : start + fits].sum()), rows + fits, start + fits
            if start < len(sizes) or rows == PART_ROWS:
                yield waiting
                waiting, size, rows = [], 0, 0
    if rows:
        yield waiting


def joined(piece: Piece) -> list[Any]:
    """Each column of a piece as one array."""
    return [pa.concat_arrays(list(columns)) for columns in zip(*piece, strict=True)]


def empty(fields: Sequence[Field], path: Path) -> Written:
    """The original of no rows."""
    return _original([[pa.array([], pa.string()) for _ in fields]], fields, path)


def _row_sizes(columns: Sequence[Any]) -> Any:
    """Bytes of text of each row."""
    sizes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return sizes


def _original(piece: Piece, fields: Sequence[Field], path: Path) -> Written:
    arrays, last = [], []
    for texts, field in zip(joined(piece), fields, strict=True):
        value = texts[-1].as_py() if len(texts) else None
        last.append(value.hex() if isinstance(value, bytes) else value)
        arrays.append(kept(texts, field.type))
    table = pa.table(arrays, names=[field.name for field in fields])
    pq.write_table(table, path, compression="zstd")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(path, path.stat().st_size, digest, table.num_rows, tuple(last))
