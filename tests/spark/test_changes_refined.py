"""New, missing, renamed and retyped fields from the source to a refined table, under each policy for which they mean something."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.settings import Settings
from local.feeds import start_feeds
from store.objects import Objects
from tests.spark.conftest import Lab

Record = dict[str, Any]
BASE = [{"id": 1, "price": "1.50", "stock": 3}, {"id": 2, "price": "2", "stock": 4}]
AS_BEFORE = [(1, "1.50", 3, None), (2, "2.00", 4, None)]
STOCK: dict[str, Any] = {"stern": "int", "picky": "int", "evolving": {"type": "int", "widen": ["bigint"]}}
CONTRACT = {
    "description": "One row per source and id.",
    "key": ["source", "id"],
    "columns": {"source": "string", "id": "bigint", "price": "decimal(10,2)", "stock": "bigint", "colour": "string"},
    "max_shrink": 1,
}


def seen(name: str, goods: DataFrame) -> DataFrame:
    """The rows of a source with what it has gained: another name of the price, and a colour."""
    price = F.coalesce("price", F.col("cost").cast("decimal(10,2)")) if "cost" in goods.columns else F.col("price")
    colour = F.col("colour") if "colour" in goods.columns else F.lit(None).cast("string")
    stock = F.col("stock").cast("bigint").alias("stock")
    return goods.select(F.lit(name).alias("source"), "id", price.alias("price"), stock, colour.alias("colour"))


def stock_of_stern(stern: DataFrame) -> DataFrame:
    return seen("stern", stern)


def stock_of_others(picky: DataFrame, evolving: DataFrame) -> DataFrame:
    return reduce(DataFrame.unionByName, [seen("picky", picky), seen("evolving", evolving)])


@pytest.fixture(scope="module")
def shop(spark: SparkSession, spark_settings: Settings, objects: Objects, tmp_path_factory: Any) -> Iterator[Lab]:
    """Three sources of the same goods with a policy each, and the refined tables that read them."""
    feeds, sources = start_feeds(), tmp_path_factory.mktemp("changes") / "sources"
    lab = Lab(spark, replace(spark_settings, sources=sources), objects, feeds)
    with pytest.MonkeyPatch.context() as patched:
        for name, policy in (("stern", "strict"), ("picky", "quarantine"), ("evolving", "evolve")):
            columns = {"id": "bigint", "price": "decimal(10,2)", "stock": STOCK[name]}
            lab.declare(name, columns, changes=policy, max_shrink=1)
            lab.serve(name, BASE)
        for function, inputs in ((stock_of_stern, ("stern",)), (stock_of_others, ("picky", "evolving"))):
            module = ModuleType(f"jobs.refined.{function.__name__}")
            setattr(module, function.__name__, function)
            patched.setitem(sys.modules, module.__name__, module)
            lab.refine(function.__name__, inputs, CONTRACT)
        assert {record["outcome"] for record in lab.cycle().values()} == {"published"}
        yield lab
    feeds.close()


def send(shop: Lab, records: list[Record]) -> dict[str, Record]:
    for name in STOCK:
        shop.serve(name, records)
    return shop.cycle()


def served(shop: Lab, source: str) -> list[tuple[Any, ...]]:
    """What the refined tables have of a source."""
    table = "refined.stock_of_stern" if source == "stern" else "refined.stock_of_others"
    rows = shop.rows(table, "source", "id", "price", "stock", "colour")
    return [(key, price if price is None else str(price), *rest) for name, key, price, *rest in rows if name == source]


def test_a_new_field(shop: Lab) -> None:
    records = send(shop, [{**BASE[0], "colour": "red"}, BASE[1]])
    assert "fields nobody declared: colour" in records["trusted.stern"]["reason"]
    assert (records["trusted.stern"]["exit_code"], records["refined.stock_of_stern"]["outcome"]) == (3, "blocked")
    assert served(shop, "stern") == AS_BEFORE
    assert served(shop, "picky") == [(2, "2.00", 4, None)]
    assert served(shop, "evolving") == [(1, "1.50", 3, "red"), (2, "2.00", 4, None)]


def test_a_missing_field(shop: Lab) -> None:
    records = send(shop, [{"id": 1, "stock": 3}, {"id": 2, "stock": 4}])
    assert (records["trusted.stern"]["exit_code"], served(shop, "stern")) == (3, AS_BEFORE)
    said = [
        records[f"trusted.{name}"][key] for name, key in (("stern", "reason"), ("picky", "changes"), ("evolving", "changes"))
    ]
    assert all("declared fields that did not come: price" in words for words in said)
    for name in ("picky", "evolving"):
        assert served(shop, name) == [(1, None, 3, None), (2, None, 4, None)]


def test_a_renamed_field(shop: Lab) -> None:
    records = send(shop, [{"id": 1, "cost": "1.50", "stock": 3}, {"id": 2, "cost": "9", "stock": 4}])
    assert (records["trusted.stern"]["exit_code"], served(shop, "stern")) == (3, AS_BEFORE)
    assert (
        "fields nobody declared: cost; declared fields that did not come: price (renamed?)"
        in records["trusted.stern"]["reason"]
    )
    assert (served(shop, "picky"), records["trusted.picky"]["counts"][0]["quarantined"]) == ([], 2)
    assert served(shop, "evolving") == [(1, "1.50", 3, None), (2, "9.00", 4, None)]


def test_a_retyped_field(shop: Lab) -> None:
    records = send(shop, [{**BASE[0], "stock": 3_000_000_000}, BASE[1], {"id": 3, "price": "3", "stock": "many"}])
    assert (records["trusted.stern"]["exit_code"], served(shop, "stern")) == (3, AS_BEFORE)
    assert "2 rows do not fit, such as stock: got " in records["trusted.stern"]["reason"]
    assert (served(shop, "picky"), records["trusted.picky"]["counts"][0]["quarantined"]) == ([(2, "2.00", 4, None)], 2)
    assert served(shop, "evolving") == [(1, "1.50", 3_000_000_000, None), (2, "2.00", 4, None)]
    assert records["trusted.evolving"]["counts"][0]["quarantined"] == 1
