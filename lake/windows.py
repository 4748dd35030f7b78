"""Cuts a range of days, instants or numbers into windows: each begins where the one before it ends."""

import calendar
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from lake.errors import UsageError

LENGTH = re.compile(r"(?P<number>[1-9]\d{0,8}) ?(?P<unit>minute|min|m|hour|h|day|d|week|w|month|year|y)?s?")
LENGTHS = "`1 day`, `6 hours`, `15 minutes`, `1 month`, in short 1d, 6h, 15m, or a number for a cursor of numbers"
WHOLE = re.compile(r"[+-]?\d{1,18}")
STEPS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MONTHS = {"month": 1, "y": 12}
MOST = 10_000
Pair = tuple[str, str]


def windows(start: str, end: str, length: str) -> list[Pair]:
    """From `start` on and before `end`, windows of a length; the last may be shorter. All are written as the ends were.

    Raises UsageError for ends that do not fit each other or the length, and for more than 10,000 windows.
    """
    match = LENGTH.fullmatch(length.strip().lower())
    if match is None:
        raise UsageError(f"--window: got {length!r}, expected a length such as {LENGTHS}")
    number, unit = int(match["number"]), _unit(match["unit"])
    if unit is None:
        return _cut(_number("--from", start), _number("--to", end), lambda at, n: at + n * number, str)
    first, last = _moment("--from", start), _moment("--to", end)
    if (first.tzinfo is None) != (last.tzinfo is None):
        raise UsageError(f"--from, --to: got {start!r} and {end!r}, expected both with a zone or both without")
    is_days = len(start) == len(end) == 10 and unit not in ("h", "m")
    write: Callable[[datetime], str] = (lambda at: at.date().isoformat()) if is_days else _writer(start)
    if unit in MONTHS:
        return _cut(first, last, lambda at, n: _months_after(at, n * number * MONTHS[unit]), write)
    return _cut(first, last, lambda at, n: at + n * number * STEPS[unit], write)


def window(start: str, end: str) -> Pair:
    """The one window from `start` on and before `end`, as they were written.

    Raises UsageError for ends that are neither dates, instants nor whole numbers, or do not fit each other.
    """
    are_numbers = all(WHOLE.fullmatch(text) for text in (start, end))
    first, last = (int(start), int(end)) if are_numbers else (_moment("--from", start), _moment("--to", end))
    if isinstance(first, datetime) and isinstance(last, datetime) and (first.tzinfo is None) != (last.tzinfo is None):
        raise UsageError(f"--from, --to: got {start!r} and {end!r}, expected both with a zone or both without")
    if not first < last:  # type: ignore[operator]
        raise UsageError(f"--from, --to: got {start} and {end}, expected a range that ends after it begins")
    return start, end


def _cut(first: Any, last: Any, after: Callable[[Any, int], Any], write: Callable[[Any], str]) -> list[Pair]:
    """Every edge is counted from the first, so that months that end early do not shift those behind them."""
    if not first < last:
        raise UsageError(f"--from, --to: got {write(first)} and {write(last)}, expected a range that ends after it begins")
    found: list[Pair] = []
    while (begin := after(first, len(found))) < last:
        if len(found) == MOST:
            raise UsageError(f"--window: got more than {MOST:,} windows, expected fewer; choose a longer one")
        found.append((write(begin), write(min(after(first, len(found) + 1), last))))
    return found


def _unit(word: str | None) -> str | None:
    """The unit in short; None for plain numbers."""
    return word if word is None or word == "month" else word[0]


def _number(where: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{where}: got {text!r}, expected a number, or --window with a unit: {LENGTHS}") from None


def _moment(where: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{where}: got {text!r}, expected a date or instant such as 2024-01-31 or 2024-01-31T06:00:00Z"
        ) from None


def _writer(example: str) -> Callable[[datetime], str]:
    """Instants as the example has them: with `Z`, with an offset, or without a zone."""
    return lambda at: at.isoformat().replace("+00:00", "Z") if example.endswith(("Z", "z")) else at.isoformat()


def _months_after(at: datetime, months: int) -> datetime:
    """The same day so many months later, or the last of a month that is too short for it."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    if year > 9999:
        return datetime.max.replace(tzinfo=at.tzinfo)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))
