"""The guide's example, run as it stands there."""

import re
from pathlib import Path

import pytest
from ulid import ULID

from ingest.landing import pull
from lake.declarations import parse_yaml
from lake.settings import HOME
from lake.sources import source_from
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, decoded_rows, lake_of
from tests.paged_api import Asked, PagedApi, Said, said, serving

pytestmark = pytest.mark.guard


def shop(asked: Asked) -> Said:
    """120 orders of two lines, fifty a page, for who has a token."""
    if asked.path == "/token":
        return said({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 600})
    if asked.headers.get("authorization") != "Bearer t0ken" or asked.query["status"] != "paid":
        return Said(403)
    orders = [
        {
            "id": number,
            "updated_at": f"2024-05-01T10:{number % 60:02}:00Z",
            "customer": {"name": f"customer {number}"},
            "lines": [{"product": "cup", "amount": 12.50}, {"product": "pot", "amount": 30}],
        }
        for number in range(120)
    ]
    orders = [order for order in orders if str(order["updated_at"]) >= asked.query["updated_since"]]
    start = (int(asked.query["page"]) - 1) * 50
    return said({"data": orders[start : start + 50], "meta": {"total": len(orders)}})


def test_the_example_of_the_guide_lands_its_rows(minio_server: Server, tmp_path: Path) -> None:
    guide = (HOME / "docs" / "guides" / "rest-source.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    source = source_from(parse_yaml(example, "orders.yaml"), "orders.yaml")
    api = PagedApi([], before=shop)
    with serving(api) as url:
        settings = lake_of(minio_server, tmp_path, ORDERS_URL=url, ORDERS_CLIENT="me", ORDERS_SECRET="s3cret")
        objects = Objects(settings)
        assert pull("orders", {"orders": source}, objects, str(ULID())).rows == 240
        assert pull("orders", {"orders": source}, objects, str(ULID())).rows == 44
    head = raw.head(objects, "orders")
    assert head
    assert head.cursor == {"column": "updated_at", "value": "2024-05-01T10:59:00Z"}
    assert decoded_rows(objects, head.first_decoding)[0]["amount"] == "12.5"
    assert api.asked[-1].query["updated_since"] == "2024-05-01T10:49:00Z"


@pytest.mark.parametrize("kind", ["page", "offset", "cursor", "next_url", "link_header"])
def test_the_guide_names_every_way_of_paging(kind: str) -> None:
    assert kind in (HOME / "docs" / "guides" / "rest-source.md").read_text()
