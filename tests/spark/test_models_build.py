"""A model's table through the lake's own zones: trained once, scored as inputs change, retrained when a person asks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.models.keeping import Trained, train
from lake import paths
from lake.errors import LockedError, UsageError
from lake.model import Model
from lake.model_tables import model_table
from lake.settings import Settings
from local.feeds import start_feeds
from store.models import kept_models, promote, promotion, read_model
from store.objects import Objects
from tests.spark.conftest import Lab

MODEL: dict[str, Any] = {
    "description": "One row per sensor and time.",
    "entity": {"sensor": "string"},
    "time": "at",
    "carry": {"day": "date"},
    "partition": "day",
    "features": {"celsius": {"unit": "degrees Celsius"}},
    "k": 2,
    "threshold": 0.98,
}
READING = {"id": "bigint", "sensor": "string", "day": "date", "at": {"type": "timestamp"}, "celsius": "double"}


@pytest.fixture(scope="module")
def rooms(spark: SparkSession, spark_settings: Settings, objects: Objects, tmp_path_factory: Any) -> Iterator[Lab]:
    """Sixty hours in two rooms, one at about 20 degrees and one at about 5; one reading says 300; built once."""
    feeds, sources = start_feeds(), tmp_path_factory.mktemp("models") / "sources"
    lab = Lab(spark, replace(spark_settings, sources=sources), objects, feeds)
    declare(lab)
    lab.declare("readings", READING, load="merge")
    send(lab, *(reading(number) for number in range(60)), reading(60, 300.0))
    yield lab
    feeds.close()


def declare(lab: Lab, name: str = "rooms", **keys: Any) -> None:
    lab.refined[name] = model_table(name, Model.model_validate({**MODEL, "input": "readings", **keys}), "code")


def reading(number: int, celsius: float | None = None) -> dict[str, Any]:
    is_warm, day, hour = number % 2, 1 + number // 24, number % 24
    usual = (20.0 if is_warm else 5.0) + number % 7 / 10
    at = f"2020-01-{day:02d}T{hour:02d}:00:00Z"
    return {"id": number, "sensor": "ab"[is_warm], "day": at[:10], "at": at, "celsius": usual if celsius is None else celsius}


def send(lab: Lab, *rows: dict[str, Any]) -> dict[str, Any]:
    lab.serve("readings", list(rows))
    return lab.cycle()


def trained_again(lab: Lab) -> Trained:
    """What `lake model train` does in its job."""
    (last, *_) = lab.tables.publications("trusted.readings")
    pin = {"table": "trusted.readings", "number": last.number, "snapshot": last.snapshot}
    return train(lab.objects, lab.refined["rooms"], lab.tables.read("trusted.readings", last.snapshot), pin, "run of a person")


def promoted(lab: Lab) -> dict[str, Any]:
    state = promotion(lab.objects, "rooms")
    assert state
    return state


def kept(lab: Lab) -> set[str]:
    return {each["id"] for each in kept_models(lab.objects, "rooms")}


def test_the_first_build_trains_and_marks_what_is_far_with_its_reason(rooms: Lab) -> None:
    (flagged,) = (
        rooms.spark.table("lake.refined.rooms").where("is_anomaly").select("celsius", "cluster", "reason", "model").collect()
    )
    assert (flagged.celsius, flagged.cluster) == (300.0, 1)
    assert flagged.reason.startswith("celsius 300.0 degrees Celsius (usually ")
    assert (promoted(rooms)["id"], promoted(rooms)["number"]) == (flagged.model, 1)
    (publication,) = rooms.tables.publications("refined.rooms")
    assert publication.inputs["model.rooms"] == {"model": flagged.model}
    document = read_model(rooms.objects, "rooms", flagged.model)
    assert document["trained_on"]["snapshot"] == publication.inputs["trusted.readings"]["snapshot"]
    assert (rooms.plan()["tables"], [row["is_rare"] for row in document["clusters"]]) == ([], [False, True])


def test_a_build_that_died_after_training_goes_on_with_the_same_model(rooms: Lab) -> None:
    before = promoted(rooms)
    rooms.objects.delete([paths.model_state("rooms")])
    assert rooms.build(rooms.plan())["refined.rooms"]["outcome"] == "skipped"
    assert (promoted(rooms)["id"], kept(rooms)) == (before["id"], {before["id"]})


def test_new_rows_are_scored_by_the_promoted_model_in_their_partition_alone(rooms: Lab) -> None:
    record = send(rooms, reading(61), reading(62, -80.0))["refined.rooms"]
    assert (record["reason"], record["partitions"]) == ("new input from trusted.readings", ["2020-01-03"])
    assert len(kept(rooms)) == 1
    assert {row[0] for row in rooms.rows("refined.rooms", "celsius", "is_anomaly") if row[1]} == {300.0, -80.0}


def test_a_better_model_takes_over_and_the_table_is_scored_anew(rooms: Lab) -> None:
    before = promoted(rooms)
    declare(rooms, k=4, threshold=0.97)
    assert rooms.plan()["tables"] == []
    better = trained_again(rooms)
    assert (better.is_new, better.verdict.is_promoted) == (True, True)
    assert better.document["check"]["against"] == before["id"]
    assert set(better.document["check"]["drift"]["population_stability"]) == {"celsius"}
    record = rooms.build(rooms.plan())["refined.rooms"]
    assert (record["outcome"], record["reason"]) == ("published", "new input from model.rooms")
    assert {row[0] for row in rooms.rows("refined.rooms", "model")} == {better.document["id"]}


def test_a_worse_model_is_kept_beside_the_promoted_one_until_a_person_chooses_it(rooms: Lab) -> None:
    before = promoted(rooms)
    declare(rooms, k=6, threshold=0.6)
    worse = trained_again(rooms)
    assert not worse.verdict.is_promoted
    assert worse.verdict.why.startswith("its silhouette on the check is ")
    assert (promoted(rooms), rooms.plan()["tables"]) == (before, [])
    assert {before["id"], worse.document["id"]} <= kept(rooms)
    with pytest.raises(LockedError, match="was promoted meanwhile"):
        promote(rooms.objects, worse.document, "another", "late")
    promote(rooms.objects, worse.document, before["id"], "a person chose it")
    assert [entry["reason"] for entry in rooms.plan()["tables"]] == ["new input from model.rooms"]
    promote(rooms.objects, read_model(rooms.objects, "rooms", before["id"]), worse.document["id"], "a person went back")
    assert (promoted(rooms)["number"], rooms.plan()["tables"]) == (before["number"] + 2, [])


def test_other_features_train_another_model_in_the_next_build(rooms: Lab) -> None:
    before = promoted(rooms)
    declare(rooms, features={"celsius": {"unit": "degrees Celsius", "enters": "clipped", "low": -100}})
    assert rooms.build(rooms.plan())["refined.rooms"]["reason"] == "its declaration changed"
    assert promoted(rooms)["number"] == before["number"] + 1


def test_too_few_rows_leave_the_table_unbuilt_and_say_how_many_are_needed(rooms: Lab) -> None:
    declare(rooms, "tents", k=9)
    record = rooms.build(rooms.plan("tents"))["refined.tents"]
    assert (record["outcome"], record["exit_code"]) == ("failed", 3)
    assert "rows to train on, expected at least 90" in record["reason"]


def test_a_model_nobody_trained_is_named_with_those_there_are(objects: Objects) -> None:
    with pytest.raises(UsageError, match="got 'x', expected one of none: none was trained yet"):
        read_model(objects, "nothing", "x")
