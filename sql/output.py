"""How an answer is written: a table for eyes, CSV or JSON for programs, row by row."""

import csv
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from shutil import get_terminal_size
from typing import Any, TextIO

from lake.errors import UsageError
from sql.engine import Answer, AnswerColumn

FORMATS = ("table", "csv", "json")
#: The table is laid out from its first rows; a longer cell below them is written whole and stands out.
MEASURED = 1000
NARROWEST = 8
NUMBERS = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")


def write_answer(answer: Answer, format: str, stream: TextIO) -> int:
    """Write all rows of an answer and return how many there were.

    Raises UsageError for a format that is none, and what the engine raises while rows are read.
    """
    writers: dict[str, Callable[[Answer, TextIO], int]] = {"table": _write_table, "csv": _write_csv, "json": _write_json}
    if format not in writers:
        raise UsageError(f"--format: got {format!r}, expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return writers[format](answer, stream)


def spelled(value: Any) -> str:
    """A value as text: instants in ISO 8601 with Z, decimals with their scale, doubles as the shortest that reads back."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z" if value.tzinfo else value.isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case list() | tuple() | dict():
            return json_text(value)
    return str(value)


def json_text(value: Any) -> str:
    """A value as JSON: decimals are numbers with all their digits; NaN and infinities, which JSON has not, are null."""
    match value:
        case None:
            return "null"
        case bool() | int() | Decimal():
            return spelled(value)
        case float():
            return repr(value) if math.isfinite(value) else "null"
        case list() | tuple():
            return f"[{', '.join(json_text(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{_key(key)}: {json_text(item)}' for key, item in value.items())}}}"
    return json.dumps(spelled(value), ensure_ascii=False)


def _key(key: Any) -> str:
    return json.dumps(spelled(key), ensure_ascii=False)


def _write_csv(answer: Answer, stream: TextIO) -> int:
    """RFC 4180: lines end with CRLF, null and the empty text are both an empty field."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(column.name for column in answer.columns)
    rows = 0
    for row in answer.rows:
        writer.writerow("" if value is None else spelled(value) for value in row)
        rows += 1
    return rows


def _write_json(answer: Answer, stream: TextIO) -> int:
    """One array of objects, one object a line."""
    names = [column.name for column in answer.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two columns are called {twice!r}, and an object's names differ; write ... AS another_name")
    keys = [_key(name) for name in names]
    rows = 0
    stream.write("[")
    for rows, row in enumerate(answer.rows, 1):
        fields = ", ".join(f"{key}: {json_text(value)}" for key, value in zip(keys, row, strict=True))
        stream.write(f"{',' if rows > 1 else ''}\n  {{{fields}}}")
    stream.write("\n]\n" if rows else "]\n")
    return rows


def _write_table(answer: Answer, stream: TextIO) -> int:
    """Aligned columns, numbers to the right, NULL for null, and the number of rows below."""
    rows = iter(answer.rows)
    first = [_cells(row) for row in islice(rows, MEASURED)]
    header = [column.name for column in answer.columns]
    widths = [max(len(line[number]) for line in [header, *first]) for number in range(len(header))]
    if stream.isatty():
        widths = _fitted(widths, get_terminal_size().columns)
    right = [_is_number(column) for column in answer.columns]
    stream.write(_line(header, widths, right, stream.isatty()))
    stream.write("  ".join("-" * width for width in widths) + "\n")
    count = 0
    for cells in chain(first, (_cells(row) for row in rows)):
        stream.write(_line(cells, widths, right, stream.isatty()))
        count += 1
    stream.write(f"({count} row{'' if count == 1 else 's'})\n")
    return count


def _cells(row: tuple[Any, ...]) -> list[str]:
    """The row as single lines without control characters."""
    return ["NULL" if value is None else _printable(spelled(value)) for value in row]


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in text)


def _is_number(column: AnswerColumn) -> bool:
    return column.type.partition("(")[0] in NUMBERS


def _fitted(widths: list[int], total: int) -> list[int]:
    """The widths, the widest made narrower until the line fits."""
    widths = list(widths)
    while sum(widths) + 2 * (len(widths) - 1) > total and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(cells: list[str], widths: list[int], right: list[bool], cut: bool) -> str:
    shown = []
    for cell, width, to_right in zip(cells, widths, right, strict=True):
        cell = f"{cell[: width - 1]}…" if cut and len(cell) > width else cell
        shown.append(cell.rjust(width) if to_right else cell.ljust(width))
    return "  ".join(shown).rstrip() + "\n"
