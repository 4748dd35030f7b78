"""CSV text to rows: headers, null markers, numbers, and a fault for every record that does not fit."""

import codecs
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from ingest.decode_csv_fast import columns_of
from ingest.decode_csv_header import header_names, paths_of, places, position_names
from ingest.decode_csv_records import Dialect, Record, records
from ingest.decode_csv_text import SAMPLE, Block, Lines, TextForm, blocks, has_lone_cr, lines_in, text_of
from ingest.decode_numbers import is_number, number_reader
from ingest.decoded import Batch, Fault, Row
from ingest.detect import delimiter_of, encoding_of
from ingest.json_text import Unusable, compact
from ingest.kinds import kind_of
from lake.files_source import FilesSource

SHOWN = 2000


class Form(NamedTuple):
    """How one file is cut, detected where that was asked for."""

    text: TextForm
    dialect: Dialect


class Plan(NamedTuple):
    """What of a record goes where: positions of the declared columns, what nobody declared, and constants."""

    names: list[str]
    paths: list[str]
    places: list[int | None]
    undeclared: list[tuple[str, int]]
    request: Mapping[str, str]
    numbers: list[tuple[int, str]]


@dataclass
class CsvRows:
    """Decodes the files of one source; `observed` grows by the headers that no column reads, `notes` by what was detected."""

    source: FilesSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._nulls = frozenset(self.source.nulls)
        self._number = number_reader(self.source)
        self._withheld = any(column.pii for column in self.source.columns.values())

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row | Batch]:
        """The rows of one original; `row` is the line where the record begins.

        Raises Unusable that says what came instead of a CSV with the declared headers.
        """
        form = self._form(path)
        lines = Lines(blocks(path, form.text), form.text.has_cr)
        names = self._names(path, form, lines)
        if names is None:
            return
        plan = self._plan(names, request)
        yield from self._read(records(lines, form.dialect, len(names)), plan)
        while (block := lines.load()) is not None:
            batch = self._batch(block, form.dialect, plan)
            if batch is not None:
                lines.passed(lines_in(block.text, form.text.has_cr))
                yield batch
            else:
                yield from self._read(records(lines, form.dialect, len(names)), plan)

    def _form(self, path: Path) -> Form:
        """How this file is cut.

        Raises Unusable for what is no text.
        """
        source = self.source
        with path.open("rb") as raw:
            start = raw.read(4096)
        if kind_of(start) in ("an empty body", "an HTML page", "the body null", "gzip data", "a zip archive"):
            raise Unusable(f"{kind_of(start)}, expected a CSV file")
        codec = encoding_of(path) if source.encoding == "detect" else codecs.lookup(source.encoding).name
        if codec == "utf-8" and start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise Unusable("a UTF-16 text, expected utf-8; declare `encoding: utf-16`")
        with path.open("rb") as raw, text_of(raw, TextForm(codec)) as file:
            sample = file.read(SAMPLE).removeprefix("\ufeff")
        has_cr = has_lone_cr(sample, source.quote)
        text = TextForm(codec, has_cr, source.skip_lines, source.footer_lines)
        dialect = Dialect(source.separator, source.quote, source.escape, source.comment or "", has_cr)
        if source.separator == "detect":
            dialect = replace(dialect, delimiter=delimiter_of(sample, dialect, source.skip_lines))
            self._note("delimiter", dialect.delimiter)
        if source.encoding == "detect":
            self._note("encoding", codec)
        return Form(text, dialect)

    def _note(self, option: str, found: str) -> None:
        """Remember what was detected, so that it can be told and pinned."""
        known = self.notes.setdefault(option, [])
        if found not in known:
            known.append(found)

    def _names(self, path: Path, form: Form, lines: Lines) -> list[str] | None:
        """The columns' names, with the first block loaded and its header read; None for a file without records.

        Raises Unusable.
        """
        if not self.source.header:
            width = _common_width(path, form)
            lines.load()
            return position_names(width) if width else None
        while lines.load() is not None:
            for record in records(lines, form.dialect):
                if record.problem:
                    raise Unusable(f"{record.problem[1]} in the header, line {record.line:,}")
                return header_names(record.fields, self.source)
        raise Unusable("a file without a header")

    def _plan(self, names: list[str], request: Mapping[str, str]) -> Plan:
        paths = paths_of(self.source)
        found = places(paths, names, missing_is_null=self.missing_is_null)
        read = set(found)
        rest = [] if "$" in paths else [(name, place) for place, name in enumerate(names) if place not in read]
        self.observed.update(name for name, _ in rest)
        kinds = [column.type for column in self.source.columns.values()] if self._number else []
        return Plan(names, paths, found, rest, request, [(at, kind) for at, kind in enumerate(kinds) if is_number(kind)])

    def _batch(self, block: Block, dialect: Dialect, plan: Plan) -> Batch | None:
        """All rows of a block at once; None when any of them needs care."""
        if block.is_cut or plan.numbers or "$" in plan.paths:
            return None
        columns = columns_of(block.text, dialect, len(plan.names), self.source.nulls, quoted_nulls=self.source.quoted_nulls)
        if columns is None:
            return None
        count = len(columns[0])
        found = [
            columns[place] if place is not None else pa.repeat(pa.scalar(_constant(path, plan.request), pa.string()), count)
            for path, place in zip(plan.paths, plan.places, strict=True)
        ]
        return Batch(found, block.line, _extras([(name, columns[place].to_pylist()) for name, place in plan.undeclared]))

    def _read(self, found: Iterator[Record], plan: Plan) -> Iterator[Row]:
        """Records to rows, one by one."""
        width, is_plain = len(plan.names), None not in plan.places and not plan.undeclared and not plan.numbers
        for record in found:
            if record.problem or len(record.fields) != width:
                yield self._faulty(record, plan)
                continue
            cells = self._cells(record)
            if is_plain:
                yield Row([cells[place] for place in plan.places], record.line)  # type: ignore[index]
                continue
            extra = {name: cells[place] for name, place in plan.undeclared if cells[place] is not None}
            values = [
                cells[place] if place is not None else record.text if path == "$" else _constant(path, plan.request)
                for path, place in zip(plan.paths, plan.places, strict=True)
            ]
            faults = self._normalised(values, plan) if plan.numbers else ()
            yield Row(values, record.line, 0, compact(extra) if extra else None, faults)

    def _cells(self, record: Record) -> list[str | None]:
        nulls = self._nulls
        if record.quoted is None or (self.source.quoted_nulls and record.raws is None):
            return [None if text in nulls else text for text in record.fields]
        raws, always = record.raws or record.fields, self.source.quoted_nulls
        return [
            None if raw in nulls and (always or not is_quoted) else text
            for text, raw, is_quoted in zip(record.fields, raws, record.quoted, strict=True)
        ]

    def _normalised(self, values: list[str | None], plan: Plan) -> tuple[Fault, ...]:
        """Numbers rewritten in place; a fault for each that is none."""
        assert self._number
        faults = []
        columns = list(self.source.columns.items())
        for at, _ in plan.numbers:
            text = values[at]
            if text is None:
                continue
            values[at] = self._number(text)
            if values[at] is None:
                name, column = columns[at]
                like = f"1{self.source.thousands or ''}234{self.source.decimal}56"
                faults.append(Fault(name, "number", None if column.pii else text[:SHOWN], f"expected a number like {like}"))
        return tuple(faults)

    def _faulty(self, record: Record, plan: Plan) -> Row:
        count, width = len(record.fields), len(plan.names)
        rule, message = record.problem or ("ragged", f"{count} field{'s' if count != 1 else ''}, expected {width}")
        fault = Fault(None, rule, None if self._withheld else record.text[:SHOWN], message)
        return Row([_constant(path, plan.request) for path in plan.paths], record.line, 0, None, (fault,))


def _constant(path: str, request: Mapping[str, str]) -> str | None:
    """What a column reads that is not in the record."""
    return "0" if path == "@index" else request.get(path[1:]) if path.startswith("@") else None


def _extras(columns: list[tuple[str, list[str | None]]]) -> list[str | None] | None:
    """The undeclared fields of each row as JSON."""
    if not columns:
        return None
    names = [name for name, _ in columns]
    found = []
    for cells in zip(*(cells for _, cells in columns), strict=True):
        extra = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}
        found.append(compact(extra) if extra else None)
    return found


def _common_width(path: Path, form: Form) -> int:
    """How many fields most of the first records have; 0 for a file without records."""
    lines = Lines(blocks(path, form.text), form.text.has_cr)
    widths: Counter[int] = Counter()
    while not widths and lines.load() is not None:
        for record in records(lines, form.dialect):
            widths[len(record.fields)] += not record.problem
            if widths.total() >= 1000:
                break
    return widths.most_common(1)[0][0] if widths.total() else 0
