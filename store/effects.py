"""Every effect of the lake passes one counter here, so that a test can kill the process before or after any of them."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lake.errors import UsageError
from lake.settings import Settings


@dataclass
class _Counter:
    """How many effects this process had, and at which one it must die."""

    done: int = 0
    dies_at: int = 0
    dies_after: bool = False
    log: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, name: str) -> int:
        with self.lock:
            self.done += 1
            if self.log:
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write(f"{self.done} {name}\n")
            return self.done


_counter = _Counter()


def arm(settings: Settings) -> None:
    """Take over `LAKE_CRASH_AT` and `LAKE_CRASH_LOG`; without them effects are only counted.

    Raises UsageError when the setting is not `N:before` or `N:after`.
    """
    _counter.log = settings.crash_log
    if not settings.crash_at:
        return
    number, _, side = settings.crash_at.partition(":")
    if not number.isdigit() or side not in ("before", "after"):
        raise UsageError(f"LAKE_CRASH_AT: got {settings.crash_at!r}, expected N:before or N:after")
    _counter.dies_at, _counter.dies_after = int(number), side == "after"


@contextmanager
def effect(name: str) -> Iterator[None]:
    """Something that others can see: an object written, a table published."""
    number = _counter.next(name)
    if number == _counter.dies_at and not _counter.dies_after:
        _die()
    yield
    if number == _counter.dies_at and _counter.dies_after:
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
