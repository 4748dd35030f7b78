"""The two families of database servers as their owner and as a bot see them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pymysql
from ulid import ULID

from ingest.database import DatabaseBot
from ingest.landing import Pull, Wish, pull
from ingest.originals import Fetched, Visit
from lake.sources import source_from
from local import mariadb, postgresql
from local.shop_database import _SocketIdentity
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, decoded_rows


@dataclass
class Database:
    """One of the two servers, as its owner and as a bot see it."""

    engine: str
    server: Server
    run: Callable[[str], Any]
    url: str

    def source(self, **more: Any) -> Any:
        facts = {"name": "things", "description": "One row per thing.", "kind": "database", "load": "append", "table": "things"}
        return source_from({**facts, "url": self.url, "columns": {"id": "string"}, **more}, "things.yaml")


def database_of(engine: str, server: Server) -> Database:
    """The database of a server that runs."""
    run, variable = {"mysql": (_queried, "SHOP_DATABASE_URL"), "postgresql": (_executed, "FLIGHTS_DATABASE_URL")}[engine]
    return Database(engine, server, lambda words: run(server, words), server.variables[variable])


def _queried(server: Server, statement: str) -> None:
    with owner(server) as connection:
        connection.query(statement)


def _executed(server: Server, statement: str) -> None:
    with postgresql.connect(server.state, postgresql.DATABASE) as connection:
        connection.execute(statement)


def owner(server: Server) -> Any:
    """A connection of the database's owner, in UTC."""
    return pymysql.connect(
        unix_socket=str(mariadb.socket_path(server.settings)),
        user=mariadb.user(),
        database="shop",
        charset="utf8mb4",
        autocommit=True,
        auth_plugin_map={"unix_socket": _SocketIdentity, b"unix_socket": _SocketIdentity},
        init_command="set sql_mode = '', time_zone = '+00:00'",
    )


def visit(folder: Path, **more: Any) -> Visit:
    number = count()
    return Visit(lambda: folder / f"part-{ULID()}-{next(number)}", **more)


def read(source: Any, folder: Path, **more: Any) -> list[Fetched]:
    return list(DatabaseBot(source, {}).originals(visit(folder, **more)))


def values(parts: list[Fetched], *names: str) -> list[tuple[Any, ...]]:
    tables = [pq.read_table(part.path).select(list(names)).to_pylist() for part in parts]
    return [tuple(row[name] for name in names) for table in tables for row in table]


def landed(source: Any, lake: Objects, wish: Wish | None = None) -> Pull:
    return pull(source.name, {source.name: source}, lake, str(ULID()), wish=wish)


def newest(lake: Objects) -> list[str]:
    head = raw.head(lake, "things")
    assert head
    return [row["id"] for row in decoded_rows(lake, head.first_decoding)]


def insert(database: Database, rows: list[str]) -> None:
    for start in range(0, len(rows), 500):
        database.run(f"insert into things values {', '.join(rows[start : start + 500])}")
