"""PostgreSQL: how it is started by hand, as root too, how it is known to answer, and which settings it gives."""

import hashlib
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lake.errors import LakeError, TemporaryError, UsageError
from lake.settings import Settings
from local.debian import install_command
from local.planes_table import make_planes
from local.processes import NO_SPACE
from local.state import ServerState

NAME = "postgresql"
VARIABLES = ("FLIGHTS_DATABASE_URL",)
PACKAGE = "postgresql"
#: Debian keeps the programs of each version in a folder of its own, outside PATH.
PROGRAMS = Path("/usr/lib/postgresql")
OWNER, DATABASE, READER = "postgres", "flights", "flights_reader"
START_SECONDS = 60.0


def new_secrets() -> dict[str, str]:
    """Passwords of the owner and of the read-only account."""
    return {"owner_password": secrets.token_urlsafe(24), "reader_password": secrets.token_urlsafe(24)}


def address(state: ServerState) -> str:
    """Where the server answers."""
    return f"127.0.0.1:{state.port}"


def data_folder(settings: Settings) -> Path:
    """Folder of the server's data: in `.lake`, or for root, whom PostgreSQL refuses, where its own user can reach it."""
    return home_folder(settings) / "data"


def home_folder(settings: Settings) -> Path:
    """Folder that belongs to whom the server runs as."""
    if not _is_root():
        return settings.local / "postgresql"
    name = hashlib.sha256(os.fsencode(settings.local)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"embalse-postgresql-{name}"


def prepare(settings: Settings, state: ServerState) -> None:
    """Make the data folder, whole or not at all.

    Raises UsageError when PostgreSQL is not installed, TemporaryError when the disk is full, LakeError when it fails.
    """
    home, data = home_folder(settings), data_folder(settings)
    if data.exists():
        return
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.stat().st_uid not in (os.geteuid(), _owner().pw_uid):
        raise UsageError(f"{NAME}: {home} belongs to another user; remove it, or set LAKE_HOME to another folder")
    part, password = home / "data.part", home / "password"
    shutil.rmtree(part, ignore_errors=True)
    password.write_text(state.secrets["owner_password"])
    for path in (home, password):
        os.chown(path, _owner().pw_uid, _owner().pw_gid)
        path.chmod(0o700)
    words = [*_as_owner(), _program("initdb", settings), f"--pgdata={part}", f"--username={OWNER}", f"--pwfile={password}"]
    words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    ended = subprocess.run(words, env=dict(settings.environment), cwd=home, capture_output=True, text=True, check=False)
    password.unlink()
    if ended.returncode != 0:
        said = "\n".join((ended.stdout + ended.stderr).splitlines()[-10:])
        full = any(sign in said for sign in NO_SPACE)
        raise (TemporaryError if full else LakeError)(f"{NAME}: the data folder could not be made:\n{said}")
    os.replace(part, data)


def command(settings: Settings, state: ServerState) -> list[str]:
    """What starts the server; it listens on loopback only, and on no socket file."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(state.port),
        "unix_socket_directories": "",
        "shared_buffers": "64MB",
        "max_connections": "40",
        "log_statement": "none",
    }
    words = [*_as_owner(), _program("postgres", settings), "-D", str(data_folder(settings))]
    return words + [word for name, value in options.items() for word in ("-c", f"{name}={value}")]


def environment(settings: Settings, state: ServerState) -> dict[str, str]:
    """Environment of the server."""
    return dict(settings.environment)


def answers(settings: Settings, state: ServerState) -> bool:
    """Whether the server lets its owner in."""
    import psycopg

    try:
        connect(state, "postgres").close()
    except psycopg.Error:
        return False
    return True


def connect(state: ServerState, database: str) -> Any:
    """A connection of the owner in which every statement is a transaction of its own."""
    import psycopg

    return psycopg.connect(
        host="127.0.0.1",
        port=state.port,
        user=OWNER,
        password=state.secrets["owner_password"],
        dbname=database,
        connect_timeout=2,
        autocommit=True,
    )


def provision(settings: Settings, state: ServerState) -> None:
    """Make the database with its planes, and the account that may only read.

    Raises LakeError when the server refuses.
    """
    import psycopg
    from psycopg import sql

    try:
        with connect(state, "postgres") as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            if not connection.execute("select 1 from pg_roles where rolname = %s", (READER,)).fetchone():
                connection.execute(sql.SQL("create role {} login").format(sql.Identifier(READER)))
            words = "alter role {} login password {}; grant pg_read_all_data to {}"
            reader, password = sql.Identifier(READER), sql.Literal(state.secrets["reader_password"])
            connection.execute(sql.SQL(words).format(reader, password, reader))
        with connect(state, DATABASE) as connection:
            make_planes(connection)
    except psycopg.Error as error:
        raise LakeError(f"{NAME}: preparing the database: {error}; see .lake/logs/{NAME}.log") from error


def variables(state: ServerState) -> dict[str, str]:
    """Settings by which the lake finds the database."""
    identity = f"{READER}:{state.secrets['reader_password']}"
    return {"FLIGHTS_DATABASE_URL": f"postgresql://{identity}@{address(state)}/{DATABASE}"}


def _is_root() -> bool:
    return os.geteuid() == 0


def _owner() -> pwd.struct_passwd:
    """Whom the server runs as."""
    try:
        return pwd.getpwnam(OWNER) if _is_root() else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise UsageError(f"{NAME}: got no user {OWNER} on this machine, expected Debian's; run `{_install()}`") from None


def _as_owner() -> list[str]:
    """Words before a command that make root run it as the server's user, in the same process."""
    if not _is_root():
        return []
    found = shutil.which("setpriv")
    if found is None:
        raise UsageError(f"{NAME}: got no setpriv, expected util-linux's; without it run as another user than root")
    return [found, f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", "--"]


def _program(name: str, settings: Settings) -> str:
    """A program of the newest version there is."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])
    path = str(found[-1]) if found else shutil.which(name, path=settings.environment.get("PATH"))
    if path is None:
        raise UsageError(f"{NAME}: got no {name} on this machine, expected Debian's; run `{_install()}`")
    return path


def _install() -> str:
    return install_command([PACKAGE], sudo=not _is_root())
