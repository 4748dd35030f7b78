"""A lake as commands find it: verbs called as the command line does, and tables published without Spark."""

import importlib
import json
import shutil
from collections.abc import Callable
from typing import Any

from ulid import ULID

from ingest.bots import pull_all
from ingest.landing import Wish, pull
from lake import paths
from lake.declared import read_declarations
from lake.planning import Wanted
from lake.settings import HOME, Settings
from lake.sources import load_sources
from orchestration.cli import World
from orchestration.words import parser
from store import raw
from store.catalog import PUBLICATIONS, TABLE_NAME, open_catalog, publications, table_metadata, write_hint
from store.objects import Objects

FIELDS = [{"id": 1, "name": "id", "required": False, "type": "long", "doc": "number"}]


def verb(settings: Settings, *words: str) -> int:
    """Exit code of a verb; its errors are raised."""
    given = parser().parse_args(words)
    module, _, function = given.where.partition(":")
    called: Callable[..., int] = getattr(importlib.import_module(f"orchestration.{module}"), function)
    return called(settings, given, World(settings))


def declare(settings: Settings, name: str, **keys: Any) -> None:
    """Write the declaration of a source into the lake's own folder of them."""
    declared = {
        "name": name,
        "description": "One row per thing.",
        "kind": "rest",
        "url": f"${{env:FAKESTORE_URL}}/{name}",
        "load": "snapshot",
        "key": ["id"],
        "columns": {"id": "bigint"},
        **keys,
    }
    settings.sources.mkdir(parents=True, exist_ok=True)
    (settings.sources / f"{name}.yaml").write_text(json.dumps(declared))


def shop_declarations(settings: Settings) -> None:
    """The shop's declarations in a folder of the lake's own; the customers come from its API, and so does all about flights."""
    shutil.copytree(HOME / "ingest" / "sources", settings.sources)
    columns = {"customer_id": {"type": "bigint", "from": "id"}}
    declare(settings, "customers", url="${env:FAKESTORE_URL}/users", columns=columns, key=["customer_id"])
    for name in ("airlines", "airports", "flights", "planes", "weather"):
        declare(settings, name, url="${env:FAKESTORE_URL}/products", columns={"id": "bigint"}, key=["id"])


def shop(settings: Settings) -> None:
    """All that is declared, pulled and published without Spark."""
    declared = read_declarations(settings)
    pull_all(declared.sources, declared.sources, settings)
    for name in declared.sources:
        published(settings, name)
    for table in declared.refined.values():
        pins = {declared.table(name): {"number": 1, "snapshot": 1001} for name in table.inputs}
        publish(settings, table.table, Wanted(table.declaration, table.code, pins), 1)


def pulled(settings: Settings, name: str, wish: Wish | None = None) -> str:
    """The raw run that a pull brought or found again."""
    return pull(name, load_sources(settings.sources), Objects(settings), str(ULID()), wish=wish).run


def published(settings: Settings, name: str, run: str | None = None) -> dict[str, Any]:
    """Publish the trusted table of a source as a build leaves it, from all that raw has, and its publication."""
    objects = Objects(settings)
    newest = raw.head(objects, name)
    assert newest
    declared = read_declarations(settings)
    inputs = {name: {"seq": newest.seq, "run": newest.run}}
    wanted = Wanted(declared.sources[name].declaration, declared.trusted_code, inputs)
    return publish(settings, f"trusted.{name}", wanted, newest.first_decoding.rows, run)


def publish(settings: Settings, table: str, wanted: Wanted, rows: int, run: str | None = None) -> dict[str, Any]:
    """Add a publication to a table's metadata, as its last commit would, and name the metadata in catalog and hint."""
    objects, catalog = Objects(settings), open_catalog(settings)
    known = catalog.tables().get(table)
    earlier = publications(table_metadata(objects, known)) if known else []
    number = len(earlier) + 1
    publication = {
        "number": number,
        "run": run or str(ULID()),
        "published_at": "2026-01-01T12:00:00.000+00:00",
        "snapshot": 1000 + number,
        "schema": 0,
        "fingerprint": wanted.fingerprint,
        "rows": rows,
        "inputs": wanted.inputs,
        "facts": {"declaration": wanted.declaration, "code": wanted.code},
    }
    metadata = {
        "format-version": 2,
        "last-updated-ms": 1767268800000,
        "current-schema-id": 0,
        "schemas": [{"schema-id": 0, "type": "struct", "fields": FIELDS}],
        "current-snapshot-id": 1000 + number,
        "snapshots": [{"snapshot-id": 1000 + number, "summary": {"total-records": str(rows)}}],
        "properties": {TABLE_NAME: table, PUBLICATIONS: json.dumps([publication, *earlier])},
    }
    key = f"{paths.table_folder(table, 'test')}/metadata/{number:05d}-00000000-0000-0000-0000-000000000000.metadata.json"
    objects.put(key, json.dumps(metadata).encode())
    if known:
        objects.put(objects.key(known), json.dumps(metadata).encode())  # the catalog keeps naming the first
    catalog.register({table: objects.uri(key)})
    write_hint(objects, table, objects.uri(key))
    return publication
