"""What holds for all tests: which share a process when two run at once (`make test`), and that no property is judged by time."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TESTS = Path(__file__).parent
#: Folders whose tests share one lake or one Spark session; they begin first, because they last longest.
TOGETHER = ("e2e", "spark")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test the name of its group: its folder where that shares a session, else its file."""
    for item in items:
        folder, *rest = item.path.relative_to(TESTS).parts
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else f"{folder}/{rest[0]}"))
    items.sort(key=lambda item: _order(item.path.relative_to(TESTS).parts[0]))


def _order(folder: str) -> int:
    return TOGETHER.index(folder) if folder in TOGETHER else len(TOGETHER)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are called by their argument: what is packed holds the time, and both processes must call a test the same."""
    return argname if isinstance(val, bytes) else None
