"""Excel sheets to rows of text: dates and whole numbers as they are meant, formulas by their values, errors as faults."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingest.archives import Limits, checked_zip
from ingest.decode_csv_header import header_names, paths_of, places, position_names
from ingest.decoded import Fault, Row
from ingest.json_text import Unusable, compact
from ingest.kinds import kind_of
from lake.files_source import FilesSource


@dataclass
class ExcelRows:
    """Decodes one sheet of each workbook of a source; `observed` grows by the headers that no column reads."""

    source: FilesSource
    missing_is_null: bool = False
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original; `row` is the sheet's own row number.

        Raises Unusable for what is no workbook or has no such sheet or header.
        """
        with path.open("rb") as file:
            start = file.read(4096)
        if not start.startswith(b"PK"):
            raise Unusable(f"{_kind(start)}, expected an Excel workbook (xlsx)")
        entries = checked_zip(path, Limits(self.source.max_unpacked_bytes, self.source.max_files))
        names = [entry.filename for entry in entries]
        if "xl/workbook.xml" not in names:
            raise Unusable("a zip archive, expected an Excel workbook (xlsx)")
        try:
            yield from self._rows(path, request)
        except (KeyError, ValueError, zipfile.BadZipFile, SyntaxError, EOFError) as error:
            raise Unusable(f"a damaged Excel workbook ({type(error).__name__})") from None

    def _rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        with ExitStack() as stack:
            sheet = self._sheet(stack.enter_context(_book(path, formulas=False)))
            first, formulas = self.source.skip_lines + 1, None
            if _has_formulas(path):
                formulas = self._sheet(stack.enter_context(_book(path, formulas=True))).iter_rows(min_row=first)
            names: list[str] | None = None
            plan: list[int | None] = []
            for number, cells in enumerate(sheet.iter_rows(min_row=first), first):
                beside = next(formulas, ()) if formulas else ()
                if all(cell.value is None for cell in (*cells, *beside)):
                    continue
                if names is None:
                    names = self._names(cells)
                    plan = places(paths_of(self.source), names, missing_is_null=self.missing_is_null)
                    self.observed.update(name for at, name in enumerate(names) if at not in plan)
                    if self.source.header:
                        continue
                yield self._row(number, cells, beside, names, plan, request)
            if names is None and self.source.header:
                raise Unusable("an empty sheet, expected a header")

    def _sheet(self, book: Any) -> Any:
        wanted, names = self.source.sheet, book.sheetnames
        if isinstance(wanted, int):
            if not 1 <= wanted <= len(names):
                raise Unusable(f"a workbook of {len(names)} sheets, expected sheet {wanted}")
            wanted = names[wanted - 1]
        if wanted not in names:
            raise Unusable(f"no sheet {wanted!r}, expected one of {', '.join(map(repr, names[:20]))}")
        sheet = book[wanted]
        if not hasattr(sheet, "iter_rows"):
            raise Unusable(f"the sheet {wanted!r} is a chart, expected cells")
        if hasattr(sheet, "reset_dimensions"):
            sheet.reset_dimensions()  # what a file says of its own size is often wrong
        return sheet

    def _names(self, cells: Sequence[Any]) -> list[str]:
        if not self.source.header:
            return position_names(len(cells))
        texts = [_text(cell, "string") or "" for cell in cells]
        while texts and not texts[-1].strip():
            texts.pop()
        return header_names(texts, self.source)

    def _row(
        self,
        number: int,
        cells: Sequence[Any],
        beside: Sequence[Any],
        names: list[str],
        plan: list[int | None],
        request: Mapping[str, str],
    ) -> Row:
        faults: list[Fault] = []
        values: list[str | None] = []
        if any(cell.value is not None for cell in cells[len(names) :]):
            faults.append(Fault(None, "ragged", None, f"cells behind the header's {len(names)} columns"))
        columns = self.source.columns.items()
        for (name, column), at, path in zip(columns, plan, paths_of(self.source), strict=True):
            if at is None:
                values.append("0" if path == "@index" else request.get(path[1:]) if path.startswith("@") else None)
                continue
            problem = _problem(cells, beside, at)
            if problem:
                faults.append(Fault(name, "cell", None, problem))
            value = _text(cells[at], column.type) if at < len(cells) and not problem else None
            values.append(None if value in self.source.nulls else value)
        extra = {
            name: _text(cells[at], "string")
            for at, name in enumerate(names[: len(cells)])
            if at not in plan and cells[at].value is not None
        }
        return Row(values, number, 0, compact(extra) if extra else None, tuple(faults))


def sheet_texts(path: Path) -> Iterator[list[str | None]]:
    """The rows of a workbook's first sheet as text."""
    with _book(path, formulas=False) as book:
        book.worksheets[0].reset_dimensions()
        for cells in book.worksheets[0].iter_rows():
            yield [_text(cell, "string") for cell in cells]


@contextmanager
def _book(path: Path, *, formulas: bool) -> Iterator[Any]:
    """A workbook with its formulas or with the values that were stored for them."""
    import openpyxl

    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True, data_only=not formulas)
        try:
            yield book
        finally:
            book.close()


def _problem(cells: Sequence[Any], beside: Sequence[Any], at: int) -> str | None:
    """Why a cell has no value that can be used."""
    if at < len(cells) and cells[at].data_type == "e":
        return f"the error {cells[at].value}, expected a value"
    is_formula = at < len(beside) and beside[at].data_type == "f"
    if is_formula and (at >= len(cells) or cells[at].value is None):
        return "a formula without a stored value; open and save the workbook in Excel"
    return None


def _text(cell: Any, type_: str) -> str | None:
    """A cell as text: whole numbers without a point, dates without a time where they are dates."""
    from openpyxl.styles.numbers import is_datetime

    value = cell.value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        is_day = value.time() == time() and type_ != "timestamp"
        if is_day and (type_ == "date" or is_datetime(cell.number_format) == "date"):
            return value.date().isoformat()
        return value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(Decimal(repr(value)), "f")
    return str(value)


def _duration(value: timedelta) -> str:
    seconds = value // timedelta(seconds=1)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                with archive.open(name) as file:
                    end = b""
                    while piece := file.read(1 << 20):
                        if b"<f>" in end + piece or b"<f " in end + piece:
                            return True
                        end = piece[-2:]
    return False


def _kind(start: bytes) -> str:
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old (xls) or protected workbook"
    return kind_of(start)
