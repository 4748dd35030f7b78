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


def reasons(
    series: SeriesModel, views: Sequence[View], flag: Any, view: Any, column: Any, usual: Any, came: Any
) -> list[str | None]:
    """Per point the words for an alert, None for any other; arrays as `Judged` has them."""
    return [
        reason(series, views[view[i]].kind, int(column[i]), float(usual[i]), float(came[i])) if flag[i] == 1 else None
        for i in range(len(flag))
    ]


def reason(series: SeriesModel, view: str, column: int, usual: float, came: float) -> str:
    """The words for one point."""
    name, value = list(series.values.items())[column]
    numbers = {"came": f"{came:,.{value.digits}f}", "usual": f"{usual:,.{value.digits}f}"}
    return MEANINGS[view].format(name=name.replace("_", " "), unit=value.unit, **numbers)
