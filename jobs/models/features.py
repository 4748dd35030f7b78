"""The values a model looks at: read from the input's rows, entered as declared, and brought to one scale."""

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.model import Feature, Model
from store.documents import Document


def judged_rows(rows: DataFrame, model: Model) -> DataFrame:
    """One row per row of the input: entity, time and carried columns, each feature's value double, and
    `_unjudged` string (why the row gets no score, null where it gets one).

    A value that is no number or infinite is missing.
    """
    columns = {**model.carry, **model.entity}
    valued = rows.select(
        *(F.col(name).cast(column.type).alias(name) for name, column in columns.items()),
        F.col(model.time).cast("timestamp").alias(model.time),
        *(_value(name, feature).alias(name) for name, feature in model.features.items()),
        F.expr(model.judged_when or "true").alias("_keeps"),
    )
    missing = [
        F.when(F.col(name).isNull(), F.lit(f"{plain(name)} is missing"))
        for name, feature in model.features.items()
        if feature.nulls == "unjudged"
    ]
    outside = F.when(~F.coalesce("_keeps", F.lit(False)), F.lit(f"needs {model.judged_when}"))
    why = F.concat_ws(", ", outside, *missing)
    return valued.select(
        *columns, model.time, *model.features, F.when(why != "", F.concat(F.lit("not judged: "), why)).alias("_unjudged")
    )


def entered(name: str, feature: Feature) -> Expr:
    """The value as it is compared; null where it is missing and the other values are to speak."""
    value = F.col(name)
    if isinstance(feature.nulls, float):
        value = F.coalesce(value, F.lit(feature.nulls))
    if feature.enters == "log":
        return F.signum(value) * F.log1p(F.abs(value))
    low = value if feature.low is None else F.greatest(value, F.lit(feature.low))
    clipped = low if feature.high is None else F.least(low, F.lit(feature.high))
    return F.when(value.isNotNull(), clipped)


def standardised(model: Model, scales: Document) -> list[Expr]:
    """Each feature in steps of its own scale from its middle; 0 where it is missing."""
    return [
        F.coalesce((entered(name, feature) - F.lit(scales[name]["middle"])) / F.lit(scales[name]["scale"]), F.lit(0.0))
        for name, feature in model.features.items()
    ]


def plain(name: str) -> str:
    """A column's name as words."""
    return name.replace("_", " ")


def _value(name: str, feature: Feature) -> Expr:
    value = F.expr(feature.value or f"`{name}`").cast("double")
    return F.when(~F.isnan(value) & (F.abs(value) != F.lit(float("inf"))), value)
