"""A real MariaDB to raw: exact types, one snapshot, equal bytes for equal tables, and errors without secrets."""

import io
import math
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ulid import ULID

from ingest.landing import Pull, pull
from lake.errors import SourceError, TemporaryError, UsageError
from lake.settings import Settings
from lake.sources import source_from
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, decoded_rows, lake_of, shop_sources
from tests.integration.databases import owner

Sql = Callable[[str], None]


@pytest.fixture
def lake_settings(minio_server: Server, shop_database: Server, tmp_path: Any) -> Settings:
    return lake_of(minio_server, tmp_path, **shop_database.variables)


@pytest.fixture
def sql(shop_database: Server) -> Iterator[Sql]:
    """Runs statements as the database's owner; the tables a test makes are gone after it."""
    with owner(shop_database) as connection:
        yield lambda statement: connection.query(statement)
        connection.query("drop table if exists things, `od``d`")


def things(columns: dict[str, Any], **more: Any) -> Any:
    facts = {"name": "things", "description": "One row per thing.", "kind": "database", "load": "append"}
    declared = {**facts, "url": "${env:SHOP_DATABASE_URL}", "table": "things", "columns": columns, **more}
    return source_from(declared, "things.yaml")


def landed(source: Any, objects: Objects) -> Pull:
    return pull(source.name, {source.name: source}, objects, str(ULID()))


def original(objects: Objects) -> Any:
    head = raw.head(objects, "things")
    assert head
    return pq.read_table(io.BytesIO(objects.get(head.originals[0].key)))


def rows(objects: Objects) -> list[dict[str, Any]]:
    head = raw.head(objects, "things")
    assert head
    return decoded_rows(objects, head.first_decoding)


def test_the_customers_land_and_are_not_read_twice(objects: Objects) -> None:
    sources = shop_sources()
    assert pull("customers", sources, objects, str(ULID())).rows == 13
    assert pull("customers", sources, objects, str(ULID())).outcome == "unchanged"
    head = raw.head(objects, "customers")
    assert head
    row = decoded_rows(objects, head.first_decoding)[11]
    assert [row[name] for name in ("customer_id", "name", "email", "registered_on")] == [
        "12",
        "Søren Østergård",
        None,
        "2019-12-24",
    ]


#: Declared type, value in SQL, type in the original, text in the decoded row (none: as in SQL without quotes).
EXACT = [
    ("bigint unsigned", "18446744073709551615", pa.uint64(), "18446744073709551615"),
    ("bigint", "-9223372036854775808", pa.int64(), "-9223372036854775808"),
    ("tinyint(1)", "7", pa.int64(), "7"),
    ("int(6) zerofill", "42", pa.uint64(), "42"),
    ("decimal(65,30)", "'-12345678901234567890123456789012345.123456789012345678901234567890'", pa.decimal256(65, 30), None),
    ("decimal(10,8)", "0.00000001", pa.decimal128(10, 8), "0.00000001"),
    ("double", "1.7976931348623157e308", pa.float64(), "1.7976931348623157e+308"),
    ("double", "0.1", pa.float64(), "0.1"),
    ("float", "0.1", pa.float32(), "0.1"),
    ("float", "16777216", pa.float32(), "16777216"),
    ("date", "'2020-02-29'", pa.date32(), "2020-02-29"),
    ("date", "'0000-00-00'", pa.string(), "0000-00-00"),
    ("date", "'2020-00-00'", pa.string(), "2020-00-00"),
    ("datetime(6)", "'2020-03-02 01:02:03.000004'", pa.timestamp("us"), "2020-03-02 01:02:03.000004"),
    ("datetime", "'9999-12-31 23:59:59'", pa.timestamp("us"), "9999-12-31 23:59:59.000000"),
    ("datetime", "'0000-00-00 00:00:00'", pa.string(), "0000-00-00 00:00:00"),
    ("timestamp(3)", "'2020-03-29 01:30:00.125'", pa.timestamp("us", "UTC"), "2020-03-29 01:30:00.125000Z"),
    ("time(3)", "'-838:59:59'", pa.string(), "-838:59:59.000"),
    ("year", "0", pa.string(), "0000"),
    ("bit(64)", "18446744073709551615", pa.string(), "18446744073709551615"),
    ("enum('a','b')", "'b'", pa.string(), "b"),
    ("set('a','b')", "'a,b'", pa.string(), "a,b"),
    ("json", """'{"a": 1.0}'""", pa.string(), '{"a": 1.0}'),
    ("varchar(20) character set latin1", "'Łé\u00e9'", pa.string(), "?éé"),
    ("varchar(20)", "'😀 \\\\ \\'\\n'", pa.string(), "😀 \\ '\n"),
    ("varchar(20)", "''", pa.string(), ""),
    ("varbinary(20)", "x'00ff80'", pa.binary(), "00ff80"),
    ("blob", "null", pa.binary(), None),
    ("point", "point(1.5, -2)", pa.string(), "POINT(1.5 -2)"),
    (
        "point",
        "st_geomfromtext('POINT(0.1 0.30000000000000004)', 4326)",
        pa.string(),
        "SRID=4326;POINT(0.1 0.30000000000000004)",
    ),
    ("bigint", "null", pa.int64(), None),
    ("double", "-0e0", pa.float64(), "0"),
    ("double", "5e-324", pa.float64(), "5e-324"),
    ("double(10,2)", "0.1", pa.float64(), "0.1"),
    ("decimal(10,2) unsigned zerofill", "7", pa.decimal128(10, 2), "7.00"),
    ("time(6)", "'838:59:59.999999'", pa.string(), "838:59:59.999999"),
    ("year", "2155", pa.string(), "2155"),
    ("bit(1)", "1", pa.string(), "1"),
    ("enum('a','b')", "''", pa.string(), ""),
    ("char(5)", "'ab'", pa.string(), "ab"),
    ("varchar(20) character set utf8mb3", "'é'", pa.string(), "é"),
    ("varchar(20) character set ucs2", "'Łé'", pa.string(), "Łé"),
    ("binary(3)", "x'ab'", pa.binary(), "ab0000"),
    ("text", "repeat('é', 127)", pa.string(), "é" * 127),
    ("text", "'|\\0|'", pa.string(), "|\0|"),
    ("inet4", "'10.0.0.1'", pa.string(), "10.0.0.1"),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", pa.string(), "123e4567-e89b-12d3-a456-426655440000"),
    ("inet6", "'::1'", pa.string(), "::1"),
]


