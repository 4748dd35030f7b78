"""Generated examples with the truth beside them: weather devices, and a relation of several values that breaks."""

import numpy as np
import pytest

from jobs.series.judging import judge
from jobs.series.rows import Series
from jobs.series.setting import Setting, setting_of
from jobs.series.track import Track
from lake.series import SeriesModel
from tests.lloyd import fitted
from tests.weather_sensors import device_readings, flagged_by_the_original_rule

SINGLE_READINGS = {
    "kind": "series",
    "description": "One row per device and second.",
    "input": "readings",
    "time": "at",
    "values": {"celsius": {"unit": "degrees"}},
    "views": ["local48"],
    "k": 5,
    "rare_share": 0.06,
    "learn": 300,
    "threshold": 1,
    "rest": 0,
    "memory": 0,
    "calm": 0,
    "period": "none",
    "refit_every": 100_000,
}


@pytest.mark.parametrize(("device", "seed"), [(0, 1), (1, 2), (2, 3)])
def test_jumps_of_a_weather_device_are_found_over_24_hours(device: int, seed: int) -> None:
    setting = setting_of(SeriesModel.model_validate(SINGLE_READINGS))
    series, jumped = device_readings(device, seed)
    fits = fitted(series, setting)
    judged, _ = judge(Track(), series, fits, setting)
    flagged = judged.flag == 1
    assert len(fits) < 30
    assert flagged[jumped].mean() >= 0.98
    assert jumped[flagged].mean() >= 0.90


def test_the_devices_are_those_on_which_the_original_rule_is_right_less_than_half_the_time() -> None:
    series, jumped = device_readings(0)
    flagged = flagged_by_the_original_rule(series.values)
    assert flagged.mean() == pytest.approx(0.136, abs=0.003)
    assert flagged[jumped].mean() > 0.999
    assert jumped[flagged].mean() == pytest.approx(0.44, abs=0.02)


def related(rows: int) -> Series:
    """Temperature, pressure and humidity of one device: humidity falls as temperature rises, pressure wanders."""
    rng = np.random.default_rng(3)
    times = np.arange(rows) * 300_000_000
    celsius = 20.0 + 6.0 * np.sin(times / 8.64e10 * 2 * np.pi) + rng.normal(0.0, 1.0, rows)
    hectopascal = 1010.0 + 5.0 * np.sin(times / 4.1e11 * 2 * np.pi) + rng.normal(0.0, 0.5, rows)
    percent = 90.0 - 2.0 * celsius + rng.normal(0.0, 1.0, rows)
    return Series(times, np.column_stack([celsius, hectopascal, percent]))


def test_a_broken_relation_is_found_though_each_value_alone_is_usual() -> None:
    series = related(1500)
    before = series.values[:1200]
    series.values[1200:1210, 2] = 90.0 - 2.0 * (40.0 - series.values[1200:1210, 0])  # as if it rose with the temperature
    broken = series.values[1200:1210]
    assert (broken > before.min(axis=0)).all()
    assert (broken < before.max(axis=0)).all()
    for views, expected in (((), [1200]), (("value",), [])):
        setting = Setting(views=views)
        judged, _ = judge(Track(), series, fitted(series, setting), setting)
        alerts = np.flatnonzero(judged.flag == 1)
        assert [row for row in alerts.tolist() if row >= 1000] == expected
    assert [view.kind for view in judged.views] == ["value"] * 3
