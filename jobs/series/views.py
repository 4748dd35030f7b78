"""The views of a series: what is compared of each point, computed from the last few points alone.

A view's columns for a point are bit for bit the same whether computed from the whole series, from its tail, or with the
future cut off: sums run over the points of a window in one fixed order, and no point knows more than its window.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jobs.series.rows import Floats, Learned, Series, Whole
from jobs.series.setting import VIEWS, Setting

SHORT, MIDDLE, LONG = 3, 12, 48  # points of the means; the longest is also the window of the spread


@dataclass(frozen=True)
class View:
    """One view of a series: what it is called, what it looks at, and how its columns are brought to one scale.

    kind: one of VIEWS or EXTRA_VIEWS.
    column: which of the values it looks at; `together` looks at all.
    groups: columns that share one middle and one scale.
    threshold: how many units of distance count as 1 in the score.
    weight: how many times the view counts in the score: `together` as often as all values alone.
    """

    kind: str
    column: int
    groups: tuple[tuple[int, ...], ...]
    threshold: float
    weight: int = 1

    @property
    def width(self) -> int:
        """How many columns the view has."""
        return sum(len(group) for group in self.groups)


_GROUPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "value": ((0,),),
    "shape10": (tuple(range(10)),),
    "scales": ((0,), (1,), (2,)),
    "clock": ((0,), (1, 2)),
    "dayago": ((0,),),
    "spread48": ((0,),),
    "local48": ((0,),),
}


def views_of(setting: Setting, constants: Learned) -> tuple[View, ...]:
    """The views a series is judged by, in order; those that need a period only where there is one to look back on."""
    many = len(constants.floors)
    kinds = setting.views or (VIEWS if many == 1 else ("value", "together"))
    found = []
    for kind in kinds:
        if (kind == "dayago" and not constants.period_rows) or (kind == "clock" and setting.period is None):
            continue
        if kind == "together":
            found.append(View(kind, 0, tuple((column,) for column in range(many)), 1.5, many))
        else:
            usual = 3.0 if kind == "value" else 1.5
            found.extend(View(kind, column, _GROUPS[kind], usual) for column in range(many))
    return tuple(found)


def reach(constants: Learned) -> int:
    """How many points before a point its views look back on."""
    return max(LONG, constants.period_rows + _hour(constants.period_rows))


def columns(view: View, series: Series, start: int, setting: Setting, constants: Learned) -> Floats:
    """The view's columns of the points from `start` on: float64 (n - start, view.width), not brought to scale.

    NaN where the series is still too short for the view. In the unit of the value, but: sine and cosine of the phase in
    `clock`, the logarithm of a deviation in `spread48`.
    """
    table = series.table
    if view.kind == "together":
        return table[start:].copy()
    values = table[:, view.column]
    if view.kind == "clock":
        assert setting.period is not None
        return _clock(series.times[start:], values[start:], setting.period)
    if view.kind == "dayago":
        return _dayago(values, start, constants.period_rows)
    if view.kind == "spread48":
        return _spread(values, start, constants.floors[view.column])
    return _PLAIN[view.kind](values, start)


def _value(values: Floats, start: int) -> Floats:
    return values[start:, None].copy()


def _shape(values: Floats, start: int) -> Floats:
    return _windows(values, start, 10)


def _scales(values: Floats, start: int) -> Floats:
    window = _windows(values, start, LONG)
    return np.column_stack([_sums(window[:, :size]) / size for size in (SHORT, MIDDLE, LONG)])


def _local(values: Floats, start: int) -> Floats:
    window = _windows(values, start, LONG + 1)
    return (window[:, 0] - _sums(window[:, 1:]) / LONG)[:, None]


_PLAIN: dict[str, Callable[[Floats, int], Floats]] = {
    "value": _value,
    "shape10": _shape,
    "scales": _scales,
    "local48": _local,
}


def _clock(times: Whole, values: Floats, period: float) -> Floats:
    # math, not numpy: numpy's vectors may round otherwise than its single numbers
    ticks = round(period * 1e6)
    phases = [2.0 * math.pi * (tick / ticks) for tick in (times % ticks).tolist()]
    return np.column_stack([values, [math.sin(phase) for phase in phases], [math.cos(phase) for phase in phases]])


def _dayago(values: Floats, start: int, period_rows: int) -> Floats:
    size = _hour(period_rows)
    now = _sums(_windows(values, start, size)) / size
    ago = _sums(_windows(values, start - period_rows, size, len(now))) / size
    return (now - ago)[:, None]


def _spread(values: Floats, start: int, floor: float) -> Floats:
    window = _windows(values, start, LONG)
    apart = window - (_sums(window) / LONG)[:, None]
    deviations = np.sqrt(_sums(apart * apart) / LONG) + floor
    return np.array([math.log(max(deviation, 1e-12)) for deviation in deviations.tolist()])[:, None]


def _hour(period_rows: int) -> int:
    """Points in a 24th of the period."""
    return max(period_rows // 24, 1)


def _windows(values: Floats, start: int, size: int, rows: int | None = None) -> Floats:
    """(rows, size): each point from `start` on and the `size` - 1 before it, newest first; NaN before the series begins."""
    rows = len(values) - start if rows is None else rows
    missing = max(size - 1 - start, 0)
    padded = np.concatenate([np.full(missing, np.nan), values]) if missing else values
    newest = np.arange(start + missing, start + missing + rows)
    out: Floats = padded[newest[:, None] - np.arange(size)]
    return out


def _sums(window: Floats) -> Floats:
    """Per row, the sum from the first column to the last in this order: `sum` would choose its order by the shape."""
    total: Floats = np.add.accumulate(window, axis=1)[:, -1]
    return total
