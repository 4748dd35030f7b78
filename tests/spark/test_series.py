"""A detector's table through the lake's own zones: judged once, gone on with as points come, restated where they come late."""

import math
import random
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.series.alerting import Rule
from lake.errors import UsageError
from lake.series import SeriesModel, series_table
from lake.settings import Settings
from local.feeds import start_feeds
from orchestration.series_backtest import against, backtest
from orchestration.series_judged import Window, read_watched, read_windows
from orchestration.series_report import report
from store.leases import held
from store.objects import Objects
from tests.spark.conftest import Lab
from tests.spark.drivers import ended, started, steps

READING = {"id": "string", "sensor": "string", "at": "timestamp", "celsius": "double"}
DETECTOR: dict[str, Any] = {
    "kind": "series",
    "description": "One row per sensor and reading.",
    "input": "probes",
    "entity": {"sensor": "string"},
    "time": "at",
    "values": {"celsius": {"unit": "degrees Celsius"}},
    "learn": 100,
    "rest": 0,
}
Rows = list[dict[str, Any]]
THREE = ("one", "two", "three")
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)


def series(sensor: str, first: int, end: int, **odd: float) -> Rows:
    """A reading each ten minutes: a daily wave and some noise; `odd` are readings by number, as n150=40."""
    rows = []
    for number in range(first, end):
        usual = 20 + 5 * math.sin(number / 144 * 2 * math.pi) + random.Random(f"{sensor} {number}").gauss(0, 0.3)
        day, rest = divmod(number, 144)
        at = f"2020-01-{1 + day:02d}T{rest // 6:02d}:{rest % 6}0:00Z"
        value = odd.get(f"n{number}", round(usual, 2))
        rows.append({"id": f"{sensor} {number}", "sensor": sensor, "at": at, "celsius": value})
    return rows


@pytest.fixture(scope="module")
def probes(spark: SparkSession, spark_settings: Settings, objects: Objects, tmp_path_factory: Any) -> Iterator[Lab]:
    """Three sensors' readings, of which one jumps at reading 250, and three values of a station; judged once."""
    feeds, sources = start_feeds(), tmp_path_factory.mktemp("series") / "sources"
    lab = Lab(spark, replace(spark_settings, sources=sources), objects, feeds)
    lab.declare("probes", READING, load="merge")
    declare(lab, "watched")
    lab.declare("stations", {"id": "string", "at": "timestamp", **dict.fromkeys(THREE, "double")}, load="append")
    together = {"input": "stations", "entity": {}, "values": {name: {"unit": "units"} for name in THREE}, "learn": 60, "k": 5}
    declare(lab, "related", **together)
    lab.serve("stations", station(0, 150))
    send(lab, *series("a", 0, 300, n250=40.0), *series("b", 0, 300), *series("short", 0, 50))
    yield lab
    feeds.close()


def station(first: int, end: int) -> Rows:
    """Three values each ten minutes, of which the third follows the others; it breaks at 140 and is missing at 100."""
    rows = []
    for reading in series("station", first, end):
        number = int(reading["id"].split()[1])
        one, two = reading["celsius"], random.Random(number).gauss(1000, 5)
        three = None if number == 100 else 80 - one if number == 140 else one + two / 100
        rows.append({"id": reading["id"], "at": reading["at"], "one": one, "two": two, "three": three})
    return rows


def declare(lab: Lab, name: str, **keys: Any) -> None:
    lab.refined[name] = series_table(name, SeriesModel.model_validate({**DETECTOR, **keys}), "code")


def send(lab: Lab, *rows: dict[str, Any]) -> dict[str, Any]:
    lab.serve("probes", list(rows))
    return lab.cycle()


def judged(lab: Lab, name: str = "watched") -> list[Any]:
    table = lab.spark.table(f"lake.refined.{name}")
    return table.orderBy(*(["sensor"] if "sensor" in table.columns else []), "at").collect()


def test_the_first_build_flags_the_jump_with_its_reason_and_nothing_that_is_too_young(probes: Lab) -> None:
    rows = judged(probes)
    assert len(rows) == 650
    (alert,) = [row for row in rows if row.flag == 1 and row.sensor == "a" and index_of(row) == 250]
    assert alert.celsius == 40.0
    assert alert.score >= alert.threshold
    assert re.search(r"celsius .* degrees Celsius .*\(usually about ", alert.reason)
    young = [row for row in rows if row.sensor == "short" or index_of(row) < 100]
    assert {(row.flag, row.score) for row in young} == {(-1, None)}


def index_of(row: Any) -> int:
    return (row.at.day - 1) * 144 + row.at.hour * 6 + row.at.minute // 10


