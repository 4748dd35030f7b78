"""One fresh copy of the checkout, set up and run once as a user does, and lakes of their own beside its first one."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

from lake.settings import S3_GROUP, parse_env_file
from local.fakestore import load_fakestore
from local.feeds import Feeds, start_feeds
from tests.e2e.copies import running_copy
from tests.e2e.user import Ended, Lake, command_lines, user_environment

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Copy:
    """A copy in which `make local-run` has ended: how it ended, and every command line that was seen meanwhile."""

    lake: Lake
    local_run: Ended
    command_lines: frozenset[str]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.lake.checkout

    @property
    def written(self) -> dict[str, str]:
        """What `lake up` wrote into `.lake/env`."""
        return parse_env_file((self.folder / ".lake" / "env").read_text(), ".lake/env")


@pytest.fixture(scope="session")
def copy(request: pytest.FixtureRequest) -> Copy:
    """The copy that all these tests share."""
    seen: set[str] = set()
    stop = Event()

    def watch() -> None:
        while not stop.wait(0.3):
            seen.update(line for line in command_lines() if "embalse-copy-" in line)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        made = running_copy(request.config)
    finally:
        stop.set()
        watcher.join()
    return Copy(Lake(user_environment(), made.folder), made.first, frozenset(seen))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at the copy's first run goes before everything that changes the copy."""
    items.sort(key=lambda item: (0 if item.path.name == "test_local_run.py" else 1) if item.path.parent == FOLDER else 0)


@dataclass(frozen=True)
class Shop:
    """An own lake on the copy's servers, fed by a stand-in of which every product has the price `version`."""

    lake: Lake
    feeds: Feeds
    home: Path

    def serve(self, version: int, products: int | None = None) -> None:
        """Let the shop have this version of its first products from now on."""
        self.feeds.data["products"] = [{**product, "price": version} for product in load_fakestore()["products"][:products]]

    def prices(self) -> set[float]:
        """The prices that readers see."""
        return {row["avg_price"] for row in self.lake.rows("SELECT avg_price FROM refined.category_summary")}

    @property
    def log(self) -> Path:
        """Where a run with `LAKE_CRASH_LOG` writes its effects."""
        return self.home / "effects"


def shop_in(copy: Copy, home: Path) -> Shop:
    """A lake of its own in a folder of its own, without a run so far."""
    shutil.copytree(copy.folder / "ingest" / "sources", home / "ingest" / "sources")
    feeds = start_feeds()
    s3 = {name: copy.written[name] for name in S3_GROUP if name in copy.written}
    places = {"LAKE_HOME": str(home), "LAKE_ROOT": f"{copy.written['LAKE_ROOT']}/{home.name}"}
    shop = {
        "FAKESTORE_URL": feeds.url,
        "SHOP_FILES_URL": feeds.files_url,
        "FLIGHTS_URL": feeds.flights_url,
        "FLIGHTS_DATABASE_URL": copy.written["FLIGHTS_DATABASE_URL"],
        "SHOP_DATABASE_URL": copy.written["SHOP_DATABASE_URL"],
    }
    return Shop(copy.lake.having(**{**s3, **places, **shop}), feeds, home)


@pytest.fixture(scope="module")
def shop(copy: Copy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A lake whose `category_summary` was published once, at price 1."""
    made = shop_in(copy, tmp_path_factory.mktemp("shop"))
    made.serve(1)
    first = made.lake("run", "category_summary")
    assert first.code == 0, first.err
    yield made
    made.feeds.close()
