"""The lake as its user drives it: commands of a checkout, started, signalled, and judged by what they print and exit with."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lake.settings import HOME, Settings, read_settings
from local.processes import wait_until
from store.objects import Objects

#: A process and the tick at which it started, so that a later one with its number is not taken for it.
Pid = tuple[int, str]
OURS = ("LAKE_", "AWS_", "SHOP_", "FAKESTORE_", "PYSPARK", "SPARK", "PYTEST", "MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHONPATH")
PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed with `--json`."""
        return json.loads(self.out)

    @property
    def last_line(self) -> str:
        """The last line for the person who waits."""
        return (self.err.strip().splitlines() or [""])[-1]


@dataclass(frozen=True)
class Lake:
    """The `lake` command of a checkout in one environment."""

    environment: Mapping[str, str]
    checkout: Path = HOME

    def __call__(self, *words: str, **more: str) -> Ended:
        """Run a command to its end."""
        return ended(self.start(*words, **more))

    def start(self, *words: str, **more: str) -> "subprocess.Popen[str]":
        """A command under way, in a process group of its own as in a terminal."""
        return subprocess.Popen(
            [str(self.checkout / ".venv" / "bin" / "lake"), *words],
            cwd=self.checkout,
            env={**self.environment, **more},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def having(self, **more: str) -> "Lake":
        """The same lake with more in its environment."""
        return replace(self, environment={**self.environment, **more})

    @property
    def settings(self) -> Settings:
        """The settings that its commands read."""
        return read_settings({"LAKE_HOME": str(self.checkout), **self.environment})

    @property
    def objects(self) -> Objects:
        """The objects of the lake."""
        return Objects(self.settings)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of a query."""
        answer = self("sql", query, "--format", "json")
        assert answer.code == 0, answer.err
        return list(answer.json)

    def publications(self, table: str) -> list[dict[str, Any]]:
        """What was published in a table, newest first; empty when there is none."""
        shown = self("tables", table, "--json")
        return list(shown.json["publications"]) if shown.code == 0 else []


def user_environment() -> dict[str, str]:
    """This environment without what belongs to a lake, to Spark, to make or to pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def ended(process: "subprocess.Popen[str]", seconds: float = PATIENCE_SECONDS) -> Ended:
    """The end of a command; one that never ends is killed with all it started."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(descendants(process.pid))
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{process.args} did not end within {seconds} s:\n{out}\n{err}") from None
    return Ended(process.returncode, out, err)


def effects(log: Path) -> list[str]:
    """The effects that a run with `LAKE_CRASH_LOG` had so far, as `number name`."""
    return log.read_text().splitlines() if log.exists() else []


def wait_for_effect(process: "subprocess.Popen[str]", log: Path, words: str) -> None:
    """Wait until the run has begun an effect whose name holds these words."""

    def is_there() -> bool:
        return any(words in line for line in effects(log))

    wait_until(lambda: is_there() or process.poll() is not None, PATIENCE_SECONDS)
    assert is_there(), f"no {words!r} in {effects(log)}; {process.args} {process.poll()}"


def descendants(pid: int) -> list[Pid]:
    """Every process that this one started and that lives, and all they started."""
    parents = {child: facts for child in _pids() if (facts := _stat(child))}
    found, looked = [], [pid]
    while looked:
        above = looked.pop()
        below = [child for child, (parent, _) in parents.items() if parent == above]
        found += [(child, parents[child][1]) for child in below]
        looked += below
    return found


def alive(processes: Iterable[Pid]) -> list[Pid]:
    """Those of the processes that still live."""
    return [(pid, started) for pid, started in processes if (facts := _stat(pid)) and facts[1] == started]


def kill(processes: Iterable[Pid], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to each process that lives."""
    for pid, _ in alive(processes):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def command_line(pid: int) -> str:
    """Command line of a process; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def command_lines() -> set[str]:
    """Command lines of all processes."""
    return {command_line(pid) for pid in _pids()} - {""}


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> tuple[int, str] | None:
    """Parent and start of a process; nothing for one that is dead, be it a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else (int(fields[1]), fields[19])
