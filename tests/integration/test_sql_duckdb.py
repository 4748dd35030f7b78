"""What every engine answers over real Iceberg tables in a real S3 server."""

import socket
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from lake.errors import ExpiredError, LakeError, TemporaryError, UsageError
from lake.settings import Settings, read_settings
from sql.engine import ENGINES, Engine, Terms, open_engine
from tests.integration.conftest import Server, lake_of

PRODUCTS = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "title", StringType(), required=False),
    NestedField(3, "price", DecimalType(10, 2), required=False),
    NestedField(4, "rating", DoubleType(), required=False),
    NestedField(5, "sold_on", DateType(), required=False),
    NestedField(6, "seen_at", TimestamptzType(), required=False),
)
PROBLEM = StructType(
    *(NestedField(n, name, StringType(), required=False) for n, name in enumerate(("column", "rule", "value", "message"), 4))
)
REJECTED = Schema(
    NestedField(1, "payload", StringType(), required=False),
    NestedField(2, "problems", ListType(3, PROBLEM, element_required=False), required=False),
)
ROWS = [
    {
        "id": 1,
        "title": "Backpack",
        "price": Decimal("109.95"),
        "rating": 3.9,
        "sold_on": date(2024, 2, 29),
        "seen_at": datetime(2024, 2, 29, 12, 30, 0, 123456, UTC),
    },
    {"id": 2, "title": "Shirt, 'slim'", "price": Decimal("22.30"), "rating": 4.1, "sold_on": None, "seen_at": None},
    {"id": 3, "title": None, "price": None, "rating": None, "sold_on": date(2024, 3, 1), "seen_at": None},
]


@dataclass
class Lake:
    """Tables written by PyIceberg, and the mapping that a catalog gives."""

    catalog: SqlCatalog
    settings: Settings
    names: list[str] = field(default_factory=list)

    def create(self, name: str, schema: Schema, rows: list[dict[str, Any]] | pa.Table) -> None:
        self.catalog.create_namespace_if_not_exists(name.split(".")[0])
        table = self.catalog.create_table(name, schema)
        self.names.append(name)
        if rows:
            table.append(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=schema.as_arrow()))

    def tables(self) -> dict[str, str]:
        return {name: self.catalog.load_table(name).metadata_location for name in self.names}


@dataclass
class Mapped:
    """A catalog that says what it is told."""

    metadata: dict[str, str]

    def tables(self) -> dict[str, str]:
        return self.metadata


@pytest.fixture(scope="module")
def lake(minio_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("lake")
    settings = lake_of(minio_server, folder)
    identity = {
        "s3.endpoint": settings.s3_endpoint,
        "s3.access-key-id": settings.s3_access_key,
        "s3.secret-access-key": str(settings.s3_secret_key),
        "s3.region": settings.s3_region,
    }
    catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"{settings.root}/tables", **identity)
    lake = Lake(catalog, settings)
    lake.create("trusted.products", PRODUCTS, ROWS)
    lake.create("trusted.nothing", PRODUCTS, [])
    numbers = Schema(NestedField(1, "n", LongType(), required=False))
    lake.create("refined.numbers", numbers, pa.table({"n": pa.array(range(200_000), pa.int64())}))
    problems = [{"column": name, "rule": "type", "value": "x", "message": "no number"} for name in ("id", "price")]
    lake.create("quarantine.products", REJECTED, [{"payload": "a", "problems": problems}, {"payload": "b", "problems": []}])
    lake.create("refined.growing", numbers, [{"n": 1}, {"n": 2}])
    return lake


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, lake: Lake) -> Engine:
    return open_engine(lake.settings, request.param, lake)


