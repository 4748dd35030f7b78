"""The cursor of an incremental source: the greatest value of a column so far, compared by its type."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ingest.json_text import kind_name, leaf
from ingest.originals import Token, Window
from lake.errors import SourceError
from lake.rest_source import RestSource

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TEMPLATE = re.compile(r"\{(from|to|date)(?::([^{}]*))?\}")
#: Python before 3.11's short forms are not enough: fractions longer than microseconds are cut for comparing only.
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass
class RunCursor:
    """The cursor of one run: where it begins, the greatest value seen and the least."""

    source: RestSource
    where: str
    committed: str | None = None
    begins: str | None = None
    greatest: str | None = None
    seen: int = 0

    @classmethod
    def of(cls, source: RestSource, where: str, stored: Token | None, window: Window | None, is_full: bool) -> "RunCursor":
        """Where this run begins: at the window, at the stored cursor less the lag, or at the declared start."""
        found = cls(source, where)
        if source.cursor is None:
            return found
        start = None if source.cursor.start is None else str(source.cursor.start)
        if stored and stored.get("column") == source.cursor.column and not is_full:
            found.committed = str(stored["value"])
        if window:
            found.begins = window.start
        elif found.committed is None:
            found.begins = start
        else:
            found.begins = found._less(found.committed, source.cursor.lag)
        return found

    @property
    def token(self) -> Token | None:
        """What the next run begins with; None as long as there is nothing."""
        assert self.source.cursor
        best = self._greater(self.committed, self.greatest)
        return None if best is None else {"column": self.source.cursor.column, "value": best}

    def take(self, records: Iterable[Any]) -> None:
        """Look at the records of a page; null says nothing."""
        assert self.source.cursor
        name = self.source.cursor.column
        steps = (self.source.columns[name].from_ or name).split(".")
        for record in records:
            value = record
            for step in steps if steps != ["$"] else ():
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, (dict, list, bool)):
                raise self._error(f"{kind_name(value)} in {name}")
            text = leaf(value)
            if text is not None:
                self.seen += 1
                self.greatest = self._greater(self.greatest, text)

    def check(self, note: Callable[[str], None]) -> None:
        """Name a cursor that goes backwards; the committed one stays.

        Raises SourceError when every value is before what was asked for.
        """
        if self.greatest is None or self.committed is None or self._key(self.greatest) >= self._key(self.committed):
            return
        assert self.source.cursor
        name = self.source.cursor.column
        if self.begins is not None and self._key(self.greatest) < self._key(self.begins):
            raise SourceError(
                f"{self.where}: got {name} up to {self.greatest}, which goes backwards, expected {self.begins} or later;"
                f" does the API know the parameter, or did it begin anew (`lake ingest {self.source.name} --full`)?"
            )
        note(f"{name} goes backwards: got up to {self.greatest}, had {self.committed}; the cursor stays")

    def _greater(self, one: str | None, other: str | None) -> str | None:
        if one is None or other is None:
            return one or other
        return other if self._key(other) > self._key(one) else one

    def _key(self, text: str) -> Any:
        """The value by which two texts of the column are compared."""
        assert self.source.cursor
        column = self.source.columns[self.source.cursor.column]
        try:
            if "int" in column.type or str(column.format).startswith("epoch"):
                return int(text)
            moment = _moment(text)
        except ValueError:
            raise self._error("a value that is no " + column.type) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(column.zone or "UTC"))

    def _less(self, text: str, lag: str) -> str:
        """The value less the lag, written as the source writes it."""
        key = self._key(text)
        if lag.rstrip("smhd") in ("", "0"):
            return text
        if isinstance(key, int):
            return str(key - int(lag))
        moment = _moment(text) - timedelta(**{UNITS[lag[-1]]: int(lag[:-1])})
        if len(text) == 10:
            return moment.date().isoformat()
        written = moment.isoformat(text[10], "seconds" if "." not in text else "auto")
        return written.replace("+00:00", "Z") if text.endswith(("Z", "z")) else written

    def _error(self, came: str) -> SourceError:
        assert self.source.cursor
        wanted = self.source.columns[self.source.cursor.column].type
        return SourceError(f"{self.where}: got {came} in the cursor column {self.source.cursor.column}, expected {wanted}")


def filled(template: str, moments: Mapping[str, str | None]) -> str | None:
    """The template with {from}, {to} and {date} replaced, each with a format if it has one; None when one is not known."""
    missing = [match[1] for match in _TEMPLATE.finditer(template) if moments.get(match[1]) is None]
    if missing:
        return None
    return _TEMPLATE.sub(lambda match: _written(str(moments[match[1]]), match[2]), template)


def names_in(template: str) -> set[str]:
    """Which of from, to and date a template holds."""
    return {match[1] for match in _TEMPLATE.finditer(template)}


def days(window: Window) -> list[str]:
    """Every date of a window, its end excluded unless it has a time of day."""
    first, end = _moment(window.start), _moment(window.end)
    found, day = [], first.date()
    while datetime.combine(day, datetime.min.time(), end.tzinfo) < end:
        found.append(day.isoformat())
        day += timedelta(days=1)
    return found


def _written(value: str, how: str | None) -> str:
    if not how:
        return value
    moment = _moment(value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if how in ("epoch_s", "epoch_ms"):
        return str(int(aware.timestamp() * (1000 if how == "epoch_ms" else 1)))
    return moment.strftime(how)


def _moment(text: str) -> datetime:
    """An ISO 8601 date or instant.

    Raises ValueError for anything else.
    """
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), datetime.min.time())
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))
