"""The API over a real lake, through a real server: what is published shows at once, and a reader's pages stay together."""

import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from pyspark.sql import SparkSession
from ulid import ULID

from api.app import make_app
from api.cursor import read_cursor
from jobs.publications import Draft
from jobs.quality import QUALITY
from lake.queries import query_from
from lake.settings import HOME, Settings, read_settings
from lake.tables import load_refined
from local.feeds import start_feeds
from local.processes import wait_until
from sql.named import question_of
from store.leases import held
from store.objects import Objects
from store.runs import write_record
from tests.spark.conftest import Lab

GOODS = {
    "id": "bigint",
    "name": {"type": "string", "description": "as the shop says it"},
    "price": "decimal(10,2)",
    "sold_at": "timestamp",
}
BIG = 2**53 + 1


def goods(version: int, count: int = 25) -> list[dict[str, Any]]:
    """Goods that all cost this much; a third has no name, and their ids are beyond what doubles hold."""
    names = (None, "Café", "plain")
    return [
        {"id": BIG + n, "name": names[n % 3], "price": f"{version}.50", "sold_at": f"2026-01-{n + 1:02d}T12:00:00Z"}
        for n in range(count)
    ]


@dataclass
class Api:
    """A server over a lab's lake."""

    lab: Lab
    url: str
    served: Any

    def get(self, path: str, **headers: str) -> requests.Response:
        """The answer."""
        return requests.get(self.url + path, headers=headers, timeout=60)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """All rows, page by page."""
        rows: list[dict[str, Any]] = []
        after: str | None = path
        while after:
            page = self.get(after).json()
            rows, after = rows + page["rows"], page["next"]
        return rows

    def publish(self, version: int, count: int = 25) -> None:
        """Publish goods of this version."""
        self.lab.serve("goods", goods(version, count))
        assert self.lab.cycle("goods")["trusted.goods"]["outcome"] == "published"


@pytest.fixture(scope="module")
def api(
    spark: SparkSession, spark_settings: Settings, objects: Objects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    feeds = start_feeds()
    lab = Lab(spark, replace(spark_settings, sources=folder / "sources"), objects, feeds)
    shutil.copytree(HOME / "ingest" / "sources", lab.settings.sources)
    lab.declare("goods", GOODS, max_shrink=1)
    product = {"id": "bigint", "title": "string", "category": "string", "price": "decimal(10,2)"}
    lab.declare("products", product, fresh_within="15 minutes")
    lines = {"cart_id": "bigint", "line": "int", "user_id": "bigint", "product_id": "bigint", "quantity": "int"}
    lab.declare("carts", lines, key=["cart_id", "line"])
    lab.refined["product_sales"] = load_refined(HOME / "jobs" / "refined")["product_sales"]
    lab.serve("products", [{"id": n, "title": f"Thing {n}", "category": "ab"[n % 2], "price": "10.25"} for n in range(4)])
    lab.serve("carts", [{"cart_id": 1, "line": n, "user_id": 1, "product_id": n, "quantity": n} for n in range(1, 4)])
    lab.cycle("product_sales")
    judged = [
        ("run", f"refined.t{n}", "rows", "row_count", 1.0, None, None, n > 2, datetime(2026, 1, 1 + n // 2, tzinfo=UTC))
        for n in range(5)
    ]
    frame, table = spark.createDataFrame(judged, QUALITY), "meta.quality_results"
    for run in (str(ULID()), str(ULID())):
        with held(objects, f"table/{table}", run) as lease:
            lab.tables.publish(Draft(table, run, QUALITY), lease, lambda target: lab.tables.add(target, frame))
    with serving(lab) as served:
        made = Api(lab, *served)
        made.publish(1)
        yield made
    feeds.close()


class serving:  # noqa: N801 - it is used as a function is
    """A server over the lab's lake on a free port; its address, and what it serves."""

    def __init__(self, lab: Lab, **more: Any) -> None:
        settings = replace(lab.settings, api=replace(lab.settings.api, **more))
        self.app = make_app(settings)
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))

    def __enter__(self) -> tuple[str, Any]:
        self.thread.start()
        assert wait_until(lambda: self.server.started, 60)
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}", self.app.state.served

    def __exit__(self, *error: object) -> None:
        self.server.should_exit = True
        self.thread.join()


