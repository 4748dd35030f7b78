"""A series as arrays, and what is learnt once from its first points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.series.setting import Setting
from lake.errors import UsageError

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

STEPS_FOR_PERIOD = 60  # points whose median step tells how many points a period has
LARGEST = 1e100  # squares of larger numbers would overflow: they are taken as no numbers
MAX_PERIOD_ROWS = 3_000  # a longer period is not looked back on: the rows to be kept would be too many


@dataclass(frozen=True, eq=False)
class Series:
    """Points of one entity in the order of time.

    times: int64 (n,), microseconds since 1970 in UTC, never backwards; equal times are two points.
    values: float64 (n,) or, for several values at once, (n, m).
    first: how many points with a finite value the whole series has before these.
    """

    times: Whole
    values: Floats
    first: int = 0

    def __post_init__(self) -> None:
        """Raises UsageError when the arrays do not fit together or the times go backwards."""
        if len(self.times) != len(self.values):
            raise UsageError(f"series: got {len(self.times)} times and {len(self.values)} values, expected as many")
        if len(self.times) > 1 and bool(np.any(self.times[1:] < self.times[:-1])):
            raise UsageError("series: got times that go backwards, expected them in order; sort the rows by time")

    @property
    def columns(self) -> int:
        """How many values a point has."""
        return 1 if self.values.ndim == 1 else self.values.shape[1]

    @property
    def table(self) -> Floats:
        """The values as (n, m), m = 1 for a series of one value."""
        return self.values.reshape(len(self.values), self.columns)


@dataclass(frozen=True)
class Learned:
    """Constants of a series, fixed by its first points for good.

    period_rows: points in a period, 0 where there is none or it is too long to look back on.
    floors: per value, the spread below which differences of spread mean nothing, in the value's unit.
    """

    period_rows: int
    floors: tuple[float, ...]


def is_finite(series: Series) -> NDArray[np.bool_]:
    """Per point, whether every value of it is a number within +-LARGEST; others are neither judged nor learnt from."""
    return np.asarray((np.abs(series.table) <= LARGEST).all(axis=1), np.bool_)


def finite(series: Series) -> Series:
    """The points whose values are all finite."""
    kept = is_finite(series)
    return Series(series.times[kept], series.values[kept], series.first)


def joined(before: Series, after: Series) -> Series:
    """Two stretches of a series that follow each other."""
    return Series(np.concatenate([before.times, after.times]), np.concatenate([before.values, after.values]), before.first)


def learned(series: Series, setting: Setting) -> Learned:
    """The constants of a series, from its first `setting.learn` points, which `series` must begin with.

    The floor is 5 % of the deviation of these points.
    """
    if series.first or len(series.times) < setting.learn:
        raise UsageError(f"series: got points {series.first} and on, expected the first {setting.learn}")
    head = series.table[: setting.learn]
    step = float(np.median(np.diff(series.times[:STEPS_FOR_PERIOD]))) / 1e6
    rows = round(setting.period / step) if setting.period is not None and step > 0 else 0
    floors = tuple(0.05 * float(np.std(head[:, column].copy())) for column in range(series.columns))
    return Learned(rows if rows <= MAX_PERIOD_ROWS else 0, floors)
