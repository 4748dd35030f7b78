"""One Spark session for all Spark tests, on a MinIO and a catalog of its own."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.session import open_session
from lake.settings import Settings, read_settings
from local import servers
from local.spark import driver_options, spark_environment
from store.objects import Objects


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lake with a running MinIO and nothing in it."""
    home = tmp_path_factory.mktemp("lake")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "AWS_"))}
    environ |= {"LAKE_HOME": str(home), "SHOP_DATABASE_URL": "mysql://nobody@127.0.0.1:1/none", "FAKESTORE_URL": "http://127.0.0.1:1"}
    environ |= {"SHOP_FILES_URL": "http://127.0.0.1:1/files"}
    settings = read_settings(environ)
    servers.up(settings)
    yield read_settings(environ)
    servers.down(settings)


@pytest.fixture(scope="session")
def spark(spark_settings: Settings) -> Iterator[SparkSession]:
    """The session, as a job opens it on this laptop."""
    submit = " ".join(f"'{word}'" for word in [*driver_options(spark_settings), "--master", "local[2]", "pyspark-shell"])
    os.environ.update({**spark_environment(spark_settings), "PYSPARK_SUBMIT_ARGS": submit})
    session = open_session(spark_settings, "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def objects(spark_settings: Settings) -> Objects:
    """The lake's objects."""
    return Objects(spark_settings)


