"""The raw zone of one source: its sequence of visible runs, its open runs, and how a run becomes visible or is swept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lake import paths
from lake.errors import ConflictError, CorruptionError, LockedError
from store import checkpoints
from store.documents import Document, change_document, decoded, encoded, read_document
from store.leases import Lease
from store.manifests import Beginning, Decoding, Link, Manifest
from store.objects import Objects


@dataclass(frozen=True)
class Settled:
    """What became of runs that were open: those given up, and the one that may be gone on with."""

    given_up: list[str]
    spared: str | None = None


def source_state(objects: Objects, source: str) -> Document:
    """Head, cursor, last look and open runs of a source; empty for a source never pulled.

    A state that was lost is made again from the manifests.
    """
    state = read_document(objects, paths.source_state(source))
    return rebuild_source_state(objects, source) if state is None else state


def read_manifest(objects: Objects, key: str) -> Manifest | None:
    """The manifest of a visible run; None when there is none or the run was given up.

    Raises CorruptionError when the object is no manifest.
    """
    found = objects.read(key)
    if found is None or decoded(found.data, objects.uri(key)).get("state") == "abandoned":
        return None
    try:
        return Manifest.model_validate_json(found.data)
    except ValueError as error:
        raise CorruptionError(f"{objects.uri(key)}: no manifest of this lake: {error}") from None


def head(objects: Objects, source: str, state: Document | None = None) -> Manifest | None:
    """The newest visible run of a source, given its state or not."""
    state = source_state(objects, source) if state is None else state
    for run in state.get("open", ()):  # a run that was killed between its manifest and the state
        manifest = read_manifest(objects, paths.manifest(paths.raw_run(source, run)))
        if manifest and manifest.seq > state.get("head", {"seq": 0})["seq"]:
            return manifest
    return read_manifest(objects, state["head"]["manifest"]) if state.get("head") else None


def runs_after(objects: Objects, source: str, seq: int, newest: Manifest | None = None) -> list[Manifest]:
    """All visible runs behind sequence number `seq`, oldest first; what retention removed is not among them.

    Raises CorruptionError when a manifest of the chain is gone.
    """
    manifest = newest or head(objects, source)
    found: list[Manifest] = []
    begins: Beginning | None = None
    while manifest and manifest.seq > seq:
        found.append(manifest)
        link = manifest.previous
        if link is None or link.seq <= seq:
            break
        if len(found) == 1:  # most often there is one run, and nothing to ask
            begins = beginning(objects, source)
        if begins and link.seq < begins.first.seq:
            break
        manifest = read_manifest(objects, link.manifest)
        if manifest is None:
            raise CorruptionError(f"{objects.uri(link.manifest)}: manifest of run {link.seq} of {source} is missing")
    return found[::-1]


def beginning(objects: Objects, source: str) -> Beginning | None:
    """Where the chain of a source's runs begins; None as long as every run is there."""
    found = read_document(objects, paths.raw_beginning(source))
    return None if found is None else Beginning.model_validate(found)


def begin_at(objects: Objects, source: str, first: Link, is_cleared: bool = False) -> None:
    """Let the chain begin at this run, with the source's lease: from now on the runs before it do not exist for readers."""
    objects.put(paths.raw_beginning(source), encoded(Beginning(first=first, is_cleared=is_cleared).model_dump()))


def decoding_of(objects: Objects, manifest: Manifest, decoding: str) -> Decoding | None:
    """The run's decoded rows under the decoding with this hash; None until `lake raw replay` made them."""
    if manifest.first_decoding.decoding == decoding:
        return manifest.first_decoding
    found = objects.read(paths.decoding_manifest(paths.raw_run(manifest.source, manifest.run), decoding))
    return Decoding.model_validate_json(found.data) if found else None


def open_run(objects: Objects, lease: Lease, source: str, run: str) -> None:
    """Remember that the run has begun, so that whoever comes next can settle it."""
    lease.check()

    def change(state: Document | None) -> Document:
        state = state or {}
        return {**state, "open": [*state.get("open", ()), run]}

    change_document(objects, paths.source_state(source), change)


def publish_run(objects: Objects, lease: Lease, manifest: Manifest) -> None:
    """Make a run visible: its manifest, then the source's head.

    Raises LockedError when the run was given up by another owner meanwhile.
    """
    lease.check()
    try:
        objects.create(manifest.link.manifest, manifest.model_dump_json(indent=1).encode())
    except ConflictError:
        raise LockedError(
            f"source {manifest.source}: run {manifest.run} was given up by another run; nothing was published"
        ) from None
    _finish(objects, manifest)


def look(objects: Objects, lease: Lease, source: str, facts: dict[str, Any]) -> None:
    """Note that the source was asked and had nothing new."""
    lease.check()
    change_document(objects, paths.source_state(source), lambda state: {**(state or {}), **facts})


