"""Starts, shows and ends the local servers: `up`, `down` and `status`."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol

from lake.errors import LakeError
from lake.references import public_url
from lake.settings import Settings, parse_env_file
from local import feeds_server, mariadb, minio, postgresql
from local.cache import only_one
from local.processes import end, free_port, is_alive, is_taken, port_owner, start, wait_until, wait_until_ready
from local.state import ServerState, check_space, read_state, write_env, write_state


class Server(Protocol):
    """What a module has to say about its server."""

    @property
    def NAME(self) -> str: ...
    @property
    def VARIABLES(self) -> tuple[str, ...]: ...
    @property
    def START_SECONDS(self) -> float: ...
    def new_secrets(self) -> dict[str, str]: ...
    def address(self, state: ServerState) -> str: ...
    def prepare(self, settings: Settings, state: ServerState) -> None: ...
    def command(self, settings: Settings, state: ServerState) -> list[str]: ...
    def environment(self, settings: Settings, state: ServerState) -> dict[str, str]: ...
    def answers(self, settings: Settings, state: ServerState) -> bool: ...
    def provision(self, settings: Settings, state: ServerState) -> None: ...
    def variables(self, state: ServerState) -> dict[str, str]: ...


SERVERS: tuple[Server, ...] = (minio, mariadb, postgresql, feeds_server)


#: How long a server that was just killed may still hold its port: its threads end one after the other.
LEAVING_SECONDS = 2.0


@dataclass(frozen=True)
class Started:
    """A server after `up`: where it answers, and whether this call started it."""

    name: str
    address: str
    pid: int
    seconds: float
    is_new: bool


@dataclass(frozen=True)
class ServerStatus:
    """A server as it is now; `dead` ended by itself or does not answer, `foreign` is where the settings say, not ours."""

    name: str
    address: str
    pid: int | None
    state: Literal["running", "stopped", "dead", "foreign"]
    seconds: float | None


def up(settings: Settings) -> list[Started]:
    """Start what does not run, with the ports, credentials and data it had; settings read before do not know the new ones.

    Raises TemporaryError when the disk is full or a server stays silent, and LakeError when a port is taken or a server exits.
    """
    folder = settings.local
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(folder / "up.lock"):
        state = read_state(folder)
        wanted = [server for server in SERVERS if foreign_address(server, settings) is None]
        for server in wanted:
            state.setdefault(server.NAME, ServerState(free_port(), server.new_secrets()))
        if any(not _runs(state[server.NAME]) for server in wanted):
            check_space(folder)
        write_state(folder, state)
        write_env(folder, _variables(state))
        writing = Lock()

        def remember() -> None:
            with writing:
                write_state(folder, state)

        with ThreadPoolExecutor(max(1, len(wanted))) as pool:
            futures = [pool.submit(_ensure, server, settings, state[server.NAME], remember) for server in wanted]
        return [future.result() for future in futures]


def down(settings: Settings) -> list[str]:
    """End the servers that `up` started and that still run; their names."""
    folder = settings.local
    if not folder.exists():
        return []
    with only_one(folder / "up.lock"):
        state = read_state(folder)
        running = {name: server.process for name, server in state.items() if server.process and is_alive(server.process)}
        end(list(running.values()))
        for server in state.values():
            server.process = None
        if state:
            write_state(folder, state)
        return list(running)


def status(settings: Settings) -> list[ServerStatus]:
    """State of every server, each asked at once."""
    state = read_state(settings.local)
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        return list(pool.map(lambda server: _status(server, settings, state.get(server.NAME)), SERVERS))


def foreign_address(server: Server, settings: Settings) -> str | None:
    """Where the settings put this server when it is not ours to start; nothing when it is."""
    path = settings.local / "env"
    written = parse_env_file(path.read_text(), ".lake/env") if path.exists() else {}
    environ = settings.environment
    named = {name for name in server.VARIABLES if environ.get(name)}
    elsewhere = {name for name in named if environ[name] != written.get(name)}
    if server.NAME == minio.NAME:
        is_foreign = elsewhere or (named and "LAKE_S3_ENDPOINT" not in named)
        return (settings.s3_endpoint or "AWS") if is_foreign else None
    if elsewhere != set(server.VARIABLES):
        return None
    return public_url(environ[server.VARIABLES[0]])


def _ensure(server: Server, settings: Settings, state: ServerState, remember: Callable[[], None]) -> Started:
    """See that the server runs, answers and holds what it must; each step is remembered, should this process be killed."""
    began = time.monotonic()
    log = settings.local / "logs" / f"{server.NAME}.log"
    is_new = not _runs(state)
    if is_new:
        _check_port(server, state)
        server.prepare(settings, state)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        state.process = start(server.command(settings, state), server.environment(settings, state), log)
        state.is_provisioned = False
        remember()
    assert state.process is not None
    wait_until_ready(server.NAME, state.process, lambda: server.answers(settings, state), log, server.START_SECONDS)
    if not state.is_provisioned:
        server.provision(settings, state)
        state.is_provisioned = True
        remember()
    return Started(server.NAME, server.address(state), state.process.pid, time.monotonic() - began, is_new)


def _check_port(server: Server, state: ServerState) -> None:
    if not wait_until(lambda: not is_taken(state.port), LEAVING_SECONDS):
        raise LakeError(
            f"{server.NAME}: port {state.port} is taken by {port_owner(state.port)}, expected it to be free; "
            "end that process and run `lake up` again, or let `make reset` forget the port together with the data"
        )


def _runs(state: ServerState) -> bool:
    return state.process is not None and is_alive(state.process)


def _variables(state: Mapping[str, ServerState]) -> dict[str, str]:
    """All settings that the servers give."""
    known = [server for server in SERVERS if server.NAME in state]
    return {name: value for server in known for name, value in server.variables(state[server.NAME]).items()}


def _status(server: Server, settings: Settings, state: ServerState | None) -> ServerStatus:
    elsewhere = foreign_address(server, settings)
    if elsewhere is not None:
        return ServerStatus(server.NAME, elsewhere, None, "foreign", None)
    if state is None or state.process is None:
        return ServerStatus(server.NAME, server.address(state) if state else "", None, "stopped", None)
    if not is_alive(state.process):
        return ServerStatus(server.NAME, server.address(state), None, "dead", None)
    began = time.monotonic()
    is_answering = server.answers(settings, state)
    seconds = time.monotonic() - began if is_answering else None
    return ServerStatus(server.NAME, server.address(state), state.process.pid, "running" if is_answering else "dead", seconds)
