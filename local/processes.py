"""The only module that starts, recognises and ends processes, so that nothing but our own is ever touched."""

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lake.errors import LakeError, TemporaryError

NO_SPACE = ("No space left on device", "Disk is full", "drive is full", "Disk quota exceeded")
TAIL_LINES = 15
POLL_SECONDS = 0.03
PORTS = range(20_000, 30_000)


@dataclass(frozen=True)
class Process:
    """A process that we started: its id, and what tells it from a later one that got the same id."""

    pid: int
    started: str
    command: list[str]


def start(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Process:
    """A process in a session of its own, so that Ctrl-C in the terminal does not reach it; its output goes to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], list(command), dict(environ), file_actions=actions, setsid=True)
    return Process(pid, _stat(pid)[1], list(command))


def is_alive(process: Process) -> bool:
    """Whether this very process still runs; one that has ended but was not waited for does not."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    state, started = _stat(process.pid)
    shown = _command(process.pid)  # of a program that became another one (setpriv) only the end is left
    is_ours = process.command[-len(shown) :] == shown if shown else True
    return started == process.started and state not in ("", "Z", "X") and is_ours


def end(processes: Sequence[Process], patience_seconds: float = 3.0) -> None:
    """Ask the processes to stop, wait, and kill those that did not."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    if not wait_until(lambda: not any(is_alive(process) for process in processes), patience_seconds):
        for process in processes:
            _signal(process, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(process) for process in processes), patience_seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_until_ready(name: str, process: Process, answers: Callable[[], bool], log: Path, seconds: float) -> None:
    """Wait until the server answers.

    Raises TemporaryError when the disk is full or no answer comes in time, and LakeError with the end of its log when it exits.
    """
    wait_until(lambda: answers() or not is_alive(process), seconds)
    if is_alive(process) and answers():
        return
    said = log_tail(log)
    if any(sign in said for sign in NO_SPACE):
        raise TemporaryError(f"{name}: the disk is full; free some space and run `lake up` again\n{said}")
    if is_alive(process):
        raise TemporaryError(f"{name}: no answer within {seconds:.0f} s; `lake down`, then `lake up`, starts it anew\n{said}")
    raise LakeError(f"{name}: the server ended while starting; the end of .lake/logs/{log.name}:\n{said}")


def log_tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


def free_port() -> int:
    """A port of the loopback interface that nobody uses now, below those that the system lends to clients.

    A server that is down for a while finds its port free again: no client's connection is given it meanwhile.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LakeError(f"ports: every one from {PORTS.start} to {PORTS.stop - 1} is taken, expected one to be free")


def is_taken(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_owner(port: int) -> str:
    """`process PID (name)` of who listens on the port, as far as /proc tells."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(Path("/proc/net") / table, port)}
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(entry).removeprefix("socket:[").rstrip("]") in inodes:
                pid = int(entry.parts[2])
                return f"process {pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    return "another process"


def _listening(table: Path, port: int) -> list[str]:
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]


def _signal(process: Process, number: signal.Signals) -> None:
    if is_alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _stat(pid: int) -> tuple[str, str]:
    """State letter and start time (ticks since boot) of a process; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def _command(pid: int) -> list[str]:
    """Command line of a process; empty while it is not to be had."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []
