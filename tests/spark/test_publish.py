"""Source to table through a real store and catalog: what is published, refused, restored, and seen meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from lake.errors import CorruptionError, LockedError
from orchestration.lineage import lineage
from store.catalog import open_catalog, rebuild_catalog
from store.leases import held
from tests.spark.conftest import Lab

GOODS = {"id": "bigint", "price": "decimal(10,2)"}


def goods(*prices: str) -> list[dict[str, Any]]:
    return [{"id": number, "price": price} for number, price in enumerate(prices, 1)]


def test_a_changed_answer_replaces_the_snapshot_and_nothing_new_builds_nothing(lab: Lab) -> None:
    lab.declare("snap", GOODS)
    lab.serve("snap", goods("1", "2"))
    assert lab.cycle("snap")["trusted.snap"]["outcome"] == "published"
    assert lab.plan("snap")["tables"] == []
    lab.serve("snap", goods("3", "2", "1"))
    assert lab.cycle("snap")["trusted.snap"]["reason"] == "new input from snap"
    assert [str(price) for _, price in lab.rows("trusted.snap", "id", "price")] == ["3.00", "2.00", "1.00"]


def test_rejected_rows_are_kept_with_every_reason_and_the_counts_add_up(lab: Lab) -> None:
    lab.declare("rejects", GOODS, checks=[{"column": "price", "rule": "between", "low": 0}])
    lab.serve(
        "rejects", [{"id": 1, "price": "1"}, {"id": "x", "price": "9.999"}, {"id": 3, "price": -1}, {"id": 1, "price": "1"}]
    )
    (count,) = lab.cycle("rejects")["trusted.rejects"]["counts"]
    assert (count["decoded"], count["kept"], count["quarantined"], count["duplicates"]) == (4, 1, 2, 1)
    problems = [[problem["rule"] for problem in row[0]] for row in lab.rows("quarantine.rejects", "problems")]
    assert sorted(problems) == [["between"], ["type", "type"]]


def test_a_password_is_in_no_table_at_all(lab: Lab) -> None:
    lab.declare("people", {"id": "bigint", "password": {"type": "string", "pii": True}, "age": "int"})
    lab.serve(
        "people",
        [{"id": 1, "password": "hidden-1", "age": 3}, {"id": 2, "password": "hidden-2", "age": "old", "note": "hidden-3"}],
    )
    lab.cycle("people")
    for table in ("trusted.people", "quarantine.people"):
        assert "hidden" not in str(lab.spark.table(f"lake.{table}").collect())


def test_a_shrunken_snapshot_waits_for_consent_to_this_very_run(lab: Lab) -> None:
    lab.declare("shrinks", GOODS)
    lab.serve("shrinks", goods("1", "2", "3", "4"))
    lab.cycle("shrinks")
    lab.serve("shrinks", [])
    stopped = lab.cycle("shrinks")["trusted.shrinks"]
    assert (stopped["outcome"], stopped["exit_code"]) == ("failed", 3)
    assert "the source has no rows at all, was it emptied? (if that is right: `lake run --accept" in stopped["reason"]
    assert len(lab.rows("trusted.shrinks", "id")) == 4
    run = lab.plan("shrinks")["tables"][0]["runs"][-1]["run"]
    assert run in stopped["reason"]
    assert lab.cycle("shrinks", accept=(run,))["trusted.shrinks"]["outcome"] == "published"
    assert lab.rows("trusted.shrinks", "id") == []


def test_merged_rows_replace_those_with_their_key_and_leave_the_others(lab: Lab) -> None:
    lab.declare("merges", GOODS, load="merge")
    lab.serve("merges", goods("1", "2", "3"))
    lab.cycle("merges")
    lab.serve("merges", [{"id": 2, "price": "20"}, {"id": 3, "price": "3"}, {"id": 4, "price": "4"}])
    (count,) = lab.cycle("merges")["trusted.merges"]["counts"]
    assert (count["kept"], count["duplicates"]) == (2, 1)
    assert [str(price) for _, price in lab.rows("trusted.merges", "id", "price")] == ["1.00", "20.00", "3.00", "4.00"]


def test_appended_runs_are_each_added_once(lab: Lab) -> None:
    lab.declare("appends", GOODS, load="append", key=[])
    lab.serve("appends", goods("1", "2"))
    lab.pull("appends")
    lab.serve("appends", goods("3"))
    plan = (lab.pull("appends"), lab.plan("appends"))[1]
    lab.build(plan)
    lab.build(plan)
    assert len(lab.rows("trusted.appends", "id")) == 3
    lab.serve("appends", goods("1", "2"))
    lab.cycle("appends")
    assert len(lab.rows("trusted.appends", "id")) == 5


@pytest.mark.parametrize(("load", "name"), [("snapshot", "retyped"), ("append", "retyped_append"), ("merge", "retyped_merge")])
def test_a_retyped_column_is_rebuilt_from_raw_and_readable_at_its_snapshot(lab: Lab, load: str, name: str) -> None:
    lab.declare(name, GOODS, load=load)
    lab.serve(name, goods("1", "2"))
    lab.cycle(name)
    lab.declare(name, {"id": "bigint", "price": "double", "note": "string"}, load=load)
    record = lab.cycle(name)[f"trusted.{name}"]
    assert record["reason"] == "its declaration changed"
    assert lab.rows(f"trusted.{name}", "id", "price", "note") == [(1, 1.0, None), (2, 2.0, None)]
    publication = lab.tables.publications(f"trusted.{name}")[0]
    pinned = lab.tables.read(f"trusted.{name}", publication.snapshot)
    assert dict(pinned.dtypes)["price"] == "double"
    assert [column for column in pinned.columns if column.endswith("__incoming")] == []


def test_a_column_declared_as_pii_leaves_the_table(lab: Lab) -> None:
    lab.declare("hides", {**GOODS, "name": "string"})
    lab.serve("hides", [{"id": 1, "price": "1", "name": "Ann"}])
    lab.cycle("hides")
    lab.declare("hides", {**GOODS, "name": {"type": "string", "pii": True}})
    lab.cycle("hides")
    assert "name" not in lab.spark.table("lake.trusted.hides").columns


def test_a_rollback_brings_rows_and_marks_back_and_waits_for_news(lab: Lab) -> None:
    lab.declare("rolls", GOODS)
    lab.serve("rolls", goods("1"))
    lab.cycle("rolls")
    lab.serve("rolls", goods("666"))
    lab.cycle("rolls")
    with held(lab.objects, "table/trusted.rolls", "test") as lease:
        publication = lab.tables.roll_back("trusted.rolls", None, "test", lease)
    assert (publication.number, publication.facts["rolled_back_to"]) == (3, 1)
    assert [str(price) for _, price in lab.rows("trusted.rolls", "id", "price")] == ["1.00"]
    assert lab.plan("rolls")["tables"] == []
    lab.serve("rolls", goods("2"))
    assert lab.cycle("rolls")["trusted.rolls"]["number"] == 4
    assert [str(price) for _, price in lab.rows("trusted.rolls", "id", "price")] == ["2.00"]


def test_a_rollback_over_a_retyped_column_brings_its_type_back(lab: Lab) -> None:
    lab.declare("rolls_type", GOODS)
    lab.serve("rolls_type", goods("1"))
    lab.cycle("rolls_type")
    lab.declare("rolls_type", {"id": "bigint", "price": "double"})
    lab.cycle("rolls_type")
    with held(lab.objects, "table/trusted.rolls_type", "test") as lease:
        lab.tables.roll_back("trusted.rolls_type", None, "test", lease)
    assert dict(lab.spark.table("lake.trusted.rolls_type").dtypes)["price"] == "decimal(10,2)"
    assert [str(price) for _, price in lab.rows("trusted.rolls_type", "id", "price")] == ["1.00"]


def test_a_lost_catalog_is_noticed_and_rebuilt(lab: Lab) -> None:
    lab.declare("lost", GOODS)
    lab.serve("lost", goods("1"))
    lab.cycle("lost")
    with open_catalog(lab.settings)._connected() as connection, connection:
        connection.execute("delete from iceberg_tables where table_name = 'lost'")
    lab.serve("lost", goods("2"))
    lab.pull("lost")
    with pytest.raises(CorruptionError, match="catalog rebuild"):
        lab.plan("lost")
    assert "trusted.lost" in rebuild_catalog(lab.settings, lab.objects)
    assert lab.build(lab.plan("lost"))["trusted.lost"]["number"] == 2
    assert [str(price) for _, price in lab.rows("trusted.lost", "id", "price")] == ["2.00"]


def during(lab: Lab, step: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `act` happen once, between this step of a build and the next."""
    from jobs import tables

    inner = getattr(tables.Tables, step)

    def stepped(self: Any, *given: Any, **named: Any) -> Any:
        monkeypatch.setattr(tables.Tables, step, inner)
        result = inner(self, *given, **named)
        act()
        return result

    monkeypatch.setattr(tables.Tables, step, stepped)


