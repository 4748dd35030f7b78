"""Driver processes beside the test's own, on its session, that die at a chosen effect."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import great_expectations  # noqa: F401 once here, not in every process that is forked
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from store import effects
from store.objects import Objects
from tests.spark.conftest import Lab


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


def started(lab: Lab, act: Callable[[Lab], Any], crash_at: str = "", log: str = "") -> int:
    """The id of a driver process that does it, and dies at that effect."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            settings = replace(lab.settings, crash_at=crash_at, crash_log=log, lease_seconds=3600)  # no heartbeat is counted
            effects._counter = effects._Counter()
            effects.arm(settings)
            act(Lab(second_driver(), settings, Objects(settings), lab.feeds))
            code = 0
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """How a driver process ended: minus its signal, or 0 when it lived to the end."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def build(name: str) -> Callable[[Lab], Any]:
    """Build the trusted table of a source from what raw has."""
    return lambda lab: lab.build(lab.plan(name))


def steps(lab: Lab, act: Callable[[Lab], Any], log: Path) -> list[str]:
    """What an undisturbed driver does, effect by effect."""
    assert ended(started(lab, act, log=str(log))) == 0
    return log.read_text().splitlines()


def places(lines: list[str]) -> list[str]:
    """Where to kill: after one effect and before the next are the same to everybody else."""
    return [*(f"{number}:before" for number in range(1, len(lines) + 1)), f"{len(lines)}:after"]
