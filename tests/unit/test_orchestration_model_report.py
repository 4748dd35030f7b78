"""A model's page: what it shows of literal rows, and that it stands alone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from lake.model import Model
from lake.model_tables import model_table
from lake.tables import Refined
from orchestration.charts import Axis, bars
from orchestration.model_axes import on_two_axes
from orchestration.model_judged import Judged
from orchestration.model_report import report

START = datetime(2020, 1, 1, tzinfo=UTC)
REASON = "wind 300.0 <mph> (usually 9.0)"


def table(*features: str, **keys: Any) -> Refined:
    declared = {name: {"unit": "mph", "nulls": "usual", **keys} for name in features}
    facts = {
        "description": "One row per place & hour.",
        "input": "weather",
        "entity": {"place": "string"},
        "time": "at",
        "k": 2,
    }
    return model_table("gusts", Model.model_validate({**facts, "features": declared}), "code")


def document(*features: str, check: Any = None) -> dict[str, Any]:
    clusters = [
        {
            "centre": [0.0 for _ in features],
            "rows": 9,
            "share": 0.9,
            "spread": 0.5,
            "is_rare": False,
            "usual": dict.fromkeys(features, 9.0),
        },
        {
            "centre": [5.0 for _ in features],
            "rows": 1,
            "share": 0.1,
            "spread": 1.0,
            "is_rare": True,
            "usual": dict.fromkeys(features, 300.0),
        },
    ]
    return {
        "id": "abc",
        "run": "RUN",
        "trained_at": "2020-01-02T00:00:00+00:00",
        "rows": 10,
        "trained_on": {"table": "trusted.weather", "number": 1, "snapshot": 7},
        "features": {name: {"middle": 9.0, "scale": 2.0, "edges": [], "shares": [1.0]} for name in features},
        "clusters": clusters,
        "threshold": 4.0,
        "metrics": {"share_flagged": 0.1, "silhouette": 0.8, "inertia": 3.0},
        "parameters": {"k": 2, "tried": [{"k": 2, "silhouette": 0.8}], "threshold": 0.9, "window": {}},
        "check": check,
    }


def judged(*features: str, model: str = "abc") -> Judged:
    points = [
        {
            "place": "a",
            "at": START + timedelta(hours=number),
            **dict.fromkeys(features, 300.0 if number == 9 else 8.0 + number % 3),
            "cluster": int(number == 9),
            "score": 50.0 if number == 9 else 1.0,
            "is_anomaly": number == 9,
            "reason": REASON if number == 9 else None,
        }
        for number in range(10)
    ]
    counts = {"rows": 11, "judged": 10, "anomalies": 1, "first": START, "last": START + timedelta(hours=9), "model": model}
    spans = [
        {"place": row["place"], "at": row["at"], "score": row["score"], "anomalies": int(row["is_anomaly"])} for row in points
    ]
    return Judged(counts, points, spans, [points[9]])


@pytest.mark.parametrize("features", [("wind",), ("wind", "gust"), ("wind", "gust", "rain")])
def test_the_page_says_what_was_found_and_draws_it(features: tuple[str, ...]) -> None:
    page = report(table(*features), document(*features), judged(*features))
    assert "<b>1</b> anomalies in 10 judged rows of 11" in page
    assert "One row per place &amp; hour." in page
    assert "<td>wind 300.0 &lt;mph&gt; (usually 9.0)</td>" in page
    clusters, scores = sorted(
        (ET.fromstring(drawn) for drawn in re.findall(r"<svg.*?</svg>", page)), key=lambda each: len(each.findall("rect"))
    )
    assert [len(scores.findall(f"rect[@class='{style}']")) for style in ("under", "over")] == [9, 1]
    drawn = [each for each in clusters if each.get("class") in ("c0", "c1", "anomaly")]
    assert (len(drawn), len(clusters.findall("circle[@class='centre']"))) == (10, 2)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = report(table("wind"), document("wind"), judged("wind"))
    assert re.findall(r"<(?:script|link|img)|(?:src|href)\s*=|url\(|https?:", page) == []


def test_a_table_that_another_model_scored_says_so() -> None:
    assert "was scored by model old;" in report(table("wind"), document("wind"), judged("wind", model="old"))
    assert "was scored by model" not in report(table("wind"), document("wind"), judged("wind"))


def test_a_model_that_was_compared_shows_its_drift() -> None:
    drift = {"centroid_shift": 0.125, "population_stability": {"wind": 0.3}}
    page = report(table("wind"), document("wind", check={"against": "old", "why": "better", "drift": drift}), judged("wind"))
    assert "<h2>Drift against old</h2>" in page
    assert "<td>wind, stability index</td><td>0.300</td>" in page


def test_points_stand_by_their_values_as_the_model_compares_them() -> None:
    rows = [{"wind": 9.0, "gust": 3.0, "score": 1.0}, {"wind": None, "gust": 40.0, "score": 2.0}]
    clipped = table("wind", "gust", enters="clipped", high=20).model
    assert clipped
    assert on_two_axes(clipped, document("wind", "gust"), rows).points == [(9.0, 3.0), (9.0, 20.0)]
    alone = table("wind").model
    assert alone
    assert on_two_axes(alone, document("wind"), rows).points == [(9.0, 1.0), (9.0, 2.0)]


def test_an_axis_names_round_values_and_keeps_to_its_ends() -> None:
    assert Axis(0, 17, 0, 100).ticks() == [0, 5, 10, 15]
    assert Axis(0.1, 160, 0, 100, is_log=True).ticks() == [0.1, pytest.approx(0.3), 1, 3, 10, 30, 100]
    assert (Axis(0, 10, 0, 100).at(5), Axis(0, 10, 0, 100).at(99), Axis(1, 100, 0, 100, is_log=True).at(10)) == (50, 100, 50)


def test_a_span_without_a_score_has_no_bar() -> None:
    assert bars([("a", [1.0, None, 5.0])], ["x", "y", "z"], 2.0, "score").count("<rect") == 2