@pytest.mark.parametrize(("declared", "value", "kept", "text"), EXACT)
def test_a_value_of_any_type_keeps_its_exact_text(
    objects: Objects, sql: Sql, declared: str, value: str, kept: pa.DataType, text: str | None
) -> None:
    sql(f"create table things (id int primary key, v {declared})")
    sql(f"insert into things values (1, {value}), (2, null)")
    landed(things({"id": "bigint", "v": "string"}), objects)
    table = original(objects)
    assert table.schema.field("v").type == kept
    expected = text if text is not None or value == "null" else value.strip("'")
    assert rows(objects)[0]["v"] == expected
    assert table.column("v").to_pylist()[1] is None or "timestamp" in declared


def test_one_table_of_all_types_arrives_as_the_server_writes_it(objects: Objects, sql: Sql) -> None:
    columns = ", ".join(f"c{number} {declared}" for number, (declared, *_) in enumerate(EXACT))
    sql(f"create table things (id int primary key, {columns})")
    sql(f"insert into things values (1, {', '.join(value for _, value, *_ in EXACT)})")
    landed(things({"id": "bigint", **{f"c{number}": "string" for number in range(len(EXACT))}}), objects)
    (row,) = rows(objects)
    expected = [text if text is not None or value == "null" else value.strip("'") for _, value, _, text in EXACT]
    assert [row[f"c{number}"] for number in range(len(EXACT))] == expected


def test_every_double_comes_back_to_the_bit(objects: Objects, sql: Sql) -> None:
    random = Random(11)
    numbers = [struct.unpack("<d", random.randbytes(8))[0] for _ in range(2000)]
    numbers = [number for number in numbers if math.isfinite(number)]
    sql("create table things (id int primary key, d double, f float)")
    sql(f"insert into things values {', '.join(f'({n}, {number!r}, {n / 7!r})' for n, number in enumerate(numbers))}")
    landed(things({"id": "bigint", "d": "double", "f": "float"}), objects)
    assert [float(row["d"]) for row in rows(objects)] == numbers
    table = original(objects)
    assert table.column("f").to_pylist() == [struct.unpack("<f", struct.pack("<f", n / 7))[0] for n in range(len(numbers))]


def test_a_query_is_read_in_one_statement(objects: Objects, sql: Sql) -> None:
    query = "select customer_id as id, concat(name, '|', '%s') as v, 1.50 as price from customers where customer_id < 3 -- two;"
    assert landed(things({"id": "bigint", "v": "string"}, table=None, query=query), objects).rows == 2
    assert rows(objects)[0]["v"].endswith("|%s")
    assert original(objects).schema.field("price").type == pa.decimal128(3, 2)


def test_a_table_of_another_schema_is_read(objects: Objects, shop_database: Server) -> None:
    source = things({"id": {"type": "bigint", "from": "customer_id"}}, table="shop.customers")
    assert landed(source, objects).rows == 13


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(objects: Objects) -> None:
    slow = things({"id": "bigint"}, table=None, query="select sleep(60) as id", timeout_seconds=0.3)
    assert "got a statement that took too long (MySQL error 1969)" in refused(slow, objects, TemporaryError)


