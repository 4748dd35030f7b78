"""Removes what dead builds left of a table: staging names, branches, and files that no metadata of the table reaches."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from jobs import iceberg
from jobs.java_errors import java_errors
from jobs.publications import BRANCH
from lake import paths
from lake.errors import CorruptionError, LakeError
from store.catalog import STAGING
from store.documents import read_document
from store.effects import effect
from store.leases import Lease
from store.objects import ObjectInfo, Objects


def tidied(spark: SparkSession, objects: Objects, lease: Lease, run: str, *tables: str) -> dict[str, Any]:
    """Remove what a dead or failed owner of the lease left in the tables it guards; what is to be said of it.

    Where that is not possible, the next owner tries again.
    """
    if not lease.has_leftovers:
        return {}
    try:
        removed = sum(remove_orphans(spark, objects, table, run, lease) for table in tables)
    except LakeError as error:
        return {"orphans_stay": str(error)}
    lease.has_leftovers = False
    return {"orphans_removed": removed}


def remove_orphans(
    spark: SparkSession, objects: Objects, table: str, run: str, lease: Lease, before: datetime | None = None
) -> int:
    """Remove what a table's folders hold and none of its snapshots needs, but nothing younger than `before`; how many objects.

    The lease is the one that guards the table. List, commit, look, remove, in this order: what a late owner had written
    when it was listed cannot become part of the table after the commit, so what is not part of it then never will be.
    Raises CorruptionError, and removes nothing, when it is not sure what the table is.
    """
    listed = [o.key for o in objects.list(paths.table_folders(table)) if before is None or o.modified_at < before]
    for staging in iceberg.names_like(spark, f"{table}{STAGING}"):
        lease.check()
        with effect(f"drop {staging}"):
            iceberg.drop_name(spark, staging)
    needed: set[str] = set()
    if iceberg.exists(spark, table):
        lease.check()
        with effect(f"sweep {table}"):
            iceberg.drop_branches(spark, table, BRANCH, swept=run)
        needed = _needed(spark, objects, table)
    elif read_document(objects, paths.publication_hint(table)):
        raise CorruptionError(f"catalog: {table} was published and is not in it; `lake catalog rebuild` finds it again")
    lease.check()
    return objects.delete(sorted(set(listed) - needed))


def unreached(spark: SparkSession, objects: Objects, table: str) -> list[ObjectInfo]:
    """What lies in the folders of a published table and nothing of it needs now; of a build under way that is what it writes."""
    listed = list(objects.list(paths.table_folders(table)))
    needed = _needed(spark, objects, table)
    return [each for each in listed if each.key not in needed]


def _needed(spark: SparkSession, objects: Objects, table: str) -> set[str]:
    """Keys of all that the table's metadata reaches.

    Raises CorruptionError when some of it lies outside the lake: then the names of its files say nothing about ours.
    """
    uris = {uri.replace("s3a://", "s3://", 1) for uri in reachable(spark, table)}
    strange = sorted(uri for uri in uris if not uri.startswith(objects.uri("")))
    if strange:
        raise CorruptionError(f"{table}: got a file at {strange[0]}, expected all of them below {objects.uri('')}")
    return {objects.key(uri) for uri in uris}


def reachable(spark: SparkSession, table: str) -> set[str]:
    """Addresses of all files of a table: data and deletes of every snapshot, manifests and their lists, metadata, statistics."""
    java_table, jvm = iceberg.load(spark, table), spark._jvm
    assert jvm is not None
    files = jvm.org.apache.iceberg.ReachableFileUtil
    with java_errors(table):
        found = {str(files.versionHintLocation(java_table)), *map(str, files.metadataFileLocations(java_table, False))}
        found |= {*map(str, files.manifestListLocations(java_table)), *map(str, files.statisticsFilesLocations(java_table))}
        for snapshot in java_table.snapshots():
            for manifest in snapshot.allManifests(java_table.io()):
                if str(manifest.path()) not in found:
                    found |= {str(manifest.path()), *_files_in(jvm, java_table, manifest)}
    return found


def _files_in(jvm: Any, java_table: Any, manifest: Any) -> Iterator[str]:
    """Addresses of the files that a manifest lists; those of data come all at once, there may be very many."""
    manifests, given = jvm.org.apache.iceberg.ManifestFiles, (manifest, java_table.io(), java_table.specs())
    if str(manifest.content()) == "DATA":
        with closing(manifests.readPaths(*given)) as paths_in_it:
            text = str(jvm.java.lang.String.join("\n", paths_in_it))
        yield from text.split("\n") if text else ()
    else:
        with closing(manifests.readDeleteManifest(*given)) as deletes:
            yield from (str(delete.location()) for delete in deletes.iterator())
