"""A real PostgreSQL to raw: every type exactly, names, schemas, views and queries, and errors without secrets."""

import math
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from lake.errors import SourceError, TemporaryError, UsageError
from lake.settings import Settings
from local import postgresql
from store.objects import Objects
from tests.integration.conftest import Server, lake_of
from tests.integration.test_ingest_database import landed, original, rows, things

Sql = Callable[[str], None]


@pytest.fixture
def lake_settings(minio_server: Server, postgres_database: Server, tmp_path: Any) -> Settings:
    return lake_of(minio_server, tmp_path, **postgres_database.variables)


@pytest.fixture
def sql(postgres_database: Server) -> Iterator[Sql]:
    """Runs statements as the database's owner; what a test makes is gone after it."""
    with postgresql.connect(postgres_database.state, postgresql.DATABASE) as connection:
        connection.execute("create extension if not exists hstore schema pg_catalog")
        yield lambda statement: connection.execute(statement)
        connection.execute('drop schema public cascade; drop schema if exists "o\'dd.s" cascade; create schema public')


def posted(columns: dict[str, Any], **more: Any) -> Any:
    return things(columns, **{"url": "${env:FLIGHTS_DATABASE_URL}", **more})


LONG = "-" + "1234567890" * 13 + "." + "0987654321" * 20
#: Declared type, value in SQL, type in the original, text in the decoded row (none: as in SQL).
EXACT = [
    ("smallint", "-32768", pa.int64(), "-32768"),
    ("bigint", "-9223372036854775808", pa.int64(), "-9223372036854775808"),
    ("boolean", "true", pa.bool_(), "true"),
    ("numeric(10,2)", "12.50", pa.decimal128(10, 2), "12.50"),
    ("numeric(10,8)", "0.00000001", pa.decimal128(10, 8), "0.00000001"),
    ("numeric(60,30)", "0.000000000000000000000000000001", pa.decimal256(60, 30), "0.000000000000000000000000000001"),
    ("numeric(10,2)", "'NaN'", pa.string(), "NaN"),
    ("numeric(3,-2)", "12345", pa.string(), "12300"),
    ("numeric", LONG, pa.string(), LONG),
    ("numeric", "1.10", pa.string(), "1.10"),
    ("numeric", "'Infinity'", pa.string(), "Infinity"),
    ("numeric", "'NaN'", pa.string(), "NaN"),
    ("double precision", "0.1", pa.float64(), "0.1"),
    ("double precision", "5e-324", pa.float64(), "5e-324"),
    ("double precision", "0.30000000000000004", pa.float64(), "0.30000000000000004"),
    ("double precision", "'-0'", pa.float64(), "-0"),
    ("double precision", "'-Infinity'", pa.string(), "-Infinity"),
    ("double precision", "'NaN'", pa.string(), "NaN"),
    ("real", "16777216", pa.float32(), "16777216"),
    ("real", "0.1", pa.float32(), "0.1"),
    ("real", "3.4028235e38", pa.float32(), "3.4028235e+38"),
    ("money", "-1234.50", pa.string(), "-$1,234.50"),
    ("date", "'2020-02-29'", pa.date32(), "2020-02-29"),
    ("date", "'infinity'", pa.string(), "infinity"),
    ("date", "'0044-03-15 BC'", pa.string(), "0044-03-15 BC"),
    ("date", "'5874897-12-31'", pa.string(), "5874897-12-31"),
    ("timestamp", "'2020-03-02 01:02:03.000004'", pa.timestamp("us"), "2020-03-02 01:02:03.000004"),
    ("timestamp", "'0001-01-01 00:00:00'", pa.timestamp("us"), "0001-01-01 00:00:00.000000"),
    ("timestamp", "'9999-12-31 23:59:59.999999'", pa.timestamp("us"), "9999-12-31 23:59:59.999999"),
    ("timestamp", "'-infinity'", pa.string(), "-infinity"),
    ("timestamp", "'10000-01-01'", pa.string(), "10000-01-01 00:00:00"),
    ("timestamptz", "'2020-03-29 03:30:00.5+02'", pa.timestamp("us", "UTC"), "2020-03-29 01:30:00.500000Z"),
    ("timestamptz", "'infinity'", pa.string(), "infinity"),
    ("timestamptz", "'0044-03-15 00:00:00+00 BC'", pa.string(), "0044-03-15 00:00:00+00 BC"),
    ("time", "'24:00'", pa.string(), "24:00:00"),
    ("timetz", "'10:30:00.25+05:45'", pa.string(), "10:30:00.25+05:45"),
    ("interval", "'1 year 2 mons -3 days 04:05:06.789'", pa.string(), "1 year 2 mons -3 days +04:05:06.789"),
    ("int[]", "'{{1,null},{3,4}}'", pa.string(), "{{1,NULL},{3,4}}"),
    ("text[]", "array['a,b','\"c\"',null,'']", pa.string(), '{"a,b","\\"c\\"",NULL,""}'),
    ("int4range", "'[1,5)'", pa.string(), "[1,5)"),
    ("tstzrange", "'[2020-01-01 00:00+00,)'", pa.string(), '["2020-01-01 00:00:00+00",)'),
    ("int4multirange", "'{[1,3),[5,9)}'", pa.string(), "{[1,3),[5,9)}"),
    ("mood", "'so so'", pa.string(), "so so"),
    ("pair", "row(1, 'a \"b\"')", pa.string(), '(1,"a ""b""")'),
    ("positive", "7", pa.int64(), "7"),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", pa.string(), "123e4567-e89b-12d3-a456-426655440000"),
    ("inet", "'10.1.2.3/24'", pa.string(), "10.1.2.3/24"),
    ("inet", "'::1'", pa.string(), "::1"),
    ("cidr", "'10.0.0.0/8'", pa.string(), "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", pa.string(), "08:00:2b:01:02:03"),
    ("bytea", "'\\x00ff5c0a'", pa.binary(), "00ff5c0a"),
    ("bytea", "''", pa.binary(), ""),
    ("hstore", "'a=>1, b=>NULL'", pa.string(), '"a"=>"1", "b"=>NULL'),
    ("json", """'{"a": 1.0,  "a": 2}'""", pa.string(), '{"a": 1.0,  "a": 2}'),
    ("jsonb", """'{"b": 1.10, "a": null}'""", pa.string(), '{"a": null, "b": 1.10}'),
    ("xml", "'<a>1 &lt; 2</a>'", pa.string(), "<a>1 &lt; 2</a>"),
    ("bit(5)", "b'01010'", pa.string(), "01010"),
    ("bit varying", "b''", pa.string(), ""),
    ("char(5)", "'ab'", pa.string(), "ab   "),
    ("varchar(20)", "'😀 \\ \"quoted\", ''x'''", pa.string(), "😀 \\ \"quoted\", 'x'"),
    ("text", "E'line\\r\\nbreak\\ttab'", pa.string(), "line\r\nbreak\ttab"),
    ("text", "''", pa.string(), ""),
    ("text", "'\\N'", pa.string(), "\\N"),
    ("text", "'\\.'", pa.string(), "\\."),
    ("text", "null", pa.string(), None),
    ("point", "'(0.1,-2)'", pa.string(), "(0.1,-2)"),
    ("tsvector", "'a:1 b:2'", pa.string(), "'a':1 'b':2"),
    ("oid", "4294967295", pa.int64(), "4294967295"),
    ('"char"', "'x'", pa.string(), "x"),
]
TYPES = (
    "create type mood as enum ('so so', 'happy'); create type pair as (n int, t text);"
    " create domain positive as int check (value > 0)"
)


