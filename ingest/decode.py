"""Originals to decoded files: picks the decoder of a source's kind and says where an original could not be used."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ingest.archives import Entry, Limits, unpacked
from ingest.decode_csv import CsvRows
from ingest.decode_excel import ExcelRows
from ingest.decode_json import JsonRows
from ingest.decode_jsonl import JsonLinesRows
from ingest.decode_parquet import ParquetRows
from ingest.decode_rows import TableRows
from ingest.decoded import Batch, DecodedFile, DecodedWriter, Row
from ingest.json_text import Unusable
from lake.errors import SourceError
from lake.files_source import FilesSource
from lake.rest_source import RestSource


class Decoder(Protocol):
    """One source's way from an original to rows."""

    observed: set[str]

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row] | Iterator[Row | Batch]:
        """The rows of one original. Raises Unusable."""


@dataclass(frozen=True)
class Place:
    """Where an original comes from: what messages call it, its request parameters, its key, its number and status."""

    shown: str
    request: Mapping[str, str]
    raw_key: str
    number: int
    status: int | None = None


def decoder_of(source: Any, *, missing_is_null: bool = False) -> Decoder:
    """The decoder of a source; `missing_is_null` for originals older than the declaration."""
    if isinstance(source, RestSource):
        return JsonRows(source)
    if not isinstance(source, FilesSource):
        return TableRows(source, missing_is_null)
    if source.format == "parquet":
        return ParquetRows(source, missing_is_null)
    if source.format == "excel":
        return ExcelRows(source, missing_is_null)
    if source.format == "jsonl":
        return JsonLinesRows(source)
    return JsonRows(source) if source.format == "json" else CsvRows(source, missing_is_null)


def detected_by(decoder: Decoder) -> dict[str, list[str]]:
    """What a decoder detected because the declaration says `detect`, by option."""
    return dict(decoder.notes) if isinstance(decoder, CsvRows) else {}


def decode(
    source: Any,
    decoder: Decoder,
    original: Path,
    place: Place,
    target: Path,
    counted: Callable[[int], None] = lambda rows: None,
) -> DecodedFile:
    """Write the decoded rows of one original; `counted` hears now and then how many there are so far.

    Raises SourceError that names source, address, entry of an archive, and what came.
    """
    entry = Entry(original)
    try:
        with DecodedWriter(target, list(source.columns), place.raw_key, place.number, counted) as writer:
            for entry in _entries(source, original):
                writer.enter(entry.name, entry.number)
                request = {**place.request, "entry": entry.name} if entry.name else place.request
                is_empty = isinstance(source, RestSource) and place.status in source.no_rows
                for row in () if is_empty else decoder.rows(entry.path, request):
                    if isinstance(row, Batch):
                        writer.add_batch(row)
                    else:
                        writer.add(row)
    except Unusable as came:
        where = f"{place.shown}!{entry.name}" if entry.name else place.shown
        raise SourceError(f"{source.name}: {where}: got {came}") from None
    return writer.finished()


def _entries(source: Any, original: Path) -> Iterator[Entry]:
    """The files in an original: those of an archive, else itself."""
    if not isinstance(source, FilesSource) or source.format == "excel":
        yield Entry(original)
        return
    for entry in unpacked(original, source.entries, Limits(source.max_unpacked_bytes, source.max_files)):
        if entry.number and source.explode:
            raise Unusable("an archive of several files, expected one where `explode` is declared")
        yield entry


def missing_by(decoder: Decoder) -> list[str]:
    """The declared columns whose field came in no row; other decoders than JSON's refuse such an original."""
    found: list[str] = getattr(decoder, "missing", [])
    return found
