"""What a file most probably is: archive, format, encoding and delimiter, from its bytes alone."""

import codecs
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ingest.decode_csv_records import Dialect, records
from ingest.decode_csv_text import Block, Lines

DELIMITERS = (",", ";", "\t", "|", "^", ":")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PIECE = 1 << 20


def packing_of(start: bytes) -> str | None:
    """`gzip` or `zip` for an archive, by its first bytes."""
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zip" if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) else None


def format_of(start: bytes, names: list[str]) -> str:
    """The format of a file, by its first bytes and, in a zip, the names of its entries."""
    if start.startswith(b"PAR1"):
        return "parquet"
    if "xl/workbook.xml" in names:
        return "excel"
    codec = _marked(start) or "utf-8"
    text = start.decode(codec, "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("{"):
        first, _, rest = text.partition("\n")
        return "jsonl" if first.rstrip().endswith("}") and rest.lstrip().startswith("{") else "json"
    return "json" if text.startswith("[") else "csv"


def encoding_of(path: Path) -> str:
    """The codec of a text file, judged by all of its bytes."""
    with path.open("rb") as file:
        start = file.read(_PIECE)
        marked = _marked(start)
        if marked:
            return marked
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        wide = broken = 0
        has_controls, piece = False, start
        while piece:
            text = decoder.decode(piece)
            if not text.isascii():
                broken += text.count("\ufffd")
                wide += sum(character > "\x7f" for character in text)
                has_controls = has_controls or any(0x80 <= byte < 0xA0 for byte in piece)
            piece = file.read(_PIECE)
    if broken * 10 <= wide - broken:
        return "utf-8"
    return "cp1252" if has_controls else "iso8859-1"


def delimiter_of(sample: str, dialect: Dialect, skip: int) -> str:
    """The delimiter by which most records of a sample get the same number of fields, more than one; `,` when none does."""
    best, chosen = (0.0, 0), ","
    for delimiter in DELIMITERS:
        if delimiter in (dialect.quote, dialect.comment):
            continue
        lines = Lines(iter([Block(1, sample)]), dialect.has_cr)
        lines.load()
        for _ in range(skip):
            lines.next()
        widths: Counter[int] = Counter()
        for record in records(lines, replace(dialect, delimiter=delimiter)):
            widths[len(record.fields)] += 1
            if widths.total() >= 1000:
                break
        for width, times in widths.most_common(1):
            score = (round(times / widths.total(), 2), width)
            if width > 1 and score > best:
                best, chosen = score, delimiter
    return chosen


def _marked(start: bytes) -> str | None:
    """The codec that a byte order mark or zero bytes give away."""
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return codec
    head = start[:1000]
    if head[1::2].count(0) * 2 > len(head[1::2]) > 0:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) * 2 > len(head[::2]) > 0 else None
