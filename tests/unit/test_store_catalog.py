"""The SQLite catalog and the effects counter, without a server."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lake.errors import CorruptionError, TemporaryError, UsageError
from lake.settings import read_settings
from store.catalog import SqliteCatalog, open_catalog
from store.effects import arm


def catalog(folder: Path) -> SqliteCatalog:
    made = SqliteCatalog(folder / "catalog.db", busy_seconds=0.01)
    made.register(
        {"trusted.a": "s3://lake/tables/a/1.metadata.json", "refined.b__staging_01run": "s3://lake/tables/b/1.metadata.json"}
    )
    return made


def test_tables_are_listed_without_those_in_the_making(tmp_path: Path) -> None:
    assert catalog(tmp_path).tables() == {"trusted.a": "s3://lake/tables/a/1.metadata.json"}


def test_a_catalog_that_is_not_there_has_no_tables(tmp_path: Path) -> None:
    assert SqliteCatalog(tmp_path / "none.db").tables() == {}


def test_a_known_table_stays_as_it_is(tmp_path: Path) -> None:
    made = catalog(tmp_path)
    made.register({"trusted.a": "s3://lake/older.json"})
    assert made.tables()["trusted.a"] == "s3://lake/tables/a/1.metadata.json"


def test_a_locked_catalog_is_temporary_trouble(tmp_path: Path) -> None:
    made = catalog(tmp_path)
    with closing(sqlite3.connect(made.path)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        with pytest.raises(TemporaryError, match=r"stayed locked for 0\.01 s"):
            made.tables()
    assert made.tables()


def test_a_writer_holds_no_reader_up(tmp_path: Path) -> None:
    made = catalog(tmp_path)
    with closing(sqlite3.connect(made.path)) as other:
        other.execute("begin exclusive")
        assert made.tables()


def test_a_damaged_catalog_says_how_to_rebuild_it(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database" * 100)
    with pytest.raises(CorruptionError, match="lake catalog rebuild"):
        SqliteCatalog(tmp_path / "catalog.db").tables()


def test_a_catalog_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got 'glue'"):
        open_catalog(replace(read_settings({"LAKE_HOME": str(tmp_path)}), catalog="glue"))


@pytest.mark.parametrize("value", ["5", "before", "x:before", "5:during"])
def test_a_crash_setting_of_another_form_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="expected N:before or N:after"):
        arm(read_settings({"LAKE_HOME": str(tmp_path), "LAKE_CRASH_AT": value}))