@pytest.mark.parametrize(("declared", "value", "kept", "text"), EXACT)
def test_a_value_of_any_type_keeps_its_exact_text(
    objects: Objects, sql: Sql, declared: str, value: str, kept: pa.DataType, text: str | None
) -> None:
    sql(TYPES)
    sql(f"create table things (id int primary key, v {declared})")
    sql(f"insert into things values (1, {value}), (2, null)")
    landed(posted({"id": "bigint", "v": "string"}), objects)
    assert original(objects).schema.field("v").type == kept
    assert [row["v"] for row in rows(objects)] == [text, None]


def test_one_table_of_all_types_arrives_as_the_server_writes_it(objects: Objects, sql: Sql) -> None:
    sql(TYPES)
    columns = ", ".join(f"c{number} {declared}" for number, (declared, *_) in enumerate(EXACT))
    sql(f"create table things (id int primary key, {columns})")
    sql(f"insert into things values (1, {', '.join(value for _, value, *_ in EXACT)})")
    sql("insert into things (id) values (2)")
    landed(posted({"id": "bigint", **{f"c{number}": "string" for number in range(len(EXACT))}}), objects)
    first, second = rows(objects)
    assert [first[f"c{number}"] for number in range(len(EXACT))] == [text for *_, text in EXACT]
    assert {second[f"c{number}"] for number in range(len(EXACT))} == {None}


