"""The shop's database: customers whose numbers are those of the API's users, and an account that may only read them."""

from pathlib import Path
from typing import Any

import pymysql

from lake.errors import LakeError
from local.fakestore import load_fakestore

CUSTOMERS = """
CREATE TABLE customers_new (
  customer_id BIGINT PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  email VARCHAR(200),
  registered_on DATE
)
"""
#: Customers who have never used the shop's API.
WITHOUT_CARTS = (
    (11, "Lucía Peña", "lucia@example.com", "2019-11-02"),
    (12, "Søren Østergård", None, "2019-12-24"),
    (13, "Ana O'Neill", "ana@example.com", None),
)


class _SocketIdentity:
    """Answers MariaDB's unix_socket plugin, which asks nothing: the kernel vouches for the user."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, packet: Any) -> Any:
        self.connection.write_packet(b"")
        return self.connection._read_packet()


def customers() -> list[tuple[int, str, str | None, str | None]]:
    """One row per customer: number, name, e-mail, day of registration; the API's users first."""
    rows: list[tuple[int, str, str | None, str | None]] = []
    for user in load_fakestore()["users"]:
        name = f"{user['name']['firstname']} {user['name']['lastname']}".title()
        rows.append((user["id"], name, user["email"], f"2019-{user['id']:02d}-15"))
    return [*rows, *WITHOUT_CARTS]


def make_shop(socket: Path, admin: str, reader: str, password: str) -> None:
    """Make database, customers and reader unless they are there; the customers' table appears with all its rows at once.

    Raises LakeError when the server refuses.
    """
    try:
        with (
            pymysql.connect(
                unix_socket=str(socket),
                user=admin,
                charset="utf8mb4",
                auth_plugin_map={"unix_socket": _SocketIdentity},
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("CREATE DATABASE IF NOT EXISTS shop")
            cursor.execute("USE shop")
            if not cursor.execute("SHOW TABLES LIKE 'customers'"):
                cursor.execute("DROP TABLE IF EXISTS customers_new")
                cursor.execute(CUSTOMERS)
                cursor.executemany("INSERT INTO customers_new VALUES (%s, %s, %s, %s)", customers())
                connection.commit()
                cursor.execute("RENAME TABLE customers_new TO customers")
            cursor.execute("CREATE OR REPLACE USER %s@'127.0.0.1' IDENTIFIED BY %s", (reader, password))
            cursor.execute("GRANT SELECT ON shop.* TO %s@'127.0.0.1'", (reader,))
    except pymysql.MySQLError as error:
        raise LakeError(f"mariadb: preparing the shop's database: {error.args[-1]}; see .lake/logs/mariadb.log") from error
