"""Where questions are worked on: so many at once, so many waiting, and each no longer than it may take."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from api.problems import RETRY_SECONDS, Problem

T = TypeVar("T")
WAITING_PER_PLACE = 4
#: What works on a question ends it in time by itself; one that hangs longer than this is answered for.
GRACE_SECONDS = 1.0


class Desk:
    """Threads that work on questions; only one event loop may ask."""

    def __init__(self, places: int, seconds: float) -> None:
        self.most = places * (1 + WAITING_PER_PLACE)
        self.seconds = seconds
        self._threads = ThreadPoolExecutor(places, "question")
        self._inside = 0

    async def ask(self, work: Callable[[float], T]) -> T:
        """What the work gives, which is told how many seconds it has.

        Raises Problem when too many wait already, or when the time is over.
        """
        if self._inside >= self.most:
            raise self._busy()
        loop, end = asyncio.get_running_loop(), time.monotonic() + self.seconds
        began = False

        def worked() -> T:
            nonlocal began
            began = True
            return work(end - time.monotonic())

        self._inside += 1
        future: Future[T] = self._threads.submit(worked)
        future.add_done_callback(lambda _: self._leave(loop))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.seconds + GRACE_SECONDS)
        except TimeoutError:
            if not began:
                raise self._busy() from None
            raise Problem("time-limit", "the question took longer than it may; ask for less, or narrow it down") from None

    def close(self) -> None:
        """Take no more questions; those under way go on until their time is over."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """A thread has done with a question, or it was given up before one began."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self._inside -= 1

    def _busy(self) -> Problem:
        said = f"{self._inside} questions are under way or wait; ask again later"
        return Problem("busy", said, {"Retry-After": RETRY_SECONDS})
