"""The flights as `make local-run` left them: rows, joins and figures against ones that pandas computes from the package's files."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from local.flights import airports, monthly_files, planes
from tests.e2e.conftest import Copy

FLIGHTS, WEATHER = 336_776, 26_115


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The package's flights as one frame."""
    return _frame("flights", tmp_path_factory.mktemp("flights"))


def _frame(kind: str, folder: Path) -> Any:
    path = folder / "all.csv"
    files = [data for name, data in monthly_files().items() if name.startswith(kind)]
    header = files[0].split(b"\n", 1)[0]
    path.write_bytes(header + b"\n" + b"".join(data.split(b"\n", 1)[1] for data in files))
    return pd.read_csv(path)


def test_every_flight_and_every_reading_is_there_and_none_was_rejected(copy: Copy) -> None:
    for name, rows in (("flights", FLIGHTS), ("weather", WEATHER), ("airports", 1_458), ("airlines", 16), ("planes", 3_322)):
        counts = copy.lake.publications(f"trusted.{name}")[-1]["facts"]["counts"]
        assert counts["kept"] == counts["decoded"] == rows
    (midnight,) = copy.lake.rows("SELECT count(*) AS flights FROM flights WHERE dep_time = 2400")
    assert midnight["flights"] == 29


def test_each_airline_has_the_figures_of_its_flights(copy: Copy, flights: Any) -> None:
    registered = {tailnum for tailnum, *_ in planes()}
    found = {row["carrier"]: row for row in copy.lake.rows("SELECT * FROM carrier_performance")}
    assert sum(row["flights"] for row in found.values()) == FLIGHTS
    assert sum(row["flights_without_plane"] for row in found.values()) == 52_606
    for carrier, group in flights.groupby("carrier"):
        row, delays = found[carrier], group["dep_delay"].dropna()
        assert (row["flights"], row["cancelled"]) == (len(group), int(group["dep_time"].isna().sum()))
        assert row["flights_without_plane"] == int((~group["tailnum"].isin(registered)).sum())
        assert row["mean_dep_delay"] == pytest.approx(delays.mean(), rel=1e-12)
        assert row["median_dep_delay"] == delays.median()
        assert row["share_over_15"] == pytest.approx((delays > 15).mean(), rel=1e-12)


def test_each_route_has_the_figures_of_its_flights(copy: Copy, flights: Any) -> None:
    names = {airport["faa"]: airport["name"] for airport in airports()}
    found = {(row["origin"], row["dest"]): row for row in copy.lake.rows("SELECT * FROM route_performance")}
    assert sum(row["flights"] for row in found.values() if row["airport_name"] is None) == 7_602
    for route, group in flights.groupby(["origin", "dest"]):
        row, flown = found.pop(route), group.dropna(subset=["air_time"])
        assert (row["airport_name"], row["flights"]) == (names.get(route[1]), len(group))
        if len(flown):
            assert row["mean_arr_delay"] == pytest.approx(group["arr_delay"].mean(), rel=1e-12)
            assert row["mean_speed"] == pytest.approx(flown["distance"].sum() * 60 / flown["air_time"].sum(), rel=1e-12)
        else:
            assert (row["mean_arr_delay"], row["mean_speed"]) == (None, None)
    assert found == {}


def test_every_flight_counts_once_in_its_hour_with_or_without_weather(copy: Copy, flights: Any, tmp_path: Path) -> None:
    weather = _frame("weather", tmp_path)[["origin", "time_hour", "temp", "visib"]]
    by_hour = flights.groupby(["origin", "time_hour"], as_index=False).agg(
        flights=("flight", "size"), cancelled=("dep_time", lambda times: int(times.isna().sum())), mean=("dep_delay", "mean")
    )
    expected = by_hour.merge(weather, how="left", on=["origin", "time_hour"])
    (total,) = copy.lake.rows(
        "SELECT count(*) AS hours, sum(flights) AS flights, sum(cancelled) AS cancelled, count(visib) AS readings,"
        " sum(mean_dep_delay) AS means, sum(temp) AS temps FROM hourly_delays"
    )
    assert (total["hours"], total["flights"], total["cancelled"]) == (len(expected), FLIGHTS, int(expected["cancelled"].sum()))
    assert total["readings"] == int(expected["visib"].notna().sum())
    assert total["means"] == pytest.approx(expected["mean"].sum(), rel=1e-9)
    assert total["temps"] == pytest.approx(expected["temp"].sum(), rel=1e-9)


def test_the_worst_days_of_the_flights_are_among_the_most_anomalous(copy: Copy, flights: Any) -> None:
    late = flights["dep_delay"].fillna(240)  # a flight that never left counts as four hours late
    by_day = late.groupby([flights["year"], flights["month"], flights["day"]]).mean().nlargest(5)
    bad = {f"{year}-{month:02d}-{day:02d}" for year, month, day in by_day.index}
    days = copy.lake.rows(  # five hours behind UTC, or four: in the hour between nothing leaves
        "SELECT cast(date_add('hour', -5, hour_at) AS date) AS day, count_if(is_anomaly) AS hours, sum(score) AS score"
        " FROM delay_anomalies GROUP BY 1"
    )
    for rank in ("hours", "score"):
        worst = sorted(days, key=lambda day: -day[rank])[:12]
        assert bad <= {str(day["day"]) for day in worst}, rank


def test_hours_are_judged_by_rule_and_flagged_with_a_reason_as_often_as_declared(copy: Copy, flights: Any) -> None:
    by_hour = flights.groupby(["origin", "time_hour"]).agg(flights=("flight", "size"), left=("dep_time", "count"))
    (found,) = copy.lake.rows(
        "SELECT count(*) AS hours, count(score) AS judged, count_if(is_anomaly) AS flagged, count_if(is_anomaly AND reason IS NULL)"
        " AS silent, count_if(mean_dep_delay IS NULL AND is_anomaly) AS none_left FROM delay_anomalies"
    )
    enough = by_hour[by_hour["flights"] >= 5]
    assert (found["hours"], found["judged"], found["silent"]) == (len(by_hour), len(enough), 0)
    assert found["flagged"] == pytest.approx(0.02 * len(enough), rel=0.01)
    assert found["none_left"] == int((enough["left"] == 0).sum()) > 0


def test_the_broken_wind_reading_is_the_worst_of_the_weather_with_its_reason(copy: Copy) -> None:
    (worst, *rest) = copy.lake.rows("SELECT * FROM weather_anomalies WHERE is_anomaly ORDER BY score DESC")
    assert worst["wind_speed"] > 1_048
    assert re.fullmatch(r"wind speed 1,048\.4 miles per hour \(usually \d+\.\d\)", worst["reason"])
    assert worst["score"] > 10 * rest[0]["score"]
    assert len(rest) < 0.002 * WEATHER
