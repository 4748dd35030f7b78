"""Lines to records: quotes, escapes, comments, and what becomes of a record whose quotes do not fit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ingest.decode_csv_text import MAX_RECORD, Lines, is_writable, shown

BEHIND = "text behind a closing quote, expected a delimiter"
OPEN = "a quote that is never closed"
BESIDE = "a line within quotes that do not fit"
BARE_CR = "a carriage return outside quotes, expected lines to end in LF or CRLF"
LONG = f"a record of more than {MAX_RECORD:,} characters"


@dataclass(frozen=True)
class Dialect:
    """How lines are cut into fields."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    has_cr: bool = False


class Record(NamedTuple):
    """The fields of one record; `line` is where it begins, `quoted` and `raws` are left out where all fields are plain.

    `problem` is a rule and what is wrong, for a record that cannot be used.
    """

    line: int
    fields: list[str]
    text: str
    quoted: list[bool] | None = None
    raws: list[str] | None = None
    problem: tuple[str, str] | None = None


def records(lines: Lines, dialect: Dialect, width: int | None = None) -> Iterator[Record]:
    """The records that begin in the loaded block; blank lines and comments are none."""
    delimiter, quote, escape, comment = dialect.delimiter, dialect.quote or "\0\0", dialect.escape, dialect.comment
    while (line := lines.next()) is not None:
        number = lines.line
        if lines.is_cut:
            yield Record(number, [], line[:2000], problem=("too_long", LONG))
        elif comment and line.startswith(comment):
            continue
        elif quote in line or (escape and escape in line):
            yield from _careful(line, lines, dialect, width)
        elif text := ended(line):
            if not text.isascii() and not is_writable(text):
                yield undecodable(number, text)
            elif "\r" in text:
                yield Record(number, [], text, problem=("line_end", BARE_CR))
            else:
                yield Record(number, text.split(delimiter), text)


def ended(line: str) -> str:
    """The line without its end."""
    if line.endswith("\n"):
        return line[:-2] if line.endswith("\r\n") else line[:-1]
    return line.removesuffix("\r")


def undecodable(line: int, text: str) -> Record:
    """A record with bytes that the encoding does not know."""
    return Record(line, [], shown(text), problem=("encoding", "bytes that the declared encoding does not know"))


def _careful(line: str, lines: Lines, dialect: Dialect, width: int | None) -> Iterator[Record]:
    """The record that begins with this line, read on where a quote is open."""
    cut = _Cut(line, lines, dialect)
    record = cut.record()
    if len(cut.span) == 1 or record.problem is None or record.problem[0] != "quoting":
        yield record if is_writable(record.text) else undecodable(record.line, record.text)
        return
    yield Record(cut.number, [], shown(ended(line)), problem=("quoting", OPEN))
    rest = cut.span[1:]
    if cut.is_too_long:
        lines.push(rest)
    else:
        yield from _again(rest, cut.number + 1, dialect, width)


def _again(rest: list[str], number: int, dialect: Dialect, width: int | None) -> list[Record]:
    """The lines behind a stray quote: as records when that quote explains what came, else each as a line without a meaning.

    It does when nine of ten records have the width of all others; with one column every text would.
    """
    lines = _Rest(rest, number)
    found: list[Record] = []
    misfits = 0
    while (line := lines.next()) is not None:
        if dialect.comment and line.startswith(dialect.comment):
            continue
        span = [line]
        if dialect.quote in line or dialect.escape:
            cut = _Cut(line, lines, dialect)
            record, span = cut.record(), cut.span
        else:
            text = ended(line)
            bare = ("line_end", BARE_CR) if "\r" in text else None
            record = Record(lines.line, text.split(dialect.delimiter), text, problem=bare)
        if record.problem and record.problem[0] == "quoting":
            misfits += 1
            found += _beside(span, record.line)
        elif record.text:
            has_bytes = not is_writable(record.text)
            misfits += len(record.fields) != width
            found.append(undecodable(record.line, record.text) if has_bytes else record)
    return found if width != 1 and misfits * 10 <= len(found) else _beside(rest, number)


