"""The app under uvicorn: a port of this machine, until a signal comes."""

import errno
import logging
import socket
from collections.abc import Callable

import uvicorn

from api.app import make_app
from api.keys import check_exposure, read_keys
from lake.errors import LakeError, UsageError
from lake.settings import Settings

#: What is under way may end after a signal.
GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 30


def serve(settings: Settings, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, which is then raised again; `tell` hears the address once requests are answered.

    Raises UsageError when others could reach the API without a key, or the port cannot be had.
    """
    check_exposure(host, read_keys(settings.api.keys, settings.environment))
    logging.getLogger("api.access").setLevel(logging.INFO)
    with _listening(host, port) as listener:
        app = make_app(settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        shown = f"[{host}]" if ":" in host else host
        server = _Told(config, lambda: tell(f"http://{shown}:{listener.getsockname()[1]}"))
        try:
            server.run([listener])
        except SystemExit:
            raise LakeError("the server did not start; the log says why") from None


class _Told(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises UsageError when it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else an answer of two parts waits 40 ms for the second
        return listener
    except OverflowError:
        raise UsageError(f"--port: got {port}, expected a number from 0 to 65535") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"--port: {port} is taken on {host}; choose another, or 0 for any that is free") from None
        if error.errno == errno.EACCES:
            raise UsageError(f"--port: {port} is not for this user; choose one above 1023") from None
        raise UsageError(f"--host: got {host!r}, expected a name or address of this machine") from None
