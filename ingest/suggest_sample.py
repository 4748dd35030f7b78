"""The first megabyte of a file as names and rows of text, with all that could be detected about it."""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.decode_csv_header import position_names, renamed
from ingest.decode_csv_records import Dialect, Record, records
from ingest.decode_csv_text import Block, Lines, TextForm, has_lone_cr, text_of
from ingest.detect import delimiter_of, encoding_of, format_of, packing_of
from ingest.fetch import Clock
from ingest.files_readers import sampled
from ingest.http import RequestsTransport
from ingest.json_lines import lines as json_lines
from ingest.json_text import Unusable, leaf, values
from lake.errors import SourceError, UsageError
from lake.files_source import DATE, FilesSource
from lake.settings import Settings
from lake.sources import source_from

SAMPLE = 1 << 20
WHOLE = 100_000_000
ROWS = 5000


@dataclass
class Sample:
    """What the sample shows; `types` are known for Parquet alone."""

    bytes: int
    format: str
    packing: str | None = None
    names: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    types: Sequence[str] = ()
    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    skip_lines: int = 0
    has_odd_header: bool = False
    records: str | None = None


def sample_of(url: str, name: str, settings: Settings, folder: Path) -> Sample:
    """A sample of the first file of an address.

    Raises SourceError when it cannot be understood.
    """
    path = folder / "sample"
    source = _probe(url, name)
    is_whole = sampled(source, settings.environment, RequestsTransport(), Clock(), path, SAMPLE)
    with path.open("rb") as file:
        start = file.read(4096)
    packing = packing_of(start)
    if not is_whole and (packing == "zip" or start.startswith(b"PAR1") or start.lstrip()[:1] == b"{"):
        is_whole = sampled(source, settings.environment, RequestsTransport(), Clock(), path, WHOLE)
    try:
        names = zipfile.ZipFile(path).namelist() if packing == "zip" else []
        if packing and "xl/workbook.xml" not in names:
            path = _unpacked(path, packing)
            is_whole = is_whole and path.stat().st_size < SAMPLE
            with path.open("rb") as file:
                start = file.read(4096)
        else:
            packing = None
        return _understood(Sample(path.stat().st_size, format_of(start, names), packing), path, is_whole=is_whole)
    except (Unusable, zipfile.BadZipFile, zlib.error) as came:
        raise SourceError(f"{name}: got {came}, expected CSV, JSON, JSON lines, Parquet or Excel") from None


def _probe(url: str, name: str) -> FilesSource:
    """A source of this address that can be listed."""
    declared: dict[str, Any] = {
        "name": name,
        "description": "One row per thing.",
        "kind": "files",
        "url": url,
        "load": "append",
    }
    if DATE.search(url):
        raise UsageError(f"{name}: got a {{date:...}} template, expected the address of one of its files")
    found = source_from({**declared, "columns": {}}, name)
    assert isinstance(found, FilesSource)
    return found


def _unpacked(path: Path, packing: str) -> Path:
    """The start of what an archive holds."""
    target = path.with_name("unpacked")
    if packing == "gzip":
        with path.open("rb") as file:
            target.write_bytes(zlib.decompressobj(31).decompress(file.read(), SAMPLE))
        return target
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX")]
        if not entries:
            raise Unusable("an empty zip archive")
        with archive.open(entries[0]) as file:
            target.write_bytes(file.read(SAMPLE))
    return target


def _understood(sample: Sample, path: Path, *, is_whole: bool) -> Sample:
    if sample.format == "csv":
        _read_csv(sample, path, is_whole=is_whole)
    elif sample.format == "parquet":
        _read_parquet(sample, path)
    elif sample.format == "excel":
        _read_excel(sample, path)
    else:
        _read_json(sample, path)
    return sample


