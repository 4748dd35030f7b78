"""Turns how much of a pull has come into words: rows, bytes, rate, share, and an estimate of the time left."""

from typing import Any

from orchestration.printing import length, size

#: A rate over less than this says nothing.
LEAST_SECONDS = 1.0


class Pace:
    """One source on its way; its rate is measured from the first amount on, so that what an earlier process brought is not in it."""

    def __init__(self) -> None:
        self._first: tuple[float, dict[str, Any]] | None = None

    def words(self, amount: dict[str, Any], now: float) -> str:
        """An amount as a person reads it; `now` in seconds."""
        if self._first is None or _is_other(self._first[1], amount):
            self._first = (now, amount)
        began, first = self._first
        said = [amount["at"], _rows(amount), size(amount["bytes"]) if amount["bytes"] else ""]
        if now - began >= LEAST_SECONDS:
            said += [_rate(first, amount, now - began)]
        said += [_ahead(first, amount, now - began)]
        return ", ".join(filter(None, said)) or "asked"


def _is_other(first: dict[str, Any], amount: dict[str, Any]) -> bool:
    """Whether the counting began anew."""
    return first["unit"] != amount["unit"] or (amount["rows"] or 0) < (first["rows"] or 0) or amount["bytes"] < first["bytes"]


def _rows(amount: dict[str, Any]) -> str:
    return f"{amount['rows']:,} {amount['unit']}" if amount["rows"] else ""


def _rate(first: dict[str, Any], amount: dict[str, Any], seconds: float) -> str:
    """Rows a second, or bytes while none were counted."""
    rows, count = (amount["rows"] or 0) - (first["rows"] or 0), amount["bytes"] - first["bytes"]
    if rows:
        return (
            f"{rows / seconds:,.0f} {amount['unit']}/s" if rows >= 10 * seconds else f"{rows / seconds:,.1f} {amount['unit']}/s"
        )
    return f"{size(round(count / seconds))}/s" if count else ""


def _ahead(first: dict[str, Any], amount: dict[str, Any], seconds: float) -> str:
    """The share that has come and the time left; nothing at the end, nor where a guess was too low."""
    share = amount["share"]
    if share is None or share >= 1:
        return ""
    said, came = f"about {share:.0%}".replace("%", " %"), share - (first["share"] or 0.0)
    if came <= 0 or seconds < LEAST_SECONDS:
        return said
    return f"{said}, {length((1 - share) * seconds / came)} left"