def said(lab: Lab, name: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in judged(lab, name)]


def whole(lab: Lab, detector: str = "watched") -> list[tuple[Any, ...]]:
    """What a detector of the same declaration says that judges all from the beginning."""
    name = f"whole_{detector}_{lab.tables.publications(f'refined.{detector}')[0].number}"
    lab.refined[name] = replace(lab.refined[detector], name=name)
    lab.build(lab.plan(name))
    del lab.refined[name]
    return said(lab, name)


def test_new_points_are_judged_alone_and_as_if_all_had_come_at_once(probes: Lab) -> None:
    record = send(probes, *series("a", 300, 310, n305=-10.0), *series("new", 0, 120))["refined.watched"]
    assert (record["series"], record["points"]) == (2, 130)
    assert len(probes.spark.table("lake.refined.watched").select("sensor").distinct().collect()) == 4
    assert said(probes, "watched") == whole(probes)


def test_several_values_judged_in_portions_are_as_if_all_had_come_at_once(probes: Lab) -> None:
    for first, end in ((150, 151), (151, 160)):
        probes.serve("stations", station(first, end))
        record = probes.cycle("related")["refined.related"]
        assert (record["series"], record["points"]) == (1, end - first)
    rows = said(probes, "related")
    assert len(rows) == 160
    assert [row.flag for row in judged(probes, "related")][100] == -1
    assert {row.view for row in judged(probes, "related")} > {None, "together three"}
    assert rows == whole(probes, "related")


def test_a_build_that_is_killed_leaves_the_table_and_the_next_gives_what_an_unkilled_one_would(
    probes: Lab, tmp_path: Path
) -> None:
    def news(first: int) -> None:
        probes.serve("probes", series("b", first, first + 3))
        probes.pull("probes")
        assert probes.build(probes.plan("probes"))["trusted.probes"]["outcome"] == "published"

    def build(other: Lab) -> None:
        other.refined.update(probes.refined)
        (record,) = other.build(other.plan("watched")).values()
        assert record["outcome"] == "published"

    for first in (300, 303):
        news(first)
        build(probes)
    news(306)  # from here on no refit is due: all builds have the same effects
    effects = steps(probes, build, tmp_path / "log")
    kept = next(number for number, line in enumerate(effects, 1) if "/tracks/" in line)
    published = next(number for number, line in enumerate(effects, 1) if line.endswith("publish refined.watched"))
    for first, place in ((309, f"{kept}:after"), (312, f"{published}:before"), (315, f"{published}:after")):
        news(first)
        served = said(probes, "watched")
        assert ended(started(probes, build, place)) == -signal.SIGKILL
        assert (said(probes, "watched") == served) == (place != f"{published}:after")
        probes.build(probes.plan("watched"))
    assert len(said(probes, "watched")) == 650 + 130 + 18
    assert said(probes, "watched") == whole(probes)
    folders = {info.key.split("/")[3] for info in probes.objects.list("models/watched/tracks/")}
    assert folders <= {publication.run for publication in probes.tables.publications("refined.watched")}


def test_rows_that_come_late_or_twice_are_found_among_the_added_ones(probes: Lab) -> None:
    before = {row[:2]: row for row in said(probes, "watched")}
    late = {**series("new", 110, 111)[0], "id": "once more", "celsius": 90.0}
    record = send(probes, late, *series("short", 50, 52), *series("newest", 0, 3))["refined.watched"]
    assert record["series"] == 3
    after = {row[:2]: row for row in said(probes, "watched")}
    assert {key[0] for key in after if after[key] != before.get(key)} == {"new", "short", "newest"}
    assert len(after) == len(before) + 5
    assert list(after.values()) == whole(probes)


def test_a_late_point_restates_its_series_from_there_on_and_no_other(probes: Lab) -> None:
    before = {row[:2]: row for row in said(probes, "watched")}
    late = {**series("a", 290, 291)[0], "celsius": 60.0}
    record = send(probes, late)["refined.watched"]
    assert record["series"] == 1
    assert record["points"] < 310  # it went on from a checkpoint
    after = {row[:2]: row for row in said(probes, "watched")}
    assert {key for key in after if after[key] != before[key]} <= {
        key for key in after if key[0] == "a" and key[1] >= _at(late)
    }
    assert any(row.flag == 1 and row.celsius == 60.0 for row in judged(probes))
    assert list(after.values()) == whole(probes)


