"""Reads ahead in a thread: while one batch is proven and written, the next ones come from the server."""

import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
BATCHES = 2
#: How often a reader that nobody waits for any more looks whether that is so.
LOOK_SECONDS = 0.1


def ahead(batches: Iterator[T], patience_seconds: float) -> Iterator[T]:
    """The same batches, a few of them read before they are asked for; an error comes where it would have come.

    Raises TimeoutError when none comes for so long, which no driver notices while the server merely hangs.
    """
    waiting: Queue[T | BaseException | None] = Queue(BATCHES)
    is_left = threading.Event()
    threading.Thread(target=_read, args=(batches, waiting, is_left), name="database reader", daemon=True).start()
    try:
        while (item := waiting.get(timeout=patience_seconds)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    except Empty:
        raise TimeoutError from None
    finally:
        is_left.set()


def _read(batches: Iterator[T], waiting: "Queue[T | BaseException | None]", is_left: threading.Event) -> None:
    """Read to the end, to an error, or until nobody waits any more."""
    try:
        for batch in batches:
            if not _offered(batch, waiting, is_left):
                return
        _offered(None, waiting, is_left)
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        _offered(error, waiting, is_left)


def _offered(item: Any, waiting: "Queue[Any]", is_left: threading.Event) -> bool:
    while not is_left.is_set():
        try:
            waiting.put(item, timeout=LOOK_SECONDS)
        except Full:
            continue
        return True
    return False
