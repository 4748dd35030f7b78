"""Scores rows with a trained model: native expressions over its document, nothing of the machine learning library."""

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.features import judged_rows, standardised
from jobs.models.reasons import reason
from lake.model import Model
from store.documents import Document


def scored(rows: DataFrame, model: Model, document: Document) -> DataFrame:
    """One row per row of the input: entity, time, carried columns and features; cluster int; score double, the distance to
    the nearest cluster that is not rare in typical distances of its members; is_anomaly boolean; threshold double;
    reason string; model string. Cluster, score and is_anomaly are null where the row is not judged.
    """
    measured = with_scores(judged_rows(rows, model), model, document)
    is_anomaly = F.col("score") > F.lit(document["threshold"])
    near, usual = F.col("_near"), usual_clusters(document)
    centre = [_at([cluster["centre"][i] for cluster in usual], near) for i in range(len(model.features))]
    square = F.nullif(F.col("_distance") * F.col("_distance"), F.lit(0.0))
    shares = [
        F.coalesce(F.try_divide(F.pow(F.col("_z")[i] - middle, F.lit(2.0)), square), F.lit(0.0))
        for i, middle in enumerate(centre)
    ]
    why = F.when(is_anomaly, reason(model, shares, usual, near)).otherwise(F.col("_unjudged"))
    return measured.select(
        *model.carry,
        *model.entity,
        model.time,
        *model.features,
        "cluster",
        "score",
        is_anomaly.alias("is_anomaly"),
        F.lit(document["threshold"]).cast("double").alias("threshold"),
        why.alias("reason"),
        F.lit(document["id"]).alias("model"),
    )


def with_scores(judged: DataFrame, model: Model, document: Document) -> DataFrame:
    """The rows with `_z` array of standardised values, `cluster`, `_near` (position among the usual clusters), `_distance`
    to it and `score`; null where the row is not judged.
    """
    clusters, usual = document["clusters"], usual_clusters(document)
    z = F.when(F.col("_unjudged").isNull(), F.array(*standardised(model, document["features"])))
    apart = judged.withColumn("_z", z).withColumn("_all", _distances(clusters))
    nearest = apart.withColumn("cluster", _position(F.col("_all")) - 1)
    among = F.array(*(F.element_at("_all", clusters.index(cluster) + 1) for cluster in usual))
    near = nearest.withColumn("_usual", F.when(F.col("_z").isNotNull(), among)).withColumn("_near", _position(F.col("_usual")))
    distance = near.withColumn("_distance", F.array_min("_usual"))
    return distance.withColumn("score", F.col("_distance") / _at([cluster["spread"] for cluster in usual], F.col("_near")))


def usual_clusters(document: Document) -> list[Document]:
    """The clusters that are not rare: what rows are measured from."""
    return [cluster for cluster in document["clusters"] if not cluster["is_rare"]]


def _distances(clusters: list[Document]) -> Expr:
    """Euclidean distance of `_z` to each centre."""
    each = []
    for cluster in clusters:
        squares = [F.pow(F.col("_z")[i] - F.lit(middle), F.lit(2.0)) for i, middle in enumerate(cluster["centre"])]
        each.append(F.sqrt(sum(squares[1:], squares[0])))
    return F.when(F.col("_z").isNotNull(), F.array(*each))


def _position(distances: Expr) -> Expr:
    """Position from 1 of the smallest, the first among equals."""
    return F.array_position(distances, F.array_min(distances)).cast("int")


def _at(numbers: list[float], position: Expr) -> Expr:
    return F.element_at(F.array(*(F.lit(float(number)) for number in numbers)), position)
