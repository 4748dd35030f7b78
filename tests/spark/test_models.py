"""What a model does with rows: how values enter, what is far, what is rare, why, and when a new one takes over."""

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.models.features import judged_rows, standardised
from jobs.models.promotion import Check, centroid_shift, checks, drift, population_stability, verdict
from jobs.models.scoring import scored
from jobs.models.training import bin_shares, scales, trained
from lake.errors import GateError
from lake.model import Model
from lake.settings import HOME

SNAPSHOT = {"table": "trusted.readings", "number": 1, "snapshot": 1}
#: Two usual clusters of one value, apart by 10, and a rare one.
DOCUMENT: dict[str, Any] = {
    "id": "m1",
    "features": {"heat": {"middle": 0.0, "scale": 2.0}, "wind": {"middle": 10.0, "scale": 5.0}},
    "clusters": [
        {"centre": [0.0, 0.0], "spread": 0.5, "is_rare": False, "usual": {"heat": 0.3, "wind": 10.0}},
        {"centre": [5.0, 0.0], "spread": 1.0, "is_rare": False, "usual": {"heat": 9.5, "wind": 11.0}},
        {"centre": [5.0, 8.0], "spread": 1.0, "is_rare": True, "usual": {"heat": 10.0, "wind": 50.0}},
    ],
    "threshold": 3.0,
}


def declared(**keys: Any) -> Model:
    features = {"heat": {"unit": "K"}, "wind": {"unit": "miles per hour", "nulls": "usual"}}
    plain = {
        "description": "One row.",
        "input": "readings",
        "entity": {"sensor": "string"},
        "time": "at",
        "features": features,
        "k": 2,
    }
    return Model.model_validate({**plain, **keys})


def readings(spark: SparkSession, rows: Iterable[tuple[Any, Any]]) -> DataFrame:
    """Readings of one sensor, one a minute."""
    minutes = [("a", 60 * number, *row) for number, row in enumerate(rows)]
    frame = spark.createDataFrame(minutes, "sensor string, at bigint, heat double, wind double")
    return frame.selectExpr("sensor", "timestamp_seconds(at) as at", "heat", "wind")


def two_groups(spark: SparkSession, far: float = 100.0) -> DataFrame:
    """Forty rows about 0 and forty about 100, each a little apart, and one far from both."""
    near = [(float(number % 5), float(number % 7)) for number in range(40)]
    return readings(spark, [*near, *((heat + 100.0, wind + 40.0) for heat, wind in near), (50.0, far)])


def of(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.orderBy("at").select(*columns).collect()]


def test_values_enter_as_is_by_logarithm_or_clipped(spark: SparkSession) -> None:
    features = {
        "heat": {"unit": "K", "enters": "log"},
        "wind": {"unit": "mph", "enters": "clipped", "low": -1, "high": 2, "nulls": 7},
    }
    model = declared(features=features)
    plain = {name: {"middle": 0.0, "scale": 1.0} for name in features}
    rows = judged_rows(readings(spark, [(0.0, 1.5), (-1.718281828459045, 9.0), (1.718281828459045, None)]), model)
    found = of(
        rows.select("at", *(z.alias(name) for name, z in zip(features, standardised(model, plain), strict=True))), *features
    )
    assert [heat for heat, _ in found] == pytest.approx([0.0, -1.0, 1.0])
    assert [wind for _, wind in found] == [1.5, 2.0, 2.0]


def test_a_row_that_cannot_be_judged_says_why(spark: SparkSession) -> None:
    rows = readings(spark, [(1.0, 1.0), (None, 1.0), (float("nan"), 1.0), (1.0, None), (None, -1.0)])
    told = [why for (why,) in of(judged_rows(rows, declared(judged_when="wind is null or wind >= 0")), "_unjudged")]
    outside = "not judged: needs wind is null or wind >= 0, heat is missing"
    assert told == [None, "not judged: heat is missing", "not judged: heat is missing", None, outside]


