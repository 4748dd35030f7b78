"""Maintenance takes away what nobody needs, and nothing else: publishes, marks, pins and readers stay as they were."""

import signal
from typing import Any

import pytest
from ulid import ULID

from jobs import compaction, iceberg
from jobs.maintain import exit_code
from jobs.publications import Draft
from lake.errors import UsageError
from orchestration.lineage import lineage
from store.leases import held
from tests.spark.conftest import Lab
from tests.spark.test_crashes import ended, started
from tests.spark.test_publish import GOODS, goods


def publish(lab: Lab, table: str, *ids: int) -> None:
    """A publish, a row and a file each; for the plan they hold what the one before did."""
    frame = lab.spark.range(1).selectExpr("id", "CAST(id AS decimal(10,2)) AS price")
    for number in ids:
        last = next(iter(lab.tables.publications(table)), None)
        schema = lab.tables.read(table).schema if last else frame.schema
        facts = (last.fingerprint, {}, last.inputs, last.facts) if last else ()
        row = frame.selectExpr(f"id + {number} AS id", "price", *(f"NULL AS {name}" for name in schema.names[2:]))
        row = row.select(*(row[field.name].cast(field.dataType) for field in schema.fields))
        with held(lab.objects, f"table/{table}", "test") as lease:
            lab.tables.publish(
                Draft(table, str(ULID()), schema, *facts), lease, lambda target, row=row: lab.tables.add(target, row)
            )


def files(lab: Lab, table: str) -> int:
    return lab.spark.table(f"lake.{table}.files").count()


def roll_back(lab: Lab, table: str, number: int | None) -> Any:
    with held(lab.objects, f"table/{table}", "test") as lease:
        return lab.tables.roll_back(table, number, "test", lease)


def test_small_files_become_one_and_everything_that_was_published_goes_on(lab: Lab) -> None:
    publish(lab, "trusted.kept_up", *range(1, 7))
    before = lab.tables.publications("trusted.kept_up")
    assert files(lab, "trusted.kept_up") == 6
    record = lab.maintain("trusted.kept_up", keep=3)["trusted.kept_up"]
    assert (record["outcome"], record["compacted"], record["expired"]) == ("maintained", 6, 3)
    assert (files(lab, "trusted.kept_up"), lab.leftovers("kept_up")) == (1, set())
    assert lab.rows("trusted.kept_up", "id") == [(n,) for n in range(1, 7)]
    assert lab.tables.publications("trusted.kept_up") == before
    assert [lab.tables.has_snapshot("trusted.kept_up", p.snapshot) for p in before] == [True] * 3 + [False] * 3
    assert lab.tables.read("trusted.kept_up", before[1].snapshot).count() == 5
    assert lab.maintain("trusted.kept_up", keep=3) == {}
    assert lineage(lab.settings, lab.objects, lab.declared(), "kept_up", 1).publication

    for number in (3, 1):
        with pytest.raises(UsageError, match=f"got publish {number}, whose rows `lake maintain` removed; expected one of 5, 4"):
            roll_back(lab, "trusted.kept_up", number)
    assert roll_back(lab, "trusted.kept_up", None).facts["rolled_back_to"] == 5
    assert lab.rows("trusted.kept_up", "id") == [(n,) for n in range(1, 6)]
    publish(lab, "trusted.kept_up", 7)
    assert lab.rows("trusted.kept_up", "id") == [(1,), (2,), (3,), (4,), (5,), (7,)]


def test_compaction_is_no_news_for_what_is_built_from_the_table(lab: Lab) -> None:
    import sys
    import types

    module = types.ModuleType("jobs.refined.upkept")
    module.upkept = lambda base: base.groupBy("id").count().withColumnRenamed("count", "goods")  # type: ignore[attr-defined]
    sys.modules["jobs.refined.upkept"] = module
    lab.refine(
        "upkept",
        ("base",),
        {
            "description": "One row per id.",
            "key": ["id"],
            "columns": {"id": "bigint", "goods": "bigint"},
            "partition": {"column": "id", "of": ["base"]},
        },
    )
    lab.declare("base", GOODS, load="append")
    lab.serve("base", goods("1"))
    lab.cycle("base")
    publish(lab, "trusted.base", *range(2, 6))
    assert lab.build(lab.plan("upkept"))["refined.upkept"]["outcome"] == "published"
    pin = lab.tables.publications("refined.upkept")[0].inputs["trusted.base"]["snapshot"]
    publish(lab, "trusted.base", 6)
    records = lab.maintain(keep=1)
    assert records["trusted.base"]["compacted"] == 6
    assert lab.tables.has_snapshot("trusted.base", pin)
    assert lab.build(lab.plan("upkept"))["refined.upkept"]["partitions"] == ["6"]
    assert lab.plan("upkept")["tables"] == []
    assert lab.maintain(keep=1)["trusted.base"]["expired"] == 1
    assert not lab.tables.has_snapshot("trusted.base", pin)
    assert lab.plan("upkept")["tables"] == []


