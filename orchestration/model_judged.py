"""What a report shows of a model's table: counts, a sample of points, the scores over time and the top anomalies."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lake.errors import UsageError
from lake.settings import Settings
from lake.tables import Refined
from sql.engine import Engine, open_engine

Row = dict[str, Any]
#: Points that a picture can take, and anomalies that are told.
POINTS, TOP = 3_000, 25


@dataclass(frozen=True)
class Judged:
    """What the page shows of a model's table."""

    counts: Row
    points: list[Row]
    spans: list[Row]
    """Per entity and day (or hour, in a short table): `at`, highest score, anomalies."""
    top: list[Row]

    @property
    def unit(self) -> str:
        """How long a span is: a day, or an hour in a short table."""
        return span_unit(self.counts)


def read_judged(settings: Settings, table: Refined) -> Judged:
    """The table as it is published.

    Raises UsageError when it was never built.
    """
    model, engine = table.model, open_engine(settings)
    assert model is not None
    key, values = [*model.entity, model.time], list(model.features)
    (counts,) = _asked(  # every name here is a declared one, which has letters, digits and _ alone
        engine,
        f'SELECT count(*) AS "rows", count(score) AS judged, count_if(is_anomaly) AS anomalies, min({model.time}) AS first,'  # noqa: S608
        f" max({model.time}) AS last, max(model) AS model FROM {table.table}",
    )
    if not counts["judged"]:
        raise UsageError(f"{table.table}: got no row that is judged, expected some; what `reason` says of them tells why")
    step = max(counts["judged"] // POINTS, 1)
    unit = span_unit(counts)
    ordered = f"row_number() OVER (ORDER BY {', '.join(reversed(key))})"
    points = _asked(
        engine,
        f"SELECT * FROM (SELECT {', '.join([*key, *values])}, cluster, score, is_anomaly, reason, {ordered} AS place"  # noqa: S608
        f" FROM {table.table} WHERE score IS NOT NULL) WHERE is_anomaly OR mod(place, {step}) = 0 ORDER BY score DESC "
        f" LIMIT {2 * POINTS}",
    )
    spans = _asked(
        engine,
        f"SELECT {', '.join(model.entity)}, date_trunc('{unit}', {model.time}) AS at, max(score) AS score,"  # noqa: S608
        f" count_if(is_anomaly) AS anomalies FROM {table.table}"
        f" GROUP BY {', '.join(model.entity)}, date_trunc('{unit}', {model.time}) ORDER BY at",
    )
    top = _asked(
        engine,
        f"SELECT {', '.join(key)}, score, reason FROM {table.table} WHERE is_anomaly ORDER BY score DESC,"  # noqa: S608
        f" {', '.join(key)} LIMIT {TOP}",
    )
    return Judged(counts, points, spans, top)


def span_unit(counts: Row) -> str:
    """`day`, or `hour` where the table covers two weeks at most."""
    return "day" if counts["last"] - counts["first"] > timedelta(days=14) else "hour"


def _asked(engine: Engine, query: str) -> list[Row]:
    answer = engine.ask(query)
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]
