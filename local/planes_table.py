"""The table of planes in PostgreSQL, as an airline's register might have it."""

from typing import Any

from local.flights import planes

PLANES = """
create table planes_new (
  tailnum text primary key,
  year int,
  type text not null,
  manufacturer text not null,
  model text not null,
  engines int not null,
  seats int not null,
  speed int,
  engine text not null
)
"""


def make_planes(connection: Any) -> None:
    """Make the table unless it is there; it appears with all its rows at once."""
    if connection.execute("select to_regclass('planes')").fetchone()[0]:
        return
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("drop table if exists planes_new")
        cursor.execute(PLANES)
        with cursor.copy("copy planes_new from stdin") as copy:
            for plane in planes():
                copy.write_row(plane)
        cursor.execute("alter table planes_new rename to planes")
