"""What a run would build and why, found without Spark: raw runs, code and declarations against what was published."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lake import paths
from lake.declared import Declared, referenced
from lake.errors import CorruptionError, UsageError
from lake.planning import Inputs, Wanted, decide
from lake.settings import Settings
from lake.source import Source
from lake.tables import Refined
from store import raw
from store.catalog import open_catalog, publications, table_metadata
from store.documents import read_document
from store.manifests import Manifest
from store.models import usable_pin
from store.objects import Objects

Entry = dict[str, Any]
Published = dict[str, list[dict[str, Any]]]


def published_tables(settings: Settings, objects: Objects, tables: Iterable[str] | None = None) -> Published:
    """Publications of each table that exists, newest first.

    Raises CorruptionError when the catalog lost a table that was published.
    """
    known = open_catalog(settings).tables()
    wanted = [table for table in (known if tables is None else tables) if table in known]
    with ThreadPoolExecutor(8) as pool:
        metadata = dict(zip(wanted, pool.map(lambda table: table_metadata(objects, known[table]), wanted), strict=True))
        missing = [table for table in tables or () if table not in known]
        hints = pool.map(lambda table: read_document(objects, paths.publication_hint(table)), missing)
        for table, hint in zip(missing, hints, strict=True):
            if hint:
                raise CorruptionError(f"catalog: {table} was published and is not in it; `lake catalog rebuild` finds it again")
    return {table: publications(content) for table, content in metadata.items()}


def planned_tables(
    objects: Objects, declared: Declared, published: Published, sources: list[str], refined: list[str], again: list[str]
) -> list[Entry]:
    """One entry per table to look at, each after what it needs; `build` says whether it is to be built, `reason` why.

    Trusted tables in `again` are built from the beginning whatever was published.
    """
    with ThreadPoolExecutor(8) as pool:
        heads = dict(zip(sources, pool.map(lambda name: raw.head(objects, name), sources), strict=True))
    entries: list[Entry] = []
    for name in _after_references(declared, sources):
        newest = heads[name]
        if newest is None:
            continue
        entries.append(_trusted_entry(objects, declared, declared.sources[name], newest, published, again))
    building = {entry["table"] for entry in entries if entry["build"]}
    for name in refined:
        entry = _refined_entry(objects, declared, declared.refined[name], published, building)
        entries.append(entry)
        if entry["build"]:
            building.add(entry["table"])
    return entries


def _trusted_entry(
    objects: Objects, declared: Declared, source: Source, newest: Manifest, published: Published, again: list[str]
) -> Entry:
    inputs: Inputs = {source.name: {"seq": newest.seq, "run": newest.run}}
    wanted = Wanted(source.declaration, declared.trusted_code, inputs)
    history = published.get(source.trusted, [])
    decision = decide(wanted, history, source.trusted in again)
    entry = _entry(source.trusted, "trusted", source.name, wanted, decision.build, decision.reason)
    if decision.build:
        after = 0 if decision.whole else int(history[0]["inputs"][source.name]["seq"])
        manifests = raw.runs_after(objects, source.name, after, newest)
        if decision.whole and source.load == "snapshot":
            manifests = manifests[-1:]
        else:
            entry["told"] = _told_gone(source, after, manifests, decision.whole)
        entry |= {"after": after, "runs": [_run(objects, source, manifest) for manifest in manifests]}
    entry["inputs"] = inputs
    entry["needs"] = [declared.table(each) for each in referenced(source)]
    return entry


def _told_gone(source: Source, after: int, manifests: list[Manifest], is_whole: bool) -> str:
    """In words, which of the runs to build from retention removed; nothing where none is missing, or none is needed.

    Raises UsageError when rows would be lost that nobody gave up.
    """
    missing = range(after + 1, manifests[0].seq)
    if not missing or source.load == "snapshot":
        return ""
    gone = f"runs {missing[0]} to {missing[-1]} were removed by retention"
    if is_whole and source.rebuilds_from == "all":
        raise UsageError(
            f"{source.trusted}: {gone}, and it is to be built again: `rebuilds_from: remaining` gives up their rows"
        )
    if not is_whole:
        raise UsageError(
            f"{source.trusted}: {gone}, and the publish it was rolled back to lacks them; `lake rollback {source.trusted} --to` a later "
            f"one, or `lake quarantine replay {source.name}`, which builds it from what is left"
        )
    return f"; {gone}, it is built from what is left"


def _run(objects: Objects, source: Source, manifest: Manifest) -> Entry:
    """What the job needs to know of a raw run."""
    decoding = raw.decoding_of(objects, manifest, source.decoding)
    if decoding is None:
        raise CorruptionError(
            f"{source.name}: run {manifest.run} is not decoded as declared now; `lake raw replay {source.name}` does it"
        )
    return {
        "run": manifest.run,
        "seq": manifest.seq,
        "created_at": manifest.created_at,
        "rows": decoding.rows,
        "objects": [each.key for each in decoding.objects],
        "observed": decoding.observed_fields,
        "missing": decoding.missing_columns,
        "keys": manifest.keys.model_dump() if manifest.keys and source.sweeps_keys else None,
    }


def _refined_entry(objects: Objects, declared: Declared, table: Refined, published: Published, building: set[str]) -> Entry:
    inputs = [declared.table(name) for name in table.inputs]
    pins = {name: _pin(published[name][0]) for name in inputs if published.get(name)}
    pins |= usable_pin(objects, table)
    wanted = Wanted(table.declaration, table.code, pins)
    decision = decide(wanted, published.get(table.table, []))
    rebuilt = [name for name in inputs if name in building]
    missing = [name for name in inputs if name not in pins and name not in building]
    build = (decision.build or bool(rebuilt)) and not missing
    reason = f"new input from {', '.join(rebuilt)}" if rebuilt and not decision.whole else decision.reason
    reason = f"waits for {', '.join(missing)}, never built yet" if missing else reason
    entry = _entry(table.table, "refined", table.name, wanted, build, reason)
    entry["inputs"] = inputs
    entry["needs"] = [*inputs, *(declared.table(name) for name in referenced(table.contract))]
    return entry


def _pin(publication: dict[str, Any]) -> dict[str, Any]:
    return {"number": publication["number"], "snapshot": publication["snapshot"]}


def _entry(table: str, kind: str, name: str, wanted: Wanted, build: bool, reason: str) -> Entry:
    facts = {"table": table, "kind": kind, "name": name, "build": build, "reason": reason}
    return {**facts, "declaration": wanted.declaration, "code": wanted.code}


def _after_references(declared: Declared, names: list[str]) -> list[str]:
    """The sources, each after those its expectations look into; a circle keeps the order of names."""
    ordered: list[str] = []
    waiting = list(names)
    while waiting:
        ready = [n for n in waiting if all(r not in waiting or r == n for r in referenced(declared.sources[n]))] or waiting[:1]
        ordered += ready
        waiting = [name for name in waiting if name not in ready]
    return ordered
