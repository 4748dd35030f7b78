"""Politeness: how often and how many at once a host is asked, by all sources of this process together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class _Host:
    """Requests under way, and when the next may begin."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    free_at: float = 0.0


@dataclass
class Hosts:
    """The hosts that are being asked."""

    hosts: dict[str, _Host] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def turn(
        self, url: str, at_once: int, per_second: float | None, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> Iterator[None]:
        """A turn at the host of an address: no more than `at_once` have one, and they begin at most `per_second`."""
        with self.lock:
            host = self.hosts.setdefault(urlsplit(url).netloc.rpartition("@")[2].lower(), _Host())
        with host.changed:
            while host.running >= at_once:
                host.changed.wait(1)
                sleep(0)
            host.running += 1
        try:
            if per_second:
                with host.changed:
                    begins = max(now(), host.free_at)
                    host.free_at = begins + 1 / per_second
                if begins > now():
                    sleep(begins - now())
            yield
        finally:
            with host.changed:
                host.running -= 1
                host.changed.notify()
