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

    Raises SourceError when the cursor is null somewhere, or went backwards though no key sweep tells which rows are
    gone, and UsageError for a window without a cursor.
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
    seen = None if visit.is_full or not _is_of(column, visit.cursor) else visit.cursor
    now = visit.resume["cursor"] if visit.resume else _now(source, server, where)
    if seen and (now is None or _is_less(server, column, now["value"], seen["value"])):
        _went_back(source, visit, where, is_empty=now is None)
        seen = None
    if now is None:
        return Slice(cursor={"column": column, "value": None, "at": 0} if visit.cursor else None)
    if not visit.resume and seen == now and not source.cursor.lag_number:
        return Slice(is_empty=True, cursor=now)
    conditions = [f"{quoted} <= {server.literal(column, now['value'])}"]
    if seen:
        low = server.less(server.literal(column, seen["value"]), column, source.cursor.lag_number)
        conditions.append(f"{quoted} >= {low}")
    elif source.cursor.start is not None:
        conditions.append(f"{quoted} >= {server.literal(column, source.cursor.start)}")
    return Slice(" and ".join(conditions), now)


def _is_of(column: str, cursor: dict[str, Any] | None) -> bool:
    """Whether the last run's cursor says how far this column had come."""
    return cursor is not None and cursor["column"] == column and cursor["value"] is not None


def _went_back(source: DatabaseSource, visit: Visit, where: str, is_empty: bool) -> None:
    """Note that all rows are read again where rows may be deleted.

    Raises SourceError where none ought to be gone.
    """
    column = f"a largest {source.cursor.column if source.cursor else ''} below that of the last run"
    came = "no rows where the last run saw some: the table was emptied" if is_empty else column
    if not source.sweeps_keys:
        expected = "expected them to stay" if is_empty else "expected it to only grow"
        raise SourceError(f"{where}: cursor: got {came}, {expected}; `lake ingest {source.name} --full` reads all again")
    visit.note(f"cursor: got {came}; all rows are read again")


def _now(source: DatabaseSource, server: Server, where: str) -> dict[str, Any] | None:
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
    if high is None:
        return None
    (at,) = server.row(f"select count(*) from {relation} where {quoted} = {server.literal(column, high)}")  # noqa: S608
    return {"column": column, "value": high, "at": int(at or 0)}


def _is_less(server: Server, column: str, one: str, other: str) -> bool:
    compared = f"case when {server.literal(column, one)} < {server.literal(column, other)} then 1 else 0 end"
    return server.row(f"select {compared}") == ("1",)
