"""Starts the Spark job as a process of its own, and ends it when the run ends."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lake.arguments import job_arguments
from lake.errors import LakeError, TemporaryError
from lake.settings import Settings
from store.scratch import scratch

Event = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a job runs: what stands before `run.py` on spark-submit's command line, and its environment."""

    options: list[str]
    environment: dict[str, str]
    package: Path

    def within(self, room: Path) -> dict[str, str]:
        """The environment of a job whose temporary files all go into this folder, and so with it."""
        java = f"{self.environment.get('JDK_JAVA_OPTIONS', '')} -Djava.io.tmpdir={room}".strip()
        return {**self.environment, "TMPDIR": str(room), "JDK_JAVA_OPTIONS": java}


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit code, the largest process it had in bytes, and what stopped it as a whole."""

    exit_code: int
    peak_memory: int
    error: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """What a run's record says of its end."""
        return {"error": self.error} if self.error else {}


def submit_command(settings: Settings, place: Place, run_id: str, action: str) -> list[str]:
    """The command line of a job."""
    submit = str(Path(sys.executable).parent / "spark-submit")
    head = [*_bound_to_us(), submit, "--master", settings.spark_master, "--py-files", str(place.package), *place.options]
    return [*head, str(settings.code / "jobs" / "run.py"), *job_arguments(settings, run_id, action)]


def run_job(settings: Settings, place: Place, run_id: str, action: str, told: Callable[[Event], None]) -> Ended:
    """Run a job to its end; `told` gets each of its events, and one more when it was killed.

    Raises LakeError with the end of the job's own words when it died without saying why.
    """
    log = settings.local / "logs" / f"job-{run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    said, failure = False, ""
    command = submit_command(settings, place, run_id, action)
    with scratch() as room, log.open("ab") as errors, _started(command, place.within(room), errors) as process:
        for event in _events(process, errors):
            said = said or event["event"] == "failed" or event.get("state") in ("failed", "blocked")
            failure = event["error"] if event["event"] == "failed" else failure
            told(event)
        code = _ended(process)
    killer = _signal_of(code)
    if killer:
        code, failure = TemporaryError.exit_code, f"{_killed_by(killer)} {log.relative_to(settings.home)} has its last words"
        told({"event": "failed", "error": failure, "exit_code": code})
    elif code != 0 and not said:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LakeError(f"the Spark job ended with {code}; the end of {log.relative_to(settings.home)}:\n{tail}")
    return Ended(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, failure)


def _signal_of(code: int) -> str:
    """Name of the signal that ended the JVM (-n), or the Python below it (128 + n, as the JVM tells); empty for any other end."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number).name if number in set(signal.Signals) else ""


def _killed_by(name: str) -> str:
    why = ", as the system does when memory is short (`LAKE_SPARK_MEMORY` is the job's share)" if name == "SIGKILL" else ""
    return f"the Spark job was killed by {name}{why}; what was published stays, and the next `lake run` goes on from there;"


def _bound_to_us() -> list[str]:
    """What makes Linux kill the job when this process dies, so that no job outlives a killed run."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


@contextmanager
def _started(command: list[str], environment: dict[str, str], errors: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """The job's process, in a group of its own that ends with this process, however that ends."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Exit code of a job; of one whose JVM was killed the Python goes too, or it would hold its leases for a while."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # while it is not waited for, its group's number is its own
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _events(process: subprocess.Popen[bytes], log: BinaryIO) -> Iterator[Event]:
    """The job's events; whatever else it says (spark-submit puts Python's stderr here) goes to the log."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b'{"event"'):
            yield json.loads(line)
        else:
            log.write(line)
            log.flush()