def _read_csv(sample: Sample, path: Path, *, is_whole: bool) -> None:
    data = path.read_bytes()
    if not is_whole:
        path.write_bytes(data[: data.rfind(b"\n") + 1] or data)
    sample.encoding = encoding_of(path)
    with path.open("rb") as raw, text_of(raw, TextForm(sample.encoding, has_cr=True)) as file:
        text = file.read().removeprefix("\ufeff")
    has_cr = has_lone_cr(text, '"')
    sample.delimiter = delimiter_of(text, Dialect(has_cr=has_cr), 0)
    lines = Lines(iter([Block(1, text)]), has_cr)
    lines.load()
    cut = [record for record in islice(records(lines, Dialect(sample.delimiter, has_cr=has_cr)), ROWS) if record.fields]
    if not cut:
        raise Unusable("a text without records")
    sample.skip_lines = _lines_above(cut)
    found = [record.fields for record in cut if record.line > sample.skip_lines]
    width = len(found[0])
    sample.header = not any(re.fullmatch(r"[+-]?[0-9.,:/ -]+", field) for field in found[0])
    sample.names = found[0] if sample.header else position_names(width)
    sample.has_odd_header = sample.header and (len(set(found[0])) != width or not all(field.strip() for field in found[0]))
    if sample.has_odd_header:
        sample.names = renamed(found[0])
    sample.rows = [row for row in found[1 if sample.header else 0 :] if len(row) == width]


def _lines_above(found: Sequence[Record]) -> int:
    """Lines above the header: narrower than most records, as the title of a report is."""
    width, times = Counter(len(record.fields) for record in found).most_common(1)[0]
    first = next(record for record in found if len(record.fields) == width)
    is_title = all(len(record.fields) < width for record in found if record.line < first.line)
    return first.line - 1 if is_title and times * 2 > len(found) and first is not found[0] else 0


def _read_parquet(sample: Sample, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ingest.decode_parquet import texts

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        batch = next(file.iter_batches(ROWS), None)
    sample.names = schema.names
    sample.types = [_arrow_type(kind, pa.types) for kind in schema.types]
    columns = [texts(column).to_pylist() for column in batch.columns] if batch is not None else []
    sample.rows = list(zip(*columns, strict=True))


def _arrow_type(kind: Any, types: Any) -> str:
    if types.is_decimal(kind) and kind.precision <= 38 and kind.scale >= 0:
        return f"decimal({kind.precision},{kind.scale})"
    for is_kind, name in (
        (types.is_boolean, "boolean"),
        (types.is_uint64, "decimal(20,0)"),
        (types.is_integer, "bigint"),
        (types.is_float32, "float"),
        (types.is_floating, "double"),
        (types.is_date, "date"),
    ):
        if is_kind(kind):
            return name
    return "timestamp" if types.is_timestamp(kind) and kind.tz and kind.unit != "ns" else "string"


def _read_excel(sample: Sample, path: Path) -> None:
    from ingest.decode_excel import sheet_texts

    rows = [row for row in islice(sheet_texts(path), ROWS) if any(cell is not None for cell in row)]
    if not rows:
        raise Unusable("an empty sheet")
    names = [cell or "" for cell in rows[0]]
    sample.names, width = names, len(names)
    sample.rows = [(*row, *[None] * width)[:width] for row in rows[1:]]


def _read_json(sample: Sample, path: Path) -> None:
    """Records of a list, of the first list in an object, or of lines."""
    found: list[dict[str, Any]] = []
    if sample.format == "json" and path.open("rb").read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        whole = next(values(path, None, lambda value: True))
        sample.records = next((name for name, part in whole.items() if isinstance(part, list) and part), None)
    rows: Iterator[Any] = json_lines(path) if sample.format == "jsonl" else values(path, sample.records, lambda value: True)
    try:
        for record in islice(rows, ROWS):
            found.append(_flat(record) if isinstance(record, dict) else {"$": leaf(record)})
    except Unusable:
        if not found:
            raise
    sample.names = list(dict.fromkeys(name for record in found for name in record))
    sample.rows = [[record.get(name) for name in sample.names] for record in found]


def _flat(record: dict[str, Any]) -> dict[str, str | None]:
    """Fields, and those of objects in it, by their paths."""
    flat: dict[str, str | None] = {}
    for name, value in record.items():
        if isinstance(value, dict) and value and "." not in name:
            flat.update({f"{name}.{below}": leaf(part) for below, part in value.items()})
        else:
            flat[name] = leaf(value)
    return flat
