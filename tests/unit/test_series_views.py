"""What is compared of a point is computed from the last few points alone, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.series.rows import Learned, Series, finite, learned
from jobs.series.setting import Setting
from jobs.series.views import columns, reach, views_of
from lake.errors import UsageError

SETTING = Setting(learn=30, period=60.0, views=("value", "shape10", "scales", "clock", "dayago", "spread48", "local48"))


def points(seed: int, rows: int) -> Series:
    rng = np.random.default_rng(seed)
    return Series(np.cumsum(rng.integers(0, 2_000_000, rows)), rng.normal(20.0, 5.0, rows))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(80, 400), st.data())
def test_the_columns_of_a_point_are_bit_equal_from_its_tail_and_with_the_future_cut_off(
    seed: int, rows: int, data: st.DataObject
) -> None:
    series = points(seed, rows)
    constants = learned(series, SETTING)
    at = data.draw(st.integers(0, rows - 1))
    end = data.draw(st.integers(at + 1, rows))
    begin = max(at - reach(constants), 0)
    tail = Series(series.times[begin:end], series.values[begin:end], begin)
    for view in views_of(SETTING, constants):
        whole = columns(view, series, 0, SETTING, constants)[at:end]
        assert np.array_equal(columns(view, tail, at - begin, SETTING, constants), whole, equal_nan=True), view.kind


def test_each_view_of_a_short_series_by_hand() -> None:
    series = Series(np.arange(60) * 1_000_000, np.arange(60.0))
    constants = Learned(24, (0.5,))
    setting = Setting(period=24.0, views=SETTING.views)
    last = {view.kind: columns(view, series, 59, setting, constants)[0].tolist() for view in views_of(setting, constants)}
    assert last["value"] == [59.0]
    assert last["shape10"] == [59.0, 58.0, 57.0, 56.0, 55.0, 54.0, 53.0, 52.0, 51.0, 50.0]
    assert last["scales"] == [58.0, 53.5, 35.5]
    assert last["clock"] == pytest.approx([59.0, np.sin(2 * np.pi * 11 / 24), np.cos(2 * np.pi * 11 / 24)])
    assert last["dayago"] == [24.0]
    assert last["spread48"] == pytest.approx([np.log(np.std(np.arange(48)) + 0.5)])
    assert last["local48"] == [59.0 - 34.5]


def test_a_view_says_nothing_before_its_window_is_full() -> None:
    series = Series(np.arange(60) * 1_000_000, np.arange(60.0))
    constants = Learned(24, (0.5,))
    setting = Setting(period=24.0, views=SETTING.views)
    first = {
        view.kind: int(np.isfinite(columns(view, series, 0, setting, constants)).all(axis=1).argmax())
        for view in views_of(setting, constants)
    }
    assert first == {"value": 0, "shape10": 9, "scales": 47, "clock": 0, "dayago": 24, "spread48": 47, "local48": 48}


def test_without_a_period_or_with_one_too_long_the_period_is_not_looked_back_on() -> None:
    def kinds(setting: Setting, step_seconds: int) -> list[str]:
        series = Series(np.arange(300) * step_seconds * 1_000_000, np.zeros(300))
        return [view.kind for view in views_of(setting, learned(series, setting))]

    assert "dayago" in kinds(Setting(), 300)
    assert "dayago" not in kinds(Setting(), 1)
    assert kinds(Setting(period=None), 300) == ["value", "shape10", "scales", "spread48"]


def test_the_constants_come_from_the_first_points_alone() -> None:
    series = points(1, 400)
    values = series.values.copy()
    values[200:] += 1000.0
    setting = Setting(learn=200)
    assert learned(Series(series.times, values), setting) == learned(series, setting)
    with pytest.raises(UsageError, match="got points 0 and on, expected the first 500"):
        learned(series, Setting(learn=500))


def test_equal_times_are_two_points_and_times_that_go_backwards_are_refused() -> None:
    assert len(Series(np.array([5, 5]), np.array([1.0, 2.0])).times) == 2
    with pytest.raises(UsageError, match="go backwards"):
        Series(np.array([5, 4]), np.array([1.0, 2.0]))


def test_missing_infinite_and_absurdly_large_values_are_no_points() -> None:
    series = Series(np.arange(6), np.array([1.0, np.nan, np.inf, 4.0, -np.inf, 1e200]))
    assert finite(series).values.tolist() == [1.0, 4.0]
