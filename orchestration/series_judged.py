"""What is shown of a detector's table: its series by how loud they are, their points, and their alerts."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake.errors import UsageError
from lake.series import SeriesModel
from lake.settings import Settings
from lake.tables import Refined
from sql.engine import Engine, open_engine

Row = dict[str, Any]
Entity = tuple[Any, ...]
#: Series that are drawn, and alerts that are listed.
DRAWN, LISTED = 6, 40


@dataclass(frozen=True)
class Window:
    """A stretch of time in which a series is known to have been unusual."""

    entity: Entity
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Series:
    """One series as it is drawn: all its points in order of time."""

    entity: Entity
    points: list[Row]


@dataclass(frozen=True)
class Watched:
    """What the page shows."""

    counts: Row
    by_series: list[Row]
    """Per series: points, alerts, highest score; the most alerts first."""
    drawn: list[Series]
    alerts: list[Row]
    """The newest first."""


def read_watched(settings: Settings, table: Refined, only: Sequence[str] = ()) -> Watched:
    """The table as it is published; `only` names the entities to draw.

    Raises UsageError when it was never built, or has no such entity.
    """
    engine, series = open_engine(settings), _series(table)
    entity = [*series.entity]
    (counts,) = asked(  # every name here is a declared one, which has letters, digits and _ alone
        engine,
        f'SELECT count(*) AS "points", count(score) AS judged, count_if(flag = 1) AS alerts, min({series.time}) AS first,'  # noqa: S608
        f" max({series.time}) AS last, max(threshold) AS highest FROM {table.table}",
    )
    by = f" GROUP BY {', '.join(entity)}" if entity else ""
    by_series = asked(
        engine,
        f'SELECT {"".join(f"{name}, " for name in entity)}count(*) AS "points", count_if(flag = 1) AS alerts,'  # noqa: S608
        f" max(score) AS highest FROM {table.table}{by}"
        f" ORDER BY alerts DESC, highest DESC{''.join(f', {name}' for name in entity)}",
    )
    chosen = [tuple(row[name] for name in entity) for row in by_series]
    named = [each for each in chosen if not only or " ".join(map(str, each)) in only]
    if not named:
        raise UsageError(f"--series: got {', '.join(only)}, expected one of {', '.join(words(each) for each in chosen[:20])}")
    drawn = [Series(each, _points(engine, table, series, each)) for each in named[:DRAWN]]
    alerts = asked(
        engine,
        f"SELECT {', '.join(series.key)}, score, threshold, reason FROM {table.table} WHERE flag = 1"  # noqa: S608
        f" ORDER BY {series.time} DESC LIMIT {LISTED}",
    )
    return Watched(counts, by_series, drawn, alerts)


def read_windows(path: Path, series: SeriesModel) -> list[Window]:
    """True windows from a CSV file with the entity's columns, `start` and `end` (UTC unless they say otherwise).

    Raises UsageError that names the file, the row and the column.
    """
    expected = [*series.entity, "start", "end"]
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--truth: {path} cannot be read: {error}") from None
    found = []
    for number, row in enumerate(rows, 2):
        missing = [name for name in expected if not row.get(name)]
        if missing:
            raise UsageError(f"{path}:{number}: got no {missing[0]}, expected the columns {', '.join(expected)}")
        entity = tuple(row[name] for name in series.entity)
        found.append(Window(entity, *(instant(row[name], f"{path}:{number}: {name}") for name in ("start", "end"))))
    return found


def asked(engine: Engine, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """The rows of an answer."""
    answer = engine.ask(query, parameters)
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def words(entity: Entity) -> str:
    """An entity as pages and tables name it."""
    return " ".join(map(str, entity)) or "all"


def _points(engine: Engine, table: Refined, series: SeriesModel, entity: Entity) -> list[Row]:
    same = " AND ".join(f"{name} IS NOT DISTINCT FROM ?" for name in series.entity) or "true"
    columns = ", ".join([series.time, *series.values, "score", "flag", "threshold", "reason"])
    query = f"SELECT {columns} FROM {table.table} WHERE {same} ORDER BY {series.time}"  # noqa: S608
    return asked(engine, query, entity)


def instant(text: str, where: str) -> datetime:
    """A time as written, UTC unless it says otherwise.

    Raises UsageError.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{where}: got {text!r}, expected a time such as 2020-01-31 12:00:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _series(table: Refined) -> SeriesModel:
    assert table.series is not None
    return table.series
