"""Every fit that judging a series from its first point needs, without Spark."""

from jobs.series.fitting import Fit, due, fits_from, training_set
from jobs.series.lloyd import centres
from jobs.series.rows import Series, finite, learned
from jobs.series.setting import Setting


def fitted(series: Series, setting: Setting) -> dict[int, Fit | None]:
    """The fits by the number of points before each."""
    rows = finite(series)
    fits: dict[int, Fit | None] = {}
    for at_row in due(0, len(rows.times) - 1, setting):
        training = training_set(rows, at_row, setting, learned(rows, setting))
        fits[at_row] = fits_from(training, centres(training.points(), training.k, training.seed)) if training else None
    return fits
