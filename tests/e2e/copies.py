"""A fresh copy of the checkout in which `make local-run` ran, made once in a test session."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from lake.settings import HOME
from tests.e2e.reader import Reader
from tests.e2e.user import Ended, user_environment

LEFT_OUT = (".git", ".venv", ".lake", "dist", "__pycache__", ".*_cache", ".hypothesis", "spark-warehouse", "metastore_db")


@dataclass(frozen=True)
class Made:
    """A checkout whose lake is up, and what its `make local-run` said."""

    folder: Path
    first: Ended


_KEY = pytest.StashKey[Made]()


def running_copy(config: pytest.Config) -> Made:
    """The copy, made once; its servers end and its folder goes with the test session."""
    if _KEY not in config.stash:
        folder = Path(tempfile.mkdtemp(prefix="embalse-copy-"))
        reader = Reader(folder, user_environment())
        config.add_cleanup(lambda: _removed(reader))
        shutil.copytree(HOME, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        config.stash[_KEY] = Made(folder, reader.types("make local-run"))
    return config.stash[_KEY]


def _removed(reader: Reader) -> None:
    reader.types("make reset FORCE=1")
    shutil.rmtree(reader.checkout, ignore_errors=True)
