"""What k-means learns from: when a refit is due, the rows of one fit that holds every view, and its centres read back."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from jobs.series.rows import Floats, Learned, Series, Whole
from jobs.series.setting import Setting
from jobs.series.views import View, columns, reach, views_of
from lake.errors import UsageError

HALF_LIFE = 1_500  # points after which a point weighs half in the sample of a refit
SAMPLE = 2_000  # rows of each view in one replica
REPLICAS = 2  # samples of each view with centres of their own in one fit: the mean of their distances hangs less on chance
FEWEST = 100  # a view with fewer rows waits for the next refit: from less, all that comes looks new
ROWS_PER_CENTRE = 3
GAP = 1e4  # between two groups in the last column: no row is nearer to a centre of another
NORMAL_SPAN = 2.56  # of a normal distribution, between the 10th and the 90th percentile, in deviations
LEAST_SCALE = 0.1  # of the deviation: a scale of a column that hardly ever moves
UNIT_SHARE = 99.0  # percentile of the training rows' distances that is the unit of distance
LEAST_UNIT = 0.02  # of the largest distance
UNIT_OF_NOTHING = 0.05  # unit where all training rows are centres themselves
LEAST_AXIS = 1e-4  # variance below which a relation of several values is taken as exact


@dataclass(frozen=True, eq=False)
class ViewFit:
    """What is usual in one view: columns are (x - middle) / scale, then turned, then compared with the centres.

    centres: (k, d); middle and scale: (d,), in the view's own unit; turn: (d, d) or None;
    unit: the distance to the nearest centre that is still quite usual.
    """

    centres: Floats
    middle: Floats
    scale: Floats
    unit: float
    turn: Floats | None = None


@dataclass(frozen=True, eq=False)
class Fit:
    """The views as fitted on the points before `at_row`, each by its replicas; none for a view that had too few points."""

    at_row: int
    views: tuple[tuple[ViewFit, ...], ...]


@dataclass(frozen=True, eq=False)
class Group:
    """One replica of a view in a training set: its rows (n, d) brought to scale."""

    view: int
    rows: Floats
    middle: Floats
    scale: Floats
    turn: Floats | None


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All that one k-means fit needs, and what is needed to read its centres back.

    k: centres in all, to be started from a uniform sample of the points. seed: of that start.
    """

    k: int
    seed: int
    at_row: int
    groups: tuple[Group, ...]
    views: int
    rare_share: float

    def points(self) -> Floats:
        """(n, d): the groups below each other, zero where a view has fewer columns; the last column sets them apart."""
        # few columns: from k * k * columns = 1e6 on, Spark spreads a small sum over k tasks a round
        width = max(group.rows.shape[1] for group in self.groups)
        points = np.zeros((sum(len(group.rows) for group in self.groups), width + 1))
        at = 0
        for number, group in enumerate(self.groups):
            end = at + len(group.rows)
            points[at:end, : group.rows.shape[1]] = group.rows
            points[at:end, -1] = number * GAP
            at = end
        return points


def due(rows_before: int, rows_now: int, setting: Setting) -> list[int]:
    """The counts of points, above rows_before and up to rows_now, at which a refit is due, in order.

    A refit at a count looks at the points before it and judges those after: `judge` asks for those of
    due(track.rows - 1, track.rows + n - 1) for n new points.
    """
    return [at_row for at_row in takewhile(lambda at_row: at_row <= rows_now, _schedule(setting)) if at_row > rows_before]


def next_due(rows: int, setting: Setting) -> int:
    """The first count of points, `rows` or above, at which a refit is due."""
    return next(at_row for at_row in _schedule(setting) if at_row >= rows)


def _schedule(setting: Setting) -> Iterator[int]:
    """All counts of points at which a refit is due."""
    at_row = setting.learn
    while True:
        yield at_row
        at_row += min(max(int(at_row * setting.growth), 1), setting.every)


def rows_needed(constants: Learned, setting: Setting) -> int:
    """How many points before a refit its training set looks at."""
    return setting.history + reach(constants)


