"""A refined table with a partition is rebuilt only where its inputs changed, and equals one built whole."""

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.spark.conftest import Lab

CODE = """
def {name}(visits_{name}, places_{name}):
    joined = visits_{name}.join(places_{name}.withColumnRenamed('id', 'place_id'), 'place_id', 'left')
    return joined.groupBy('day', 'city').count().selectExpr('day', 'city', 'count as visits')
"""


def start(lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = ModuleType(f"jobs.refined.{name}")
    exec(CODE.format(name=name), module.__dict__)
    monkeypatch.setitem(sys.modules, f"jobs.refined.{name}", module)
    contract: dict[str, Any] = {
        "description": "One row per day and city.",
        "key": ["day", "city"],
        "columns": {"day": "date", "city": "string", "visits": "bigint"},
        "partition": {"column": "day", "of": [f"visits_{name}"]},
        "max_shrink": 1,
    }
    lab.refine(name, (f"visits_{name}", f"places_{name}"), contract)
    lab.declare(f"visits_{name}", {"id": "bigint", "day": "date", "place_id": "bigint"}, load="merge")
    lab.declare(f"places_{name}", {"id": "bigint", "city": "string"}, max_shrink=1)
    lab.serve(f"places_{name}", [{"id": 1, "city": "Jaén"}, {"id": 2, "city": "Baza"}])
    send(lab, name, (1, "2020-01-01", 1), (2, "2020-01-02", 1), (3, None, 2))


def send(lab: Lab, name: str, *visits: tuple[int, str | None, int]) -> Any:
    lab.serve(f"visits_{name}", [{"id": number, "day": day, "place_id": place} for number, day, place in visits])
    return lab.cycle(name)[f"refined.{name}"]


def rows(lab: Lab, name: str) -> list[tuple[str, str, int]]:
    found = lab.spark.table(f"lake.refined.{name}").selectExpr("string(day)", "city", "visits").collect()
    return sorted((str(row[0]), row[1], row[2]) for row in found)


def test_only_the_days_that_changed_are_built_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "days")
    files = {f.file_path for f in lab.spark.table("lake.refined.days.files").collect()}
    assert send(lab, "days", (4, "2020-01-02", 2), (5, "2020-01-03", 2))["partitions"] == ["2020-01-02", "2020-01-03"]
    kept = {f.file_path for f in lab.spark.table("lake.refined.days.files").collect()} & files
    assert len(kept) == 2
    assert rows(lab, "days") == [
        ("2020-01-01", "Jaén", 1),
        ("2020-01-02", "Baza", 1),
        ("2020-01-02", "Jaén", 1),
        ("2020-01-03", "Baza", 1),
        ("None", "Baza", 1),
    ]


def test_a_row_that_moves_restates_both_its_days(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "moves")
    assert send(lab, "moves", (1, None, 1))["partitions"] == ["None", "2020-01-01"]
    assert rows(lab, "moves") == [("2020-01-02", "Jaén", 1), ("None", "Baza", 1), ("None", "Jaén", 1)]


def test_another_input_that_changes_rebuilds_the_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "whole")
    lab.serve("places_whole", [{"id": 1, "city": "Jaén"}, {"id": 2, "city": "Cazorla"}])
    record = lab.cycle("whole")["refined.whole"]
    assert (record["outcome"], "partitions" in record) == ("published", False)
    assert ("None", "Cazorla", 1) in rows(lab, "whole")
