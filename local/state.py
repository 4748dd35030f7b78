"""What the local servers remember between commands: ports, credentials and processes, in files only their owner can read."""

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lake.errors import TemporaryError
from local.processes import Process

LEAST_FREE_BYTES = 200_000_000


@dataclass
class ServerState:
    """One server: the port it always gets, the secrets made for it, and the process that runs or ran."""

    port: int
    secrets: dict[str, str] = field(default_factory=dict)
    process: Process | None = None
    is_provisioned: bool = False


def read_state(folder: Path) -> dict[str, ServerState]:
    """State of every server that was ever started here."""
    try:
        found = json.loads((folder / "servers.json").read_text())
    except FileNotFoundError:
        return {}
    for server in found.values():
        server["process"] = Process(**server["process"]) if server["process"] else None
    return {name: ServerState(**server) for name, server in found.items()}


def write_state(folder: Path, state: Mapping[str, ServerState]) -> None:
    """Remember the state of every server."""
    servers = {name: asdict(server) for name, server in sorted(state.items())}
    write_private(folder / "servers.json", json.dumps(servers, indent=1))


def write_env(folder: Path, values: Mapping[str, str]) -> None:
    """Write `.lake/env`, which the settings read and a shell can source; nothing happens when it says so already."""
    text = "".join(f"export {name}='{value}'\n" for name, value in values.items())
    path = folder / "env"
    if not path.exists() or path.read_text() != text or path.stat().st_mode & 0o077:
        write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner can read.

    Raises TemporaryError when the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TemporaryError(f".lake/{path.name}: the disk is full; free some space and try again") from error
        raise


def check_space(folder: Path) -> None:
    """See that the servers have room to start.

    Raises TemporaryError when they have not.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise TemporaryError(
            f"disk of .lake: got {free // 1_000_000} MB free, expected at least {LEAST_FREE_BYTES // 1_000_000} MB; "
            "free some space and run `lake up` again"
        )
