"""The form of decoded rows: Parquet in which every leaf is text, written row group by row group."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.json_text import compact

RAW_ROW = pa.struct([("object", pa.int32()), ("row", pa.int64()), ("child", pa.int32())])
LINEAGE = [("_raw_key", pa.string()), ("_raw_row", RAW_ROW), ("_extra", pa.string()), ("_faults", pa.string())]
GROUP_CELLS, GROUP_CHARACTERS = 400_000, 16_000_000


class Fault(NamedTuple):
    """Why a row could not be decoded; `value` is null where a source holds what identifies a person."""

    column: str | None
    rule: str
    value: str | None
    message: str


class Row(NamedTuple):
    """One decoded row; `row` counts records from 1 or is the line, `child` the position of an exploded element."""

    values: list[str | None]
    row: int
    child: int = 0
    extra: str | None = None
    faults: tuple[Fault, ...] = ()


class Batch(NamedTuple):
    """Many rows without faults or children: a text array per declared column, the first row's number, and what was undeclared."""

    columns: list[Any]
    row: int
    extras: list[str | None] | None = None


@dataclass(frozen=True)
class DecodedFile:
    """What one original was decoded into."""

    path: Path
    bytes: int
    sha256: str
    rows: int
    faults: int


def decoded_schema(columns: Iterable[str]) -> pa.Schema:
    """Every declared column as text, then where the row came from."""
    return pa.schema([(name, pa.string()) for name in columns] + LINEAGE)


@dataclass
class _Group:
    """Rows that wait to be written."""

    columns: list[list[str | None]]
    rows: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    extras: list[str | None] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    characters: int = 0


class DecodedWriter:
    """Writes the decoded rows of one original; memory stays at one row group."""

    def __init__(
        self, path: Path, columns: list[str], raw_key: str, number: int, counted: Callable[[int], None] = lambda rows: None
    ) -> None:
        self._counted = counted
        self._path, self._names, self._number, self._child = path, columns, number, 0
        self._raw_key = self._original_key = raw_key
        self._schema = decoded_schema(columns)
        self._group_rows = max(1, GROUP_CELLS // (len(columns) + len(LINEAGE)))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._group = self._empty()
        self.rows = self.faults = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def enter(self, entry: str, number: int) -> None:
        """What follows is of this file of an archive; `number` tells its rows from those of the others, as a child's would."""
        self._flush()
        self._raw_key = f"{self._original_key}!{entry}" if entry else self._original_key
        self._child = number

    def add(self, row: Row) -> None:
        """One more row."""
        group = self._group
        for column, value in zip(group.columns, row.values, strict=True):
            column.append(value)
            if value is not None:
                group.characters += len(value)
        group.rows.append(row.row)
        group.children.append(row.child or self._child)
        group.extras.append(row.extra)
        group.characters += len(row.extra or "")
        group.faults.append(compact([fault._asdict() for fault in row.faults]) if row.faults else None)
        self.rows += 1
        self.faults += bool(row.faults)
        if len(group.rows) >= self._group_rows or group.characters >= GROUP_CHARACTERS:
            self._flush()

    def add_batch(self, batch: Batch) -> None:
        """Many more rows at once."""
        self._flush()
        count = len(batch.columns[0])
        extras = pa.array(batch.extras, pa.string()) if batch.extras else pa.nulls(count, pa.string())
        place = [
            pa.repeat(pa.scalar(self._number, pa.int32()), count),
            pa.array(range(batch.row, batch.row + count), pa.int64()),
        ]
        where = pa.StructArray.from_arrays([*place, pa.repeat(pa.scalar(self._child, pa.int32()), count)], fields=list(RAW_ROW))
        arrays = [*batch.columns, pa.repeat(pa.scalar(self._raw_key), count), where, extras, pa.nulls(count, pa.string())]
        rows = pa.record_batch(arrays, schema=self._schema)
        for start in range(0, count, self._group_rows):
            self._writer.write_batch(rows.slice(start, self._group_rows))
        self.rows += count
        self._counted(self.rows)

    def finished(self) -> DecodedFile:
        """What was written; call it after the block."""
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return DecodedFile(self._path, self._path.stat().st_size, digest, self.rows, self.faults)

    def _empty(self) -> _Group:
        return _Group([[] for _ in self._names])

    def _flush(self) -> None:
        group = self._group
        count = len(group.rows)
        if not count:
            return
        arrays: list[Any] = [pa.array(column, pa.string()) for column in group.columns]
        arrays.append(pa.array([self._raw_key] * count, pa.string()))
        place = [pa.array([self._number] * count, pa.int32()), pa.array(group.rows, pa.int64())]
        arrays.append(pa.StructArray.from_arrays([*place, pa.array(group.children, pa.int32())], fields=list(RAW_ROW)))
        arrays += [pa.array(group.extras, pa.string()), pa.array(group.faults, pa.string())]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._counted(self.rows)
        self._group = self._empty()
