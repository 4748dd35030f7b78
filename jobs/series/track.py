"""All that is kept of a series between two judgements, to and from plain numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.series.fitting import Fit, ViewFit
from jobs.series.rows import Floats, Learned, Series

NEVER = -(10**9)


@dataclass(frozen=True, eq=False)
class Track:
    """How far a series was judged, and what is needed to go on.

    tail: the last points, as many as the views look back on; tail.first + its length is the number of finite points seen.
    constants: learnt from the first points, None before. fit: what is usual now, None before the first fit.
    alerts: the memory of past alerts, one more with each and fading. level: the usual score. last_alert: the point's number.
    """

    tail: Series = field(default_factory=lambda: Series(np.empty(0, np.int64), np.empty(0)))
    constants: Learned | None = None
    fit: Fit | None = None
    alerts: float = 0.0
    level: float = 0.0
    last_alert: int = NEVER

    @property
    def rows(self) -> int:
        """Points with finite values that were seen."""
        return self.tail.first + len(self.tail.times)


def as_dict(track: Track) -> dict[str, Any]:
    """A track as numbers, texts, lists and None alone: JSON and back is bit-equal."""
    constants, fit = track.constants, track.fit
    return {
        "first": track.tail.first,
        "times": track.tail.times.tolist(),
        "values": track.tail.values.tolist(),
        "constants": None if constants is None else [constants.period_rows, list(constants.floors)],
        "fit": None
        if fit is None
        else {"at_row": fit.at_row, "views": [[_view_dict(one) for one in view] for view in fit.views]},
        "alerts": track.alerts,
        "level": track.level,
        "last_alert": track.last_alert,
    }


def from_dict(kept: dict[str, Any]) -> Track:
    """The track that `as_dict` gave."""
    tail = Series(np.array(kept["times"], np.int64), np.array(kept["values"], np.float64), kept["first"])
    constants, fit = kept["constants"], kept["fit"]
    return Track(
        tail,
        None if constants is None else Learned(constants[0], tuple(constants[1])),
        None if fit is None else Fit(fit["at_row"], tuple(tuple(_view_fit(one) for one in view) for view in fit["views"])),
        kept["alerts"],
        kept["level"],
        kept["last_alert"],
    )


def _view_dict(view: ViewFit) -> dict[str, Any]:
    return {
        "centres": view.centres.tolist(),
        "middle": view.middle.tolist(),
        "scale": view.scale.tolist(),
        "unit": view.unit,
        "turn": None if view.turn is None else view.turn.tolist(),
    }


def _view_fit(kept: dict[str, Any]) -> ViewFit:
    return ViewFit(
        _floats(kept["centres"]),
        _floats(kept["middle"]),
        _floats(kept["scale"]),
        kept["unit"],
        None if kept["turn"] is None else _floats(kept["turn"]),
    )


def _floats(kept: list[Any]) -> Floats:
    return np.array(kept, np.float64)
