"""What dead, failed and late builds leave of a table, and that nothing goes which any snapshot of it needs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs import iceberg
from jobs.orphans import reachable, remove_orphans
from jobs.publications import Draft
from jobs.tables import Tables
from lake import paths
from lake.errors import CorruptionError
from store.catalog import open_catalog
from store.leases import held
from tests.spark.conftest import Lab
from tests.spark.test_publish import GOODS, during, goods

#: Iceberg's own tables of what a table is made of.
PARTS = {"all_files": "file_path", "all_manifests": "path", "snapshots": "manifest_list", "metadata_log_entries": "file"}


def swept(lab: Lab, table: str, before: datetime | None = None) -> int:
    with held(lab.objects, f"table/{table}", "test") as lease:
        return remove_orphans(lab.spark, lab.objects, table, "test", lease, before)


def plant(lab: Lab, *keys: str) -> None:
    for key in keys:
        lab.objects.put(key, b"garbage")


def test_every_file_of_every_snapshot_stays_and_all_others_go(lab: Lab) -> None:
    spark, name = lab.spark, "lake.trusted.reached"
    folder = lab.objects.uri(paths.table_folder("trusted.reached", "01X"))
    spark.sql(
        f"CREATE TABLE {name} (id bigint, kind string) USING iceberg PARTITIONED BY (kind) LOCATION '{folder}' "
        "TBLPROPERTIES ('format-version' = '2', 'write.delete.mode' = 'merge-on-read', 'write.distribution-mode' = 'none')"
    )
    spark.sql(f"INSERT INTO {name} SELECT id, 'ä %/=+' FROM range(9)")
    spark.sql(f"DELETE FROM {name} WHERE id = 3")
    spark.sql(f"ALTER TABLE {name} CREATE TAG kept")
    spark.sql(f"INSERT OVERWRITE {name} VALUES (1, 'x'), (2, null)")
    jvm: Any = spark._jvm
    statistics = jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession).computeTableStats(
        iceberg.load(spark, "trusted.reached")
    )
    assert statistics.execute().statisticsFile() is not None
    snapshots = [row.snapshot_id for row in spark.sql(f"SELECT snapshot_id FROM {name}.snapshots").collect()]
    counts = [lab.tables.read("trusted.reached", snapshot).count() for snapshot in snapshots]

    found = reachable(spark, "trusted.reached")
    parts = {row[0] for part, column in PARTS.items() for row in spark.sql(f"SELECT {column} FROM {name}.{part}").collect()}
    assert any("delete" in part for part in parts)
    assert {path.rpartition("/")[2] for path in found - parts} == {"version-hint.text", *named(found, ".stats")}
    assert parts <= found
    assert len(named(found, ".stats")) == 1

    before = datetime.now(UTC)
    plant(lab, f"{lab.objects.key(folder)}/data/kind=x/1.parquet", f"{lab.objects.key(folder)}/metadata/2.metadata.json")
    plant(
        lab, f"{paths.table_folder('trusted.reached', 'dead')}/data/3.parquet", f"{paths.WAREHOUSE}/trusted/reached2-x/data/4"
    )
    assert swept(lab, "trusted.reached", before) == 0
    assert swept(lab, "trusted.reached") == 3
    assert [lab.tables.read("trusted.reached", snapshot).count() for snapshot in snapshots] == counts
    assert lab.objects.read(f"{paths.WAREHOUSE}/trusted/reached2-x/data/4")
    assert swept(lab, "trusted.reached") == 0


def named(found: set[str], ending: str) -> set[str]:
    return {path.rpartition("/")[2] for path in found if path.endswith(ending)}


def test_what_a_failed_gate_left_goes_with_the_next_build(lab: Lab) -> None:
    lab.declare("fails", GOODS, expectations=[{"rule": "row_count", "max": 1}])
    lab.serve("fails", goods("1", "2"))
    assert lab.cycle("fails")["trusted.fails"]["outcome"] == "failed"
    assert any(".parquet" in left for left in lab.leftovers("fails"))
    lab.serve("fails", goods("1"))
    record = lab.cycle("fails")["trusted.fails"]
    assert (record["outcome"], record["orphans_removed"] > 0, lab.leftovers("fails")) == ("published", True, set())
    lab.serve("fails", goods("1", "2"))
    assert lab.cycle("fails")["trusted.fails"]["outcome"] == "failed"
    lab.serve("fails", goods("3"))
    assert lab.cycle("fails")["trusted.fails"]["outcome"] == "published"
    assert lab.leftovers("fails") == set()
    assert "orphans_removed" not in (lab.serve("fails", goods("4")), lab.cycle("fails"))[1]["trusted.fails"]


def test_a_table_that_the_catalog_lost_is_not_taken_for_an_orphan(lab: Lab) -> None:
    lab.declare("mislaid", GOODS)
    lab.serve("mislaid", [*goods("1"), {"id": "x"}])
    lab.cycle("mislaid")
    with open_catalog(lab.settings)._connected() as connection, connection:
        connection.execute("delete from iceberg_tables where table_name = 'mislaid'")
    for table in ("trusted.mislaid", "quarantine.mislaid"):
        with pytest.raises(CorruptionError, match="catalog rebuild"):
            swept(lab, table)
        assert list(lab.objects.list(paths.table_folders(table)))


def test_a_table_whose_metadata_names_files_elsewhere_is_left_alone(lab: Lab) -> None:
    lab.declare("moved", GOODS)
    lab.serve("moved", goods("1"))
    lab.cycle("moved")
    lab.spark.sql("ALTER TABLE lake.trusted.moved SET TBLPROPERTIES ('write.data.path' = 's3a://lake/elsewhere')")
    lab.spark.sql("INSERT INTO lake.trusted.moved SELECT * FROM lake.trusted.moved")
    assert swept(lab, "trusted.moved") == 0
    other = Lab(lab.spark, lab.settings, lab.objects, lab.feeds)
    other.objects = type(lab.objects)(type(lab.settings)(**{**vars(lab.settings), "root": f"{lab.settings.root}/copy"}))
    plant(other, f"{paths.table_folder('trusted.moved', 'x')}/data/1.parquet")
    with pytest.raises(CorruptionError, match="expected all of them below"):
        swept(other, "trusted.moved")


def late(lab: Lab, name: str, monkeypatch: pytest.MonkeyPatch, step: str, more: Any = None) -> tuple[dict[str, Any], str]:
    """What becomes of a build that sleeps after `step` while another run takes its lease and publishes; that run."""
    lab.pull(name)
    sleeper, other = lab.plan(name), lab.plan(name)

    def meanwhile() -> None:
        from store import leases

        monkeypatch.setattr(leases, "_is_free", lambda document: True)
        assert lab.build(other)[f"trusted.{name}"]["outcome"] == "published"
        if more:
            more(sleeper)

    during(lab, step, meanwhile, monkeypatch)
    return lab.build(sleeper)[f"trusted.{name}"], other["run"]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_late_owner_wakes_up_among_its_removed_files_and_harms_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    name = f"sleeps_{is_first}".lower()
    lab.declare(name, GOODS)
    if not is_first:
        lab.serve(name, [*goods("1"), {"id": "x"}])
        lab.cycle(name)
    lab.serve(name, [*goods("2"), {"id": "y"}])
    record, other = late(lab, name, monkeypatch, "overwrite")
    assert record["outcome"] == "failed"
    assert lab.tables.publications(f"trusted.{name}")[0].run == other
    assert [str(price) for _, price in lab.rows(f"trusted.{name}", "id", "price")] == ["2.00"]
    assert lab.spark.table(f"lake.quarantine.{name}").count() == (1 if is_first else 2)


def test_a_branch_that_a_late_write_made_again_is_not_published(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.declare("remade", GOODS)
    lab.serve("remade", goods("1"))
    lab.cycle("remade")
    lab.serve("remade", goods("2"))

    def written_late(plan: dict[str, Any]) -> None:
        draft = Draft("trusted.remade", plan["run"], lab.spark.table("lake.trusted.remade").schema)
        iceberg.create_branch(lab.spark, "trusted.remade", draft.branch)

    record, other = late(lab, "remade", monkeypatch, "overwrite", written_late)
    assert (record["outcome"], record["exit_code"]) == ("failed", 5)
    assert "another run took over" in record["reason"]
    assert lab.tables.publications("trusted.remade")[0].run == other


def test_a_staging_table_whose_metadata_is_gone_is_dropped_by_its_name(lab: Lab) -> None:
    draft = Draft("trusted.poisoned", "01DEAD", lab.spark.range(1).schema)
    folder = lab.objects.uri(paths.table_folder(draft.table, draft.run))
    iceberg.create_table(lab.spark, draft.staging, draft.schema, {}, folder)
    lab.objects.delete(info.key for info in lab.objects.list(paths.table_folders(draft.table)))
    assert swept(lab, "trusted.poisoned") == 0
    assert iceberg.names_like(lab.spark, "trusted.poisoned") == []
    assert not Tables(lab.spark, lab.objects).exists("trusted.poisoned")
