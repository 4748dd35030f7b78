"""All that is kept of a series between two judgements."""

from dataclasses import dataclass, field

import numpy as np

from jobs.series.alerting import Memory
from jobs.series.fitting import Fit
from jobs.series.rows import Learned, Series


@dataclass(frozen=True, eq=False)
class Track:
    """How far a series was judged, and what is needed to go on.

    tail: the last points, as many as the views look back on; tail.first + its length is the number of finite points seen.
    constants: learnt from the first points, None before. fit: what is usual now, None before the first fit.
    memory: of past alerts and the usual score, by which the threshold is raised.
    """

    tail: Series = field(default_factory=lambda: Series(np.empty(0, np.int64), np.empty(0)))
    constants: Learned | None = None
    fit: Fit | None = None
    memory: Memory = field(default_factory=Memory)

    @property
    def rows(self) -> int:
        """Points with finite values that were seen."""
        return self.tail.first + len(self.tail.times)