def _beside(span: list[str], number: int) -> list[Record]:
    return [
        Record(number + at, [], shown(text), problem=("quoting", BESIDE)) for at, text in enumerate(map(ended, span)) if text
    ]


class _Rest(Lines):
    """Lines at hand; there are no more."""

    def __init__(self, rest: list[str], number: int) -> None:
        super().__init__(iter(()), False)
        self.push(rest)
        self.line, self._left = number - 1, -1


class _Cut:
    """One record on its way from lines to fields; `span` holds the lines it took."""

    def __init__(self, line: str, lines: Lines, dialect: Dialect) -> None:
        self._lines, self._dialect = lines, dialect
        self.number, self.span, self.is_too_long = lines.line, [line], False
        self._text, self._length = line, len(line)

    def record(self) -> Record:
        """The record, with a problem when its quotes do not fit."""
        fields: list[str] = []
        quoted: list[bool] = []
        raws: list[str] = []
        problem, at, quote = None, 0, self._dialect.quote
        while True:
            is_quoted = bool(quote) and self._text.startswith(quote, at)
            if is_quoted:
                value, at = self._quoted(at + 1)
                if at < 0:
                    return self._made(fields, quoted, raws, ("quoting", OPEN))
                left, raw, at = self._plain(at)
                if left:
                    problem = ("quoting", BEHIND)
                value, raw = value + left, value
            else:
                value, raw, at = self._plain(at)
                if "\r" in value and not self._dialect.escape:
                    problem = problem or ("line_end", BARE_CR)
            fields.append(value)
            quoted.append(is_quoted)
            raws.append(raw)
            if at < 0:
                return self._made(fields, quoted, raws, problem)

    def _made(self, fields: list[str], quoted: list[bool], raws: list[str], problem: tuple[str, str] | None) -> Record:
        text = ended("".join(self.span))
        return Record(self.number, fields, text, quoted, raws if self._dialect.escape else None, problem)

    def _more(self) -> bool:
        """Whether there is another line; the text goes on with it."""
        line = self._lines.more() if self._length <= MAX_RECORD else None
        if line is None:
            self.is_too_long = self._length > MAX_RECORD
            return False
        self.span.append(line)
        self._text, self._length = line, self._length + len(line)
        return True

    def _quoted(self, at: int) -> tuple[str, int]:
        """The content of a quoted field and the position behind its closing quote, -1 when there is none."""
        quote, escape = self._dialect.quote, self._dialect.escape
        pieces: list[str] = []
        while True:
            end = self._text.find(quote, at)
            escaped = self._text.find(escape, at, len(self._text) if end < 0 else end) if escape else -1
            if escaped >= 0:
                pieces += (self._text[at:escaped], self._text[escaped + 1 : escaped + 2])
                at = escaped + 2
                continue
            if end < 0:
                pieces.append(self._text[at:])
                if not self._more():
                    return "", -1
                at = 0
                continue
            pieces.append(self._text[at:end])
            if self._text[end + 1 : end + 2] != quote:
                return "".join(pieces), end + 1
            pieces.append(quote)
            at = end + 2

    def _plain(self, at: int) -> tuple[str, str, int]:
        """An unquoted field, the same with its escapes, and where the next one begins, -1 at the end of the record."""
        delimiter, escape = self._dialect.delimiter, self._dialect.escape
        if not escape:
            end = self._text.find(delimiter, at)
            value = ended(self._text[at:]) if end < 0 else self._text[at:end]
            return value, value, -1 if end < 0 else end + len(delimiter)
        pieces, raws = [], []
        sign = re.compile(f"{re.escape(delimiter)}|{re.escape(escape)}")
        while True:
            found = sign.search(self._text, at)
            if found is None or found[0] == delimiter:
                value = ended(self._text[at:]) if found is None else self._text[at : found.start()]
                pieces.append(value)
                raws.append(value)
                return "".join(pieces), "".join(raws), -1 if found is None else found.end()
            behind = found.end() + (2 if self._text.startswith("\r\n", found.end()) else 1)
            raws.append(self._text[at:behind])
            pieces += (self._text[at : found.start()], self._text[found.end() : behind])
            at = behind
            if at >= len(self._text) and self._text.endswith("\n") and self._more():
                at = 0
