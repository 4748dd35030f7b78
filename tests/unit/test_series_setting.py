"""The declaration of a detector, and what it means to the judgement."""

from argparse import Namespace
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.series.setting import EXTRA_VIEWS, VIEWS, Setting, setting_of
from lake.declarations import first_problem
from lake.errors import UsageError
from lake.series import SeriesModel, check_watched, series_table
from lake.settings import read_settings
from orchestration.series_verbs import called

LEAST: dict[str, Any] = {
    "kind": "series",
    "description": "One row per reading.",
    "input": "readings",
    "time": "at",
    "values": {"celsius": {"unit": "degrees"}},
}


def test_the_defaults_of_a_declaration_are_the_measured_ones() -> None:
    assert setting_of(SeriesModel.model_validate(LEAST)) == Setting()


def test_every_view_can_be_declared() -> None:
    views = [*VIEWS, *EXTRA_VIEWS]
    assert setting_of(SeriesModel.model_validate({**LEAST, "views": views})).views == tuple(views)


WRONG: list[dict[str, Any]] = [
    {"period": "now and then"},
    {"views": ["inside_out"]},
    {"time": "celsius"},
    {"values": {}},
    {"rest": -1},
    {"threshold": 4.0},
    {"k": 101},
    {"entity": {"score": "string"}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: next(iter(wrong)))
def test_a_wrong_declaration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SeriesModel.model_validate({**LEAST, **wrong})


def test_a_wrong_rest_is_told_with_its_key_though_a_kind_of_source_is_called_so_too() -> None:
    with pytest.raises(UsageError, match=r"watched\.yaml: rest: got -1, expected"):
        first_problem(SeriesModel.model_validate, {**LEAST, "rest": -1}, "watched.yaml", SeriesModel)


COLUMNS = {"id": "bigint", "at": "timestamp", "sensor": "string", "celsius": "decimal(5,2)"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"entity": {"probe": "string"}}, "entity: got 'probe', expected a column of readings: id, at, sensor, celsius"),
        ({"time": "id"}, "time: got id, which is bigint, expected a date or timestamp of readings: at"),
        ({"time": "on"}, "time: got 'on', expected a date or timestamp of readings: at"),
        ({"values": {"kelvin": {"unit": "K"}}}, "values.kelvin: got 'kelvin', expected a number"),
        ({"values": {"sensor": {"unit": "K"}}}, "values.sensor: got sensor, which is string, expected a number"),
    ],
)
def test_columns_that_the_input_has_not_are_refused_before_anything_runs(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as error:
        check_watched("watched.yaml", SeriesModel.model_validate({**LEAST, **changed}), COLUMNS)
    assert str(error.value).startswith(f"watched.yaml: {told}")


def test_numbers_and_expressions_of_the_input_can_be_watched() -> None:
    for values in ({"celsius": {"unit": "C"}}, {"kelvin": {"unit": "K", "value": "celsius + 273.15"}}):
        check_watched(
            "watched.yaml", SeriesModel.model_validate({**LEAST, "entity": {"sensor": "string"}, "values": values}), COLUMNS
        )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"threshold": 7.0}, "backtest: threshold: got 7.0, expected less than or equal to 3"),
        ({"rest": -3}, "backtest: rest: got -3, expected"),
        ({"to": "2020-01-01"}, "expected a range that ends after it begins"),
        ({"to": None}, "got one alone, expected both"),
    ],
)
def test_a_backtest_keeps_to_the_limits_of_a_declaration(words: dict[str, Any], told: str) -> None:
    table = series_table("watched", SeriesModel.model_validate(LEAST), "code")
    unsaid = dict.fromkeys(("threshold", "rest", "memory", "calm", "truth"))
    given = Namespace(action="backtest", json=False, start="2020-02-01", **{"to": "2020-03-01", **unsaid, **words})
    with pytest.raises(UsageError) as error:
        called(read_settings({}), table, given)
    assert told in str(error.value)


def test_the_table_has_the_key_the_values_and_the_judgement() -> None:
    table = series_table("watched", SeriesModel.model_validate({**LEAST, "entity": {"sensor": "string"}}), "code")
    assert table.contract.key == ["sensor", "at"]
    assert list(table.contract.columns) == [
        "sensor", "at", "celsius", "score", "flag", "threshold", "view", "usual", "came", "reason",
    ]  # fmt: skip
    other = series_table("watched", SeriesModel.model_validate({**LEAST, "rest": 5}), "code")
    assert other.declaration != series_table("watched", SeriesModel.model_validate(LEAST), "code").declaration
