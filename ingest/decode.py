"""Originals to decoded files: picks the decoder of a source's kind and says where an original could not be used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ingest.decode_csv import CsvRows
from ingest.decode_json import JsonRows
from ingest.decode_rows import TableRows
from ingest.decoded import DecodedFile, DecodedWriter, Row
from ingest.json_text import Unusable
from lake.errors import SourceError
from lake.files_source import FilesSource
from lake.rest_source import RestSource


class Decoder(Protocol):
    """One source's way from an original to rows."""

    observed: set[str]

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original. Raises Unusable."""


@dataclass(frozen=True)
class Place:
    """Where an original comes from: what messages call it, its request parameters, its key and its number."""

    shown: str
    request: Mapping[str, str]
    raw_key: str
    number: int


def decoder_of(source: Any, *, missing_is_null: bool = False) -> Decoder:
    """The decoder of a source; `missing_is_null` for originals older than the declaration."""
    if isinstance(source, RestSource):
        return JsonRows(source)
    if isinstance(source, FilesSource):
        return CsvRows(source, missing_is_null)
    return TableRows(source, missing_is_null)


def decode(source: Any, decoder: Decoder, original: Path, place: Place, target: Path) -> DecodedFile:
    """Write the decoded rows of one original.

    Raises SourceError that names source, address and what came.
    """
    try:
        with DecodedWriter(target, list(source.columns), place.raw_key, place.number) as writer:
            for row in decoder.rows(original, place.request):
                writer.add(row)
    except Unusable as came:
        raise SourceError(f"{source.name}: {place.shown}: got {came}") from None
    return writer.finished()
