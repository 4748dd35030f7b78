"""The guide's example of a database source, as a reader would try it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ulid import ULID

from ingest.landing import Pull, pull
from lake.declarations import parse_yaml
from lake.settings import HOME
from lake.sources import source_from
from local import postgresql
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, decoded_rows, lake_of

GUIDE = (HOME / "docs" / "guides" / "database-source.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def lake(minio_server: Server, postgres_database: Server, tmp_path: Any) -> Iterator[Objects]:
    url = postgres_database.variables["FLIGHTS_DATABASE_URL"]
    yield Objects(lake_of(minio_server, tmp_path, ORDERS_DATABASE_URL=url))
    with postgresql.connect(postgres_database.state, postgresql.DATABASE) as connection:
        connection.execute("drop table if exists orders")


def test_the_guides_example_brings_all_orders_and_then_the_changed_one(lake: Objects, postgres_database: Server) -> None:
    created, changed = blocks("sql")
    source = source_from(parse_yaml(blocks("yaml")[0], "guide"), "orders.yaml")

    def ingested() -> Pull:
        return pull("orders", {"orders": source}, lake, str(ULID()))

    with postgresql.connect(postgres_database.state, postgresql.DATABASE) as connection:
        connection.execute(created)
        assert ingested().rows == 3
        assert ingested().rows == 1  # the lag
        connection.execute(changed)
        assert ingested().rows == 2
    head = raw.head(lake, "orders")
    assert head
    assert [(row["order_id"], row["total"]) for row in decoded_rows(lake, head.first_decoding)] == [
        ("2", "8.00"),
        ("3", "1999.99"),
    ]


def test_every_word_of_a_database_source_is_in_the_guide() -> None:
    from lake.database_source import Cursor, DatabaseSource, Tls
    from lake.source import Source

    words = {*DatabaseSource.model_fields, *Cursor.model_fields, *Tls.model_fields} - {*Source.model_fields}
    assert [word for word in sorted(words) if f"`{word}" not in GUIDE and f"{word}:" not in GUIDE] == []
