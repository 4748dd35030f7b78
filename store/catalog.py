"""Table -> current metadata, without Spark: the SQLite catalog that Iceberg's JDBC catalog and PyIceberg share."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lake import paths
from lake.errors import CorruptionError, LakeError, TemporaryError, UsageError
from lake.settings import Settings
from store.documents import encoded, read_document
from store.objects import ObjectInfo, Objects

CATALOG_NAME = "lake"
NAMESPACES = ("trusted", "refined", "quarantine", "meta")
PUBLICATIONS = "lake.publications"
TABLE_NAME = "lake.table"
SWEPT = "lake.swept"
#: Stands in the name of a table that was never published, before its run.
STAGING = "__staging_"
_METADATA = re.compile(r"(?P<version>\d+)-[0-9a-f-]+\.metadata\.json")


class Catalog(Protocol):
    """What the lake asks of any catalog."""

    def tables(self) -> dict[str, str]:
        """Address of the current metadata of every published table, by full name such as `trusted.products`."""


@dataclass(frozen=True)
class SqliteCatalog:
    """The laptop's catalog: one SQLite file."""

    path: Path
    busy_seconds: float = 30.0

    def tables(self) -> dict[str, str]:
        """Address of the current metadata of every table; staging tables are left out.

        Raises TemporaryError when the file stays locked.
        """
        if not self.path.exists():
            return {}
        with self._connected() as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'iceberg_tables'").fetchone():
                return {}
            rows = connection.execute(
                "select table_namespace, table_name, metadata_location from iceberg_tables where catalog_name = ? order by 1, 2",
                (CATALOG_NAME,),
            ).fetchall()
        return {f"{namespace}.{name}": location for namespace, name, location in rows if STAGING not in name}

    def register(self, tables: dict[str, str]) -> None:
        """Write tables into an empty or lost catalog; those it has already stay as they are."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection, connection:
            connection.execute("pragma journal_mode = wal")
            connection.execute(
                "create table if not exists iceberg_tables (catalog_name varchar(255) not null, table_namespace varchar(255) not null,"
                " table_name varchar(255) not null, metadata_location varchar(1000), previous_metadata_location varchar(1000),"
                " iceberg_type varchar(5), primary key (catalog_name, table_namespace, table_name))"
            )
            connection.execute(
                "create table if not exists iceberg_namespace_properties (catalog_name varchar(255) not null, namespace varchar(255)"
                " not null, property_key varchar(255) not null, property_value varchar(1000),"
                " primary key (catalog_name, namespace, property_key))"
            )
            for table, location in tables.items():
                namespace, _, name = table.partition(".")
                connection.execute(
                    "insert or ignore into iceberg_tables values (?, ?, ?, ?, null, 'TABLE')",
                    (CATALOG_NAME, namespace, name, location),
                )
                connection.execute(
                    "insert or ignore into iceberg_namespace_properties values (?, ?, 'exists', 'true')",
                    (CATALOG_NAME, namespace),
                )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection whose troubles are ours."""
        try:
            with closing(sqlite3.connect(self.path, timeout=self.busy_seconds)) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise TemporaryError(
                    f"{self.path.name}: the catalog stayed locked for {self.busy_seconds:g} s; try again later"
                ) from error
            raise LakeError(f"{self.path.name}: the catalog cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CorruptionError(
                f"{self.path.name}: the catalog is damaged ({error}); move it away and run `lake catalog rebuild`"
            ) from error


def open_catalog(settings: Settings) -> SqliteCatalog:
    """The catalog that the settings name.

    Raises UsageError for one that this version cannot read without Spark.
    """
    kind, _, place = settings.catalog.partition(":")
    if kind == "sqlite":
        return SqliteCatalog(Path(place), settings.catalog_wait_seconds)
    raise UsageError(f"LAKE_CATALOG: got {settings.catalog!r}; planning and SQL read sqlite:FILE only so far")


def table_metadata(objects: Objects, location: str) -> dict[str, Any]:
    """A table's metadata file.

    Raises CorruptionError when it is gone or no JSON.
    """
    found = objects.read(objects.key(location))
    if found is None:
        raise CorruptionError(f"{location}: the table's metadata is missing")
    try:
        metadata: dict[str, Any] = json.loads(found.data)
    except ValueError as error:
        raise CorruptionError(f"{location}: expected a table's metadata: {error}") from None
    return metadata


def publications(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """What was published in a table, newest first: number, run, snapshot, fingerprint, inputs and marks."""
    listed: list[dict[str, Any]] = json.loads(metadata.get("properties", {}).get(PUBLICATIONS, "[]"))
    return listed


def rebuild_catalog(settings: Settings, objects: Objects) -> dict[str, str]:
    """Register every published table found in the bucket that the catalog does not know; what was added.

    A table's newest metadata counts; where two share a version, the one in the publication hint.
    """
    catalog = open_catalog(settings)
    known = catalog.tables()
    found: dict[str, tuple[int, int, str]] = {}
    for folder in _table_folders(objects):
        candidates = [info for info in objects.list(f"{folder}metadata/") if _METADATA.fullmatch(info.key.rpartition("/")[2])]
        if not candidates:
            continue
        location = _newest(objects, candidates)
        metadata = table_metadata(objects, location)
        table = metadata.get("properties", {}).get(TABLE_NAME)
        published = publications(metadata)
        if not table or table in known or not published:
            continue
        age = (published[0]["number"], int(metadata["last-updated-ms"]), location)
        found[table] = max(found.get(table, (-1, 0, "")), age)
    added = {table: location for table, (_, _, location) in found.items()}
    catalog.register(added)
    return added


def write_hint(objects: Objects, table: str, location: str) -> None:
    """Remember where a table's metadata is after a publish."""
    objects.put(paths.publication_hint(table), encoded({"table": table, "metadata": objects.key(location)}))


def _table_folders(objects: Objects) -> Iterator[str]:
    for namespace in NAMESPACES:
        yield from objects.folders(f"{paths.WAREHOUSE}/{namespace}/")


def _newest(objects: Objects, candidates: list[ObjectInfo]) -> str:
    """The metadata of the highest version; the hinted one among equals, else the one written last."""

    def version(info: ObjectInfo) -> int:
        match = _METADATA.fullmatch(info.key.rpartition("/")[2])
        return int(match["version"]) if match else -1

    highest = max(version(info) for info in candidates)
    tied = sorted((info for info in candidates if version(info) == highest), key=lambda info: info.modified_at)
    if len(tied) > 1:
        table = table_metadata(objects, objects.uri(tied[-1].key))["properties"].get(TABLE_NAME, "")
        hint = (read_document(objects, paths.publication_hint(table)) or {}).get("metadata")
        tied = [info for info in tied if info.key == hint] or tied
    return objects.uri(tied[-1].key)
