"""Real servers on free ports in temporary folders, apart from any lake that is running."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lake.settings import HOME, Settings, read_settings
from lake.sources import load_sources, source_from
from local import mariadb, minio, postgresql
from local.feeds import Feeds, start_feeds
from local.processes import Process, end, free_port, start, wait_until_ready
from local.state import ServerState
from store.objects import Objects

INHERITED = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "XDG_CACHE_HOME") if name in os.environ}


@dataclass
class Server:
    """A server of `local/` in a folder of its own, which a test may kill and start again."""

    module: Any
    settings: Settings
    state: ServerState

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self.settings.local / "logs" / f"{self.module.NAME}.log"
        self.module.prepare(self.settings, self.state)
        command, environment = (
            self.module.command(self.settings, self.state),
            self.module.environment(self.settings, self.state),
        )
        self.state.process = start(command, environment, log)
        answers: Callable[[], bool] = lambda: self.module.answers(self.settings, self.state)  # noqa: E731
        wait_until_ready(self.module.NAME, self.state.process, answers, log, self.module.START_SECONDS)

    def stop(self) -> None:
        """End it."""
        if self.state.process:
            end([self.state.process])

    @property
    def process(self) -> Process:
        """The process that runs."""
        assert self.state.process
        return self.state.process

    @property
    def variables(self) -> dict[str, str]:
        """Settings by which the lake finds it."""
        found: dict[str, str] = self.module.variables(self.state)
        return found


def server(module: Any, folder: Path) -> Server:
    """A server that has not been started yet."""
    (folder / ".lake").mkdir(parents=True, exist_ok=True)
    settings = read_settings({**INHERITED, "LAKE_HOME": str(folder)})
    return Server(module, settings, ServerState(free_port(), module.new_secrets()))


def lake_of(minio_server: Server, folder: Path, **more: str) -> Settings:
    """Settings of a new, empty lake."""
    import boto3

    variables = minio_server.variables
    bucket = f"lake-{uuid4().hex[:12]}"
    boto3.client(
        "s3",
        endpoint_url=variables["LAKE_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=variables["LAKE_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["LAKE_S3_SECRET_ACCESS_KEY"],
    ).create_bucket(Bucket=bucket)
    place = {"LAKE_HOME": str(folder), "LAKE_ROOT": f"s3://{bucket}/lake", "LAKE_SOURCES": str(HOME / "ingest" / "sources")}
    return read_settings({**INHERITED, **variables, **place, **more})


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One MinIO for all tests."""
    running = server(minio, tmp_path_factory.mktemp("minio"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shop_database() -> Iterator[Server]:
    """One MariaDB with the shop's customers; its folder has a short path because of its socket."""
    with tempfile.TemporaryDirectory(prefix="db-") as folder:
        running = server(mariadb, Path(folder))
        running.start()
        mariadb.provision(running.settings, running.state)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def postgres_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One PostgreSQL with an empty database; its data lies where its own user can reach it."""
    running = server(postgresql, tmp_path_factory.mktemp("postgresql"))
    running.start()
    postgresql.provision(running.settings, running.state)
    yield running
    running.stop()
    shutil.rmtree(postgresql.home_folder(running.settings), ignore_errors=True)


@pytest.fixture(params=["mysql", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each of the two families of servers in turn; a table `things` is gone after the test."""
    from tests.integration.databases import database_of

    fixture = {"mysql": "shop_database", "postgresql": "postgres_database"}[request.param]
    found = database_of(request.param, request.getfixturevalue(fixture))
    yield found
    found.run("drop table if exists things")


@pytest.fixture
def lake_settings(minio_server: Server, tmp_path: Path) -> Settings:
    """A new, empty lake."""
    return lake_of(minio_server, tmp_path)


@pytest.fixture
def objects(lake_settings: Settings) -> Objects:
    """The objects of a new, empty lake."""
    return Objects(lake_settings)


@pytest.fixture
def feeds() -> Iterator[Feeds]:
    """The shop's API and files, which a test may change and break."""
    running = start_feeds()
    yield running
    running.close()


@pytest.fixture
def shop_lake(minio_server: Server, feeds: Feeds, tmp_path: Path) -> Settings:
    """A new, empty lake that knows the shop's API and files."""
    return lake_of(minio_server, tmp_path, FAKESTORE_URL=feeds.url, SHOP_FILES_URL=feeds.files_url)


def shop_sources() -> dict[str, Any]:
    """The sources that the checkout declares."""
    return load_sources(HOME / "ingest" / "sources")


def rest_source(feeds: Feeds, name: str, path: str, columns: dict[str, Any], **more: Any) -> Any:
    """A REST source of one address of the stand-in."""
    declared = {"name": name, "description": "One row per thing.", "kind": "rest", "url": feeds.url + path, "load": "append"}
    return source_from({**declared, "columns": columns, **more}, f"{name}.yaml")


def decoded_rows(objects: Objects, decoding: Any) -> list[dict[str, Any]]:
    """The decoded rows of a decoding, in order."""
    import io

    import pyarrow.parquet as pq

    return [row for part in decoding.objects for row in pq.read_table(io.BytesIO(objects.get(part.key))).to_pylist()]
