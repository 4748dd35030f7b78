"""Errors that point at a word of the question."""

from collections.abc import Iterable
from difflib import get_close_matches

from sqlglot import exp

from lake.errors import UsageError

LISTED = 12


def at_word(text: str, start: int, end: int, message: str) -> UsageError:
    """The message with line and column, the line, and carets under `text[start:end]`."""
    start = min(start, len(text))
    before = text[:start]
    line = before.count("\n") + 1
    begin = before.rfind("\n") + 1
    shown = text[begin:].split("\n", 1)[0].rstrip("\r")
    carets = max(1, min(end, begin + len(shown)) - start)
    pad = "".join("\t" if letter == "\t" else " " for letter in text[begin:start])
    return UsageError(f"line {line}, column {start - begin + 1}: {message}\n  {shown}\n  {pad}{'^' * carets}")


def at_node(text: str, node: exp.Expr, message: str) -> UsageError:
    """The message pointing at a table's whole name, a column's own name, a function's name, or the first word of the node."""
    if isinstance(node, exp.Column):
        node = node.this
    parts = node.parts if isinstance(node, exp.Table) else [node]
    places = [place for part in parts if (place := _place(part))] or [place for part in node.walk() if (place := _place(part))]
    if not places:
        return UsageError(message)
    (start, end), (_, last) = min(places), max(places)
    return at_word(text, start, last if isinstance(node, exp.Table) else end, message)


def _place(node: exp.Expr) -> tuple[int, int] | None:
    """Where the node's word stands in the text."""
    start, end = node.meta_get("start"), node.meta_get("end")
    return None if start is None or end is None else (start, end + 1)


def near(word: str, known: Iterable[str]) -> str:
    """What to say after an unknown word: the nearest of the known ones, or all of them."""
    known = sorted(set(known))
    close = get_close_matches(word.lower(), known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    listed = ", ".join(known[:LISTED]) + (f" and {len(known) - LISTED} more" if len(known) > LISTED else "")
    return f"expected one of {listed}" if known else "there is none yet"


def at_first(text: str, word: str, message: str) -> UsageError:
    """The message pointing at the first place where the word is written."""
    start = text.lower().find(word.lower())
    return at_word(text, start, start + len(word), message) if start >= 0 else UsageError(message)
