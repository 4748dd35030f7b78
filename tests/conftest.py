"""What holds for all tests: which share a process when two run at once (`make test`), and that no property is judged by time."""

from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

#: Folders whose tests share one lake or one Spark session; they begin first, because they last longest.
TOGETHER = ("e2e", "spark")


def group(nodeid: str) -> str:
    """Tests of one group run in one process: those of a folder that shares a session, else those of a file."""
    folder = nodeid.removeprefix("tests/").partition("/")[0]
    return folder if folder in TOGETHER else nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups first."""
    items.sort(key=lambda item: TOGETHER.index(name) if (name := group(item.nodeid)) in TOGETHER else len(TOGETHER))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out whole groups."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return ByGroup(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are called by their argument: what is packed holds the time, and both processes must call a test the same."""
    return argname if isinstance(val, bytes) else None
