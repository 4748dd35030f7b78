"""A build killed at any of its effects and run again gives the tables that an undisturbed one gives."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from store import effects
from store.objects import Objects
from tests.spark.conftest import Lab

COLUMNS = {"id": "bigint", "price": "decimal(10,2)"}


def second_driver() -> SparkSession:
    """In a forked process: the parent's session through a connection of its own."""
    parent = SparkContext._active_spark_context
    assert parent is not None
    parameters = parent._gateway.java_parameters
    os.environ |= {"PYSPARK_GATEWAY_PORT": str(parameters.port), "PYSPARK_GATEWAY_SECRET": parameters.auth_token}
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    gateway = launch_gateway()
    jsc = gateway.jvm.org.apache.spark.api.java.JavaSparkContext.fromSparkContext(
        gateway.jvm.org.apache.spark.SparkContext.getOrCreate()
    )
    context = SparkContext(gateway=gateway, jsc=jsc, conf=SparkConf(_jvm=gateway.jvm, _jconf=jsc.getConf()))
    return SparkSession(context, gateway.jvm.org.apache.spark.sql.classic.SparkSession.getDefaultSession().get())


def driver_process(lab: Lab, act: Callable[[Lab], Any], crash_at: str = "", log: str = "") -> int:
    """Do it in a driver process that dies at that effect; minus its signal, or 0 when it lived to the end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            settings = replace(lab.settings, crash_at=crash_at, crash_log=log)
            effects._counter = effects._Counter()
            effects.arm(settings)
            act(Lab(second_driver(), settings, Objects(settings), lab.feeds))
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def build(name: str) -> Callable[[Lab], Any]:
    """Build the trusted table of a source from what raw has."""
    return lambda lab: lab.build(lab.plan(name))


def records(version: int) -> list[dict[str, Any]]:
    """Three rows that carry the version, and one that is rejected."""
    return [*({"id": number, "price": version} for number in (1, 2, 3)), {"id": "x", "price": version}]


def steps(lab: Lab, name: str, tmp_path: Path) -> list[str]:
    """What an undisturbed build does, effect by effect."""
    log = tmp_path / f"{name}.log"
    assert driver_process(lab, build(name), log=str(log)) == 0
    return log.read_text().splitlines()


def leftovers(lab: Lab, name: str) -> list[str]:
    """Tables and branches of dead runs."""
    tables = [row.tableName for row in lab.spark.sql("SHOW TABLES IN lake.trusted").collect() if f"{name}__" in row.tableName]
    refs = [row.name for row in lab.spark.table(f"lake.trusted.{name}.refs").collect() if row.name != "main"]
    return tables + refs


def check(lab: Lab, name: str, version: int, publish: int | None = None) -> None:
    """The table holds this version alone, its rejected row stands in quarantine once, and nothing is left over."""
    assert [(key, int(price)) for key, price in lab.rows(f"trusted.{name}", "id", "price")] == [
        (1, version),
        (2, version),
        (3, version),
    ]
    runs = [row["_run_id"] for row in lab.spark.table(f"lake.quarantine.{name}").collect()]
    assert len(runs) == len(set(runs))
    published = lab.tables.publications(f"trusted.{name}")
    assert published[0].inputs[name]["run"] in runs
    assert len({p.inputs[name]["seq"] for p in published}) == len(published)
    assert leftovers(lab, name) == []


def test_a_first_build_may_die_at_every_effect(lab: Lab, tmp_path: Path) -> None:
    def prepare(name: str) -> str:
        lab.declare(name, COLUMNS)
        lab.serve(name, records(7))
        lab.pull(name)
        return name

    effects_of_one = steps(lab, prepare("dies_never"), tmp_path)
    assert any("publish trusted.dies_never" in line for line in effects_of_one)
    for number in range(1, len(effects_of_one) + 1):
        for side in ("before", "after"):
            name = prepare(f"dies_{side}_{number}")
            assert driver_process(lab, build(name), f"{number}:{side}") == -signal.SIGKILL
            lab.build(lab.plan(name))
            check(lab, name, 7)


@contextmanager
def reader(lab: Lab, table: str, seen: Path) -> Iterator[None]:
    """A second process that asks the table again and again, and writes down each state it has not seen yet."""
    pid = os.fork()
    if pid == 0:
        try:
            from sql.engine import open_engine

            engine, last = open_engine(lab.settings), ""
            with seen.open("w") as file:
                while True:
                    state = json.dumps(list(engine.ask(f"SELECT id, CAST(price AS bigint) FROM {table} ORDER BY id").rows))
                    if state != last:
                        print(state, file=file, flush=True)
                        last = state
        except Exception as error:  # noqa: BLE001 whatever the reader met is what the test must see
            seen.write_text(f"{seen.read_text()}{type(error).__name__}: {error}\n")
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_later_build_may_die_at_every_effect_while_others_read(lab: Lab, tmp_path: Path) -> None:
    lab.declare("again", COLUMNS)
    lab.serve("again", records(1))
    lab.cycle("again")
    lab.serve("again", records(2))
    lab.pull("again")
    count, version, seen = len(steps(lab, "again", tmp_path)), 2, tmp_path / "seen"
    with reader(lab, "trusted.again", seen):
        for number in range(1, count + 1):
            for side in ("before", "after"):
                version += 1
                lab.serve("again", records(version))
                lab.pull("again")
                assert driver_process(lab, build("again"), f"{number}:{side}") == -signal.SIGKILL
                lab.build(lab.plan("again"))
                check(lab, "again", version)
    states = [json.loads(line) for line in seen.read_text().splitlines()]
    assert all(state == [[key, state[0][1]] for key in (1, 2, 3)] for state in states)
    versions = [state[0][1] for state in states]
    assert versions == sorted(set(versions))
    assert len(versions) > 1


@pytest.mark.parametrize("load", ["append", "merge"])
def test_rows_of_a_killed_build_are_neither_lost_nor_doubled(lab: Lab, tmp_path: Path, load: str) -> None:
    name = f"added_{load}"
    lab.declare(name, COLUMNS, load=load)
    lab.serve(name, [{"id": 0, "price": "1"}])
    lab.cycle(name)
    lab.serve(name, [{"id": 1, "price": "1"}])
    lab.pull(name)
    lines, expected = steps(lab, name, tmp_path), [0, 1]
    dangerous = [number for number, line in enumerate(lines, 1) if f"trusted.{name}" in line and "leases" not in line]
    for number in dangerous:
        for side in ("before", "after"):
            expected.append(len(expected))
            lab.serve(name, [{"id": expected[-1], "price": "1"}])
            lab.pull(name)
            assert driver_process(lab, build(name), f"{number}:{side}") == -signal.SIGKILL
            lab.build(lab.plan(name))
            assert [key for (key,) in lab.rows(f"trusted.{name}", "id")] == expected
