"""Why a row is an anomaly, in words: the values that make most of its distance, what is usual, and the unit."""

from pyspark.sql import Column as Expr
from pyspark.sql import functions as F

from jobs.models.features import plain
from lake.model import Model
from store.documents import Document

#: A value is named when it makes at least this share of the squared distance; the largest always is.
NAMED_SHARE, NAMED = 0.2, 3


def reason(model: Model, shares: list[Expr], usual: list[Document], near: Expr) -> Expr:
    """The values by their share of the squared distance, such as `wind speed 1,048.4 miles per hour (usually 9.2)`.

    `near` is the position from 1 among the `usual` clusters of the one that the row is measured from.
    """
    parts = []
    for share, (name, feature) in zip(shares, model.features.items(), strict=True):
        typical = F.element_at(F.array(*(F.lit(cluster["usual"][name]) for cluster in usual)), near)
        value, normal = (F.format_number(number, feature.digits) for number in (F.col(name), typical))
        text = F.concat(F.lit(f"{plain(name)} "), value, F.lit(f" {feature.unit} (usually "), normal, F.lit(")"))
        parts.append(F.struct((-share).alias("share"), text.alias("text")))
    ordered = F.slice(F.array_sort(F.array(*parts)), 1, NAMED)
    first = F.element_at(ordered, 1)["share"]
    named = F.filter(ordered, lambda part: (part["share"] <= F.greatest(first, F.lit(-NAMED_SHARE))) & part["text"].isNotNull())
    return F.array_join(F.transform(named, lambda part: part["text"]), "; ")