def test_tables_are_listed_and_described_as_they_were_published(api: Api) -> None:
    listed = {each["table"]: each for each in api.get("/v1/tables").json()["tables"]}
    assert {"trusted.goods", "refined.product_sales", "meta.quality_results"} <= set(listed)
    assert not any(name.startswith("quarantine.") for name in listed)
    assert (listed["refined.product_sales"]["rows"], listed["refined.product_sales"]["publish"]) == (4, 1)
    assert listed["refined.product_sales"]["age_seconds"] >= 0
    table = api.get(listed["refined.product_sales"]["href"]).json()
    assert (table["description"], table["key"]) == ("One row per product of the catalogue, sold or not.", ["product_id"])
    units = next(column for column in table["columns"] if column["name"] == "units")
    assert units == {"name": "units", "type": "bigint", "meaning": "pieces in all carts", "is_lineage": False}
    assert {each["name"]: each["publish"] for each in table["inputs"]} == {"trusted.products": 1, "trusted.carts": 1}
    assert all(each["snapshot"].isdigit() for each in table["inputs"])
    trusted = api.get("/v1/tables/trusted.products").json()
    assert [(each["name"], each["seq"]) for each in trusted["inputs"]] == [("products", 1)]
    assert (trusted["fresh_within"], table["fresh_within"]) == ("15 minutes", "20 minutes")
    assert (trusted["because"], table["because"] in ("products was asked", "carts was asked")) == ("products was asked", True)
    assert table["as_of"] <= trusted["as_of"] <= table["published_at"]
    assert (trusted["is_kept"], table["is_kept"]) == (True, True)
    quality = listed["meta.quality_results"]
    assert [quality[name] for name in ("as_of", "because", "fresh_within", "is_kept")] == [None] * 4
    assert trusted["age_seconds"] >= 0
    assert [column["name"] for column in trusted["columns"] if column["is_lineage"]] == [
        *("_run_id", "_ingested_at", "_raw_key", "_raw_row")
    ]


def test_rows_are_chosen_filtered_sorted_and_exact(api: Api) -> None:
    page = api.get("/v1/tables/trusted.goods/rows?name=Caf%C3%A9&sort=-sold_at&limit=2&columns=id,price,sold_at").json()
    assert page["columns"][1] == {"name": "price", "type": "decimal(10,2)"}
    assert page["rows"] == [
        {"id": str(BIG + 22), "price": "1.50", "sold_at": "2026-01-23T12:00:00Z"},
        {"id": str(BIG + 19), "price": "1.50", "sold_at": "2026-01-20T12:00:00Z"},
    ]
    count = {
        f"id={BIG + 7}": 1,
        f"id.in={BIG},{BIG + 1}": 2,
        "name.null=true": 9,
        "name.ne=plain": 8,
        "name.prefix=Caf": 8,
        "name.like=%25_a_n": 8,
        "sold_at.ge=2026-01-20T13:00:00%2B01:00": 6,
        "sold_at.gt=2026-01-20T12:00:00Z&price.lt=2": 5,
        "price.eq=1.51": 0,
    }
    for filters, rows in count.items():
        assert len(api.get(f"/v1/tables/trusted.goods/rows?{filters}").json()["rows"]) == rows, filters
    lineage = api.get("/v1/tables/trusted.goods/rows?limit=1&columns=_raw_row,_run_id").json()["rows"][0]
    assert set(lineage["_raw_row"]) == {"object", "row", "child"}
    assert len(lineage["_run_id"]) == 26


def test_pages_stay_on_their_snapshot_while_a_publish_shows_at_the_next_question(api: Api) -> None:
    api.publish(2)
    path = "/v1/tables/trusted.goods/rows?limit=10&sort=name"
    first = api.get(path)
    tag = first.headers["etag"]
    assert api.get(path, **{"If-None-Match": tag}).status_code == 304
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    api.publish(3, count=24)
    fresh = api.get(path, **{"If-None-Match": tag})
    assert (fresh.status_code, fresh.json()["publish"]) == (200, first.json()["publish"] + 1)
    assert {row["price"] for row in fresh.json()["rows"]} == {"3.50"}
    rest = api.rows(first.json()["next"])
    assert {row["price"] for row in first.json()["rows"] + rest} == {"2.50"}
    assert sorted(int(row["id"]) - BIG for row in first.json()["rows"] + rest) == list(range(25))
    second = api.get(first.json()["next"])
    assert (second.json()["snapshot"], second.json()["publish"]) == (first.json()["snapshot"], first.json()["publish"])
    assert api.get(first.json()["next"], **{"If-None-Match": second.headers["etag"]}).status_code == 304


