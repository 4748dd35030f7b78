"""Proves the raw zone: every object is what its manifest says, the chain is whole, and nothing else lies there."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from ulid import ULID

from lake import paths
from lake.errors import CorruptionError
from store import leases, raw
from store.documents import decoded, read_document
from store.manifests import Decoding, Link, Manifest, Object
from store.objects import Objects

Kind = Literal["missing", "changed", "foreign", "orphan", "damaged", "chain"]
READERS = 8


@dataclass(frozen=True)
class Problem:
    """Something in raw that is not as its manifest says; orphans are leftovers that `sweep` removes."""

    source: str
    kind: Kind
    key: str
    message: str


@dataclass
class Report:
    """What was checked and what is wrong."""

    objects: int = 0
    bytes: int = 0
    runs: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass
class _Zone:
    """The raw zone of one source as listed."""

    source: str
    keys: dict[str, int] = field(default_factory=dict)
    manifests: list[Manifest] = field(default_factory=list)
    first: Link | None = None
    """Where the chain begins, once retention removed runs."""
    retired: set[str] = field(default_factory=set)
    tombs: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    expected: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, kind: Kind, key: str, message: str) -> None:
        self.problems.append(Problem(self.source, kind, key, message))


def verify(objects: Objects, sources: Iterable[str] | None = None) -> Report:
    """Read every object of the named sources, or of all that raw holds, and compare it with its manifest."""
    report = Report()
    for source in raw.raw_sources(objects) if sources is None else sources:
        zone = _listed(objects, source)
        _check_chain(objects, zone)
        with ThreadPoolExecutor(READERS) as pool:
            checked = list(pool.map(objects.sha256, zone.expected))
        for (key, (length, digest)), found in zip(zone.expected.items(), checked, strict=True):
            _compare(zone, key, length, digest, found)
            report.bytes += found[0] if found else 0
        for key in zone.keys:
            _check_place(zone, key)
        report.objects += len(zone.expected)
        report.runs += len(zone.manifests)
        report.problems += sorted(zone.problems, key=lambda problem: (problem.key, problem.kind))
    return report


def sweep(objects: Objects, source: str) -> list[str]:
    """Remove what abandoned runs and unfinished decodings left behind; the keys that are gone.

    Raises LockedError while a run of the source is under way.
    """
    with leases.held(objects, f"source/{source}", str(ULID())) as lease:
        raw.settle_open_runs(objects, lease, source)
        zone = _listed(objects, source)
        for key in zone.keys:
            _check_place(zone, key)
        keys = [problem.key for problem in zone.problems if problem.kind == "orphan"]
        lease.check()
        objects.delete(keys)
    return keys


def raw_list(objects: Objects, source: str) -> list[dict[str, Any]]:
    """One row per visible run, newest first: run, seq, created_at, originals, bytes, rows, faults, swept keys, requests' addresses."""
    return [
        {
            "run": manifest.run,
            "seq": manifest.seq,
            "created_at": manifest.created_at,
            "originals": len(manifest.originals),
            "bytes": sum(original.bytes for original in manifest.originals),
            "rows": manifest.first_decoding.rows,
            "faults": manifest.first_decoding.faults,
            "keys": manifest.keys.rows if manifest.keys else None,
            "observed_fields": manifest.first_decoding.observed_fields,
            "urls": list(dict.fromkeys(original.url for original in manifest.originals)),
        }
        for manifest in reversed(raw.runs_after(objects, source, 0))
    ]


def _listed(objects: Objects, source: str) -> _Zone:
    """Everything there is and everything that ought to be."""
    state = read_document(objects, paths.source_state(source)) or {}
    zone = _Zone(source, opened={paths.raw_run(source, run) for run in state.get("open", ())})
    zone.keys = {info.key: info.bytes for info in objects.list(paths.raw_source(source))}
    begins = raw.beginning(objects, source)
    zone.first = begins.first if begins else None
    zone.keys.pop(paths.raw_beginning(source), None)
    manifests = [key for key in zone.keys if key.endswith(f"/{paths.MANIFEST}")]
    for key in sorted(manifests, key=lambda key: "/decoded/" in key):  # runs first: a decoding belongs to one
        try:
            _expect(objects, zone, key)
        except (CorruptionError, ValueError):
            zone.problem("damaged", key, "got no manifest of this lake, expected one")
    zone.manifests.sort(key=lambda manifest: manifest.seq)
    return zone


