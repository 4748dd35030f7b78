"""Whether a new model may take over from the promoted one: a check on the same rows in the same space, and its drift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.features import judged_rows
from jobs.models.scoring import with_scores
from jobs.models.training import bin_shares, in_window, scales, silhouette, vectors
from lake.model import Model
from store.documents import Document

#: Rows whose silhouette is compared: those with the smallest hashes of their keys, whatever was declared.
CHECK_ROWS = 5_000
#: How much less a new silhouette may be, and how far the flagged share may be from what the threshold promises.
TOLERANCE, BOUNDS = 0.02, (0.25, 4.0)
#: A share that an empty bin counts as, so that its stability index is finite.
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Check:
    """How a model does on the check: silhouette in the rows' own scale, and share of all judged rows that it flags."""

    silhouette: float
    share_flagged: float


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be promoted, and why (not)."""

    is_promoted: bool
    why: str


def verdict(new: Check, old: Check, threshold: float) -> Verdict:
    """No worse than the promoted model, and flagging about as much as its threshold promises."""
    promised = 1 - threshold
    low, high = (promised * bound for bound in BOUNDS)
    if not low <= new.share_flagged <= high:
        return Verdict(False, f"it flags {new.share_flagged:.2%} of the rows, expected {low:.2%} to {high:.2%}")
    told = f"its silhouette on the check is {new.silhouette:.3f}, that of the promoted one {old.silhouette:.3f}"
    return Verdict(new.silhouette >= old.silhouette - TOLERANCE, told)


def checks(rows: DataFrame, model: Model, documents: Sequence[Document]) -> list[Check]:
    """How each model does on the same rows, in a scale that belongs to none of them."""
    key = [*model.entity, model.time]
    judged = judged_rows(rows, model).where("_unjudged is null").persist()
    sample = judged.orderBy(F.xxhash64(*key), *key).limit(CHECK_ROWS).repartition(1).sortWithinPartitions(*key).persist()
    try:
        space = scales(sample, model)
        return [_check(judged, sample, model, document, space) for document in documents]
    finally:
        sample.unpersist()
        judged.unpersist()


def _check(judged: DataFrame, sample: DataFrame, model: Model, document: Document, space: Document) -> Check:
    is_flagged = (F.col("score") > F.lit(document["threshold"])).cast("int")
    flagged = with_scores(judged, model, document).agg(F.avg(is_flagged)).first()
    placed = vectors(with_scores(sample, model, document), model, space)
    is_one = placed.select("cluster").distinct().count() < 2
    return Check(0.0 if is_one else silhouette(placed, "cluster"), float(flagged[0] or 0.0) if flagged else 0.0)


def drift(rows: DataFrame, model: Model, new: Document, old: Document) -> Document:
    """How far the clusters moved, in steps of the old scales, and per feature how its distribution changed."""
    training = in_window(judged_rows(rows, model).where("_unjudged is null"), model)
    now = bin_shares(training, model, {name: each["edges"] for name, each in old["features"].items()})
    stability = {name: population_stability(old["features"][name]["shares"], shares) for name, shares in now.items()}
    return {"centroid_shift": centroid_shift(old, new), "population_stability": stability}


def population_stability(before: Sequence[float], now: Sequence[float]) -> float:
    """The population stability index, sum of (now - before) ln(now / before): below 0.1 steady, above 0.25 another population."""
    pairs = [(max(b, LEAST_SHARE), max(n, LEAST_SHARE)) for b, n in zip(before, now, strict=True)]
    return sum((n - b) * math.log(n / b) for b, n in pairs)


def centroid_shift(old: Document, new: Document) -> float:
    """Mean distance from each new centre to the nearest old one in steps of the old scales, weighted by the new shares."""
    names = list(old["features"])

    def placed(cluster: Document, features: Document) -> list[float]:
        return [
            (z * features[name]["scale"] + features[name]["middle"] - old["features"][name]["middle"])
            / old["features"][name]["scale"]
            for z, name in zip(cluster["centre"], names, strict=True)
        ]

    before = [placed(cluster, old["features"]) for cluster in old["clusters"]]
    moved = [min(math.dist(placed(cluster, new["features"]), centre) for centre in before) for cluster in new["clusters"]]
    return sum(float(cluster["share"]) * distance for cluster, distance in zip(new["clusters"], moved, strict=True))
