"""JSON lines: one JSON value per line, read line by line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest import json_text
from ingest.json_text import MAX_DEPTH, Text, Unusable, decoder, skipped
from ingest.kinds import kind_of


def lines(path: Path) -> Iterator[Any]:
    """The values of a file with one JSON value per line; blank lines are none.

    Raises Unusable that says which line is no JSON.
    """
    text = Text(path)
    number, left = 0, ""
    try:
        while not text.ended:
            *whole, left = (left + text.more(json_text.PIECE)).split("\n")
            for line in [*whole, left] if text.ended else whole:
                number += 1
                if line.strip():
                    yield line_value(line, number)
    finally:
        text.close()


def line_value(line: str, number: int) -> Any:
    try:
        at = skipped(line, 0)
        value, end = decoder.raw_decode(line, at)
    except json.JSONDecodeError as error:
        came = kind_of(line[:4096].encode("utf-8", "replace"))
        what = came if came in ("an HTML page", "an XML document") else f"no JSON at character {error.pos + 1:,}"
        raise Unusable(f"{what} in line {number:,}, expected one JSON value") from None
    except RecursionError:
        raise Unusable(f"JSON nested deeper than {MAX_DEPTH} in line {number:,}") from None
    if skipped(line, end) != len(line):
        raise Unusable(f"JSON with something behind its end in line {number:,}")
    return value
