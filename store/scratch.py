"""The only module that makes temporary folders: one lives as long as its owner, and the next command removes those of the dead."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

#: Other folders of ours in the same place are nobody's to remove: sockets and data of servers.
PREFIX = "embalse-work-"


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder that goes with the block, or else with this process."""
    remove_abandoned(Path(tempfile.gettempdir()))
    folder, lock = _owned()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _owned() -> tuple[Path, int]:
    """A new folder and the lock that says it has an owner; one that was removed before it was locked is made again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink:
                return folder, lock
            os.close(lock)


@cache
def remove_abandoned(place: Path) -> None:
    """Remove the folders whose owner is dead; a process looks once, that is enough."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is alive, somebody else's, or gone already
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
