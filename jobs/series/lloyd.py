"""K-means within a task, by Lloyd's rounds from a uniform sample: for very many series, where a Spark job per fit is too dear."""

import numpy as np

from jobs.series.rows import Floats

ROUNDS = 20
#: Centres that all moved less than this have found their place (SparkML's own default).
TOLERANCE = 1e-4


def centres(points: Floats, k: int, seed: int) -> Floats:
    """Centres, at most (k, d), of a training set's points (n, d), n at least k; equal points give equal bits."""
    drawn = np.random.Generator(np.random.PCG64(seed)).choice(len(points), k, replace=False)
    first = points[np.sort(drawn)]
    views = np.unique(first[:, -1])  # no row is nearer to a centre of another view: each can be fitted by itself
    return np.concatenate([_of_one_view(points[points[:, -1] == view], first[first[:, -1] == view]) for view in views])


def _of_one_view(points: Floats, first: Floats) -> Floats:
    """Centres of the rows of one view; columns in which they are all equal, as those of other views are, take no part."""
    own = np.flatnonzero((points != points[0]).any(axis=0))
    if not len(own):
        return points[:1]
    rows, found = np.ascontiguousarray(points[:, own]), np.unique(first, axis=0)
    for _ in range(ROUNDS):
        middles = found[:, own]
        nearest = ((middles * middles).sum(axis=1) - 2.0 * (rows @ middles.T)).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(found))
        sums = np.stack([np.bincount(nearest, rows[:, column], len(found)) for column in range(len(own))], axis=1)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], middles)
        found[:, own] = moved
        if (np.square(moved - middles).sum(axis=1) <= TOLERANCE**2).all():
            break
    return found
