"""A model's declaration: what is wrong with it is said in one line, and its table follows from it."""

from pathlib import Path
from typing import Any

import pytest

from lake.declarations import first_problem
from lake.errors import UsageError
from lake.model import Model
from lake.model_tables import MODELS, SCORING_CODE, load_tables, model_table

GOOD: dict[str, Any] = {
    "description": "One row per sensor and minute.",
    "input": "readings",
    "entity": {"sensor": "string"},
    "time": "at",
    "features": {"celsius": {"unit": "degrees Celsius"}, "load": {"value": "100 * used / size", "unit": "%"}},
    "k": 3,
}


def model(**keys: Any) -> Model:
    return first_problem(Model.model_validate, {**GOOD, **keys}, "m.yaml", *MODELS)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"feature": {}}, "feature: no such key; did you mean 'features'?"),
        ({"features": {"c": {"unit": "K", "enters": "clipped"}}}, "low and high belong to `enters: clipped`"),
        (
            {"features": {"c": {"unit": "K", "enters": "clipped", "low": 2, "high": 1}}},
            "low: got 2, expected less than high, 1",
        ),
        ({"features": {"c": {}}}, "features.c.unit: this key is missing"),
        ({"features": {"score": {"unit": "K"}}}, "score: stands twice"),
        ({"features": {"sensor": {"unit": "K"}}}, "sensor: stands twice"),
        ({"k": 1}, "k: got 1, expected greater than or equal to 2"),
        ({"k": None}, "k, search: expected one of them"),
        ({"search": {"from": 2, "to": 3}}, "k, search: expected one of them"),
        ({"k": None, "search": {"from": 5, "to": 3}}, "to: got 3, expected 5 or more"),
        ({"threshold": 1.0}, "threshold: got 1.0"),
        ({"window": {"last_days": 3, "to": "2013-01-01"}}, "last_days stands alone"),
        ({"partition": "day"}, "partition: got 'day', expected one of sensor"),
        ({"fresh_within": "soon"}, "fresh_within: got 'soon'"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        model(**keys)
    assert said in str(error.value)
    assert str(error.value).startswith("m.yaml: ")


def test_the_table_has_the_key_the_values_and_what_the_model_says() -> None:
    contract = model_table("m", model(carry={"day": "date"}, partition="day"), "code").contract
    judged = ["cluster", "score", "is_anomaly", "threshold", "reason", "model"]
    assert list(contract.columns) == ["day", "sensor", "at", "celsius", "load", *judged]
    assert contract.key == ["sensor", "at"]
    assert contract.partition
    assert (contract.partition.column, contract.partition.of) == ("day", ["readings"])


def test_keys_of_training_leave_the_table_and_the_trained_model_as_they_are() -> None:
    before = model_table("m", model(), "code")
    after = model_table(
        "m", model(k=None, search={"from": 2, "to": 4}, seed=7, threshold=0.9, window={"last_days": 30}), "code"
    )
    assert (after.declaration, after.model and after.model.shape) == (before.declaration, before.model and before.model.shape)


def test_another_unit_changes_the_table_and_not_the_trained_model() -> None:
    features = {**GOOD["features"], "celsius": {"unit": "K"}}
    before, after = model_table("m", model(), "code"), model_table("m", model(features=features), "code")
    assert before.declaration != after.declaration
    assert model().shape == model(features=features).shape


def test_another_way_to_enter_needs_another_trained_model() -> None:
    assert model(features={"celsius": {"unit": "K", "enters": "log"}}).shape != model().shape


def test_a_model_cannot_be_called_like_a_refined_table(tmp_path: Path) -> None:
    for folder in ("refined", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "refined" / "a.yaml").write_text("{description: One row., key: [id], columns: {id: bigint}}")
    (tmp_path / "refined" / "a.py").write_text("def a(goods):\n    return goods\n")
    for name in SCORING_CODE:
        (tmp_path / "models" / name).write_text("")
    declared = "{description: One row., input: goods, entity: {id: bigint}, time: at, k: 2, features: {x: {unit: m}}}"
    (tmp_path / "models" / "a.yaml").write_text(declared)
    with pytest.raises(UsageError, match="jobs/refined has a table 'a' too"):
        load_tables(tmp_path)