def test_every_double_comes_back_to_the_bit(objects: Objects, sql: Sql) -> None:
    random = Random(11)
    numbers = [struct.unpack("<d", random.randbytes(8))[0] for _ in range(2000)]
    numbers = [number for number in numbers if math.isfinite(number)]
    sql("create table things (id int primary key, d double precision)")
    sql(f"insert into things values {', '.join(f'({n}, {number!r})' for n, number in enumerate(numbers))}")
    landed(posted({"id": "bigint", "d": "double"}), objects)
    assert [float(row["d"]) for row in rows(objects)] == numbers


def test_a_time_beside_one_without_a_calendar_is_written_as_if_alone(objects: Objects, sql: Sql) -> None:
    sql("create table things (id int primary key, v timestamptz)")
    sql("insert into things values (1, 'infinity'), (2, '2020-01-01 00:00+00'), (3, null)")
    landed(posted({"id": "bigint", "v": "timestamp"}), objects)
    assert [row["v"] for row in rows(objects)] == ["infinity", "2020-01-01 00:00:00.000000Z", None]


def test_schemas_and_names_are_quoted(objects: Objects, sql: Sql) -> None:
    sql('create schema "o\'dd.s"')
    sql('create table "o\'dd.s"."T""1" ("Select" int primary key, "a%s" date)')
    sql('insert into "o\'dd.s"."T""1" values (1, \'2020-01-01\')')
    columns = {"id": {"type": "bigint", "from": "Select"}, "on_day": {"type": "date", "from": "a%s"}}
    landed(posted(columns, table='"o\'dd.s"."T""1"'), objects)
    assert [rows(objects)[0][name] for name in ("id", "on_day")] == ["1", "2020-01-01"]


def test_views_and_queries_are_read(objects: Objects, sql: Sql) -> None:
    sql("create table base (id int primary key, v text)")
    sql("insert into base values (1, 'a'), (2, null)")
    sql("create view seen as select id, v from base")
    assert landed(posted({"id": "bigint"}, table="seen"), objects).rows == 2
    query = "select id * 10 as id, count(*) over () as n from base where v is null -- the nulls;"
    assert landed(posted({"id": "bigint", "n": "bigint"}, table=None, query=query), objects).rows == 1
    assert rows(objects)[0]["id"] == "20"


def test_a_query_with_one_name_twice_is_refused(objects: Objects, sql: Sql) -> None:
    with pytest.raises(SourceError, match="got column 'id' twice, expected a name of its own"):
        landed(posted({"id": "bigint"}, table=None, query="select 1 as id, 2 as id"), objects)


def refused(source: Any, objects: Objects, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        landed(source, objects)
    assert objects.settings.environment["FLIGHTS_DATABASE_URL"].split(":")[2].split("@")[0] not in repr(caught.value)
    return str(caught.value)


def test_a_table_or_column_that_is_not_there_is_named_with_those_that_are(objects: Objects, sql: Sql) -> None:
    sql("create table other (a int)")
    assert "got no such table, expected one of public.other" in refused(posted({"id": "bigint"}), objects, SourceError)
    sql("create table things (a int, b int)")
    assert "got no column 'id', expected it among a, b" in refused(posted({"id": "bigint"}), objects, SourceError)


def test_a_wrong_password_a_lost_database_and_a_dead_server_are_told_apart(objects: Objects) -> None:
    url = objects.settings.environment["FLIGHTS_DATABASE_URL"]
    wrong = posted({"id": "bigint"}, url=url.replace("@", "x@"))
    assert "access denied for the user (PostgreSQL state 28P01)" in refused(wrong, objects, UsageError)
    lost = posted({"id": "bigint"}, url=url.rpartition("/")[0] + "/nowhere")
    assert "no such database (PostgreSQL state 3D000)" in refused(lost, objects, UsageError)
    dead = posted({"id": "bigint"}, url=url.rpartition(":")[0] + ":1/flights")
    assert "got no connection; try again later" in refused(dead, objects, TemporaryError)


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(objects: Objects, sql: Sql) -> None:
    slow = posted({"id": "bigint"}, table=None, query="select 1 as id from pg_sleep(60)", timeout_seconds=0.2)
    assert "too long or was stopped (PostgreSQL state 57014)" in refused(slow, objects, TemporaryError)


def test_an_error_never_shows_a_value(objects: Objects, sql: Sql) -> None:
    broken = posted({"id": "bigint"}, table=None, query="select cast('s3cret value' as int) as id")
    assert "s3cret" not in refused(broken, objects, SourceError)