def test_a_backtest_with_the_declared_setting_finds_what_the_table_has_and_a_stricter_one_less(probes: Lab) -> None:
    table, rule = probes.refined["watched"], Rule(0.6, 0, 0.1, 0.5)
    served = [row for row in judged(probes) if row.flag == 1]
    found = backtest(probes.settings, table, START, END, rule)
    assert [(row["sensor"], row["score"]) for row in found.alerts] == [
        (r.sensor, r.score) for r in sorted(served, key=lambda r: r.at)
    ]
    assert found.served == len(served)
    assert {row["reason"] for row in found.alerts} == {row.reason for row in served}
    stricter = backtest(probes.settings, table, START, END, replace(rule, threshold=1.5))
    assert 0 < len(stricter.alerts) < len(found.alerts)
    assert table.series is not None
    window = Window(("a",), datetime(2020, 1, 2, 17, tzinfo=UTC), datetime(2020, 1, 2, 19, tzinfo=UTC))
    never = Window(("b",), START, START)
    known = against([window, never], stricter, table.series)
    assert (known["windows"], known["hit"], known["missed"]) == (2, 1, ["b 2020-01-01 00:00"])
    with pytest.raises(UsageError, match="judged no point"):
        backtest(probes.settings, table, END, END, rule)


def test_the_page_of_a_detector_draws_its_series_with_their_alerts(probes: Lab, tmp_path: Path) -> None:
    table = probes.refined["watched"]
    assert table.series is not None
    truth = tmp_path / "truth.csv"
    truth.write_text("sensor,start,end\na,2020-01-02 17:00,2020-01-02 19:00\n")
    page = report(table, read_watched(probes.settings, table, ["a"]), read_windows(truth, table.series))
    alerts = [row for row in judged(probes) if row.flag == 1 and row.sensor == "a"]
    assert page.count("<svg") == 1
    assert page.count('class="alert"') == len(alerts)
    assert page.count('class="known"') == 1
    with pytest.raises(UsageError, match="got nobody, expected one of"):
        read_watched(probes.settings, table, ["nobody"])
    truth.write_text("sensor,start\na,2020\n")
    with pytest.raises(UsageError, match="got no end, expected the columns sensor, start, end"):
        read_windows(truth, table.series)


def test_points_that_are_gone_and_a_series_that_is_gone_leave_the_table(probes: Lab) -> None:
    probes.declare("probes", READING, load="snapshot")
    record = send(probes, *series("a", 0, 200), *series("b", 0, 300))
    assert record["refined.watched"]["outcome"] == "published", record
    assert len(judged(probes)) == 500
    assert said(probes, "watched") == whole(probes)


def test_a_series_that_begins_with_nothing_goes_on_point_by_point_and_from_where_it_was_rolled_back_to(lab: Lab) -> None:
    lab.declare("drops", READING, load="append")
    declare(lab, "dripping", input="drops")
    late = {**series("a", 126, 127)[0], "id": "late", "at": "2020-01-01T21:05:00Z"}
    judged_points = []
    for rows in ([], series("a", 0, 124), series("a", 124, 125), series("a", 125, 130), [late]):  # a refit is due at 125
        lab.serve("drops", rows)
        judged_points.append(lab.cycle("dripping")["refined.dripping"]["points"])
    assert judged_points == [0, 124, 1, 5, 6]
    assert said(lab, "dripping") == whole(lab, "dripping")
    with held(lab.objects, "table/refined.dripping", "test") as lease:
        lab.tables.roll_back("refined.dripping", 3, "test", lease)
    assert len(judged(lab, "dripping")) == 125
    lab.serve("drops", series("a", 130, 131))
    assert lab.cycle("dripping")["refined.dripping"]["points"] == 7  # all that came since the publish it went back to
    assert said(lab, "dripping") == whole(lab, "dripping")


def test_sparkml_finds_the_same_jump_and_goes_on_as_if_all_had_come_at_once(probes: Lab) -> None:
    declare(probes, "by_jobs", fit="sparkml", refit_every=100, period="2 hours")
    probes.serve("probes", [*series("a", 0, 280, n250=40.0), *series("b", 0, 90)])
    assert probes.cycle("by_jobs")["refined.by_jobs"]["refits"] == 5
    assert any(row.flag == 1 and row.celsius == 40.0 for row in judged(probes, "by_jobs"))
    probes.serve("probes", [*series("a", 0, 310, n250=40.0), *series("b", 0, 110)])
    assert probes.cycle("by_jobs")["refined.by_jobs"]["refits"] == 2
    assert said(probes, "by_jobs") == whole(probes, "by_jobs")


def _at(row: dict[str, Any]) -> Any:
    return datetime.fromisoformat(row["at"]).replace(tzinfo=None)
