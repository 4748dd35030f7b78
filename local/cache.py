"""The user's cache, shared by every checkout: what is slow to make and the same everywhere."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Folder of everything that a second checkout need not fetch or build again."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(base).expanduser() / "embalse"


def sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*facts: object) -> str:
    """One hash over facts: the content of files, and everything else as `str` shows it."""
    digest = hashlib.sha256()
    for fact in facts:
        part = fact.read_bytes() if isinstance(fact, Path) and fact.is_file() else str(fact).encode()
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()


@contextmanager
def only_one(lock: Path, on_wait: Callable[[], None] | None = None, is_inherited: bool = False) -> Iterator[None]:
    """Wait until no other process holds the lock file, then hold it; the kernel frees it when the process ends.

    An inherited lock is held until the programs that were started meanwhile have ended too, even if this process is killed.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        os.set_inheritable(file.fileno(), is_inherited)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