def test_the_scale_is_that_of_most_rows_whatever_one_of_them_says(spark: SparkSession) -> None:
    steady = [(float(number % 11), 0.0) for number in range(220)]
    calm = scales(judged_rows(readings(spark, steady), declared()), declared())
    wild = scales(judged_rows(readings(spark, [*steady, (1e9, 0.0)]), declared()), declared())
    assert wild["heat"]["scale"] == pytest.approx(calm["heat"]["scale"], rel=0.02)
    assert (calm["heat"]["middle"], calm["wind"]["scale"]) == (5.0, 1.0)


def test_a_value_that_is_mostly_zero_has_a_scale(spark: SparkSession) -> None:
    rows = readings(spark, [(0.0, 0.0)] * 95 + [(50.0, 0.0)] * 5)
    assert scales(judged_rows(rows, declared()), declared())["heat"]["scale"] == pytest.approx(50 / 4.653)


def test_the_shares_of_tenths_add_up_also_where_values_repeat(spark: SparkSession) -> None:
    model = declared()
    found = scales(judged_rows(readings(spark, [(0.0, 1.0)] * 8 + [(1.0, None), (2.0, 1.0)]), model), model)
    assert found["heat"]["shares"] == [0.8, 0.0, 0.1, 0.1]
    assert found["wind"] == {"middle": 1.0, "scale": 1.0, "edges": [1.0], "shares": [1.0, 0.0]}


def test_the_score_is_the_distance_in_typical_distances_of_the_nearest_cluster(spark: SparkSession) -> None:
    rows = scored(readings(spark, [(1.0, 10.0), (10.0, 20.0)]), declared(), DOCUMENT)
    assert of(rows, "cluster", "score", "is_anomaly", "threshold", "model") == [
        (0, 1.0, False, 3.0, "m1"),
        (1, 2.0, False, 3.0, "m1"),
    ]


def test_a_row_of_a_rare_cluster_is_measured_from_one_that_is_not(spark: SparkSession) -> None:
    (row,) = of(scored(readings(spark, [(10.0, 50.0)]), declared(), DOCUMENT), "cluster", "score", "is_anomaly", "reason")
    assert row == (2, 8.0, True, "wind 50.0 miles per hour (usually 11.0)")


def test_a_missing_value_lets_the_others_speak(spark: SparkSession) -> None:
    (row,) = of(scored(readings(spark, [(-1234.5, None)]), declared(), DOCUMENT), "score", "reason")
    assert row == (1234.5, "heat -1,234.5 K (usually 0.3)")


def test_the_reason_names_the_values_that_count_the_largest_first(spark: SparkSession) -> None:
    (both, one) = of(scored(readings(spark, [(-4.0, 25.0), (-1.0, 30.0)]), declared(), DOCUMENT), "reason")
    assert both == ("wind 25.0 miles per hour (usually 10.0); heat -4.0 K (usually 0.3)",)
    assert one == ("wind 30.0 miles per hour (usually 10.0)",)


def test_a_row_that_is_not_judged_has_no_score_and_a_usual_one_no_reason(spark: SparkSession) -> None:
    rows = scored(readings(spark, [(None, 1.0), (0.0, 10.0)]), declared(), DOCUMENT)
    unjudged, usual = of(rows, "cluster", "score", "is_anomaly", "reason")
    assert unjudged == (None, None, None, "not judged: heat is missing")
    assert usual == (0, 0.0, False, None)


def test_equal_rows_in_any_order_and_partitioning_train_the_same_model(spark: SparkSession) -> None:
    rows = two_groups(spark)
    first = trained(rows, declared(k=3), "m", SNAPSHOT)
    again = trained(rows.orderBy("wind").repartition(5), declared(k=3), "m", SNAPSHOT)
    assert first == again
    assert len(first["id"]) == 16


def test_a_trained_model_tells_large_clusters_from_rare_ones(spark: SparkSession) -> None:
    found = trained(two_groups(spark), declared(k=3, threshold=0.99), "m", SNAPSHOT)
    assert [(cluster["rows"], cluster["is_rare"]) for cluster in found["clusters"]] == [(40, False), (40, False), (1, True)]
    assert {cluster["usual"]["heat"] for cluster in found["clusters"]} == {2.0, 102.0, 50.0}
    rows = scored(two_groups(spark), declared(k=3), found)
    assert [at for (at,) in of(rows.where("is_anomaly"), "heat")] == [50.0]
    assert found["metrics"]["share_flagged"] == pytest.approx(1 / 81)


