"""Which rows of a table are new: from the largest value of a growing column that the last run saw to the largest there is now."""

from dataclasses import dataclass
from typing import Any

from ingest.database_server import Server
from ingest.originals import Visit
from lake.database_source import DatabaseSource
from lake.errors import SourceError, UsageError


@dataclass(frozen=True)
class Slice:
    """The rows to read by a condition, and the cursor after them; `is_empty` when nothing can be new."""

    condition: str = ""
    cursor: dict[str, Any] | None = None
    is_empty: bool = False


def slice_of(source: DatabaseSource, server: Server, visit: Visit, where: str) -> Slice:
    """The rows of this run; a run that is gone on with keeps the upper end it began with.

    Raises SourceError when the cursor is null somewhere or went backwards, UsageError for a window without a cursor.
    """
    if source.cursor is None:
        if visit.window:
            raise UsageError(
                f"{source.name}.yaml: got a window without a cursor, expected `cursor` to say which column it means"
            )
        return Slice()
    column = source.cursor.column
    quoted = server.quoted(column)
    if visit.window:
        start, end = (server.literal(column, value) for value in (visit.window.start, visit.window.end))
        return Slice(f"{quoted} >= {start} and {quoted} < {end}")
    seen = None if visit.is_full or (visit.cursor or {}).get("column") != column else visit.cursor
    now = visit.resume["cursor"] if visit.resume else _now(source, server, where, seen)
    if now is None:
        return Slice()
    if not visit.resume and seen == now and not source.cursor.lag_number:
        return Slice(is_empty=True, cursor=now)
    conditions = [f"{quoted} <= {server.literal(column, now['value'])}"]
    if seen:
        low = server.less(server.literal(column, seen["value"]), column, source.cursor.lag_number)
        conditions.append(f"{quoted} >= {low}")
    elif source.cursor.start is not None:
        conditions.append(f"{quoted} >= {server.literal(column, source.cursor.start)}")
    return Slice(" and ".join(conditions), now)


def _now(source: DatabaseSource, server: Server, where: str, seen: dict[str, Any] | None) -> dict[str, Any] | None:
    """The largest value and how many rows have it; None for a table without rows."""
    assert source.cursor
    column, relation = source.cursor.column, server.relation()
    quoted = server.quoted(column)
    (nulls,) = server.row(f"select count(*) from {relation} where {quoted} is null")  # noqa: S608 - names are quoted
    if nulls != "0":
        raise SourceError(
            f"{where}: cursor: got {nulls} rows whose {column} is null, expected none: no run would ever see them"
        )
    (high,) = server.row(f"select {server.text(f'max({quoted})')} from {relation}")  # noqa: S608
    if seen and (high is None or _is_less(server, column, high, seen["value"])):
        backwards = f"{where}: cursor: got a largest {column} below that of the last run, expected it to only grow"
        raise SourceError(f"{backwards}; `lake ingest {source.name} --full` reads all again")
    if high is None:
        return None
    (at,) = server.row(f"select count(*) from {relation} where {quoted} = {server.literal(column, high)}")  # noqa: S608
    return {"column": column, "value": high, "at": int(at or 0)}


def _is_less(server: Server, column: str, one: str, other: str) -> bool:
    compared = f"case when {server.literal(column, one)} < {server.literal(column, other)} then 1 else 0 end"
    return server.row(f"select {compared}") == ("1",)
