"""CSV text to rows: quotes, newlines within them, null markers, and rows whose fields do not match the header."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from ingest.decoded import Fault, Row
from ingest.json_text import Unusable, compact
from ingest.kinds import kind_of
from lake.files_source import FilesSource

MAX_RECORD = 16_000_000
_END = re.compile(r"(\r\n|\n|\r)\Z")
_HEADER = re.compile(r"[^<>{}\[\]\"]{1,64}")


class Record(NamedTuple):
    """The fields of one record with whether each was quoted; `line` is where it begins, from 1."""

    line: int
    fields: list[str]
    quoted: list[bool]
    text: str
    is_clean: bool


def records(file: TextIO, delimiter: str) -> Iterator[Record]:
    """The records of a CSV text; blank lines are none.

    Raises Unusable when a quote is never closed.
    """
    number = 0
    for line in file:
        number += 1
        begins = number
        if '"' not in line:
            text = _END.sub("", line)
            if text:
                fields = text.split(delimiter)
                yield Record(begins, fields, [False] * len(fields), text, True)
            continue
        parsed = _parsed(line, delimiter)
        while parsed is None:
            more = file.readline()
            if not more or len(line) > MAX_RECORD:
                raise Unusable(f"a quote opened in line {begins:,} that is never closed")
            line += more
            number += 1
            parsed = _parsed(line, delimiter) if '"' in more else None
        yield Record(begins, *parsed[:2], _END.sub("", line), parsed[2])


def _parsed(text: str, delimiter: str) -> tuple[list[str], list[bool], bool] | None:
    """Fields, which of them were quoted, and whether nothing stood behind a closing quote; None while a quote is open."""
    fields: list[str] = []
    quoted: list[bool] = []
    is_clean, at = True, 0
    while True:
        if text[at : at + 1] != '"':
            end = text.find(delimiter, at)
            fields.append(_END.sub("", text[at:]) if end < 0 else text[at:end])
            quoted.append(False)
        else:
            value, behind = _quoted(text, at + 1)
            if behind < 0:
                return None
            end = text.find(delimiter, behind)
            left = _END.sub("", text[behind:]) if end < 0 else text[behind:end]
            is_clean = is_clean and not left
            fields.append(value + left)
            quoted.append(True)
        if end < 0:
            return fields, quoted, is_clean
        at = end + 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    """The content of a quoted field and the position behind its closing quote, -1 when there is none."""
    pieces = []
    while True:
        end = text.find('"', at)
        if end < 0:
            return "", -1
        pieces.append(text[at:end])
        if text[end + 1 : end + 2] != '"':
            return '"'.join(pieces), end + 1
        at = end + 2


@dataclass
class CsvRows:
    """Decodes the files of one source; `observed` grows by the headers that no column reads."""

    source: FilesSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original; `row` is the line where the record begins.

        Raises Unusable that says what came instead of a CSV with the declared headers.
        """
        with path.open("rb") as raw:
            start = raw.read(4096)
        if kind_of(start) in ("an empty body", "an HTML page", "the body null", "gzip data", "a zip archive"):
            raise Unusable(f"{kind_of(start)}, expected a CSV file")
        encoding = "utf-8-sig" if self.source.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.source.encoding
        try:
            with path.open(encoding=encoding, newline="") as file:
                found = records(file, self.source.delimiter)
                header = next(found, None)
                if header is None:
                    raise Unusable("a file without a header")
                yield from self._body(found, self._checked(header), request)
        except UnicodeDecodeError:
            raise Unusable(_undecodable(path, encoding, self.source.encoding)) from None
        except LookupError:
            raise Unusable(f"encoding {self.source.encoding!r}, which is none; expected one that Python knows") from None

    def _checked(self, header: Record) -> list[str]:
        """The header's names.

        Raises Unusable when one is missing, blank or stands twice.
        """
        names = header.fields
        listed = ", ".join(_shown(name) for name in names[:50]) + (f" and {len(names) - 50} more" if len(names) > 50 else "")
        if any(not name.strip() for name in names):
            raise Unusable(f"a blank header at position {[bool(name.strip()) for name in names].index(False) + 1}")
        if len(set(names)) != len(names):
            raise Unusable(f"the header {_shown(next(name for name in names if names.count(name) > 1))} twice")
        for name, column in self.source.columns.items():
            wanted = column.from_ or name
            if wanted not in names and not wanted.startswith(("@", "$")) and not self.missing_is_null:
                raise Unusable(f"no header {wanted!r}, expected it among {listed}")
        return names

    def _body(self, found: Iterator[Record], header: list[str], request: Mapping[str, str]) -> Iterator[Row]:
        place = {name: position for position, name in enumerate(header)}
        paths = [column.from_ or name for name, column in self.source.columns.items()]
        undeclared = [(name, position) for name, position in place.items() if name not in paths and "$" not in paths]
        self.observed.update(name for name, _ in undeclared)
        nulls = set(self.source.nulls)
        withheld = any(column.pii for column in self.source.columns.values())
        for record in found:
            fault = _fault(record, len(header), withheld)
            if fault:
                yield Row([request.get(path[1:]) if path[0] == "@" else None for path in paths], record.line, 0, None, (fault,))
                continue
            cells: list[str | None] = [
                None if text in nulls and not is_quoted else text
                for text, is_quoted in zip(record.fields, record.quoted, strict=True)
            ]
            extra = {name: cells[position] for name, position in undeclared if cells[position] is not None}
            values = [_value(path, cells, place, record, request) for path in paths]
            yield Row(values, record.line, 0, compact(extra) if extra else None)


def _value(path: str, cells: list[str | None], place: dict[str, int], record: Record, request: Mapping[str, str]) -> str | None:
    if path in place:
        return cells[place[path]]
    if path == "$":
        return record.text
    if path == "@index":
        return "0"
    return request.get(path[1:]) if path.startswith("@") else None


def _fault(record: Record, expected: int, withheld: bool) -> Fault | None:
    value = None if withheld else record.text[:2000]
    if len(record.fields) != expected:
        many = "field" if len(record.fields) == 1 else "fields"
        return Fault(None, "ragged", value, f"{len(record.fields)} {many}, expected {expected}")
    if not record.is_clean:
        return Fault(None, "quoting", value, "text behind a closing quote, expected a delimiter")
    return None


def _shown(name: str) -> str:
    """A header as a message may show it: what is no name is no header either."""
    return repr(name) if _HEADER.fullmatch(name) else f"(a text of {len(name):,} characters)"


def _undecodable(path: Path, encoding: str, shown: str) -> str:
    """Where the first byte stands that the encoding does not know."""
    import codecs

    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line = 0, 1
    with path.open("rb") as file:
        while data := file.read(1 << 16):
            held = decoder.getstate()[0]
            try:
                line += decoder.decode(data).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                return f"a byte that is no {shown} at offset {offset - len(held) + error.start:,}, line {line:,}"
            offset += len(data)
    return f"a text that ends within a character of {shown}"
