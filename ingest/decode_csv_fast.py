"""Blocks of CSV without anything doubtful, cut by Arrow; whatever is in doubt is left to the careful way."""

import io
import re
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ingest.decode_csv_records import Dialect


def columns_of(text: str, dialect: Dialect, width: int, nulls: list[str], *, quoted_nulls: bool) -> list[Any] | None:
    """The fields of a block, column by column; None unless every line surely is one record of `width` fields."""
    data = _plain_data(text, dialect)
    if data is None:
        return None
    names = [str(position) for position in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(data),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=False,
                ignore_empty_lines=False,
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=nulls,
                strings_can_be_null=True,
                quoted_strings_can_be_null=quoted_nulls,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != text.count("\n") + (not text.endswith("\n")):
        return None
    return [column.combine_chunks() for column in table.columns]


def _plain_data(text: str, dialect: Dialect) -> bytes | None:
    """The block as UTF-8, when its lines and quotes leave no doubt."""
    if not text or dialect.escape or dialect.has_cr or len(dialect.delimiter) != 1 or not dialect.delimiter.isascii():
        return None
    if text.startswith(("\n", "\r")) or "\n\n" in text or "\0" in text:
        return None
    if "\r" in text and (text.count("\r") != text.count("\r\n") or "\n\r\n" in text):
        return None
    if dialect.comment and (text.startswith(dialect.comment) or f"\n{dialect.comment}" in text):
        return None
    if dialect.quote and dialect.quote in text and not _quoted_well(dialect.delimiter, dialect.quote).fullmatch(text):
        return None
    if not text.endswith("\n"):
        text += "\n"  # else Arrow takes an empty last field behind a quoted one for quoted too, and so for no null
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


@cache
def _quoted_well(delimiter: str, quote: str) -> re.Pattern[str]:
    """Lines whose fields are quoted whole, on one line, or not at all."""
    sign, around = re.escape(delimiter), re.escape(quote)
    inside = rf"{around}(?:[^{around}\r\n]|{around}{around})*+{around}"
    return re.compile(rf"(?:(?:{inside}|[^{sign}{around}\r\n]*+)(?:{sign}|\r?\n|\Z))*+")
