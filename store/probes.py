"""Looks at the store, its clock, the catalog, and what killed runs left; writes one object below `state/doctor/` and removes it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ulid import ULID

from lake import paths
from lake.errors import ConflictError
from lake.probing import NotHere, Probe, Unwell
from lake.settings import Settings
from store import leases, raw
from store.catalog import open_catalog
from store.documents import read_document
from store.objects import Objects

#: What killed processes leave is settled by whoever comes next; what nobody came for so long is told.
STALE = timedelta(days=1)


def store_probes(settings: Settings, objects: Objects) -> list[Probe]:
    """One probe per thing."""
    return [
        Probe("store", lambda: _store(objects)),
        Probe("store's clock", lambda: _clock(settings, objects)),
        Probe("catalog", lambda: _catalog(settings, objects)),
        Probe("leases", lambda: _leases(objects)),
        Probe("open runs", lambda: _open_runs(objects)),
    ]


def _store(objects: Objects) -> str:
    """Read, write and compare-and-swap, on an object of the probe's own."""
    key, began = paths.doctor_probe(str(ULID())), time.monotonic()
    needed = "use a store with conditional writes (If-None-Match and If-Match on PUT): AWS S3, MinIO"
    try:
        etag = objects.create(key, b"first")
        if _succeeds(lambda: objects.create(key, b"second")):
            raise Unwell("it lets two writers create one object", needed)
        objects.swap(key, b"third", etag)
        if _succeeds(lambda: objects.swap(key, b"fourth", etag)):
            raise Unwell("it lets a writer replace what it has not seen", needed)
        if objects.get(key) != b"third":
            raise Unwell("it gives back something else than was written", "see the store's own log")
    finally:
        objects.delete([key])
    return f"{objects.settings.root}: read, write and compare-and-swap in {(time.monotonic() - began) * 1000:.0f} ms"


def _succeeds(write: object) -> bool:
    assert callable(write)
    try:
        write()
    except ConflictError:
        return False
    return True


def _clock(settings: Settings, objects: Objects) -> str:
    """The difference to the store's time: requests are signed with it, and leases of several machines compared by it."""
    before = datetime.now(UTC)
    there = objects.clock()
    after = datetime.now(UTC)
    off = max((before - there).total_seconds() - 1, (there - after).total_seconds(), 0.0)  # it tells whole seconds
    if off > settings.lease_seconds / 4:
        wanted = f"expected at most {settings.lease_seconds / 4:g} s, a quarter of LAKE_LEASE_SECONDS"
        raise Unwell(
            f"got {off:,.0f} s between this machine and the store, {wanted}", "set the clock: `timedatectl set-ntp true`"
        )
    return f"{off:.0f} s off"


def _catalog(settings: Settings, objects: Objects) -> str:
    """Readable, in WAL mode, and with every table that was published."""
    catalog = open_catalog(settings)
    known = catalog.tables()
    folder = paths.publication_hint("").removesuffix(".json")
    published = {info.key.removeprefix(folder).removesuffix(".json") for info in objects.list(folder)}
    lost = sorted(published - set(known))
    if lost:
        raise Unwell(f"it lost {', '.join(lost)}", "run `lake catalog rebuild`")
    if not catalog.path.exists():
        raise NotHere("nothing was published yet")
    mode = _journal_mode(catalog.path)
    if mode != "wal":
        hint = "run `lake run`: Spark sets it with each build"
        raise Unwell(f"{catalog.path.name}: got journal mode {mode}, expected wal", hint)
    return f"{len(known)} tables, WAL"


def _journal_mode(path: Path) -> str:
    """Byte 18 of a SQLite file says how it is written; asking SQLite would leave its own files behind."""
    with path.open("rb") as file:
        return {b"\x01": "rollback", b"\x02": "wal"}.get(file.read(20)[18:19], "unknown")


def _leases(objects: Objects) -> str:
    """Leases whose owner lives and does not renew them, or has held them for very long; a dead owner's is free for the next."""
    live, left = 0, 0
    for info in objects.list(paths.lease("").removesuffix(".json")):
        name = info.key.removeprefix(paths.lease("").removesuffix(".json")).removesuffix(".json")
        document = read_document(objects, info.key)
        if document is None or document["state"] != "held":
            continue
        owner, alive = document["owner"], leases.is_alive(document["owner"])
        who = f"{name}: process {owner['pid']} on {owner['host']}"
        mend = f"see `lake runs show {document['run']}`; end that process if it hangs"
        is_late = float(document["expires_at"]) < time.time()
        if alive and is_late:
            raise Unwell(f"{who} holds it and has stopped renewing it", mend)
        if alive is not False and not is_late and _age(document["run"]) > STALE:
            raise Unwell(f"{who} has held it for {_age(document['run']).days} days", mend)
        live, left = live + (not is_late and alive is not False), left + (is_late or alive is False)
    return f"{live} held" + (f", {left} left by killed runs and free for the next" if left else "")


def _open_runs(objects: Objects) -> str:
    """Raw runs that were begun, never ended and not settled by a later pull."""
    found = 0
    for source in raw.raw_sources(objects):
        held = leases.holder(objects, f"source/{source}")
        for run in (read_document(objects, paths.source_state(source)) or {}).get("open", ()):
            if held is None and _age(run) > STALE:
                raise Unwell(f"run {run} of {source} was left {_age(run).days} days ago", f"run `lake raw sweep {source}`")
            found += held is None
    return f"{found} left by killed runs; the next pull goes on with them" if found else "none"


def _age(run: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromtimestamp(ULID.from_str(run).timestamp, UTC)
