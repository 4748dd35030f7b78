"""The command line `lake`: the only module that may import emr and local; it wires them to the verbs."""

import argparse
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from lake.errors import LakeError
from orchestration.words import parser

if TYPE_CHECKING:
    from lake.probing import Probe
    from lake.settings import Settings
    from local.servers import ServerStatus, Started
    from orchestration.spark_process import Place

#: How long a stopped command lets its threads tidy up.
PATIENCE_SECONDS = 2.0


class World:
    """What lies around the lake: servers and the place where Spark runs; each imported when it is asked for."""

    def __init__(self, settings: "Settings") -> None:
        self.settings = settings

    def place(self) -> "Place":
        """Where a job runs from here: this laptop, from a package built now."""
        from emr.package import build_zip
        from local.spark import driver_options, spark_environment
        from orchestration.spark_process import Place

        return Place(driver_options(self.settings), spark_environment(self.settings), build_zip())

    def elsewhere(self, master: str) -> "World":
        """The same with Spark's driver here and its executors on another master."""
        return World(replace(self.settings, spark_master=master))

    def up(self) -> "list[Started]":
        """Start the local servers."""
        from local import servers

        return servers.up(self.settings)

    def down(self) -> list[str]:
        """End the local servers."""
        from local import servers

        return servers.down(self.settings)

    def probes(self) -> "list[Probe]":
        """What there is to look at on this laptop."""
        from local.probes import machine_probes

        return machine_probes(self.settings)

    def servers(self) -> "list[ServerStatus]":
        """State of the local servers."""
        from local import servers

        return servers.status(self.settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of a command."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _called(given)
    except LakeError as error:
        print(f"lake {given.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as stop:
        return _stopped(given.verb, stop.args[0] if stop.args else 128 + signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _called(given: argparse.Namespace) -> int:
    from lake.log import start_log
    from lake.settings import read_settings
    from store import effects

    settings = read_settings()
    start_log(settings.log_level)
    effects.arm(settings)
    module, _, function = given.where.partition(":")
    code: int = getattr(importlib.import_module(f"orchestration.{module}"), function)(settings, given, World(settings))
    return code


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt(128 + number)


def _stopped(verb: str, code: int) -> int:
    """The exit code of a command that was stopped; threads that wait for a server do not hold it up."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print(f"lake {verb}: stopped", file=sys.stderr)
    deadline = time.monotonic() + PATIENCE_SECONDS
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        sys.stdout.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
