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
    """The message pointing at a table's whole name, or at the first word of the node that has a place in the text."""
    if isinstance(node, exp.Table) and node.this.meta_get("start") is not None:
        starts = [part.meta_get("start") for part in node.parts if part.meta_get("start") is not None]
        return at_word(text, min(starts), node.parts[-1].meta_get("end") + 1, message)
    for part in node.walk():
        start, end = part.meta_get("start"), part.meta_get("end")
        if start is not None and end is not None:
            return at_word(text, start, end + 1, message)
    return UsageError(message)


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
