"""Reading ahead changes neither order nor errors, and does not wait for ever."""

import threading
from collections.abc import Iterator

import pytest

from ingest.database_ahead import ahead


def test_batches_come_in_their_order() -> None:
    assert list(ahead(iter(range(100)), 10)) == list(range(100))


def test_an_error_comes_behind_the_batches_before_it() -> None:
    def batches() -> Iterator[int]:
        yield 1
        raise ValueError("gone")

    found = ahead(batches(), 10)
    assert next(found) == 1
    with pytest.raises(ValueError, match="gone"):
        next(found)


def test_a_reader_that_nobody_waits_for_ends() -> None:
    ended = threading.Event()

    def batches() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.set()

    found = ahead(batches(), 10)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert ended.wait(10)


def test_a_server_that_falls_silent_is_given_up() -> None:
    never = threading.Event()

    def batches() -> Iterator[int]:
        yield 1
        never.wait()

    found = ahead(batches(), 0.05)
    assert next(found) == 1
    with pytest.raises(TimeoutError):
        next(found)
    never.set()
