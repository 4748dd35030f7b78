"""Points are judged as they come: nothing depends on how they were handed over, or on what follows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.series.judging import Judged, judge
from jobs.series.packing import packed_fit, packed_track, unpacked_fit, unpacked_track
from jobs.series.rows import Series
from jobs.series.setting import Setting
from jobs.series.track import Track
from lake.errors import UsageError
from tests.lloyd import fitted

SETTING = Setting(threshold=1.0, learn=150, period=7_200.0, k=8, every=100)  # 24 points a period
FIELDS = ("score", "flag", "threshold", "view", "usual", "came", "column")


def daily(rows: int, seed: int = 1) -> Series:
    rng = np.random.default_rng(seed)
    times = np.arange(rows) * 300_000_000
    return Series(times, 20.0 + 5.0 * np.sin(times / 7.2e9 * 2 * np.pi) + rng.normal(0.0, 1.0, rows))


def faulty() -> Series:
    series = daily(400)
    series.values[300:303] += 25.0
    series.values[[170, 200]] = np.nan, np.inf
    return series


FAULTY = faulty()
FITS = fitted(FAULTY, SETTING)
WHOLE, END = judge(Track(), FAULTY, FITS, SETTING)


def equal(one: Judged, two: Judged, rows: slice = slice(None)) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)[rows], equal_nan=name != "flag") for name in FIELDS)


def chunks(series: Series, ends: list[int]) -> tuple[Judged, Track]:
    track, parts, begin = Track(), [], 0
    for end in [*ends, len(series.times)]:
        part = Series(series.times[begin:end], series.values[begin:end], track.rows)
        judged, track = judge(unpacked_track(packed_track(track)), part, FITS, SETTING)
        parts.append(judged)
        begin = end
    return Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS), parts[-1].views), track


def test_a_jump_is_an_alert_at_its_first_point_with_what_was_usual_and_what_came() -> None:
    assert np.flatnonzero(WHOLE.flag == 1)[0] == 300
    assert WHOLE.score[300] >= WHOLE.threshold[300]
    assert 40.0 < WHOLE.came[300] < 52.0
    assert 13.0 < WHOLE.usual[300] < 28.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=6))
def test_points_in_any_portions_give_bit_equal_results_and_the_same_track(ends: list[int]) -> None:
    judged, track = chunks(FAULTY, sorted(ends))
    assert equal(judged, WHOLE)
    assert packed_track(track) == packed_track(END)


def related() -> Series:
    """Three values, the third hanging on the first; it breaks once, and one value of a point is missing."""
    rng = np.random.default_rng(2)
    times, one = np.arange(260) * 300_000_000, 20.0 + rng.normal(0.0, 2.0, 260)
    values = np.column_stack([one, 1000.0 + rng.normal(0.0, 5.0, 260), 90.0 - 2.0 * one + rng.normal(0.0, 0.5, 260)])
    values[230, 2] += 8.0
    values[170, 1] = np.nan
    return Series(times, values)


RELATED = related()
THREE = Setting(learn=60, period=None, k=5, every=50)
FITS_OF_THREE = fitted(RELATED, THREE)
WHOLE_OF_THREE, _ = judge(Track(), RELATED, FITS_OF_THREE, THREE)


def test_several_values_are_judged_together() -> None:
    assert [view.kind for view in WHOLE_OF_THREE.views] == ["value"] * 3 + ["together"]
    assert WHOLE_OF_THREE.flag[170] == -1
    assert WHOLE_OF_THREE.flag[230] == 1


@pytest.mark.parametrize("step", [1, 7])
def test_several_values_in_portions_give_bit_equal_results(step: int) -> None:
    track, begin = Track(), 0
    for end in [*range(step, 260, step), 260]:
        part = Series(RELATED.times[begin:end], RELATED.values[begin:end], track.rows)
        fits = {at_row: fit and unpacked_fit(packed_fit(fit)) for at_row, fit in FITS_OF_THREE.items()}
        judged, track = judge(unpacked_track(packed_track(track)), part, fits, THREE)
        assert equal(judged, WHOLE_OF_THREE, slice(begin, end))
        begin = end


@pytest.mark.parametrize("rows", [61, 119, 200, 231])
def test_several_values_with_the_future_cut_off_are_bit_equal(rows: int) -> None:
    cut = Series(RELATED.times[:rows], RELATED.values[:rows].copy())
    assert equal(judge(Track(), cut, fitted(cut, THREE), THREE)[0], WHOLE_OF_THREE, slice(0, rows))


def test_points_one_by_one_give_bit_equal_results() -> None:
    assert equal(chunks(FAULTY, list(range(400)))[0], WHOLE)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 400))
def test_with_the_future_cut_off_results_are_bit_equal(rows: int) -> None:
    cut = Series(FAULTY.times[:rows], FAULTY.values[:rows])
    judged, _ = judge(Track(), cut, fitted(cut, SETTING) if rows > 160 else FITS, SETTING)
    assert equal(judged, WHOLE, slice(0, rows))


def test_the_first_points_and_values_that_are_no_numbers_are_not_judged() -> None:
    assert np.flatnonzero(WHOLE.flag == -1).tolist() == [*range(150), 170, 200]
    assert np.isnan(WHOLE.score[[0, 149, 170, 200]]).all()


def test_a_value_that_is_no_number_leaves_no_trace() -> None:
    kept = np.isfinite(FAULTY.values)
    clean = Series(FAULTY.times[kept], FAULTY.values[kept])
    judged, track = judge(Track(), clean, FITS, SETTING)
    assert np.array_equal(judged.score, WHOLE.score[kept], equal_nan=True)
    assert packed_track(track) == packed_track(END)


def test_a_constant_series_raises_no_alert_until_it_moves() -> None:
    series = Series(np.arange(300) * 300_000_000, np.full(300, 7.0))
    series.values[250:] = 8.0
    judged, _ = judge(Track(), series, fitted(series, SETTING), SETTING)
    assert np.flatnonzero(judged.flag == 1)[0] == 250


def test_a_very_short_series_is_not_judged() -> None:
    series = daily(20)
    judged, track = judge(Track(), series, {}, SETTING)
    assert set(judged.flag) == {-1}
    assert track.rows == 20


def test_no_points_are_judged_as_none() -> None:
    judged, track = judge(END, Series(FAULTY.times[:0], FAULTY.values[:0], END.rows), FITS, SETTING)
    assert len(judged.flag) == 0
    assert packed_track(track) == packed_track(END)


def test_equal_times_a_gap_and_another_step_are_judged_on() -> None:
    series = daily(300)
    times = series.times.copy()
    times[100] = times[99]
    times[150:] += 86_400_000_000
    times[200:] = times[200] + np.arange(100) * 1_000_000
    moved = Series(times, series.values)
    judged, _ = judge(Track(), moved, fitted(moved, SETTING), SETTING)
    assert np.isfinite(judged.score[150:]).all()


def test_alerts_rest_and_each_raises_the_threshold() -> None:
    series = daily(300)
    series.values[[200, 205, 260]] += 40.0
    fits = fitted(series, SETTING)
    judged, _ = judge(Track(), series, fits, SETTING)
    alerts = np.flatnonzero(judged.flag == 1)
    assert alerts[0] == 200
    assert np.diff(alerts).min() > SETTING.rest
    assert judged.threshold[201] > judged.threshold[200] * 1.08


def test_a_spread_that_changes_is_told_as_a_deviation() -> None:
    series = daily(400)
    rng = np.random.default_rng(2)
    series.values[300:] = 20.0 + rng.normal(0.0, 12.0, 100)
    setting = Setting(threshold=0.8, learn=150, period=None, views=("spread48",))
    judged, _ = judge(Track(), series, fitted(series, setting), setting)
    first = 300 + int((judged.flag[300:] == 1).argmax())
    assert 300 < first < 330
    assert judged.usual[first] == pytest.approx(3.7, abs=0.3)  # a wave of 5 and noise of 1: the square root of 13.5
    assert judged.came[first] > judged.usual[first]


def test_points_that_do_not_follow_and_a_missing_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="got points from 5 on, expected 0"):
        judge(Track(), Series(FAULTY.times[5:], FAULTY.values[5:], 5), FITS, SETTING)
    with pytest.raises(UsageError, match="got no fit at 150 points"):
        judge(Track(), FAULTY, {}, SETTING)
