"""Ends questions whose time is over: one thread for all of them, started with the first."""

import threading
import time
import weakref
from contextlib import suppress
from itertools import count
from math import inf

import duckdb

#: A question that was between two statements when it was interrupted is interrupted again.
AGAIN_SECONDS = 0.05


class Watch:
    """Interrupts cursors once their time is over, until they are done or gone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tokens = count()
        self._open: dict[int, tuple[float, weakref.ref[duckdb.DuckDBPyConnection]]] = {}
        self._wakes = inf
        self._thread: threading.Thread | None = None

    def begin(self, cursor: duckdb.DuckDBPyConnection, seconds: float | None) -> int | None:
        """Give the cursor so much time from now; a token by which to say that it is done."""
        if seconds is None:
            return None
        end = time.monotonic() + max(seconds, 0.0)
        with self._changed:
            token = next(self._tokens)
            self._open[token] = (end, weakref.ref(cursor))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
                self._thread.start()
            if end < self._wakes:  # else it wakes early enough by itself
                self._wakes = end
                self._changed.notify()
        return token

    def done(self, token: int | None) -> None:
        """The cursor's question has ended; it is not interrupted any more."""
        if token is not None:
            with self._changed:
                self._open.pop(token, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                self._wakes = self._interrupted()
                self._changed.wait(None if self._wakes == inf else max(self._wakes - time.monotonic(), 0.0))

    def _interrupted(self) -> float:
        """Interrupt all whose time is over; when to look again."""
        now, wakes = time.monotonic(), inf
        for token, (end, reference) in list(self._open.items()):
            cursor = reference()
            if cursor is None:
                del self._open[token]
            elif end > now:
                wakes = min(wakes, end)
            else:
                with suppress(duckdb.ConnectionException):  # it was closed a moment ago
                    cursor.interrupt()
                wakes = min(wakes, now + AGAIN_SECONDS)
        return wakes
