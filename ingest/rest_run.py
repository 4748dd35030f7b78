"""One run of a REST source before its first page: its instants, its cursor and all that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.fetch import Clock
from ingest.originals import Visit, Window
from ingest.rest_cursor import RunCursor, days
from ingest.rest_requests import Addresses, Ask
from lake.errors import UsageError
from lake.rest_source import RestSource


@dataclass
class RestRun:
    """What a run knows between its pages; `before` is the address of the last one, `now` when it began."""

    visit: Visit
    clock: Clock
    asks: list[Ask]
    cursor: RunCursor
    now: str
    count: int = 0
    records: int = 0
    bytes: int = 0
    before: str = field(default="", repr=False)


def rest_run(source: RestSource, addresses: Addresses, visit: Visit, clock: Clock) -> RestRun:
    """The run before its first page; what is gone on with keeps the instants of its beginning.

    Raises UsageError when there is a window and nothing that takes it.
    """
    now = (visit.resume or {}).get("now") or datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds")
    instants, window = addresses.instants, visit.window
    if window and not instants and not (source.cursor and source.cursor.until):
        raise UsageError(
            f"{source.name}: got a window, expected cursor.until, or {{from}}, {{to}} or {{date}} in url or parameters"
        )
    where = f"{source.name}: {addresses.shown(addresses.url)}"
    cursor = RunCursor.of(source, where, visit.cursor, window, visit.is_full)
    dates = days(window) if window and "date" in instants else [now[:10] if "date" in instants else None]
    asks = addresses.asks(_moments(source, cursor, window, now), dates)
    more = _cursor_parameters(source, cursor, window)
    return RestRun(visit, clock, [addresses.with_page(ask, more) for ask in asks], cursor, now)


def _moments(source: RestSource, cursor: RunCursor, window: Window | None, now: str) -> Mapping[str, str | None]:
    """What {from}, {to} and {date} mean: the window, else from the cursor to now; without a cursor there is no from and to."""
    if window:
        return {"from": window.start, "to": window.end, "date": window.start[:10]}
    if source.cursor:
        return {"from": cursor.begins, "to": now, "date": now[:10]}
    return {"from": None, "to": None, "date": now[:10]}


def _cursor_parameters(source: RestSource, cursor: RunCursor, window: Window | None) -> dict[str, str]:
    declared, found = source.cursor, dict[str, str]()
    if declared and declared.param and cursor.begins is not None:
        found[declared.param] = cursor.begins
    if declared and declared.until and window:
        found[declared.until] = window.end
    return found
