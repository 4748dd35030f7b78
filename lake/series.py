"""Series that a detector watches: which column of which table, per whom, how sensitive, and the table of its judgements."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration, checked_name
from lake.errors import UsageError
from lake.expectations import Expectation
from lake.freshness import FORM, Promise, checked_promise, promised
from lake.tables import Refined, Table, TableColumn, long_form

#: Columns that every detector's table has beside those declared.
JUDGED = ("score", "flag", "threshold", "view", "usual", "came", "reason")
#: Modules of jobs/series that decide what a detector's table holds.
JUDGING_CODE = (
    "alerting.py",
    "fitting.py",
    "judging.py",
    "lloyd.py",
    "packing.py",
    "points.py",
    "reasons.py",
    "rows.py",
    "setting.py",
    "tasks.py",
    "track.py",
    "tracks.py",
    "views.py",
)


class SeriesValue(Declaration):
    """One number that is watched."""

    unit: str = Field(description="in words as reasons show it, such as `minutes`")
    value: str | None = Field(
        default=None, description="Spark SQL expression over the input's row; the column of the value's name when left out"
    )
    digits: int = Field(default=1, ge=0, le=9, description="decimals that reasons show")
    description: str | None = Field(default=None, description="what the value means")


class SeriesModel(Declaration):
    """A detector that flags the unusual points of series as they come, and the table of its judgements."""

    kind: Literal["series"] = Field(description="a detector of unusual points in series")
    description: str = Field(description="one sentence that begins with the grain of its table: `One row per ...`")
    input: str = Field(description="name of a source (its trusted table) or of a refined table")
    entity: dict[str, TableColumn] = Field(
        default={}, description="columns that say whose series it is -> type; when left out the table is one series"
    )
    time: str = Field(description="timestamp column by which a series is ordered; with the entity the key")
    values: dict[str, SeriesValue] = Field(
        min_length=1, description="numbers that are watched; several are watched together, so that a broken relation is found"
    )
    period: str = Field(
        default="1 day", description=f"after which a series resembles itself, {FORM}; `none` where it never does"
    )
    learn: int = Field(default=150, ge=30, le=3000, description="points at the beginning of a series that are not judged")
    threshold: float = Field(default=0.6, gt=0, le=3, description="score from which a point is flagged; lower flags more")
    rest: int = Field(default=30, ge=0, description="points after an alert in which no other is given; a burst is one alert")
    memory: float = Field(
        default=0.1, ge=0, le=10, description="share by which each past alert, slowly forgotten, raises the threshold"
    )
    calm: float = Field(
        default=0.5, ge=0, le=10, description="how much the usual score of a restless series raises its threshold"
    )
    rare_share: float = Field(
        default=0, ge=0, lt=0.5, description="clusters with a smaller share of the history are not usual; 0 takes all as usual"
    )
    k: int = Field(default=20, ge=1, le=100, description="clusters of each view")
    refit_every: int = Field(default=500, ge=50, description="points after which the clusters are found anew at the latest")
    views: list[Literal["value", "shape10", "scales", "clock", "dayago", "spread48", "local48", "together"]] | None = Field(
        default=None, min_length=1, description="how the series is looked at; all that it allows when left out"
    )
    fit: Literal["group", "sparkml"] = Field(
        default="group",
        description="who fits the clusters: group, within the task that has the series; sparkml, one job per refit, for few series",
    )
    seed: int = Field(default=1, ge=0, description="of the first centres and of samples")
    expectations: list[Expectation] = Field(default=[], description="rules that the table must keep; the key is unique anyway")
    max_shrink: float = Field(
        default=0.5, ge=0, le=1, description="share of rows a rebuild may lose without a person's consent"
    )
    fresh_within: Promise | None = Field(default=None, description=f"the table's promise, {FORM}")

    @field_validator("entity", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return long_form(value)

    @field_validator("period")
    @classmethod
    def _is_period(cls, value: str) -> str:
        return value if value == "none" else checked_promise(value)

    @model_validator(mode="after")
    def _names_agree(self) -> "SeriesModel":
        names = [*self.entity, self.time, *self.values]
        for name in names:
            checked_name(name)
            if name in JUDGED or names.count(name) > 1:
                raise ValueError(
                    f"{name}: stands twice; each column has one meaning, and {', '.join(JUDGED)} are the detector's own"
                )
        return self

    @property
    def key(self) -> list[str]:
        """Columns that identify a point."""
        return [*self.entity, self.time]

    @property
    def period_seconds(self) -> int | None:
        """Length of the period; None where there is none."""
        return None if self.period == "none" else int(promised(self.period).total_seconds())

    @property
    def facts(self) -> dict[str, Any]:
        """What decides how the table looks."""
        return self.model_dump(mode="json", exclude={"description", "fresh_within"})


def check_watched(where: str, series: SeriesModel, columns: dict[str, str]) -> None:
    """See that the input has the columns that a detector names, of types that it can watch.

    Raises UsageError for the first that it has not.
    """
    numbers = [name for name, type_ in columns.items() if type_ not in ("string", "boolean", "date", "timestamp")]
    instants = [name for name, type_ in columns.items() if type_ in ("date", "timestamp")]
    asked = [*(("entity", name, list(columns)) for name in series.entity), ("time", series.time, instants)]
    asked += [(f"values.{name}", name, numbers) for name, each in series.values.items() if each.value is None]
    for key, name, fitting in asked:
        if name not in fitting:
            came = f"{name}, which is {columns[name]}" if name in columns else repr(name)
            kind = {"entity": "a column", "time": "a date or timestamp"}.get(key, "a number, or an expression as `value`,")
            listed = ", ".join(fitting) or "which has none"
            raise UsageError(f"{where}: {key}: got {came}, expected {kind} of {series.input}: {listed}")


def series_table(name: str, series: SeriesModel, code: str) -> Refined:
    """The table of a detector as planning sees it."""
    return Refined(name, _contract(series), (series.input,), code, series=series)


def _contract(series: SeriesModel) -> Table:
    values = {
        name: TableColumn(type="double", description=f"{each.description}, {each.unit}" if each.description else each.unit)
        for name, each in series.values.items()
    }
    columns = {
        **series.entity,
        series.time: TableColumn(type="timestamp", description="UTC"),
        **values,
        "score": TableColumn(
            type="double", description="how far from usual, 0 to 3, mean over the views; null where the point is not judged"
        ),
        "flag": TableColumn(type="int", description="-1 not judged yet, 0 usual or within the rest after an alert, 1 alert"),
        "threshold": TableColumn(type="double", description="score from which this point was an alert"),
        "view": TableColumn(type="string", description="the view that found it least usual"),
        "usual": TableColumn(type="double", description="what that view knew nearest to it, in the unit of the value"),
        "came": TableColumn(type="double", description="what came instead"),
        "reason": TableColumn(type="string", description="the same in words, of an alert; null elsewhere"),
    }
    return Table(
        description=series.description,
        key=series.key,
        columns=columns,
        expectations=series.expectations,
        partition=None,
        max_shrink=series.max_shrink,
        fresh_within=series.fresh_within,
    )