def test_pages_stay_on_their_snapshot_while_a_column_changes_its_type(api: Api) -> None:
    page = api.get("/v1/tables/trusted.goods/rows?limit=20&columns=id,price").json()
    price = page["rows"][0]["price"]
    api.lab.declare("goods", {**GOODS, "price": "double", "note": "string"}, max_shrink=1)
    api.publish(4)
    rest = api.get(page["next"]).json()
    assert rest["columns"] == page["columns"]
    assert {row["price"] for row in rest["rows"]} == {price}
    now = api.get("/v1/tables/trusted.goods/rows?limit=1").json()
    assert (now["rows"][0]["price"], now["rows"][0]["note"]) == (4.5, None)
    api.lab.declare("goods", GOODS, max_shrink=1)
    api.publish(5)


def test_readers_of_many_threads_see_one_publish_each_and_never_an_older_one(api: Api) -> None:
    stop, path = threading.Event(), "/v1/tables/trusted.goods/rows?limit=9"

    def read() -> list[int]:
        seen = []
        while not stop.is_set():
            page = api.get(path).json()
            assert len({row["price"] for row in page["rows"]}) == 1
            seen.append(page["publish"])
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for version in (6, 7):
                api.publish(version)
                page = api.get(path).json()
                assert {row["price"] for row in page["rows"]} == {f"{version}.50"}
        finally:
            stop.set()
    for reader in readers:
        assert reader.result() == sorted(reader.result())
        assert len(set(reader.result())) >= 2


def test_a_snapshot_that_upkeep_removed_is_gone_with_a_hint(api: Api) -> None:
    after = api.get("/v1/tables/trusted.goods/rows?limit=10").json()["next"]
    api.publish(8)
    api.lab.spark.sql("CALL lake.system.expire_snapshots(table => 'trusted.goods', older_than => now(), retain_last => 1)")
    gone = api.get(after)
    assert (gone.status_code, gone.json()["type"]) == (410, "/v1/problems/expired-snapshot")
    assert "begin again without it" in gone.json()["detail"]
    assert api.get("/v1/tables/trusted.goods/rows").json()["rows"][0]["price"] == "8.50"


def test_rows_that_nobody_published_are_not_shown_to_a_made_up_cursor(api: Api) -> None:
    cursor = read_cursor(api.get("/v1/tables/trusted.goods/rows?limit=10").json()["next_cursor"])
    spark = api.lab.spark
    spark.sql("ALTER TABLE lake.trusted.goods CREATE BRANCH secret")
    spark.table("lake.trusted.goods").limit(1).writeTo("lake.trusted.goods.branch_secret").append()
    (row,) = spark.sql("SELECT snapshot_id FROM lake.trusted.goods.refs WHERE name = 'secret'").collect()
    forged = replace(cursor, snapshot=row.snapshot_id).text()
    assert api.get(f"/v1/tables/trusted.goods/rows?limit=10&cursor={forged}").status_code == 410
    spark.sql("ALTER TABLE lake.trusted.goods DROP BRANCH secret")


def test_a_table_without_key_is_paged_through_as_well(api: Api) -> None:
    rows = api.rows("/v1/tables/meta.quality_results/rows?limit=3&sort=-judged_at")
    assert len(rows) == api.get("/v1/tables/meta.quality_results").json()["rows"] >= 10
    assert [row["judged_at"] for row in rows] == sorted((row["judged_at"] for row in rows), reverse=True)


def test_named_queries_take_their_parameters_from_the_address_or_the_body(api: Api) -> None:
    asked = api.get("/v1/queries/revenue_by_category?minimum=41.00").json()
    assert asked["parameters"] == {"minimum": "41.00"}
    assert asked["rows"] == [{"category": "b", "products": 2, "units": 4, "revenue": "41.00"}]
    assert asked["tables"] == {
        "refined.product_sales": {"snapshot": api.get("/v1/tables/refined.product_sales").json()["snapshot"], "publish": 1}
    }
    for body in ('{"minimum": 41.00}', '{"minimum": "41"}'):
        posted = requests.post(f"{api.url}/v1/queries/revenue_by_category", data=body, timeout=60)
        assert posted.json()["rows"] == asked["rows"]
    best = api.get("/v1/queries/best_sellers?best=1&category=b").json()
    assert [row["title"] for row in best["rows"]] == ["Thing 3"]
    assert best["parameters"] == {"category": "b", "best": 1}