def test_a_reader_that_began_before_reads_on(lab: Lab) -> None:
    publish(lab, "trusted.read_on", *range(1, 6))
    reading = lab.tables.read("trusted.read_on", int(iceberg.load(lab.spark, "trusted.read_on").currentSnapshot().snapshotId()))
    publish(lab, "trusted.read_on", 6)
    record = lab.maintain("trusted.read_on", keep=1, hours=6)["trusted.read_on"]
    assert (record["compacted"], record["expired"], "removed" in record) == (6, 0, False)
    assert sorted(row["id"] for row in reading.collect()) == [1, 2, 3, 4, 5]
    assert lab.maintain("trusted.read_on", keep=1, hours=6) == {}


def test_many_manifests_become_few(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lab, "trusted.listed", *range(1, 4))
    monkeypatch.setattr(compaction, "WORTH_MANIFESTS", 2)
    assert lab.maintain("trusted.listed")["trusted.listed"]["manifests"] == 3
    assert lab.spark.table("lake.trusted.listed.manifests").count() == 1
    assert lab.rows("trusted.listed", "id") == [(1,), (2,), (3,)]


def test_a_table_in_use_is_left_alone_and_a_dry_run_changes_nothing(lab: Lab) -> None:
    publish(lab, "trusted.in_use", *range(1, 6))
    location = iceberg.metadata_location(lab.spark, "trusted.in_use")
    dry = lab.maintain("trusted.in_use", keep=1, is_dry=True)["trusted.in_use"]
    assert (dry["outcome"], dry["compacted"], dry["expired"]) == ("looked at", 5, 4)
    with held(lab.objects, "table/trusted.in_use", "other"):
        record = lab.maintain("trusted.in_use", keep=1)["trusted.in_use"]
    assert (record["outcome"], record["exit_code"]) == ("skipped", 5)
    assert "run other holds it" in record["reason"]
    assert [exit_code(found) for found in ({"a": record}, {"a": record, "b": {"outcome": "maintained"}}, {})] == [5, 0, 0]
    assert iceberg.metadata_location(lab.spark, "trusted.in_use") == location


def test_branches_of_dead_runs_go_and_a_tag_of_a_person_stays(lab: Lab) -> None:
    publish(lab, "trusted.tagged", 1)
    lab.spark.sql("ALTER TABLE lake.trusted.tagged CREATE TAG audit")
    publish(lab, "trusted.tagged", 2)
    iceberg.create_branch(lab.spark, "trusted.tagged", "run_dead")
    assert lab.maintain("trusted.tagged", keep=1)["trusted.tagged"]["branches"] == 1
    assert set(iceberg.load(lab.spark, "trusted.tagged").refs()) == {"main", "audit"}
    assert lab.spark.read.option("versionAsOf", "audit").table("lake.trusted.tagged").count() == 1


def test_maintenance_may_die_at_every_step_and_goes_on_from_there(lab: Lab) -> None:
    def act(lab: Lab) -> None:
        lab.maintain("trusted.dies", keep=1)

    publish(lab, "trusted.dies", *range(1, 6))
    iceberg.create_branch(lab.spark, "trusted.dies", "run_dead")
    seen = []
    for place in ("2:before", "2:after", "2:after", "2:after", "2:after", "3:after", "4:before"):
        assert ended(started(lab, act, place)) == -signal.SIGKILL
        assert lab.rows("trusted.dies", "id") == [(n,) for n in range(1, 6)]
        table = iceberg.load(lab.spark, "trusted.dies")
        seen.append((len(table.refs()), files(lab, "trusted.dies"), len(list(table.snapshots())), bool(lab.leftovers("dies"))))
    assert seen[:4] == [(2, 5, 5, True), (1, 5, 5, False), (1, 1, 6, False), (1, 1, 2, True)]
    assert seen[4:] == [(1, 1, 2, True), (1, 1, 2, False), (1, 1, 2, False)]
    assert lab.maintain("trusted.dies", keep=1)["trusted.dies"]["outcome"] == "maintained"
    assert lab.maintain("trusted.dies", keep=1) == {}
    publish(lab, "trusted.dies", 6)
    assert lab.rows("trusted.dies", "id") == [(n,) for n in range(1, 7)]