def answered(engine: Engine, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return list(engine.ask(text, parameters).rows)


def test_every_type_comes_back_as_its_python_value(engine: Engine) -> None:
    assert answered(engine, "SELECT * FROM products ORDER BY id") == [tuple(row.values()) for row in ROWS]


def test_columns_have_names_and_types_in_trino_s_spelling(engine: Engine) -> None:
    answer = engine.ask("SELECT *, count(*) OVER () FROM trusted.products")
    assert [(column.name, column.type) for column in answer.columns] == [
        ("id", "bigint"),
        ("title", "varchar"),
        ("price", "decimal(10,2)"),
        ("rating", "double"),
        ("sold_on", "date"),
        ("seen_at", "timestamp(6) with time zone"),
        ("_col6", "bigint"),
    ]


def test_the_average_of_decimals_is_rounded_half_up_to_their_scale(engine: Engine) -> None:
    assert answered(engine, "SELECT avg(price), sum(price) / count(*) FROM products") == [(Decimal("66.13"), Decimal("44.08"))]


def test_an_instant_is_compared_in_utc(engine: Engine) -> None:
    assert answered(engine, "SELECT id FROM products WHERE seen_at >= timestamp '2024-02-29 12:30:00'") == [(1,)]


def test_reasons_in_quarantine_are_rows_fields_and_conditions(engine: Engine) -> None:
    unnested = "SELECT payload, col, rule FROM quarantine.products CROSS JOIN UNNEST(problems) AS t(col, rule, value, message)"
    assert answered(engine, f"{unnested} ORDER BY col") == [("a", "id", "type"), ("a", "price", "type")]
    first = "SELECT problems[1].rule, cardinality(problems) FROM quarantine.products WHERE any_match(problems, p -> p.rule = ?)"
    assert answered(engine, first, "type") == [("type", 2)]


def test_a_table_without_rows_answers_without_rows(engine: Engine) -> None:
    assert answered(engine, "SELECT id, price FROM trusted.nothing") == []
    assert answered(engine, "SELECT count(*), max(price) FROM nothing") == [(0, None)]


def test_tables_of_two_zones_are_joined(engine: Engine) -> None:
    text = "SELECT p.id, g.n FROM products p LEFT JOIN refined.growing g ON g.n = p.id WHERE p.id > 1 ORDER BY p.id"
    assert answered(engine, text) == [(2, 2), (3, None)]


def test_a_parameter_is_a_value_and_never_text_of_the_question(engine: Engine) -> None:
    assert answered(engine, "SELECT id FROM products WHERE title = ? AND id < ?", "Shirt, 'slim'", 5) == [(2,)]


def test_many_rows_are_read_in_batches(engine: Engine) -> None:
    rows = iter(engine.ask("SELECT n FROM numbers").rows)
    assert sum(n for (n,) in rows) == 199_999 * 100_000


def test_a_reader_keeps_the_state_that_was_current_when_it_asked(engine: Engine, lake: Lake) -> None:
    answer = engine.ask("SELECT a.n FROM growing a, numbers b ORDER BY 1")
    table = lake.catalog.load_table("refined.growing")
    table.overwrite(pa.table({"n": pa.array([7, 8, 9], pa.int64())}))
    assert {n for (n,) in answer.rows} == {1, 2}
    assert answer.pinned["refined.growing"] != lake.tables()["refined.growing"]
    assert answered(engine, "SELECT n FROM growing ORDER BY n") == [(7,), (8,), (9,)]
    table.refresh()
    table.overwrite(pa.table({"n": pa.array([1, 2], pa.int64())}))


def test_a_table_is_read_at_an_earlier_snapshot_with_the_columns_that_it_had(engine: Engine, lake: Lake) -> None:
    table = lake.catalog.load_table("refined.growing")
    before = table.current_snapshot()
    assert before
    with table.update_schema() as update:
        update.add_column("note", StringType())
    table.append(pa.Table.from_pylist([{"n": 3, "note": "new"}], schema=table.schema().as_arrow()))
    earlier = engine.ask("SELECT * FROM growing ORDER BY n", (), Terms({"refined.growing": before.snapshot_id}, 60))
    assert ([column.name for column in earlier.columns], list(earlier.rows)) == (["n"], [(1,), (2,)])
    assert answered(engine, "SELECT * FROM growing ORDER BY n") == [(1, None), (2, None), (3, "new")]


def test_a_snapshot_that_is_not_kept_has_expired(engine: Engine) -> None:
    with pytest.raises(ExpiredError, match="no longer kept"):
        engine.ask("SELECT n FROM growing", (), Terms({"refined.growing": 5}))


def test_describe_and_show_tables_read_no_data(engine: Engine) -> None:
    assert answered(engine, "SHOW TABLES FROM trusted") == [("trusted.nothing",), ("trusted.products",)]
    assert answered(engine, "DESCRIBE numbers") == [("n", "bigint")]


def test_an_unknown_column_is_pointed_at(engine: Engine) -> None:
    with pytest.raises(UsageError) as error:
        engine.ask("SELECT prise FROM products")
    assert str(error.value) == (
        "line 1, column 8: no column 'prise' in trusted.products; did you mean 'price'?\n"
        "  SELECT prise FROM products\n"
        "         ^^^^^"
    )


def test_files_and_foreign_functions_are_refused(engine: Engine, lake: Lake) -> None:
    location = lake.tables()["trusted.products"]
    for text in (f"SELECT * FROM '{location}'", f"SELECT * FROM iceberg_scan('{location}')", "SELECT getenv('HOME')"):
        with pytest.raises(UsageError):
            engine.ask(text)


def test_a_division_by_zero_is_an_error_without_internals(engine: Engine) -> None:
    with pytest.raises(LakeError, match=r"^Division by zero$"):
        list(engine.ask("SELECT id / (id - id) FROM products").rows)


def test_a_wrong_secret_is_no_temporary_trouble(lake: Lake) -> None:
    settings = read_settings({**lake.settings.environment, "LAKE_S3_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(LakeError, match="LAKE_S3_ACCESS_KEY_ID") as error:
        open_engine(settings, catalog=lake).ask("SELECT id FROM products")
    assert error.value.exit_code == 1


def test_a_silent_server_is_temporary_trouble_and_names_no_address(lake: Lake) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        settings = read_settings({**lake.settings.environment, "LAKE_S3_ENDPOINT": silent})
        with pytest.raises(TemporaryError) as error:
            open_engine(settings, catalog=lake).ask("SELECT id FROM products")
    assert "s3://" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)


def test_files_that_went_away_are_temporary_trouble_and_name_no_address(lake: Lake) -> None:
    gone = {"trusted.products": lake.tables()["trusted.products"].replace("/metadata/", "/metadata/gone-")}
    with pytest.raises(TemporaryError) as error:
        open_engine(lake.settings, catalog=Mapped(gone)).ask("SELECT id FROM products")
    assert "s3://" not in str(error.value)
