"""Trains a model with SparkML's KMeans: the only module that imports it; equal rows and an equal declaration give equal bits."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.features import entered, judged_rows, standardised
from jobs.models.scoring import with_scores
from lake.errors import GateError
from lake.model import Model
from store.documents import Document

#: Fewer training rows for each cluster say nothing about what is usual.
ROWS_PER_CLUSTER = 10
#: Quantiles that a feature's scale, middle and bins come from: both spans of a normal distribution are one deviation.
QUANTILES = [0.01, *(tenth / 10 for tenth in range(1, 10)), 0.99]
SPAN_80, SPAN_98 = 2.563, 4.653
#: A cluster tighter than a tenth of a scale is as wide as that: else what lies beside many equal rows would be far.
TIGHTEST = 0.1
ROUNDS = 50


def trained(rows: DataFrame, model: Model, name: str, snapshot: dict[str, Any]) -> Document:
    """The document of a model trained on the input's rows, without when and by which run.

    Raises GateError when there are too few rows.
    """
    with _training_rows(rows, model) as (training, count):
        needed = ROWS_PER_CLUSTER * max(model.ks)
        if count < needed:
            raise GateError(
                f"model {name}: got {count} rows to train on, expected at least {needed}, {ROWS_PER_CLUSTER} a cluster"
            )
        features = scales(training, model)
        fits = [_fit(training, model, features, k) for k in model.ks]
        best = max(fits, key=lambda fit: fit["silhouette"])
        document: Document = {"model": name, "shape": model.shape, "trained_on": snapshot, "rows": count, "features": features}
        document |= {"parameters": _parameters(model, best, fits), "clusters": _clusters(training, model, features, best)}
        document |= _judgement(training, model, document)
        document["metrics"] |= {"silhouette": best["silhouette"], "inertia": best["inertia"]}
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    return {**document, "id": digest.hexdigest()[:16]}


def scales(rows: DataFrame, model: Model) -> Document:
    """Per feature as it enters: `middle` (median), `scale`, and `edges` of its tenths with the `shares` of rows in each.

    The scale is the larger of two quantile spans, each one standard deviation where the values are normal. So one absurd
    reading does not stretch it, as it does a standard deviation, and a value that is mostly 0 has one still.
    """
    quantiles = [
        F.percentile(entered(name, feature), F.array(*map(F.lit, QUANTILES))).alias(name)
        for name, feature in model.features.items()
    ]
    found = _first(rows.agg(*quantiles))
    result: Document = {}
    for name in model.features:
        at = found[name] or [0.0] * len(QUANTILES)
        scale = max((at[9] - at[1]) / SPAN_80, (at[-1] - at[0]) / SPAN_98)
        result[name] = {"middle": at[5], "scale": scale or 1.0, "edges": sorted(set(at[1:-1]))}
    shares = bin_shares(rows, model, {name: each["edges"] for name, each in result.items()})
    return {name: {**each, "shares": shares[name]} for name, each in result.items()}


def bin_shares(rows: DataFrame, model: Model, edges: dict[str, list[float]]) -> dict[str, list[float]]:
    """Per feature the share of rows up to each edge and beyond the last; rows without the value are left out."""
    counts = []
    for name, feature in model.features.items():
        value = entered(name, feature)
        bounds: list[float | None] = [None, *edges[name], None]
        for number, (low, high) in enumerate(pairwise(bounds)):
            inside = _above(value, low) & (F.lit(True) if high is None else value <= F.lit(high))
            counts.append(F.count_if(inside).alias(f"{name} {number}"))
    found = _first(rows.agg(*counts))
    shares = {}
    for name in model.features:
        each = [found[f"{name} {number}"] for number in range(len(edges[name]) + 1)]
        shares[name] = [number / max(sum(each), 1) for number in each]
    return shares


@contextmanager
def _training_rows(rows: DataFrame, model: Model) -> Iterator[tuple[DataFrame, int]]:
    """The judged rows of the window, in the order of the key in one partition, so that every sum has one order; their number."""
    judged = in_window(judged_rows(rows, model).where("_unjudged is null"), model)
    key = [*model.entity, model.time]
    sampled = judged.orderBy(F.xxhash64(F.lit(model.seed), *key), *key).limit(model.max_rows)
    for found in (judged, sampled):
        ordered = found.repartition(1).sortWithinPartitions(*key, *model.features).persist()
        try:
            count = ordered.count()
            if count <= model.max_rows:
                yield ordered, count
                return
        finally:
            ordered.unpersist()


def in_window(judged: DataFrame, model: Model) -> DataFrame:
    """The rows of the declared training window."""
    window, time = model.window, F.col(model.time)
    if window.last_days is not None:
        newest = _first(judged.agg(F.max(model.time).alias("newest")))["newest"]
        return judged if newest is None else judged.where(time > F.lit(newest) - F.make_dt_interval(F.lit(window.last_days)))
    begun = judged if window.from_ is None else judged.where(time >= F.lit(window.from_.isoformat()).cast("timestamp"))
    return begun if window.to is None else begun.where(time < F.lit(window.to.isoformat()).cast("timestamp"))


def silhouette(vectors: DataFrame, cluster: str) -> float:
    """How well two or more clusters of rows with `vector` are apart, -1 to 1."""
    from pyspark.ml.evaluation import ClusteringEvaluator

    return float(ClusteringEvaluator(featuresCol="vector", predictionCol=cluster).evaluate(vectors))


def vectors(rows: DataFrame, model: Model, features: Document) -> DataFrame:
    """The rows with their standardised values as `vector`."""
    from pyspark.ml.functions import array_to_vector

    return rows.withColumn("vector", array_to_vector(F.array(*standardised(model, features))))


def _fit(training: DataFrame, model: Model, features: Document, k: int) -> Document:
    """Centres, inertia and silhouette of one clustering."""
    from pyspark.ml.clustering import KMeans

    rows = vectors(training, model, features)
    fitted = KMeans(k=k, seed=model.seed, maxIter=ROUNDS, featuresCol="vector").fit(rows)
    is_one = sum(size > 0 for size in fitted.summary.clusterSizes) < 2
    quality = 0.0 if is_one else silhouette(fitted.transform(rows), "prediction")
    centres = [[float(value) for value in centre] for centre in fitted.clusterCenters()]
    return {"k": k, "silhouette": quality, "inertia": float(fitted.summary.trainingCost), "centres": centres}


def _parameters(model: Model, best: Document, fits: list[Document]) -> Document:
    tried = [{name: fit[name] for name in ("k", "silhouette", "inertia")} for fit in fits]
    window = model.window.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "k": best["k"],
        "tried": tried,
        "seed": model.seed,
        "threshold": model.threshold,
        "rare_share": model.rare_share,
        "window": window,
        "max_rows": model.max_rows,
    }


def _clusters(training: DataFrame, model: Model, features: Document, fit: Document) -> list[Document]:
    """The clusters, the largest first: centre, rows, share, spread, whether rare, and the usual value of each feature.

    The spread is the median distance of the members to the centre, or half the distance that nine in ten keep to: the
    median of a cluster of equal rows is nothing, though it has others too.
    """
    bare = {"features": features, "clusters": [{"centre": c, "spread": 1.0, "is_rare": False} for c in fit["centres"]]}
    members = with_scores(training, model, bare)
    usual = [F.median(name).alias(f"usual {name}") for name in model.features]
    spread = F.greatest(F.median("score"), F.percentile("score", F.lit(0.9)) / 2, F.lit(TIGHTEST)).alias("spread")
    found = {
        row["cluster"]: row for row in members.groupBy("cluster").agg(F.count("*").alias("rows"), spread, *usual).collect()
    }
    total = sum(row["rows"] for row in found.values())
    ordered = sorted(found, key=lambda number: (-found[number]["rows"], fit["centres"][number]))
    return [
        {
            "centre": fit["centres"][number],
            "rows": found[number]["rows"],
            "share": found[number]["rows"] / total,
            "spread": found[number]["spread"],
            "is_rare": number != ordered[0] and found[number]["rows"] / total < model.rare_share,
            "usual": {name: found[number][f"usual {name}"] for name in model.features},
        }
        for number in ordered
    ]


def _judgement(training: DataFrame, model: Model, document: Document) -> Document:
    """The threshold, and the share of the training rows above it."""
    members = with_scores(training, model, document)
    threshold = _first(members.agg(F.percentile("score", F.lit(model.threshold)).alias("at")))["at"]
    flagged = _first(members.agg(F.count_if(F.col("score") > F.lit(threshold)).alias("rows")))["rows"]
    return {"threshold": threshold, "metrics": {"share_flagged": flagged / document["rows"]}}


def _above(value: Expr, low: float | None) -> Expr:
    return value.isNotNull() if low is None else value > F.lit(low)


def _first(frame: DataFrame) -> dict[str, Any]:
    row = frame.first()
    assert row is not None
    return row.asDict()