def training_set(series: Series, at_row: int, setting: Setting, constants: Learned) -> TrainingSet | None:
    """What the refit at `at_row` points learns from; None before a whole period was seen, and when no view has rows enough.

    `series` holds finite values and at least the last `rows_needed` points before `at_row`; later ones are not looked at.
    Recent points are likelier in the sample: chosen without replacement by weights that halve every HALF_LIFE points
    (Efraimidis and Spirakis 2006), the same choice for every view and for the same setting and at_row.
    """
    if at_row < constants.period_rows:
        return None
    end = at_row - series.first
    start = max(at_row - setting.history, 0) - series.first
    if start < 0 or end > len(series.times) or (series.first and start < reach(constants)):
        raise UsageError(
            f"training set at {at_row}: got points {series.first} to {series.first + len(series.times)}, "
            f"expected {max(at_row - rows_needed(constants, setting), 0)} to {at_row}"
        )
    seen = Series(series.times[:end], series.values[:end], series.first)
    seed = zlib.crc32(f"{setting.seed} {at_row}".encode())
    samples = [_sample(end - start, seed + replica) for replica in range(REPLICAS)]
    views = views_of(setting, constants)
    groups: list[Group] = []
    for number, view in enumerate(views):
        rows = columns(view, seen, start, setting, constants)
        for sample in samples:
            chosen = rows[sample]
            chosen = chosen[np.isfinite(chosen).all(axis=1)]
            if len(chosen) >= FEWEST:
                groups.append(_group(view, number, chosen))
    if not groups:
        return None
    k = sum(min(setting.k, len(group.rows) // ROWS_PER_CENTRE) for group in groups)
    return TrainingSet(k, seed, at_row, tuple(groups), len(views), setting.rare_share)


def fits_from(training: TrainingSet, centres: Floats) -> Fit:
    """What is usual in each view, from the centres (k, d) of k-means over the training set's points."""
    views: list[list[ViewFit]] = [[] for _ in range(training.views)]
    for number, group in enumerate(training.groups):
        own = centres[np.rint(centres[:, -1] / GAP) == number]
        if not len(own):
            continue
        own = own[:, : group.rows.shape[1]]
        nearest, apart = nearest_centres(group.rows, own)
        share = np.bincount(nearest, minlength=len(own)) / len(nearest)
        is_usual = share >= min(training.rare_share, share.max())
        if not is_usual.all():
            apart = nearest_centres(group.rows[is_usual[nearest]], own[is_usual])[1]
        unit = max(float(np.percentile(apart, UNIT_SHARE)), LEAST_UNIT * float(apart.max())) or UNIT_OF_NOTHING
        views[group.view].append(ViewFit(own[is_usual].copy(), group.middle, group.scale, unit, group.turn))
    return Fit(training.at_row, tuple(tuple(view) for view in views))


def nearest_centres(rows: Floats, centres: Floats) -> tuple[Whole, Floats]:
    """Per row, the index of its nearest centre, and the distance: the same bits for one row as for many."""
    apart = rows[:, None, :] - centres[None, :, :]
    squares = np.add.accumulate(apart * apart, axis=2)[:, :, -1]
    nearest = squares.argmin(axis=1)
    return nearest, np.sqrt(squares[np.arange(len(rows)), nearest])


def scaled(rows: Floats, middle: Floats, scale: Floats, turn: Floats | None) -> Floats:
    """Rows of a view in its own unit, as they are compared: (x - middle) / scale, turned where the view turns."""
    out: Floats = (rows - middle) / scale
    if turn is None:
        return out
    return np.add.accumulate(out[:, :, None] * turn[None, :, :], axis=1)[:, -1, :]


def _sample(rows: int, seed: int) -> Whole:
    """Which of `rows` points, oldest first, are in the sample: indices in order."""
    if rows <= SAMPLE:
        return np.arange(rows)
    ages = np.arange(rows - 1, -1, -1)
    drawn = np.random.Generator(np.random.PCG64(seed)).random(rows)
    keys = np.log(-np.log1p(-drawn)) + (ages / HALF_LIFE) * np.log(2.0)
    return np.sort(np.argpartition(keys, SAMPLE)[:SAMPLE])


def _group(view: View, number: int, rows: Floats) -> Group:
    middle = np.median(rows, axis=0)
    high, low = np.quantile(rows, [0.9, 0.1], axis=0)
    scale = np.maximum((high - low) / NORMAL_SPAN, LEAST_SCALE * rows.std(axis=0))
    for group in view.groups:
        middle[list(group)] = middle[list(group)].mean()
        scale[list(group)] = scale[list(group)].mean()
    scale[scale == 0] = 1.0
    turn = _turn((rows - middle) / scale) if view.kind == "together" else None
    return Group(number, scaled(rows, middle, scale, turn), middle, scale, turn)


def _turn(rows: Floats) -> Floats:
    """(d, d): turns columns to their principal axes, each in its own deviation, so that a break of a relation weighs."""
    variances, axes = np.linalg.eigh(np.cov(rows, rowvar=False))
    out: Floats = axes / np.sqrt(np.maximum(variances, LEAST_AXIS))
    return out