def test_an_error_in_the_middle_of_the_rows_is_the_servers(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int primary key)")
    sql("insert into things select seq from seq_1_to_20000")
    broken = "select id, st_geomfromtext(if(id < 19999, 'POINT(1 1)', 's3cret')) as g, (select 1 from things t where t.id >= 19999 - things.id * 0 and things.id = 20000) as v from things"  # noqa: E501
    said = refused(things({"id": "bigint"}, table=None, query=broken), objects, SourceError)
    assert "MySQL error 1242" in said
    assert "s3cret" not in said


def test_a_date_that_no_calendar_has_keeps_its_text(objects: Objects, sql: Sql) -> None:
    sql("set sql_mode = 'ALLOW_INVALID_DATES'")
    sql("create table things (id int primary key, d date, t datetime)")
    sql("insert into things values (1, '2020-02-31', '2021-02-29 10:00:00'), (2, '2020-02-01', null), (3, '0000-01-01', null)")
    landed(things({"id": "bigint", "d": "date", "t": "timestamp"}), objects)
    assert [row["d"] for row in rows(objects)] == ["2020-02-31", "2020-02-01", "0000-01-01"]
    assert rows(objects)[0]["t"] == "2021-02-29 10:00:00"


def test_equal_tables_with_a_key_give_equal_bytes_whatever_the_order_of_insertion(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int, part varchar(5), v double, primary key (part, id))")
    sql("insert into things values (1, 'b', 0.5), (2, 'a', 1.5), (1, 'a', 2.5)")
    source = things({"id": "bigint", "part": "string"})
    assert landed(source, objects).outcome == "new"
    sql("delete from things")
    sql("insert into things values (1, 'a', 2.5), (2, 'a', 1.5), (1, 'b', 0.5)")
    assert landed(source, objects).outcome == "unchanged"
    assert [(row["part"], row["id"]) for row in rows(objects)] == [("a", "1"), ("a", "2"), ("b", "1")]


def test_a_table_whose_key_is_invisible_is_read_in_one_statement(objects: Objects, sql: Sql) -> None:
    sql("create table things (hidden int auto_increment primary key invisible, id int)")
    sql("insert into things (id) values (1), (2), (3)")
    assert landed(things({"id": "bigint"}, chunk_rows=2), objects).rows == 3


def test_undeclared_columns_are_kept_beside_the_row(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int primary key, price decimal(10,2), note varchar(20), gone int)")
    sql("insert into things values (1, 12.50, 'n', null)")
    landed(things({"id": "bigint"}), objects)
    assert rows(objects)[0]["_extra"] == '{"price":12.50,"note":"n"}'
    head = raw.head(objects, "things")
    assert head
    assert head.first_decoding.observed_fields == ["gone", "note", "price"]


def test_names_are_quoted(objects: Objects, sql: Sql) -> None:
    sql("create table `od``d` (`select` int primary key, `a``b` date)")
    sql("insert into `od``d` values (1, '2020-01-01')")
    source = things({"id": {"type": "bigint", "from": "select"}, "on_day": {"type": "date", "from": "a`b"}}, table="od`d")
    landed(source, objects)
    assert [rows(objects)[0][name] for name in ("id", "on_day")] == ["1", "2020-01-01"]


def test_an_empty_table_and_a_view_are_runs(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int primary key, d date)")
    assert landed(things({"id": "bigint"}), objects).rows == 0
    sql("create or replace view seen as select customer_id as id, registered_on as d from customers")
    try:
        assert landed(things({"id": "bigint"}, table="seen"), objects).rows == 13
    finally:
        sql("drop view seen")


def test_many_rows_are_streamed_in_order(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int primary key)")
    sql("insert into things select seq from seq_1_to_25000")
    assert landed(things({"id": "bigint"}), objects).rows == 25_000
    assert [row["id"] for row in rows(objects)][-1] == "25000"


def refused(source: Any, objects: Objects, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        landed(source, objects)
    assert objects.settings.environment["SHOP_DATABASE_URL"].split(":")[2].split("@")[0] not in repr(caught.value)
    return str(caught.value)


def test_a_table_or_column_that_is_not_there_is_named_with_those_that_are(objects: Objects, sql: Sql) -> None:
    assert "got no such table, expected one of customers" in refused(things({"id": "bigint"}), objects, SourceError)
    sql("create table things (a int, b int)")
    assert "got no column 'id', expected it among a, b" in refused(things({"id": "bigint"}), objects, SourceError)


def test_a_wrong_password_and_a_dead_server_are_told_apart(objects: Objects) -> None:
    url = objects.settings.environment["SHOP_DATABASE_URL"]
    wrong = things({"id": "bigint"}, url=url.replace("@", "x@"))
    assert "access denied for the user (MySQL error 1045)" in refused(wrong, objects, UsageError)
    dead = things({"id": "bigint"}, url=url.rpartition(":")[0] + ":1/shop")
    assert "no connection (MySQL error 2003); try again later" in refused(dead, objects, TemporaryError)
    lost = things({"id": "bigint"}, url=url.removesuffix("/shop") + "/nowhere")
    assert "MySQL error 1044" in refused(lost, objects, UsageError)
