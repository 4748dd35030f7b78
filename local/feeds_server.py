"""The stand-in feeds as one of the local servers: how they are started and which settings they give."""

import http.client
import sys

from lake.settings import HOME, Settings
from local.state import ServerState

NAME = "feeds"
VARIABLES = ("FAKESTORE_URL", "SHOP_FILES_URL", "FLIGHTS_URL")
START_SECONDS = 20.0


def new_secrets() -> dict[str, str]:
    """Nothing here is secret."""
    return {}


def address(state: ServerState) -> str:
    """Where the server answers."""
    return f"http://127.0.0.1:{state.port}"


def prepare(settings: Settings, state: ServerState) -> None:
    """Nothing has to be made first."""


def command(settings: Settings, state: ServerState) -> list[str]:
    """What starts the server."""
    return [sys.executable, "-m", "local.feeds", "--port", str(state.port)]


def environment(settings: Settings, state: ServerState) -> dict[str, str]:
    """Environment of the server: this checkout's code, whatever folder the command was given in."""
    return {**settings.environment, "PYTHONPATH": str(HOME)}


def answers(settings: Settings, state: ServerState) -> bool:
    """Whether the server sends the first product."""
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=2)
    try:
        connection.request("GET", "/products/1")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def provision(settings: Settings, state: ServerState) -> None:
    """The server brings its data along."""


def variables(state: ServerState) -> dict[str, str]:
    """Settings by which the bots find shop and flights."""
    base = address(state)
    return {"FAKESTORE_URL": base, "SHOP_FILES_URL": f"{base}/files", "FLIGHTS_URL": f"{base}/flights"}
