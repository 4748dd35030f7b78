"""What every table is now, read from its metadata without Spark: rows, publishes, schema."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from lake import paths
from lake.errors import CorruptionError
from lake.settings import Settings
from store.catalog import open_catalog, publications, table_metadata
from store.objects import Objects

Metadata = dict[str, Any]


def read_metadata(settings: Settings, objects: Objects) -> dict[str, Metadata]:
    """The metadata of every table by its full name.

    Raises CorruptionError when tables were published and the catalog knows none.
    """
    known = open_catalog(settings).tables()
    if not known and any(objects.list(paths.publication_hint("").removesuffix(".json"))):
        raise CorruptionError("catalog: tables were published and it knows none; `lake catalog rebuild` finds them again")
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(known, pool.map(lambda table: table_metadata(objects, known[table]), known), strict=True))


def table_facts(table: str, metadata: Metadata) -> dict[str, Any]:
    """Rows, publish number, when, snapshot and number of columns of one table."""
    history = publications(metadata)
    snapshot = next((s for s in metadata.get("snapshots", ()) if s["snapshot-id"] == metadata.get("current-snapshot-id")), None)
    total = snapshot["summary"].get("total-records") if snapshot else "0"
    changed = datetime.fromtimestamp(metadata["last-updated-ms"] / 1000, UTC).isoformat(timespec="seconds")
    return {
        "table": table,
        "rows": int(total) if total is not None else None,
        "publish": history[0]["number"] if history else None,
        "published_at": history[0]["published_at"] if history else changed,
        "snapshot": metadata.get("current-snapshot-id"),
        "columns": len(fields_of(metadata)),
    }


def fields_of(metadata: Metadata, schema: int | None = None) -> list[dict[str, Any]]:
    """The fields of the current schema, or of the one with this id; none when it is no longer kept."""
    wanted = metadata["current-schema-id"] if schema is None else schema
    return next((list(each["fields"]) for each in metadata["schemas"] if each["schema-id"] == wanted), [])


def type_name(declared: Any) -> str:
    """A field's type as a declaration writes it."""
    name = declared if isinstance(declared, str) else str(declared["type"])
    return {"long": "bigint", "timestamptz": "timestamp"}.get(name, name)