def _expect(objects: Objects, zone: _Zone, key: str) -> None:
    """What ought to be there by this manifest: nothing, of a run that was given up or that retention is removing."""
    document, folder = _document(objects, key), key.removesuffix(paths.MANIFEST)
    if "/decoded/" in key:
        if folder.partition("decoded/")[0] not in zone.retired:
            _expect_decoding(zone, Decoding.model_validate(document))
    elif document.get("state") == "abandoned":
        zone.tombs.add(folder)
    else:
        manifest = Manifest.model_validate(document)
        if zone.first and manifest.seq < zone.first.seq:
            zone.retired.add(folder)
            return
        zone.manifests.append(manifest)
        stored: list[Object] = [*manifest.originals, *([manifest.keys] if manifest.keys else [])]
        zone.expected.update({part.key: (part.bytes, part.sha256) for part in stored})
        _expect_decoding(zone, manifest.first_decoding)


def _document(objects: Objects, key: str) -> dict[str, Any]:
    return decoded(objects.get(key), objects.uri(key))


def _expect_decoding(zone: _Zone, decoding: Decoding) -> None:
    zone.expected.update({part.key: (part.bytes, part.sha256) for part in decoding.objects})


def _check_chain(objects: Objects, zone: _Zone) -> None:
    """Every run names the one before it, the numbers have no gap from the beginning on, and the newest is the source's head."""
    before: Manifest | None = None
    if zone.first and (not zone.manifests or zone.manifests[0].link != zone.first):
        zone.problem("chain", zone.first.manifest, f"run {zone.first.seq} ({zone.first.run}), where the chain begins, is gone")
    for manifest in zone.manifests:
        link, wanted = manifest.previous, before.link if before else None
        if zone.first and manifest.link == zone.first:
            before = manifest
            continue
        if link != wanted or manifest.seq != (before.seq + 1 if before else 1):
            came = f"run {link.seq} ({link.run})" if link else "no run"
            expected = f"run {wanted.seq} ({wanted.run})" if wanted else "none"
            zone.problem("chain", manifest.link.manifest, f"run {manifest.seq} names {came} before it, found {expected}")
        before = manifest
    state = read_document(objects, paths.source_state(zone.source)) or {}
    named = state.get("head")
    newest = before.link.model_dump() if before else None
    if (named or zone.manifests) and named != newest and not zone.opened:
        shown = f"run {named['seq']} ({named['run']})" if named else "no run"
        zone.problem(
            "chain", paths.source_state(zone.source), f"the state names {shown} as newest, found {newest and newest['seq']}"
        )


def _compare(zone: _Zone, key: str, length: int, digest: str, found: tuple[int, str] | None) -> None:
    if found is None:
        zone.problem("missing", key, f"got no object, expected {length:,} bytes")
    elif found[0] != length:
        zone.problem("changed", key, f"got {found[0]:,} bytes, expected {length:,}")
    elif found[1] != digest:
        zone.problem("changed", key, f"got SHA-256 {found[1]}, expected {digest}")


def _check_place(zone: _Zone, key: str) -> None:
    """Objects that no manifest names are leftovers of a run that was given up, or foreign."""
    if key in zone.expected or key.endswith(f"/{paths.MANIFEST}"):
        return
    folder, _, rest = key.partition("/run=")
    run_folder = f"{folder}/run={rest.partition('/')[0]}/"
    if run_folder in zone.opened:
        return
    decoding = f"{key.rpartition('/')[0]}/{paths.MANIFEST}"
    is_visible = any(paths.raw_run(manifest.source, manifest.run) == run_folder for manifest in zone.manifests)
    if run_folder in zone.retired:
        zone.problem("orphan", key, "of a run that retention is removing: `lake maintain` goes on with it")
    elif run_folder in zone.tombs:
        zone.problem("orphan", key, "left by a run that was given up")
    elif is_visible and f"{run_folder}decoded/" in key and decoding not in zone.keys:
        zone.problem("orphan", key, "left by a decoding that never ended")
    else:
        zone.problem("foreign", key, "no manifest names it")