def test_an_owner_that_lost_its_lease_publishes_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.declare("late", GOODS)
    lab.serve("late", goods("1"))
    lab.cycle("late")
    lab.serve("late", goods("2"))
    lab.pull("late")
    from store.leases import Lease

    during(lab, "overwrite", lambda: monkeypatch.setattr(Lease, "check", lost), monkeypatch)
    record = lab.build(lab.plan("late"))["trusted.late"]
    assert (record["outcome"], record["exit_code"]) == ("failed", 5)
    assert [str(price) for _, price in lab.rows("trusted.late", "id", "price")] == ["1.00"]


def lost(lease: Any) -> None:
    raise LockedError("lost")


def test_a_late_owner_is_refused_by_the_table_itself_when_another_published(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.declare("raced", GOODS)
    lab.serve("raced", goods("1"))
    lab.cycle("raced")
    lab.serve("raced", goods("2"))
    lab.pull("raced")
    late, other = lab.plan("raced"), lab.plan("raced")

    def faster() -> None:
        from store import leases

        monkeypatch.setattr(leases, "_is_free", lambda document: True)
        assert lab.build(other)["trusted.raced"]["outcome"] == "published"

    during(lab, "overwrite", faster, monkeypatch)
    record = lab.build(late)["trusted.raced"]
    assert (record["outcome"], record["exit_code"]) == ("failed", 5)
    assert lab.tables.publications("trusted.raced")[0].run == other["run"]


def test_a_failed_gate_leaves_the_table_and_stops_only_what_depends_on_it(lab: Lab) -> None:
    lab.declare("gated", GOODS, expectations=[{"rule": "row_count", "min": 1, "max": 2}])
    lab.declare("free", GOODS)
    lab.declare("depends", GOODS, expectations=[{"rule": "references", "column": "id", "table": "gated", "to": "id"}])
    for name in ("gated", "free", "depends"):
        lab.serve(name, goods("1"))
    lab.cycle("gated", "free", "depends")
    for name in ("gated", "free", "depends"):
        lab.serve(name, goods("1", "2", "3"))
    records = lab.cycle("gated", "free", "depends")
    outcomes = {table: record["outcome"] for table, record in records.items()}
    assert outcomes == {"trusted.gated": "failed", "trusted.free": "published", "trusted.depends": "blocked"}
    assert "rows: got 3, expected at least 1 and at most 2" in records["trusted.gated"]["reason"]
    assert len(lab.rows("trusted.gated", "id")) == 1


def test_a_reader_with_a_pinned_snapshot_reads_on_while_others_publish(lab: Lab) -> None:
    lab.declare("pinned", GOODS)
    lab.serve("pinned", goods("1"))
    lab.cycle("pinned")
    pinned = lab.tables.read("trusted.pinned", lab.tables.publications("trusted.pinned")[0].snapshot)
    lab.serve("pinned", goods("2"))
    lab.cycle("pinned")
    assert [str(row["price"]) for row in pinned.collect()] == ["1.00"]


def test_a_publish_that_spark_made_is_followed_back_to_its_runs_and_columns(lab: Lab) -> None:
    lab.declare("traced", GOODS)
    for version in ("1", "2"):
        lab.serve("traced", goods(version))
        lab.cycle("traced")
    made = lineage(lab.settings, lab.objects, lab.declared(), "traced", 1)
    newest = lab.tables.publications("trusted.traced")[-1]
    assert made.publication
    assert (made.publication["snapshot"], made.publication["rows"]) == (newest.snapshot, 1)
    assert [(run.seq, run.originals[0].url) for run in made.origins[0].runs] == [(1, f"{lab.feeds.files_url}/traced.json")]
    assert [column["name"] for column in made.fields][:2] == ["id", "price"]
