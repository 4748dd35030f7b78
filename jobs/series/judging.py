"""The judgement of each point of a series: a score against what is usual, and an alert where it is worth one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jobs.series.alerting import Rule, alerted
from jobs.series.fitting import Fit, ViewFit, due, nearest_centres, scaled
from jobs.series.rows import Floats, Learned, Series, is_finite, joined, learned
from jobs.series.setting import Setting
from jobs.series.track import Track
from jobs.series.views import View, columns, reach, views_of
from lake.errors import UsageError

BLOCK = 2_000  # points judged at once: what is held at a time, never what comes out
LOUDEST = 3.0  # the most a view may say


@dataclass(frozen=True, eq=False)
class Judged:
    """One entry per new point, in order.

    score: mean over the views of how unusual the point is in each, 0..3; NaN while not judged.
    flag: int8, 1 alert, 0 none, -1 not judged (the series is too young, or the value is no finite number).
    threshold: score from which the point would have been an alert; NaN while not judged.
    view: index in `views` of the one that speaks loudest; -1 while not judged.
    usual, came: of that view the number that stands out and the nearest usual one, in the unit of the value: the value
    (value, shape10, clock, together), a mean over 3, 12 or 48 points (scales), the change against one period ago (dayago),
    the deviation over 48 points (spread48), the distance from the mean of the 48 points before (local48); NaN while not judged.
    column: which of several values `usual` and `came` speak of.
    """

    score: Floats
    flag: NDArray[np.int8]
    threshold: Floats
    view: NDArray[np.int8]
    usual: Floats
    came: Floats
    column: NDArray[np.int8]
    views: tuple[View, ...]


def judge(track: Track, series: Series, fits: Mapping[int, Fit | None], setting: Setting) -> tuple[Judged, Track]:
    """The judgement of the next points of a series, and the track to go on with.

    series: the points that follow the track's; `fits`: per count of points in `due`, what was fitted then (None: too few
    rows for any view). All at once, one by one and with the future cut off the results are bit-equal.

    Raises UsageError when the points do not follow the track's or a fit is missing.
    """
    if series.first != track.rows:
        raise UsageError(f"judge: got points from {series.first} on, expected {track.rows}, where the track ends")
    kept = is_finite(series)
    new = Series(series.times[kept], series.values[kept], series.first)
    if not track.rows:
        track = replace(track, tail=Series(new.times[:0], new.values[:0]))
    marks = [at for at in due(track.rows - 1, track.rows + len(new.times) - 1, setting) if at >= track.rows]
    parts: list[Judged] = []
    at = 0
    while at < len(new.times):
        if track.rows in marks:
            track = _refitted(track, fits, setting)
        ahead = [mark - track.rows for mark in marks if mark > track.rows]
        size = min([BLOCK, len(new.times) - at, *ahead[:1]])
        stretch = Series(new.times[at : at + size], new.values[at : at + size], track.rows)
        part, track = _judge_stretch(track, stretch, setting)
        parts.append(part)
        at += size
    return _spread_out(parts, kept), track


def _refitted(track: Track, fits: Mapping[int, Fit | None], setting: Setting) -> Track:
    if track.rows not in fits:
        raise UsageError(f"judge: got no fit at {track.rows} points, expected one; fit the training set of each count in due()")
    constants = track.constants or learned(track.tail, setting)
    return replace(track, constants=constants, fit=fits[track.rows] or track.fit)


def _judge_stretch(track: Track, new: Series, setting: Setting) -> tuple[Judged, Track]:
    """Points with no refit between them."""
    both = joined(track.tail, new)
    if track.constants is None:
        return _nothing(len(new.times)), replace(track, tail=both)
    rest = max(len(both.times) - reach(track.constants), 0)
    tail = Series(both.times[rest:], both.values[rest:], both.first + rest)
    if track.fit is None:
        return _nothing(len(new.times)), replace(track, tail=tail)
    part = _told(both, len(track.tail.times), track.fit, setting, track.constants)
    part, track = _alerted(part, track, setting)
    return part, replace(track, tail=tail)


def _told(both: Series, start: int, fit: Fit, setting: Setting, constants: Learned) -> Judged:
    """What the views say of the points from `start` on, without alerts."""
    views = views_of(setting, constants)
    rows = len(both.times) - start
    loud = np.zeros((len(views), rows))
    told = np.full((3, len(views), rows), np.nan)
    for number, view in enumerate(views):
        if fit.views[number]:
            own = columns(view, both, start, setting, constants)
            loud[number], told[:, number] = _view_says(view, own, fit.views[number], constants)
    view_index = loud.argmax(axis=0)
    each = np.arange(rows)
    weights = np.array([view.weight for view in views])
    score = np.add.accumulate(loud * weights[:, None], axis=0)[-1] / weights.sum()
    came, usual_came, column = told[:, view_index, each]
    return Judged(
        score,
        np.zeros(rows, np.int8),
        np.full(rows, np.nan),
        view_index.astype(np.int8),
        usual_came,
        came,
        np.where(np.isnan(column), 0.0, column).astype(np.int8),
        views,
    )


def _view_says(view: View, own: Floats, fits: tuple[ViewFit, ...], constants: Learned) -> tuple[Floats, Floats]:
    """How loud the view is about each point, and (came, usual, column) of what stands out most."""
    loud = np.zeros(len(own))
    for fit in reversed(fits):  # the first has the last word: it tells what was usual
        compared = scaled(own, fit.middle, fit.scale, fit.turn)
        nearest, apart = nearest_centres(np.where(np.isnan(compared), 0.0, compared), fit.centres)
        loud += apart / fit.unit
    loud = np.minimum(loud / len(fits) / view.threshold, LOUDEST)
    loud[np.isnan(compared[:, -1])] = 0.0
    centres = fit.centres if fit.turn is None else fit.centres @ np.linalg.inv(fit.turn)
    usual = centres[nearest] * fit.scale + fit.middle
    speaking = 1 if view.kind == "clock" else view.width  # the phase is never what is unusual
    each = np.arange(len(own))
    which = np.abs((own - usual)[:, :speaking] / fit.scale[:speaking]).argmax(axis=1)
    came, expected = own[each, which], usual[each, which]
    if view.kind == "spread48":
        floor = constants.floors[view.column]
        came, expected = np.exp(came) - floor, np.exp(expected) - floor
    column = which if view.kind == "together" else np.full(len(own), view.column)
    return loud, np.stack([came, expected, column.astype(np.float64)])


def _alerted(part: Judged, track: Track, setting: Setting) -> tuple[Judged, Track]:
    """Thresholds in force and alerts, point by point."""
    rule = Rule(setting.threshold, setting.rest, setting.memory, setting.calm)
    part.threshold[:], part.flag[:], memory = alerted(part.score.tolist(), track.rows, track.memory, rule)
    return part, replace(track, memory=memory)


def _nothing(rows: int) -> Judged:
    nan = np.full(rows, np.nan)
    none = np.full(rows, -1, np.int8)
    return Judged(nan, none, nan.copy(), none.copy(), nan.copy(), nan.copy(), np.zeros(rows, np.int8), ())


def _spread_out(parts: list[Judged], kept: NDArray[np.bool_]) -> Judged:
    """The parts one after another, and the points that were left out between them."""
    out = _nothing(len(kept))
    for name in ("score", "flag", "threshold", "view", "usual", "came", "column"):
        if parts:
            getattr(out, name)[kept] = np.concatenate([getattr(part, name) for part in parts])
    return replace(out, views=parts[-1].views if parts else ())
