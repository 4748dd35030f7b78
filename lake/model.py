"""Models that mark anomalies: what one is made from, how each value enters, and when it is retrained or kept."""

import hashlib
import json
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration, checked_name
from lake.expectations import Expectation
from lake.freshness import FORM, Promise
from lake.tables import TableColumn, long_form

#: Columns that every model's table has beside those declared.
JUDGED = ("cluster", "score", "is_anomaly", "threshold", "reason", "model")
#: Keys that matter when a model is trained, and no more once it is there.
TRAINING = {"k", "search", "threshold", "rare_share", "window", "seed", "max_rows"}


class Feature(Declaration):
    """One value that a model looks at."""

    unit: str = Field(description="in words as reasons show it, such as `minutes`")
    value: str | None = Field(
        default=None, description="Spark SQL expression over the input's row; the column of the feature's name when left out"
    )
    enters: Literal["as_is", "log", "clipped"] = Field(
        default="as_is",
        description="how the value is compared: as_is; log: ln(1 + size) with its sign, for values over many magnitudes; "
        "clipped: between `low` and `high`. The table and its reasons show the value itself",
    )
    low: float | None = Field(default=None, description="for clipped: what is smaller counts as this")
    high: float | None = Field(default=None, description="for clipped: what is larger counts as this")
    nulls: Literal["unjudged", "usual"] | float = Field(
        default="unjudged",
        description="a missing value: unjudged leaves the row without a score; usual lets the other values speak; a number stands for it",
    )
    digits: int = Field(default=1, ge=0, le=9, description="decimals that reasons show")
    description: str | None = Field(default=None, description="what the value means")

    @model_validator(mode="after")
    def _clips(self) -> "Feature":
        if (self.enters == "clipped") != (self.low is not None or self.high is not None):
            raise ValueError("low and high belong to `enters: clipped`, which needs one of them or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low: got {self.low:g}, expected less than high, {self.high:g}")
        return self


class Clusters(Declaration):
    """Numbers of clusters to try: the one with the best silhouette is taken."""

    from_: int = Field(alias="from", ge=2, description="fewest clusters tried")
    to: int = Field(le=50, description="most clusters tried")

    @model_validator(mode="after")
    def _ordered(self) -> "Clusters":
        if self.to < self.from_:
            raise ValueError(f"to: got {self.to}, expected {self.from_} or more")
        return self


class Training(Declaration):
    """Which rows a model is trained on, by its time column."""

    from_: date | datetime | None = Field(default=None, alias="from", description="the first day or instant (UTC)")
    to: date | datetime | None = Field(default=None, description="where it ends, itself not included (UTC)")
    last_days: int | None = Field(default=None, ge=1, description="so many days up to the newest row instead")

    @model_validator(mode="after")
    def _one_kind(self) -> "Training":
        if self.last_days is not None and (self.from_ or self.to):
            raise ValueError("last_days stands alone; from and to are another way to say it")
        return self


class Model(Declaration):
    """A model that marks anomalies with k-means, and the table of its judgements."""

    kind: Literal["rows"] = Field(default="rows", description="a model of rows, each judged by itself; the default")
    description: str = Field(description="one sentence that begins with the grain of its table: `One row per ...`")
    input: str = Field(description="name of a source (its trusted table) or of a refined table")
    entity: dict[str, TableColumn] = Field(description="columns that say whose row it is -> type; with `time` the key")
    time: str = Field(description="timestamp column of the row; with the entity the key")
    carry: dict[str, TableColumn] = Field(default={}, description="other columns that come along -> type")
    partition: str | None = Field(
        default=None, description="entity or carried column by which only the pieces that changed are scored again"
    )
    features: dict[str, Feature] = Field(min_length=1, description="name of a value -> what it is")
    judged_when: str | None = Field(
        default=None, description="condition in Spark SQL over the input's row; a row that does not keep it gets no score"
    )
    k: int | None = Field(default=None, ge=2, le=50, description="number of clusters; or `search` it")
    search: Clusters | None = Field(default=None, description="numbers of clusters to choose from, in place of `k`")
    threshold: float = Field(
        default=0.99, gt=0.5, lt=1, description="quantile of the training scores above which a row is an anomaly"
    )
    rare_share: float = Field(
        default=0.05,
        ge=0,
        lt=0.5,
        description="a cluster with a smaller share of the training rows is rare: its rows are measured from the clusters that are not",
    )
    window: Training = Field(default=Training(), description="which rows it is trained on; all when left out")
    seed: int = Field(default=1, description="of the first centres and of the sample")
    max_rows: int = Field(default=200_000, ge=100, description="larger training sets are sampled, by a hash of the key")
    expectations: list[Expectation] = Field(default=[], description="rules that the table must keep; the key is unique anyway")
    max_shrink: float = Field(
        default=0.5, ge=0, le=1, description="share of rows a rebuild may lose without a person's consent"
    )
    fresh_within: Promise | None = Field(default=None, description=f"the table's promise, {FORM}")

    @field_validator("entity", "carry", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return long_form(value)

    @model_validator(mode="after")
    def _k_or_search(self) -> "Model":
        if (self.k is None) == (self.search is None):
            raise ValueError("k, search: expected one of them: a number of clusters, or {from, to} to choose it by silhouette")
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> "Model":
        names = [*self.entity, self.time, *self.carry, *self.features]
        for name in names:
            checked_name(name)
            if name in JUDGED or names.count(name) > 1:
                raise ValueError(
                    f"{name}: stands twice; each column has one meaning, and {', '.join(JUDGED)} are the model's own"
                )
        if self.partition is not None and self.partition not in {*self.entity, *self.carry}:
            raise ValueError(f"partition: got {self.partition!r}, expected one of {', '.join([*self.entity, *self.carry])}")
        return self

    @property
    def ks(self) -> list[int]:
        """The numbers of clusters to try."""
        return list(range(self.search.from_, self.search.to + 1)) if self.search else [self.k or 2]

    @property
    def shape(self) -> str:
        """Hash of what a trained model must have in common with the declaration to score by it."""
        features = {
            name: feature.model_dump(mode="json", exclude={"unit", "digits", "description"})
            for name, feature in self.features.items()
        }
        return _hash({"input": self.input, "judged_when": self.judged_when, "features": features})

    @property
    def facts(self) -> dict[str, Any]:
        """What decides how the table looks, given a trained model."""
        return self.model_dump(mode="json", by_alias=True, exclude={*TRAINING, "kind", "description", "fresh_within"})


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
