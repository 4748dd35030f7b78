"""Prints a result: a table for a person, JSON for a program, and ages and sizes as a person says them."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any


def print_rows(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for a person: columns aligned, numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(title), *(len(row[i]) for row in texts)]) for i, title in enumerate(head)]
    right = [
        bool(texts) and all(row[i].replace(",", "").replace(".", "").isdigit() or not row[i] for row in texts)
        for i in range(len(head))
    ]
    for row in [list(head), *texts]:
        cells = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        )
        print("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    """The value as JSON on stdout."""
    json.dump(value, sys.stdout, indent=1, default=str)
    print()


def age(instant: str) -> str:
    """How long ago an instant was, as a person says it."""
    return f"{length((datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds())} ago"


def length(seconds: float) -> str:
    """A length of time as a person says it."""
    for name, unit in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    count = max(round(seconds), 0)
    return f"{count} second{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
