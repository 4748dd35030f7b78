"""Why a point is an alert, in words: the view that found it, what came, what was usual, in the unit of the value."""

from collections.abc import Sequence
from typing import Any

from jobs.series.views import View
from lake.series import SeriesModel

#: What `came` and `usual` are in each view.
MEANINGS = {
    "value": "{name} {came} {unit} (usually about {usual})",
    "clock": "{name} {came} {unit} at this time of the period (usually about {usual})",
    "shape10": "{name} {came} {unit} within its last ten points (usually about {usual} in such a course)",
    "scales": "mean {name} of the last points {came} {unit} (usually about {usual})",
    "dayago": "{name} changed by {came} {unit} since one period before (usually about {usual})",
    "spread48": "deviation of {name} over 48 points {came} {unit} (usually about {usual})",
    "local48": "{name} {came} {unit} from the mean of the 48 points before (usually about {usual})",
    "together": "{name} {came} {unit} with the other values as they are (usually about {usual})",
}


def view_words(series: SeriesModel, views: Sequence[View], view: Any, column: Any) -> list[str | None]:
    """Per point the view that speaks loudest, with the value it speaks of where there are several; arrays as `Judged` has them."""
    names = [f" {name}" for name in series.values] if len(series.values) > 1 else [""]
    return [
        views[number].kind + names[place] if number >= 0 else None
        for number, place in zip(view.tolist(), column.tolist(), strict=True)
    ]


def reason(series: SeriesModel, view: str, usual: float, came: float) -> str:
    """The words for a point, given its view as `view_words` has it."""
    kind, _, named = view.partition(" ")
    name = named or next(iter(series.values))
    value = series.values[name]
    numbers = {"came": f"{came:,.{value.digits}f}", "usual": f"{usual:,.{value.digits}f}"}
    return MEANINGS[kind].format(name=name.replace("_", " "), unit=value.unit, **numbers)
