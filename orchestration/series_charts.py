"""Charts of series as inline SVG: a band of least and greatest value per pixel, alerts as lines, known windows as shades."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

from orchestration.charts import LEFT, RIGHT, TOP, WIDTH, Axis, drawn, line

EACH, GAP = 110, 26
Span = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """An alert: when (epoch seconds), and what a pointer on it shows."""

    at: float
    words: str


@dataclass(frozen=True)
class Panel:
    """One curve: a value per point, null where there is none; `limit` per point is drawn too."""

    name: str
    values: Sequence[float | None]
    limits: Sequence[float | None] = ()


def series_panels(times: Sequence[float], panels: Sequence[Panel], marks: Sequence[Mark], windows: Sequence[Span]) -> str:
    """The panels below each other over one axis of time (epoch seconds, in order)."""
    height = TOP + len(panels) * (EACH + GAP) + 20
    x = Axis(times[0], times[-1], LEFT, WIDTH - RIGHT)
    bottom = TOP + len(panels) * (EACH + GAP) - GAP + 14
    parts = [_shade(x, span, bottom) for span in windows]
    for number, panel in enumerate(panels):
        parts += _panel(times, panel, x, TOP + number * (EACH + GAP))
    for mark in marks:
        at = x.at(mark.at)
        box = f'x1="{at:.1f}" y1="{TOP + 14}" x2="{at:.1f}" y2="{bottom}"'
        parts.append(f'<line class="alert" {box}><title>{escape(mark.words)}</title></line>')
    for number, panel in enumerate(panels):  # last, so that no line runs through a name
        parts.append(f'<text class="panel" x="{LEFT}" y="{TOP + number * (EACH + GAP) + 12}">{escape(panel.name)}</text>')
    for number in range(6):
        at = times[0] + (times[-1] - times[0]) * number / 5
        place = "end" if number == 5 else ""
        label = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
        parts.append(
            f'<text class="tick {place}" x="{x.at(at) + (30 if number == 0 else 0):.1f}" y="{bottom + 16}">{label}</text>'
        )
    return drawn(height, parts)


def _panel(times: Sequence[float], panel: Panel, x: Axis, top: float) -> list[str]:
    there = [value for value in [*panel.values, *panel.limits] if value is not None]
    low, high = (min(there), max(there)) if there else (0.0, 1.0)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    y = Axis(low - margin, high + margin, top + EACH, top + 18)
    parts = [line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), "grid") for tick in y.ticks()]
    parts += [f'<text class="tick end" x="{LEFT - 6}" y="{y.at(tick) + 4:.1f}">{tick:g}</text>' for tick in y.ticks()]
    parts.append(f'<path class="curve" d="{_band(times, panel.values, x, y)}"/>')
    if panel.limits:
        parts.append(f'<path class="limit" fill="none" d="{_band(times, panel.limits, x, y)}"/>')
    return parts


def _band(times: Sequence[float], values: Sequence[float | None], x: Axis, y: Axis) -> str:
    """A path that goes through the least and the greatest value of each pixel, and breaks where there is none."""
    edges = [x.low + (x.high - x.low) * pixel / (x.end - x.start) for pixel in range(int(x.end - x.start) + 2)]
    parts, is_down = [], False
    for pixel, (start, end) in enumerate(pairwise(edges)):
        found = [value for value in values[bisect_left(times, start) : bisect_left(times, end)] if value is not None]
        if not found:
            continue
        for value in dict.fromkeys((min(found), max(found))):
            parts.append(f"{'L' if is_down else 'M'}{x.start + pixel:.0f} {y.at(value):.1f}")
            is_down = True
    return "".join(parts)


def _shade(x: Axis, span: Span, bottom: float) -> str:
    start, end = x.at(span[0]), x.at(span[1])
    return f'<rect class="known" x="{start:.1f}" y="{TOP + 14}" width="{max(end - start, 1):.1f}" height="{bottom - TOP - 14:.1f}"/>'