def test_a_query_that_takes_too_long_or_gives_too_much_is_a_problem(api: Api) -> None:
    cross = (
        "trusted.goods a, trusted.goods b, trusted.goods c, trusted.goods d, trusted.goods e, trusted.goods f, trusted.goods g"
    )
    counted = f"SELECT count(*) FROM {cross} WHERE a.id + b.id + c.id + d.id + e.id + f.id + g.id = 1"
    with serving(api.lab, timeout_seconds=0.5, max_rows=1000) as (url, served):
        for name, text in (("slow", counted), ("large", f"SELECT a.id FROM {cross}")):
            served.questions[name] = question_of(query_from(f"/*\ndescription: One row.\n*/\n{text}", name, name))
        requests.get(f"{url}/v1/tables/trusted.goods", timeout=60)
        slow = requests.get(f"{url}/v1/queries/slow", timeout=60)
        assert (slow.status_code, slow.json()["type"]) == (504, "/v1/problems/time-limit")
        served.desk.seconds = 60
        large = requests.get(f"{url}/v1/queries/large", timeout=60)
        assert (large.status_code, large.json()["type"]) == (422, "/v1/problems/answer-too-large")
        page = requests.get(f"{url}/v1/tables/trusted.goods/rows?limit=1001", timeout=60)
        assert (page.status_code, page.json()["errors"][0]["parameter"]) == (422, "limit")


def test_runs_are_listed_newest_first_page_by_page(api: Api) -> None:
    runs = [str(ULID()) for _ in range(3)] + [str(ULID.from_timestamp(1_600_000_000 + n)) for n in range(2)]
    table = {"outcome": "published", "snapshot": 2**62}
    for run in runs:
        record = {"run": run, "verb": "run", "started_at": "2026-01-31T00:00:00.000+00:00", "tables": {"trusted.goods": table}}
        write_record(api.lab.objects, run, {**record, "exit_code": 0})
    listed, after = [], "/v1/runs?limit=2"
    while after:
        page = api.get(after).json()
        listed, after = listed + page["runs"], page["next"]
    ids = [each["run"] for each in listed]
    assert ids == sorted(ids, reverse=True)
    assert set(runs) <= set(ids)
    assert next(each for each in listed if each["run"] == runs[0])["published"] == ["trusted.goods"]
    assert api.get(f"/v1/runs/{runs[0]}").json()["tables"]["trusted.goods"]["snapshot"] == str(2**62)
    assert api.get(f"/v1/runs/{ULID()}").status_code == 404


def test_readiness_names_what_does_not_answer(api: Api, tmp_path: Path) -> None:
    assert api.get("/readyz").json() == {"status": "ok"}
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        environment = {**api.lab.settings.environment, "LAKE_HOME": str(tmp_path), "LAKE_S3_ENDPOINT": endpoint}
        away = read_settings({**environment, "LAKE_ROOT": api.lab.settings.root, "LAKE_CATALOG": f"sqlite:{tmp_path}"})
        with serving(replace(api.lab, settings=replace(away, sources=api.lab.settings.sources))) as (url, _):
            assert requests.get(f"{url}/healthz", timeout=60).status_code == 200
            ready = requests.get(f"{url}/readyz", timeout=60)
            assert (ready.status_code, ready.json()["failing"]) == (503, ["store", "catalog"])
            assert ready.headers["retry-after"] == "1"


def test_a_lost_catalog_is_told_and_does_not_look_like_an_empty_lake(api: Api, tmp_path: Path) -> None:
    lost = replace(api.lab.settings, catalog=f"sqlite:{tmp_path}/catalog.db")
    with serving(replace(api.lab, settings=lost)) as (url, _):
        for path in ("/v1/tables", "/v1/tables/trusted.goods"):
            told = requests.get(url + path, timeout=60)
            assert (told.status_code, "`lake catalog rebuild`" in told.json()["detail"]) == (503, True)
        assert requests.get(f"{url}/readyz", timeout=60).json()["failing"] == ["catalog"]
