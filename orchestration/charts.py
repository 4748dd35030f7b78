"""Charts as inline SVG: scatter and bars, drawn from numbers alone, colours by the page's style."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 920
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 40


@dataclass(frozen=True)
class Axis:
    """A range of values on a stretch of pixels; what lies outside is drawn at its end."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Pixel of a value."""
        low, high, here = (self._placed(number) for number in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (here - low) / ((high - low) or 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values to name."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [value for power in powers for value in (10.0**power, 3 * 10.0**power) if self.low <= value <= self.high]
        rough = (self.high - self.low) / 5 or 1.0
        step = 10 ** math.floor(math.log10(rough))
        step *= next(times for times in (1, 2, 5, 10) if times * step >= rough)
        first = math.ceil(self.low / step)
        return [number * step for number in range(first, math.floor(self.high / step) + 1)]

    def _placed(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


@dataclass(frozen=True)
class Point:
    """A point of a scatter: where, its cluster, whether it stands out, and what a pointer on it shows."""

    x: float
    y: float
    cluster: int
    is_anomaly: bool
    words: str


def scatter(points: Sequence[Point], centres: Sequence[tuple[float, float]], x_name: str, y_name: str) -> str:
    """Points by cluster with the centres numbered; the far 1 % of either side is drawn at the border as a triangle."""
    height = 440
    x = _spread([point.x for point in points], LEFT, WIDTH - RIGHT)
    y = _spread([point.y for point in points], height - BOTTOM, TOP)
    marks = []
    for point in sorted(points, key=lambda each: each.is_anomaly):
        at, up = x.at(point.x), y.at(point.y)
        style = "anomaly" if point.is_anomaly else f"c{point.cluster % 8}"
        title = f"<title>{escape(point.words)}</title>" if point.is_anomaly else ""
        if x.low <= point.x <= x.high and y.low <= point.y <= y.high:
            marks.append(
                f'<circle class="{style}" cx="{at:.1f}" cy="{up:.1f}" r="{3 if point.is_anomaly else 2}">{title}</circle>'
            )
        else:
            marks.append(f'<path class="{style}" d="M{at - 4:.1f} {up + 4:.1f}h8l-4-8z">{title}</path>')
    for number, (centre_x, centre_y) in enumerate(centres):
        at, up = x.at(centre_x), y.at(centre_y)
        marks.append(f'<circle class="centre" cx="{at:.1f}" cy="{up:.1f}" r="9"/>')
        marks.append(f'<text class="number" x="{at:.1f}" y="{up + 4:.1f}">{number}</text>')
    return drawn(height, [*_grid(x, y, height, x_name, y_name), *marks])


def bars(panels: Sequence[tuple[str, Sequence[float | None]]], labels: Sequence[str], limit: float, y_name: str) -> str:
    """One panel per series with a bar per label; bars above the limit stand out, the limit is a line."""
    each, gap = (150, 34) if len(panels) > 1 else (260, 34)
    height = TOP + len(panels) * (each + gap) + 10
    tallest = max((value for _, values in panels for value in values if value is not None), default=limit)
    is_log = tallest > 10 * limit
    lowest = min(0.1, limit / 10) if is_log else 0.0
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    parts: list[str] = []
    for number, (name, values) in enumerate(panels):
        top = TOP + number * (each + gap)
        y = Axis(lowest, max(tallest, limit) * 1.05, top + each, top + 18, is_log)
        parts += [line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), "grid") for tick in y.ticks()]
        parts += [f'<text class="tick end" x="{LEFT - 6}" y="{y.at(tick) + 4:.1f}">{tick:g}</text>' for tick in y.ticks()]
        parts.append(f'<text class="panel" x="{LEFT}" y="{top + 10}">{escape(name)}</text>')
        for place, value in enumerate(values):
            if value is not None and value > lowest:
                style, up = "over" if value > limit else "under", y.at(value)
                words = f"<title>{escape(labels[place])}: {value:.2f}</title>"
                box = f'x="{LEFT + place * step:.2f}" y="{up:.1f}" width="{max(step * 0.85, 0.8):.2f}" height="{y.start - up:.1f}"'
                parts.append(f'<rect class="{style}" {box}>{words}</rect>')
        parts.append(line(LEFT, y.at(limit), WIDTH - RIGHT, y.at(limit), "limit"))
        for place in range(0, len(labels), max(len(labels) // 7, 1)):
            if LEFT + place * step > WIDTH - RIGHT - 30:
                break
            parts.append(
                f'<text class="tick" x="{LEFT + place * step:.1f}" y="{top + each + 16}">{escape(labels[place])}</text>'
            )
    parts.append(f'<text class="name" transform="translate(14 {height / 2:.0f}) rotate(-90)">{escape(y_name)}</text>')
    return drawn(height, parts)


def _spread(values: Sequence[float], start: float, end: float) -> Axis:
    ordered = sorted(values) or [0.0]
    low, high = ordered[int(0.005 * (len(ordered) - 1))], ordered[math.ceil(0.995 * (len(ordered) - 1))]
    margin = (high - low) * 0.06 or 1.0
    return Axis(low - margin, high + margin, start, end)


def _grid(x: Axis, y: Axis, height: int, x_name: str, y_name: str) -> list[str]:
    parts = [line(x.at(tick), TOP, x.at(tick), height - BOTTOM, "grid") for tick in x.ticks()]
    parts += [line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), "grid") for tick in y.ticks()]
    parts += [f'<text class="tick" x="{x.at(tick):.1f}" y="{height - BOTTOM + 16}">{tick:g}</text>' for tick in x.ticks()]
    parts += [f'<text class="tick end" x="{LEFT - 6}" y="{y.at(tick) + 4:.1f}">{tick:g}</text>' for tick in y.ticks()]
    parts.append(f'<text class="name" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{height - 6}">{escape(x_name)}</text>')
    parts.append(
        f'<text class="name" transform="translate(14 {(height - BOTTOM) / 2:.0f}) rotate(-90)">{escape(y_name)}</text>'
    )
    return parts


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A line between two pixels."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def drawn(height: int, parts: Sequence[str]) -> str:
    """The parts as one picture."""
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'
