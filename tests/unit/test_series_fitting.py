"""One fit holds every view of a series, and is the same for the same points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.series.fitting import GAP, REPLICAS, SAMPLE, due, fits_from, rows_needed, training_set
from jobs.series.lloyd import centres as centres_of
from jobs.series.rows import Series, learned
from jobs.series.setting import Setting
from lake.errors import UsageError


def points(rows: int) -> Series:
    rng = np.random.default_rng(1)
    return Series(np.arange(rows) * 300_000_000, rng.normal(20.0, 5.0, rows))


def test_refits_come_with_a_quarter_more_points_and_then_every_so_many() -> None:
    assert due(0, 700, Setting(learn=100, every=90)) == [100, 125, 156, 195, 243, 303, 378, 468, 558, 648]


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_refits_do_not_depend_on_how_points_arrived(one: int, two: int, three: int) -> None:
    low, middle, high = sorted((one, two, three))
    assert due(low, high, Setting()) == due(low, middle, Setting()) + due(middle, high, Setting())


def test_a_training_set_is_bit_equal_from_the_whole_series_and_from_the_points_it_needs() -> None:
    setting = Setting(history=2_500)
    series = points(4_000)
    constants = learned(series, setting)
    begin = 3_500 - rows_needed(constants, setting)
    tail = Series(series.times[begin:3_500], series.values[begin:3_500], begin)
    whole, part = (training_set(rows, 3_500, setting, constants) for rows in (series, tail))
    assert whole is not None
    assert part is not None
    assert np.array_equal(whole.points(), part.points())
    assert (whole.k, whole.seed) == (part.k, part.seed)
    with pytest.raises(UsageError, match=f"expected {begin} to 3500"):
        training_set(Series(tail.times[1:], tail.values[1:], begin + 1), 3_500, setting, constants)


def test_another_seed_samples_other_points_and_recent_ones_are_likelier() -> None:
    series = Series(np.arange(8_000) * 300_000_000, np.arange(8_000.0))
    sets = [
        training_set(series, 8_000, setting, learned(series, setting))
        for setting in (Setting(views=("value",)), Setting(views=("value",), seed=2))
    ]
    one, two = (found.points()[:, 0] for found in sets if found)
    assert len(one) == SAMPLE * REPLICAS
    assert not np.array_equal(one, two)
    assert sets[0] is not None
    assert float(sets[0].groups[0].middle[0]) > 5_500


def test_the_views_stand_apart_and_each_gets_its_own_centres_back() -> None:
    setting = Setting(views=("value", "scales"))
    series = points(400)
    training = training_set(series, 400, setting, learned(series, setting))
    assert training is not None
    assert set(training.points()[:, -1]) == {0.0, GAP, 2 * GAP, 3 * GAP}
    assert training.k == 80
    fit = fits_from(training, centres_of(training.points(), training.k, training.seed))
    shapes = [view.centres.shape[1] for view, _ in fit.views]
    assert shapes == [1, 3]
    assert sum(len(one.centres) for view in fit.views for one in view) <= 80
    value = fit.views[0][0]
    centres = value.centres[:, 0] * value.scale[0] + value.middle[0]
    assert series.values.min() <= centres.min() < 15 < 25 < centres.max() <= series.values.max()


def test_a_cluster_of_few_is_not_usual_when_a_share_is_asked_for() -> None:
    values = np.where(np.arange(400) % 50 == 7, 90.0, np.arange(400) % 7)
    series = Series(np.arange(400) * 1_000_000, values)
    highest = []
    for share in (0.0, 0.05):
        setting = Setting(views=("value",), k=4, rare_share=share)
        training = training_set(series, 400, setting, learned(series, setting))
        assert training is not None
        points_of = np.array([[0.0, 0.0], [6.0, 0.0], [90.0, 0.0]])
        group = training.groups[0]
        points_of[:, 0] = (points_of[:, 0] - group.middle[0]) / group.scale[0]
        view = fits_from(training, points_of).views[0][0]
        highest.append(float(view.centres.max() * view.scale[0] + view.middle[0]))
    assert highest == pytest.approx([90.0, 6.0])


def test_a_constant_series_has_fits_of_one_centre() -> None:
    setting = Setting()
    series = Series(np.arange(400) * 300_000_000, np.full(400, 7.0))
    training = training_set(series, 400, setting, learned(series, setting))
    assert training is not None
    fit = fits_from(training, centres_of(training.points(), training.k, training.seed))
    value = fit.views[0][0]
    assert value.centres.tolist() == [[0.0]]
    assert value.middle.tolist() == [7.0]


def test_without_enough_points_for_any_view_there_is_nothing_to_fit() -> None:
    setting = Setting(views=("dayago",), learn=30)
    series = points(100)
    assert training_set(series, 100, setting, learned(series, setting)) is None
