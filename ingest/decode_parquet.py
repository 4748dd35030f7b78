"""Parquet files to rows of text: every type written exactly, nested values as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.decode_csv_header import listed
from ingest.decoded import Batch
from ingest.json_text import Number, Unusable, compact
from lake.files_source import FilesSource

BATCH = 20_000


@dataclass
class ParquetRows:
    """Decodes the Parquet files of one source; `observed` grows by the columns that nobody declared."""

    source: FilesSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Batch]:
        """The rows of one original, counted from 1.

        Raises Unusable for what is no Parquet file or lacks a declared column.
        """
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                paths = [column.from_ or name for name, column in self.source.columns.items()]
                self._check(paths, schema.names)
                undeclared = [name for name in schema.names if name not in paths]
                self.observed.update(undeclared)
                number = 1
                for batch in file.iter_batches(BATCH):
                    yield Batch([_column(batch, path, request) for path in paths], number, _extras(batch, undeclared))
                    number += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise Unusable(f"no Parquet file, or a damaged one ({type(error).__name__})") from None

    def _check(self, paths: list[str], names: list[str]) -> None:
        if len(set(names)) != len(names):
            raise Unusable("a column name twice")
        for path in paths:
            if path.split(".")[0] not in names and not path.startswith("@") and not self.missing_is_null:
                raise Unusable(f"no column {path!r}, expected it among {listed(names)}")


def _column(batch: pa.RecordBatch, path: str, request: Mapping[str, str]) -> Any:
    """One declared column as text."""
    names = batch.schema.names
    if path in names:
        return texts(batch.column(path))
    name, *steps = path.split(".")
    if name not in names or not steps:
        value = "0" if path == "@index" else request.get(path[1:]) if path.startswith("@") else None
        return pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
    found = batch.column(name)
    for step in steps:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(step) < 0:
            raise Unusable(f"no field {path!r}")
        found = pc.struct_field(found, step)
    return texts(found)


def texts(column: Any) -> Any:
    """The values of a column as an array of exact text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return texts(column.dictionary_decode())
    if isinstance(kind, pa.BaseExtensionType):
        return texts(column.storage)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return column.cast(pa.string())
    if pa.types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        return _instants(column)
    return pa.array([None if value is None else text(value) for value in _values(column)], pa.string())


def text(value: Any) -> str:
    """One value as exact text; what holds others as JSON."""
    found = _json(value)
    return str(found) if isinstance(found, str) else compact(found)


def _instants(column: Any) -> Any:
    """Times with as many digits as their unit has; `Z` behind an instant, nothing behind a local time."""
    if column.type.tz is None:
        return column.cast(pa.string())
    local = column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.timestamp(column.type.unit))
    return pc.binary_join_element_wise(local.cast(pa.string()), "Z", "")


def _values(column: Any) -> list[Any]:
    """Python values, with nanoseconds kept as text because Python has none."""
    return [_plain(value) for value in column]


def _plain(scalar: Any) -> Any:
    """What a scalar holds, in values that `_json` writes exactly."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_map(kind):
        return [[_plain(part) for part in pair.values()] for pair in scalar.values] if len(scalar.values) else []
    if pa.types.is_struct(kind):
        return {name: _plain(scalar[index]) for index, name in enumerate(field.name for field in kind)}
    if pa.types.is_nested(kind):
        return [_plain(part) for part in scalar.values]
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_date(kind):
        return texts(pa.array([scalar], kind))[0].as_py() if not pa.types.is_time(kind) else scalar.cast(pa.string()).as_py()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return Number(_number(scalar))
    if pa.types.is_decimal(kind):
        return Number(format(scalar.as_py(), "f"))
    return scalar.as_py()


def _number(scalar: Any) -> str:
    if pa.types.is_float16(scalar.type):
        return repr(float(scalar.as_py()))
    return str(scalar.cast(pa.string()).as_py())


def _json(value: Any) -> Any:
    """The value in JSON's terms: bytes as hexadecimal digits, times as ISO 8601."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if isinstance(value, Number):
        return value if value[-1].isdigit() or value.endswith(".") else str(value)
    if isinstance(value, dict):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_json(part) for part in value]
    return value if value is None or isinstance(value, (bool, str)) else str(value)


def _extras(batch: pa.RecordBatch, names: list[str]) -> list[str | None] | None:
    """The undeclared columns of each row as JSON."""
    if not names:
        return None
    columns = {name: [_json(value) for value in _values(batch.column(name))] for name in names}
    found: list[str | None] = []
    for position in range(batch.num_rows):
        extra = {name: values[position] for name, values in columns.items() if values[position] is not None}
        found.append(compact(extra) if extra else None)
    return found