def settle_open_runs(objects: Objects, lease: Lease, source: str, identity: str | None = None) -> Settled:
    """Finish what dead runs left: a run with a manifest becomes the head, any other is claimed and its objects removed.

    The newest run with a checkpoint is spared when its checkpoint has this identity; without one (the sweeper) it is
    always spared. Call it with the source's lease, before a new run is opened.
    """
    given_up: list[str] = []
    spared: str | None = None
    for run in reversed(source_state(objects, source).get("open", ())):
        lease.check()
        folder = paths.raw_run(source, run)
        manifest = read_manifest(objects, paths.manifest(folder))
        if manifest:
            _finish(objects, manifest)
        elif spared is None and _may_go_on(objects, folder, identity):
            spared = run
        elif not give_up_run(objects, lease, source, run):
            _finish(objects, read_manifest(objects, paths.manifest(folder)))
        else:
            given_up.append(run)
    return Settled(given_up, spared)


def _may_go_on(objects: Objects, folder: str, identity: str | None) -> bool:
    """Whether nobody has claimed the run and its newest checkpoint fits."""
    return objects.bytes_of(paths.manifest(folder)) is None and checkpoints.is_spared(objects, folder, identity)


def give_up_run(objects: Objects, lease: Lease, source: str, run: str) -> bool:
    """Claim an open run so that nobody can publish it, and remove its objects; False when it was published meanwhile."""
    lease.check()
    folder = paths.raw_run(source, run)
    try:
        objects.create(paths.manifest(folder), encoded({"state": "abandoned", "run": run}))
    except ConflictError:
        if read_manifest(objects, paths.manifest(folder)):
            return False
    objects.delete(info.key for info in objects.list(folder) if info.key != paths.manifest(folder))
    change_document(objects, paths.source_state(source), lambda state: _without(state, run))
    return True


def drop_run(objects: Objects, lease: Lease, source: str, run: str) -> None:
    """Remove an open run of this very process, which nobody else can publish."""
    lease.check()
    folder = paths.raw_run(source, run)
    objects.delete(info.key for info in objects.list(folder))
    change_document(objects, paths.source_state(source), lambda state: _without(state, run))


def rebuild_source_state(objects: Objects, source: str) -> Document:
    """The state from the manifests alone, for when it was lost; returns it."""
    made = state_of_manifests(objects, source)

    def change(state: Document | None) -> Document | None:
        return None if state or not made else made

    return change_document(objects, paths.source_state(source), change) or {}


def state_of_manifests(objects: Objects, source: str) -> Document:
    """The state as the manifests alone tell it; empty when there are none."""
    ordered = sorted(all_manifests(objects, source), key=lambda manifest: manifest.seq)
    if not ordered:
        return {}
    looks = [manifest.created_at for manifest in ordered if not manifest.window]
    looked = {"looked_at": looks[-1]} if looks else {}
    return {"head": ordered[-1].link.model_dump(), "cursor": ordered[-1].cursor, "open": [], **looked}


def all_manifests(objects: Objects, source: str) -> Iterator[Manifest]:
    """Every manifest of a source found by listing, in the order of its key."""
    for info in objects.list(paths.raw_source(source)):
        folder, _, name = info.key.rpartition("/")
        if name == paths.MANIFEST and folder.rpartition("/")[2].startswith("run="):
            manifest = read_manifest(objects, info.key)
            if manifest:
                yield manifest


def raw_sources(objects: Objects) -> list[str]:
    """Names of all sources that have a raw zone."""
    return [folder.removeprefix("raw/").rstrip("/") for folder in objects.folders("raw/")]


def _finish(objects: Objects, manifest: Manifest | None) -> None:
    """What follows a manifest: its checkpoints go, the source's head and cursor move in one swap."""
    if manifest is None:
        return
    checkpoints.clear(objects, paths.raw_run(manifest.source, manifest.run))
    _advance(objects, manifest, {"cursor": manifest.cursor} if manifest.cursor is not None else {})


def _advance(objects: Objects, manifest: Manifest, facts: dict[str, Any]) -> None:
    def change(state: Document | None) -> Document | None:
        state = state or {}
        if (state.get("head") or {"seq": 0})["seq"] >= manifest.seq:
            return None if manifest.run not in state.get("open", ()) else _without(state, manifest.run)
        after = {**_without(state, manifest.run), **facts, "head": manifest.link.model_dump()}
        return after if manifest.window else {**after, "looked_at": manifest.created_at}  # a window says nothing of today

    change_document(objects, paths.source_state(manifest.source), change)


def _without(state: Document | None, run: str) -> Document:
    state = state or {}
    return {**state, "open": [name for name in state.get("open", ()) if name != run]}
