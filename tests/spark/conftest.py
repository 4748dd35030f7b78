"""One Spark session for all Spark tests, on a MinIO and a catalog of its own."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from ulid import ULID

from ingest.bots import pull_all
from jobs import iceberg
from jobs.build import Builder
from jobs.gate import Gate
from jobs.maintain import Upkeep
from jobs.orphans import reachable
from jobs.results import note_results
from jobs.schedule import build_all
from jobs.session import open_session
from jobs.tables import Tables
from lake import paths
from lake.declared import Declared
from lake.settings import Settings, read_settings
from lake.sources import load_sources
from lake.tables import Refined, Table, trusted_code
from local import servers
from local.feeds import Feeds, start_feeds
from local.spark import driver_options, spark_environment
from orchestration.maintain import needed_units
from orchestration.run import Wish, plan_document, planned
from store.objects import Objects


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lake with a running MinIO and nothing in it."""
    home = tmp_path_factory.mktemp("lake")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "AWS_"))}
    environ |= {
        "LAKE_HOME": str(home),
        "SHOP_DATABASE_URL": "mysql://nobody@127.0.0.1:1/none",
        "FAKESTORE_URL": "http://127.0.0.1:1",
    }
    environ |= {"SHOP_FILES_URL": "http://127.0.0.1:1/files", "FLIGHTS_URL": "http://127.0.0.1:1/flights"}
    environ |= {"FLIGHTS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    settings = read_settings(environ)
    servers.up(settings)
    yield read_settings(environ)
    servers.down(settings)


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> Iterator[SparkSession]:
    """The session, as a job opens it on this laptop."""
    submit = " ".join(f"'{word}'" for word in [*driver_options(spark_settings), "--master", "local[2]", "pyspark-shell"])
    os.environ.update({**spark_environment(spark_settings), "PYSPARK_SUBMIT_ARGS": submit})
    session = open_session(spark_settings, "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def objects(spark_settings: Settings) -> Objects:
    """The lake's objects."""
    return Objects(spark_settings)


@dataclass
class Lab:
    """A small lake of one's own: sources declared and served by the test, built through the shared session."""

    spark: SparkSession
    settings: Settings
    objects: Objects
    feeds: Feeds
    refined: dict[str, Refined] = field(default_factory=dict)

    @property
    def tables(self) -> Tables:
        """The lake's tables."""
        return Tables(self.spark, self.objects)

    def declare(self, name: str, columns: dict[str, Any], **keys: Any) -> None:
        """Write the declaration of a source whose records the test serves."""
        declared = {
            "name": name,
            "description": "One row per record.",
            "kind": "rest",
            "url": f"{self.feeds.files_url}/{name}.json",
            "load": "snapshot",
            "key": ["id"],
            "columns": columns,
            **keys,
        }
        self.settings.sources.mkdir(exist_ok=True)
        (self.settings.sources / f"{name}.yaml").write_text(json.dumps(declared))

    def serve(self, name: str, records: Any) -> None:
        """Answer with these records from now on."""
        self.feeds.files[f"{name}.json"] = json.dumps(records).encode()

    def pull(self, *names: str) -> list[Any]:
        """Bots to raw."""
        return pull_all(self.declared().sources, names, self.settings, self.objects)

    def declared(self) -> Declared:
        """The sources and refined tables declared so far."""
        return Declared(load_sources(self.settings.sources), self.refined, trusted_code(files("jobs")))

    def refine(self, name: str, inputs: tuple[str, ...], contract: dict[str, Any]) -> None:
        """Declare a refined table whose module the test has put in place."""
        self.refined[name] = Refined(name, Table.model_validate(contract), inputs, "code")

    def plan(self, *names: str, accept: tuple[str, ...] = ()) -> dict[str, Any]:
        """What a run would build now."""
        declared = self.declared()
        sources, refined = declared.closure(names)
        entries = [e for e in planned(self.settings, self.objects, declared, sources, refined, []) if e["build"]]
        return plan_document(declared, str(ULID()), Wish(accept=list(accept)), entries)

    def build(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Carry a plan out in this process; what became of each table."""
        builder = Builder(
            self.spark,
            self.objects,
            Tables(self.spark, self.objects),
            Gate(plan["run"], partial(note_results, self.objects)),
            self.refined,
            plan,
        )
        return build_all(builder)

    def cycle(self, *names: str, accept: tuple[str, ...] = ()) -> dict[str, Any]:
        """Pull, plan and build; what became of each table that was to be built."""
        self.pull(*self.declared().closure(names)[0])
        return self.build(self.plan(*names, accept=accept))

    def maintain(self, *tables: str, keep: int = 20, hours: float = 1e-9, is_dry: bool = False) -> dict[str, Any]:
        """Keep the tables that need it in shape; what became of each."""
        settings = replace(self.settings, keep_snapshots_hours=hours)
        units = needed_units(settings, self.objects, list(tables), keep)
        order = {"units": units, "keep": keep, "hours": hours, "is_dry": is_dry}
        return Upkeep(self.tables, str(ULID()), order).all()

    def leftovers(self, name: str) -> set[str]:
        """What dead builds of a source left: staging tables, branches, and objects that no table reaches."""
        names = self.spark.sql("SHOW TABLES IN lake.trusted").union(self.spark.sql("SHOW TABLES IN lake.quarantine"))
        found = {row.tableName for row in names.collect() if row.tableName.startswith(f"{name}__")}
        for table in (f"trusted.{name}", f"quarantine.{name}"):
            found |= {info.key for info in self.objects.list(paths.table_folders(table))}
            if self.tables.exists(table):
                found |= {ref for ref in iceberg.load(self.spark, table).refs() if ref != "main"}
                found -= {self.objects.key(uri) for uri in reachable(self.spark, table)}
        return found

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """The rows of a table, sorted."""
        return sorted(tuple(row) for row in self.spark.table(f"lake.{table}").select(*columns).collect())


@pytest.fixture
def lab(spark: SparkSession, spark_settings: Settings, objects: Objects, tmp_path: Path) -> Iterator[Lab]:
    """A lab with no source declared yet; its names must be unlike those of other tests."""
    feeds = start_feeds()
    yield Lab(spark, replace(spark_settings, sources=tmp_path / "sources"), objects, feeds)
    feeds.close()
