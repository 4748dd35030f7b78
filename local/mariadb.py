"""MariaDB, the shop's database: how it is started by hand, how it is known to answer, and which settings it gives."""

import hashlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from lake.errors import LakeError, TemporaryError, UsageError
from lake.settings import Settings
from local.debian import MARIADB_PACKAGES, install_command, mariadb_program
from local.processes import NO_SPACE
from local.state import ServerState

NAME = "mariadb"
VARIABLES = ("SHOP_DATABASE_URL",)
READER = "shop_reader"
START_SECONDS = 60.0
#: How a packet of the MySQL protocol goes on after length and number: version 10, or error 1130.
GREETING, HOST_REFUSED = b"\x0a", b"\xff\x6a\x04"
#: Longest path of a Unix socket, less its closing zero.
LONGEST_SOCKET = 107


def new_secrets() -> dict[str, str]:
    """Password of the read-only account."""
    return {"reader_password": secrets.token_urlsafe(24)}


def address(state: ServerState) -> str:
    """Where the server answers."""
    return f"127.0.0.1:{state.port}"


def data_folder(settings: Settings) -> Path:
    """Folder of the server's data."""
    return settings.local / "mariadb"


def socket_path(settings: Settings) -> Path:
    """The server's socket: in `.lake`, or in a private folder with a short name where that path would be too long."""
    path = settings.local / "mariadb.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(settings.local)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"embalse-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise UsageError(f"mariadb: {folder} belongs to another user; set LAKE_HOME to a shorter path")
    return folder / "mariadb.sock"


def prepare(settings: Settings, state: ServerState) -> None:
    """Make the data folder, whole or not at all.

    Raises UsageError when MariaDB is not installed, TemporaryError when the disk is full, LakeError when it fails.
    """
    data = data_folder(settings)
    part = data.with_name("mariadb.part")
    if data.exists():
        return
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    words = [_program("mariadb-install-db", settings), "--no-defaults", f"--datadir={part}", "--skip-test-db"]
    # Not --user: for that word the script changes owners, of system folders too, and stumbles over spaces in paths.
    words += ["--auth-root-authentication-method=socket", f"--auth-root-socket-user={user()}", f"-u{user()}"]
    ended = subprocess.run(words, env=dict(settings.environment), capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = "\n".join((ended.stdout + ended.stderr).splitlines()[-10:])
        full = any(sign in said for sign in NO_SPACE)
        raise (TemporaryError if full else LakeError)(f"mariadb: the data folder could not be made:\n{said}")
    os.replace(part, data)


def command(settings: Settings, state: ServerState) -> list[str]:
    """What starts the server; `--user` is what MariaDB asks for when root starts it."""
    return [
        _program("mariadbd", settings),
        "--no-defaults",
        f"--datadir={data_folder(settings)}",
        f"--socket={socket_path(settings)}",
        f"--pid-file={settings.local / 'mariadb.pid'}",
        f"--port={state.port}",
        f"--user={user()}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--innodb-buffer-pool-size=64M",
        "--performance-schema=OFF",
        "--log-warnings=1",
        "--local-infile=OFF",
        f"--secure-file-priv={data_folder(settings)}",
    ]


def environment(settings: Settings, state: ServerState) -> dict[str, str]:
    """Environment of the server."""
    return dict(settings.environment)


def answers(settings: Settings, state: ServerState) -> bool:
    """Whether the server greets who connects, or refuses because no account may come by TCP before it is provisioned."""
    try:
        with (
            socket.create_connection(("127.0.0.1", state.port), timeout=2) as connection,
            connection.makefile("rb") as stream,
        ):
            greeting = stream.read(7)[4:]
    except OSError:
        return False
    return greeting.startswith(GREETING) or greeting == HOST_REFUSED


def provision(settings: Settings, state: ServerState) -> None:
    """Make the shop's database and the account that may only read it."""
    from local.shop_database import make_shop

    make_shop(socket_path(settings), user(), READER, state.secrets["reader_password"])


def variables(state: ServerState) -> dict[str, str]:
    """Settings by which the lake finds the database."""
    identity = f"{READER}:{state.secrets['reader_password']}"
    return {"SHOP_DATABASE_URL": f"mysql://{identity}@{address(state)}/shop"}


def user() -> str:
    """Name of the user who runs all this; the server knows him by his end of the socket."""
    return pwd.getpwuid(os.geteuid()).pw_name


def _program(name: str, settings: Settings) -> str:
    found = mariadb_program(name, settings.environment)
    if found is None:
        needed = install_command(list(MARIADB_PACKAGES), sudo=os.geteuid() != 0)
        raise UsageError(f"mariadb: got no {name} on this machine, expected Debian's; run `{needed}`")
    return found