def test_the_number_of_clusters_with_the_best_silhouette_is_taken(spark: SparkSession) -> None:
    found = trained(two_groups(spark, far=20.0), declared(k=None, search={"from": 2, "to": 3}), "m", SNAPSHOT)
    tried = found["parameters"]["tried"]
    assert [fit["k"] for fit in tried] == [2, 3]
    assert found["parameters"]["k"] == max(tried, key=lambda fit: fit["silhouette"])["k"]


def test_only_the_window_is_trained_on(spark: SparkSession) -> None:
    until = declared(window={"to": "1970-01-01T00:40:00"})
    assert trained(two_groups(spark), until, "m", SNAPSHOT)["rows"] == 40
    with pytest.raises(GateError, match="model m: got 1 rows to train on, expected at least 20"):
        trained(two_groups(spark), declared(window={"from": "1970-01-01T01:20:00"}), "m", SNAPSHOT)


def test_a_large_set_is_sampled_the_same_way_each_time(spark: SparkSession) -> None:
    rows = readings(spark, [(float(number % 13), float(number % 17)) for number in range(150)])
    first, again = (trained(each, declared(max_rows=100), "m", SNAPSHOT) for each in (rows, rows.repartition(3)))
    assert (first["rows"], first) == (100, again)


def test_a_new_model_takes_over_when_it_is_no_worse_and_flags_about_as_promised() -> None:
    old = Check(silhouette=0.6, share_flagged=0.01)
    assert verdict(Check(0.59, 0.012), old, 0.99).is_promoted
    worse = verdict(Check(0.5, 0.01), old, 0.99)
    assert (worse.is_promoted, worse.why) == (False, "its silhouette on the check is 0.500, that of the promoted one 0.600")
    loud = verdict(Check(0.9, 0.05), old, 0.99)
    assert (loud.is_promoted, loud.why) == (False, "it flags 5.00% of the rows, expected 0.25% to 4.00%")
    assert not verdict(Check(0.9, 0.0), old, 0.99).is_promoted


def test_both_models_are_checked_on_the_same_rows(spark: SparkSession) -> None:
    rows, model = two_groups(spark), declared()
    fits = [trained(rows, declared(k=k, threshold=0.95), "m", SNAPSHOT) for k in (2, 8)]
    good, split = checks(rows, model, fits)
    assert good.silhouette > 0.9 > split.silhouette
    assert [check.share_flagged for check in checks(rows, model, fits[::-1])] == [split.share_flagged, good.share_flagged]


def test_drift_tells_how_far_the_clusters_moved_and_which_value_changed(spark: SparkSession) -> None:
    model, before = declared(), two_groups(spark)
    after = before.selectExpr("sensor", "at", "heat + 30 as heat", "wind")
    old, new = (trained(rows, model, "m", SNAPSHOT) for rows in (before, after))
    assert centroid_shift(old, old) == 0.0
    moved = drift(after, model, new, old)
    assert moved["centroid_shift"] == pytest.approx(30 / old["features"]["heat"]["scale"], rel=0.1)
    assert moved["population_stability"]["heat"] > 0.25 > 0.1 > moved["population_stability"]["wind"]


def test_the_stability_index_is_zero_for_equal_shares_and_finite_for_an_empty_bin() -> None:
    assert population_stability([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert population_stability([0.5, 0.5], [0.6, 0.4]) == pytest.approx(0.1 * 0.182321557 + 0.1 * 0.223143551)
    assert 1 < population_stability([1.0, 0.0], [0.0, 1.0]) < 20


def test_a_job_without_a_model_to_train_does_without_the_machine_learning_library() -> None:
    look = "import sys, jobs.run, jobs.models.scoring; print('pyspark.ml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=HOME, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_bins_leave_missing_values_out(spark: SparkSession) -> None:
    rows = judged_rows(readings(spark, [(1.0, None), (3.0, 4.0)]), declared())
    assert bin_shares(rows, declared(), {"heat": [2.0], "wind": [2.0]}) == {"heat": [0.5, 0.5], "wind": [0.0, 1.0]}
