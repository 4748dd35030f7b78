"""Where a publish of a table came from, found without Spark: tables with snapshots, raw runs, originals with their SHA-256."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lake import paths
from lake.declared import Declared
from lake.errors import UsageError
from lake.settings import Settings
from orchestration.overview import Metadata, fields_of, type_name
from store import raw
from store.catalog import open_catalog, publications, table_metadata
from store.manifests import Manifest
from store.objects import Objects


@dataclass(frozen=True)
class Origin:
    """The raw runs of one source that a table holds, oldest first; `gone` are those whose manifest is no longer there."""

    source: str
    runs: list[Manifest]
    gone: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """One publish of a table and what it was made from; `publication` is None where it is no longer remembered."""

    table: str
    number: int
    publication: dict[str, Any] | None
    fields: list[dict[str, Any]]
    tables: "list[Made]" = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    model: str | None = None
    """Id of the trained model that scored it."""

    def all(self) -> "Iterator[Made]":
        """Every table of the tree, each publish once, what is made from others behind them."""
        seen: set[tuple[str, int]] = set()
        for each in self._walked():
            if (each.table, each.number) not in seen:
                seen.add((each.table, each.number))
                yield each

    def _walked(self) -> "Iterator[Made]":
        for table in self.tables:
            yield from table._walked()
        yield self


def lineage(settings: Settings, objects: Objects, declared: Declared, table: str, number: int | None = None) -> Made:
    """How a table was made: its newest publish, or an earlier one.

    Raises UsageError that lists what there is.
    """
    tree = _Tree(settings, objects, declared)
    name = tree.full_name(table)
    history = publications(tree.metadata(name))
    if not history:
        raise UsageError(f"TABLE: got {name}, expected a trusted or refined table: this one is not published but added to")
    numbers = [publication["number"] for publication in history]
    if number is not None and number not in numbers:
        raise UsageError(f"--publish: got {number}, expected one of {', '.join(map(str, numbers))}")
    return tree.made(name, numbers[0] if number is None else number)


class _Tree:
    """Tables, read once each."""

    def __init__(self, settings: Settings, objects: Objects, declared: Declared) -> None:
        self.objects, self.declared = objects, declared
        self.known = open_catalog(settings).tables()
        self._metadata: dict[str, Metadata] = {}
        self._made: dict[tuple[str, int], Made] = {}

    def full_name(self, table: str) -> str:
        for name in (table, f"refined.{table}", f"trusted.{table}"):
            if name in self.known:
                return name
        raise UsageError(f"TABLE: got {table!r}, expected one of {', '.join(self.known) or 'none: nothing was published yet'}")

    def metadata(self, table: str) -> Metadata:
        if table not in self._metadata:
            self._metadata[table] = table_metadata(self.objects, self.known[table])
        return self._metadata[table]

    def made(self, table: str, number: int) -> Made:
        """A publish with all below it."""
        if (table, number) not in self._made:
            self._made[table, number] = self._read(table, number)
        return self._made[table, number]

    def _read(self, table: str, number: int) -> Made:
        metadata = self.metadata(table) if table in self.known else None
        history = publications(metadata) if metadata else []
        publication = next((each for each in history if each["number"] == number), None)
        if metadata is None or publication is None:
            return Made(table, number, None, [])
        fields = [
            {"name": each["name"], "type": type_name(each["type"]), "description": each.get("doc", "")}
            for each in fields_of(metadata, publication["schema"])
        ]
        inputs = publication["inputs"]
        tables = [self.made(name, int(at["number"])) for name, at in inputs.items() if "number" in at]
        origins = [self._origin(name, at["run"], int(at["seq"])) for name, at in inputs.items() if "seq" in at]
        model = next((at["model"] for at in inputs.values() if "model" in at), None)
        return Made(table, number, publication, fields, tables, origins, model)

    def _origin(self, source: str, run: str, seq: int) -> Origin:
        """The run of a mark and all before it; of a snapshot it is the whole truth alone."""
        runs: list[Manifest] = []
        key, gone = paths.manifest(paths.raw_run(source, run)), seq
        while key:
            manifest = raw.read_manifest(self.objects, key)
            if manifest is None:
                break
            runs.append(manifest)
            gone = manifest.seq - 1
            is_whole = source in self.declared.sources and self.declared.sources[source].load == "snapshot"
            if is_whole or manifest.previous is None:
                return Origin(source, runs[::-1])
            key = manifest.previous.manifest
        return Origin(source, runs[::-1], list(range(1, gone + 1)))


def as_facts(root: Made) -> dict[str, Any]:
    """The lineage for programs: tables and raw runs, each once, that name each other."""
    runs = {(run.source, run.run): run for each in root.all() for origin in each.origins for run in origin.runs}
    return {
        "table": root.table,
        "publish": root.number,
        "tables": [_table_facts(each) for each in root.all()],
        "runs": [_run_facts(run) for run in runs.values()],
    }


def _table_facts(made: Made) -> dict[str, Any]:
    kept = ("run", "published_at", "snapshot", "rows", "fingerprint", "facts")
    return {
        "table": made.table,
        "publish": made.number,
        "is_remembered": made.publication is not None,
        **{name: (made.publication or {}).get(name) for name in kept},
        "columns": made.fields,
        "model": made.model,
        "tables": [{"table": each.table, "publish": each.number} for each in made.tables],
        "sources": [
            {"source": each.source, "runs": [run.run for run in each.runs], "gone": each.gone} for each in made.origins
        ],
    }


def _run_facts(run: Manifest) -> dict[str, Any]:
    return {
        "source": run.source,
        "run": run.run,
        "seq": run.seq,
        "created_at": run.created_at,
        "rows": run.first_decoding.rows,
        "window": run.window,
        "manifest": run.link.manifest,
        "originals": [
            {"key": each.key, "url": each.url, "sha256": each.sha256, "bytes": each.bytes, "fetched_at": each.fetched_at}
            for each in run.originals
        ],
    }
