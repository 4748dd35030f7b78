"""K-means as the lake's engine does it, small and in numpy, for tests of what is done with its centres."""

import numpy as np

from jobs.series.fitting import Fit, TrainingSet, due, fits_from, nearest_centres, training_set
from jobs.series.rows import Floats, Series, finite, learned
from jobs.series.setting import Setting

ROUNDS = 10


def centres_of(training: TrainingSet) -> Floats:
    """Centres (k, d) from a uniform random start; equal starts are one. The views stand apart, so each moves alone."""
    points = training.points
    rng = np.random.default_rng(training.seed)
    starts = np.unique(points[rng.choice(len(points), training.k, replace=False)], axis=0)
    return np.concatenate(
        [_moved(points[points[:, -1] == apart], starts[starts[:, -1] == apart]) for apart in np.unique(starts[:, -1])]
    )


def _moved(points: Floats, centres: Floats) -> Floats:
    for _ in range(ROUNDS):
        nearest, _ = nearest_centres(points, centres)
        moved = centres.copy()
        for index in np.unique(nearest):
            moved[index] = points[nearest == index].mean(axis=0)
        if np.abs(moved - centres).max() < 1e-4:
            break
        centres = moved
    return centres


def fitted(series: Series, setting: Setting) -> dict[int, Fit | None]:
    """Every fit that judging the series from its first point needs."""
    rows = finite(series)
    fits: dict[int, Fit | None] = {}
    for at_row in due(0, len(rows.times) - 1, setting):
        training = training_set(rows, at_row, setting, learned(rows, setting))
        fits[at_row] = fits_from(training, centres_of(training)) if training else None
    return fits
