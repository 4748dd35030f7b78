"""The declaration of a detector, and what it means to the judgement."""

from typing import Any

import pytest
from pydantic import ValidationError

from jobs.series.setting import EXTRA_VIEWS, VIEWS, Setting, setting_of
from lake.series import SeriesModel, series_table

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


def test_the_table_has_the_key_the_values_and_the_judgement() -> None:
    table = series_table("watched", SeriesModel.model_validate({**LEAST, "entity": {"sensor": "string"}}), "code")
    assert table.contract.key == ["sensor", "at"]
    assert list(table.contract.columns) == [
        "sensor", "at", "celsius", "score", "flag", "threshold", "view", "usual", "came", "reason",
    ]  # fmt: skip
    other = series_table("watched", SeriesModel.model_validate({**LEAST, "rest": 5}), "code")
    assert other.declaration != series_table("watched", SeriesModel.model_validate(LEAST), "code").declaration
