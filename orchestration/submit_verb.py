"""`lake submit --to PLACE`: the run's job with its executors on a cluster; sources are asked and the plan is made here."""

import argparse
import re
import socket
from typing import TYPE_CHECKING

from lake.errors import TemporaryError, UsageError
from lake.settings import Settings
from orchestration import verbs

if TYPE_CHECKING:
    from orchestration.cli import World

MASTERS = re.compile(r"spark://([\w.-]+|\[[0-9a-fA-F:]+\]):\d+(,([\w.-]+|\[[0-9a-fA-F:]+\]):\d+)*")
#: Longest wait for a master to take a connection.
PATIENCE_SECONDS = 5.0


def submit(settings: Settings, given: argparse.Namespace, world: "World") -> int:
    """Ask the sources here, build and publish what changed there."""
    if not MASTERS.fullmatch(given.to):
        raise UsageError(f"--to: got {given.to!r}, expected a standalone master such as spark://127.0.0.1:7077")
    if not any(_answers(each) for each in given.to.removeprefix("spark://").split(",")):
        raise TemporaryError(f"--to: no Spark master answers at {given.to}; is it up, and may this machine reach it?")
    there = world.elsewhere(given.to)
    return verbs.run(there.settings, given, there)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_SECONDS):
            return True
    except OSError:
        return False
