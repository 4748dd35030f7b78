"""Leases: who may write a thing now, kept alive by a heartbeat and told apart by a fencing token."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake import paths
from lake.errors import ConflictError, LockedError, TemporaryError
from store.documents import Document, decoded, encoded, read_document
from store.objects import Objects


@dataclass
class Lease:
    """A lease this process holds; `token` grows with every owner."""

    name: str
    token: int
    seconds: float
    etag: str
    renewed: float
    document: Document
    has_leftovers: bool = False
    """Whether an owner before this one died or failed, and nobody has removed since what it left."""
    lost: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Nothing, while the lease is surely ours.

        Raises LockedError when it was lost or its heartbeat is too old to be sure: call before each irrevocable step.
        """
        if self.lost or time.monotonic() - self.renewed > self.seconds:
            self.lost = True
            raise LockedError(f"lease {self.name}: lost to another run while this one was stopped; nothing more was written")


@contextmanager
def held(objects: Objects, name: str, run_id: str, on_silence: Callable[[], None] | None = None) -> Iterator[Lease]:
    """The lease on `name` for as long as the block runs; `on_silence` is called when the store was away so long that it is lost.

    Raises LockedError when another live owner has it; a dead owner of this machine is taken over at once, any other
    when its heartbeat has stopped for `LAKE_LEASE_SECONDS`.
    """
    lease = _taken(objects, name, run_id)
    stop = threading.Event()
    beat = threading.Thread(target=_heartbeat, args=(objects, lease, stop, on_silence), daemon=True, name=f"lease {name}")
    beat.start()
    try:
        yield lease
    except BaseException:
        lease.has_leftovers = True
        raise
    finally:
        stop.set()
        beat.join()
        _released(objects, lease)


def holder(objects: Objects, name: str) -> Document | None:
    """Who holds the lease now, or None when it is free."""
    document = read_document(objects, paths.lease(name))
    return None if document is None or _is_free(document) else document


def has_leftovers(objects: Objects, name: str) -> bool:
    """Whether the last owner of a lease died or failed, and nobody has removed since what it left."""
    document = read_document(objects, paths.lease(name))
    return document is not None and _is_free(document) and _left_something(document)


def this_process() -> dict[str, Any]:
    """What tells this process from every other: host, boot, pid and start."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "started": _started(pid)}


def is_alive(owner: dict[str, Any]) -> bool | None:
    """Whether a process still lives; None when it was another machine's, of which nothing is known here."""
    if owner["host"] != socket.gethostname():
        return None
    return bool(owner["boot"] == _boot() and owner["started"] == _started(owner["pid"]))


def _taken(objects: Objects, name: str, run_id: str) -> Lease:
    key = paths.lease(name)
    while True:
        found = objects.read(key)
        before = decoded(found.data, objects.uri(key)) if found else None
        if before and not _is_free(before):
            owner = before["owner"]
            raise LockedError(
                f"{name}: run {before['run']} holds it (process {owner['pid']} on {owner['host']}); "
                "wait for it to end, or try again later"
            )
        seconds = objects.settings.lease_seconds
        token = int(before["token"]) + 1 if before else 1
        document: Document = {
            "owner": this_process(),
            "run": run_id,
            "token": token,
            "expires_at": time.time() + seconds,
            "state": "held",
        }
        leftovers = before is not None and _left_something(before)
        try:
            if found is None:
                etag = objects.create(key, encoded(document))
            else:
                etag = objects.swap(key, encoded(document), found.etag)
        except ConflictError:
            continue
        return Lease(name, token, seconds, etag, time.monotonic(), document, leftovers)


def _heartbeat(objects: Objects, lease: Lease, stop: threading.Event, on_silence: Callable[[], None] | None) -> None:
    while not stop.wait(lease.seconds / 4):
        asked = time.monotonic()
        try:
            with lease.lock:
                lease.document = {**lease.document, "expires_at": time.time() + lease.seconds}
                lease.etag = objects.swap(paths.lease(lease.name), encoded(lease.document), lease.etag)
                lease.renewed = asked
        except ConflictError:
            lease.lost = True
            return
        except TemporaryError:
            if time.monotonic() - lease.renewed > lease.seconds and on_silence and not stop.is_set():
                lease.lost = True
                on_silence()
                return


def _released(objects: Objects, lease: Lease) -> None:
    """Leave the token behind for the next owner; a lease that was lost is somebody else's now."""
    if lease.lost:
        return
    try:
        with lease.lock:
            released = {**lease.document, "state": "released", "leftovers": lease.has_leftovers}
            objects.swap(paths.lease(lease.name), encoded(released), lease.etag)
    except (ConflictError, TemporaryError):
        lease.lost = True  # it expires by itself


def _is_free(document: Document) -> bool:
    if document["state"] != "held" or float(document["expires_at"]) < time.time():
        return True
    return is_alive(document["owner"]) is False


def _left_something(document: Document) -> bool:
    return bool(document["state"] == "held" or document.get("leftovers", False))


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty when it does not live (a zombie is dead)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
