"""The job on a Spark standalone cluster: master, worker and executors are processes of their own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lake.model_tables import load_tables
from lake.settings import HOME
from local.processes import Process, end, free_port, is_taken, start, wait_until
from local.spark import spark_environment
from sql.engine import open_engine
from store import raw
from tests.e2e.conftest import Copy, Shop, shop_in
from tests.e2e.user import Lake, command_line, descendants, ended

#: What a run on the cluster builds: an average, a join, and a join of three.
TABLES = ("category_summary", "product_sales", "customer_value")
#: Doubles may differ in the last digits, because sums depend on the order of rows; everything else is equal.
RELATIVE = 1e-9


@dataclass(frozen=True)
class Cluster:
    """A standalone cluster: where its master answers, and its worker, whose children are the executors."""

    url: str
    worker: Process

    def executors(self) -> list[int]:
        """The executors' processes."""
        return [pid for pid, _ in descendants(self.worker.pid) if "CoarseGrainedExecutorBackend" in command_line(pid)]


@pytest.fixture(scope="module")
def cluster(copy: Copy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and a worker with one core; executors get the S3 identity from the worker's environment."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    environment = spark_environment(copy.lake.settings) | {"SPARK_WORKER_DIR": str(folder), "SPARK_LOG_DIR": str(folder)}
    python = copy.folder / ".venv" / "bin" / "python"
    environment |= {
        "PYSPARK_PYTHON": str(python),
        "SPARK_HOME": str(next(copy.folder.glob(".venv/lib/*/site-packages/pyspark"))),
    }
    spark_class = str(copy.folder / ".venv" / "bin" / "spark-class")
    places = ["--host", "127.0.0.1", "--webui-port", "0"]

    def started(name: str, *words: str) -> Process:
        bash = ["/bin/bash", spark_class, f"org.apache.spark.deploy.{name}", *places, *words]
        return start(bash, environment, folder / f"{name}.log")

    running = [started("master.Master", "--port", str(port))]
    try:
        assert wait_until(lambda: is_taken(port), 60)
        running.append(started("worker.Worker", "--cores", "1", "--memory", "1g", f"spark://127.0.0.1:{port}"))
        said = folder / "worker.Worker.log"
        assert wait_until(lambda: "Successfully registered with master" in said.read_text(), 60)
        yield Cluster(f"spark://127.0.0.1:{port}", running[1])
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
        end(running)


@pytest.fixture(scope="module")
def far_shop(copy: Copy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A lake without a table so far."""
    made = shop_in(copy, tmp_path_factory.mktemp("far"))
    yield made
    made.feeds.close()


def run_on(cluster: Cluster, shop: Shop) -> "subprocess.Popen[str]":
    """A run of refined tables of every kind on the cluster."""
    return shop.lake.start("submit", "--to", cluster.url, *TABLES)


def same_raw(lake: Lake, home: Path) -> Lake:
    """A lake of its own that has the raw runs of another and nothing else."""
    places = {"LAKE_HOME": str(home), "LAKE_SOURCES": str(lake.settings.sources)}
    there = lake.having(**places, LAKE_ROOT=f"{lake.settings.root}/{home.name}")
    for info in list(lake.objects.list("raw/")):
        there.objects.put(info.key, lake.objects.get(info.key))
    return there


def refined(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables in the order of their keys."""
    engine, contracts, found = open_engine(lake.settings), load_tables(HOME / "jobs"), {}
    for name in TABLES:
        answer = engine.ask(f"SELECT * FROM refined.{name} ORDER BY {', '.join(contracts[name].contract.key)}")
        names = [column.name for column in answer.columns]
        found[name] = [dict(zip(names, row, strict=True)) for row in answer.rows]
    return found


def are_equal(far: dict[str, list[dict[str, Any]]], near: dict[str, list[dict[str, Any]]]) -> None:
    """Check that no row is missing, none is more, and no value is another."""
    for name, rows in near.items():
        assert rows
        assert len(far[name]) == len(rows), name
        for there, here in zip(far[name], rows, strict=True):
            assert there == {k: pytest.approx(v, rel=RELATIVE) if isinstance(v, float) else v for k, v in here.items()}, name


def test_a_cluster_of_separate_processes_gives_the_tables_of_a_local_run(cluster: Cluster, far_shop: Shop, copy: Copy) -> None:
    run = run_on(cluster, far_shop)
    assert wait_until(lambda: bool(cluster.executors()) or run.poll() is not None, 120)
    seen = [command_line(pid) for pid in cluster.executors()]
    end_ = ended(run)
    assert end_.code == 0, end_.err
    assert seen
    assert not any(far_shop.lake.settings.s3_secret_key in line for line in seen)
    for source in ("products", "carts", "customers"):
        far, near = (raw.head(lake.objects, source) for lake in (far_shop.lake, copy.lake))
        assert far
        assert near
        assert far.content == near.content, "both were built from the same bytes"
    are_equal(refined(far_shop.lake), refined(copy.lake))


def test_an_executor_that_is_killed_is_replaced_and_no_row_is_another(cluster: Cluster, far_shop: Shop, tmp_path: Path) -> None:
    far_shop.serve(7)
    run = run_on(cluster, far_shop)
    assert wait_until(lambda: bool(cluster.executors()) or run.poll() is not None, 120)
    os.kill(cluster.executors()[0], signal.SIGKILL)
    end_ = ended(run)
    assert end_.code == 0, end_.err
    assert far_shop.prices() == {7.0}
    near = same_raw(far_shop.lake, tmp_path)
    local = near("run", "--no-ingest", *TABLES)
    assert local.code == 0, local.err
    are_equal(refined(far_shop.lake), refined(near))


def test_a_master_that_is_none_or_is_not_up_is_told_before_anything_is_asked(far_shop: Shop) -> None:
    wrong = far_shop.lake("submit", "--to", "yarn", "category_summary")
    assert (wrong.code, "expected a standalone master such as spark://" in wrong.err) == (2, True)
    down = far_shop.lake("submit", "--to", f"spark://127.0.0.1:{free_port()}", "category_summary")
    assert (down.code, "no Spark master answers" in down.err) == (75, True)
