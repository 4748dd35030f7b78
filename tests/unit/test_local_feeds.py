"""What the stand-in answers, without a socket: routes, quirks, files, and the figures that the lake must reproduce."""

import json
from typing import Any

import pytest

from local.exchange_rates import exchange_rates_csv
from local.fakestore import load_fakestore
from local.feed_answers import api_answer, file_answer
from local.shop_database import customers

SHOP = load_fakestore()


def body(*path: str, **query: str) -> Any:
    answer = api_answer(SHOP, list(path), query)
    assert answer is not None
    return json.loads(answer.body)


def test_an_unknown_id_is_answered_with_null() -> None:
    answer = api_answer(SHOP, ["products", "999"], {})
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"null")


def test_a_path_that_nobody_knows_has_no_answer() -> None:
    assert api_answer(SHOP, ["products", "1", "reviews"], {}) is None
    assert api_answer(SHOP, ["orders"], {}) is None


def test_json_is_compact() -> None:
    answer = api_answer(SHOP, ["products", "categories"], {})
    assert answer is not None
    assert answer.body == b'["men\'s clothing","jewelery","electronics","women\'s clothing"]'


def test_limit_and_sort_work_together() -> None:
    assert [product["id"] for product in body("products", limit="2", sort="desc")] == [20, 19]
    assert len(body("products", limit="many")) == 20


def test_carts_are_chosen_by_their_day_both_ends_included() -> None:
    assert [cart["id"] for cart in body("carts", startdate="2020-01-02", enddate="2020-03-01")] == [2, 3, 5, 6, 7]


@pytest.mark.parametrize(
    ("category", "mean", "count"),
    [
        ("electronics", 332.49833333333333, 6),
        ("jewelery", 220.995, 4),
        ("men's clothing", 51.0575, 4),
        ("women's clothing", 26.286666666666665, 6),
    ],
)
def test_the_prices_of_a_category_have_the_public_payloads_mean(category: str, mean: float, count: int) -> None:
    prices = [product["price"] for product in body("products", "category", category)]
    assert len(prices) == count
    assert sum(prices) / count == pytest.approx(mean, abs=1e-9)


def test_every_cart_belongs_to_a_user_and_holds_known_products() -> None:
    users, products = ({record["id"] for record in SHOP[name]} for name in ("users", "products"))
    assert {cart["userId"] for cart in SHOP["carts"]} <= users
    assert {line["productId"] for cart in SHOP["carts"] for line in cart["products"]} <= products


def test_every_user_has_a_clear_text_password_to_be_kept_out_of_the_lake() -> None:
    assert [user["password"] for user in SHOP["users"]] == [f"not-a-secret-{number}" for number in range(1, 11)]


def test_customers_are_the_users_of_the_api_and_three_more() -> None:
    rows = customers()
    assert [row[0] for row in rows] == list(range(1, 14))
    assert rows[0][1] == "John Doe"


def test_rates_hold_a_row_per_day_and_currency_and_never_change() -> None:
    lines = exchange_rates_csv().decode().splitlines()
    assert lines[:2] == ["date,currency,usd", "2020-01-01,EUR,1.120000"]
    assert len(lines) == 1 + 91 * 4
    assert len({line.rpartition(",")[0] for line in lines}) == len(lines)
    assert exchange_rates_csv() == exchange_rates_csv()


def test_a_caller_who_has_the_file_gets_304_by_tag_or_by_date() -> None:
    facts = file_answer(b"content", {}).headers
    assert file_answer(b"content", {"if-none-match": facts["ETag"]}).status == 304
    assert file_answer(b"content", {"if-modified-since": facts["Last-Modified"]}).status == 304
    assert file_answer(b"changed", {"if-none-match": facts["ETag"]}).status == 200


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=10-", 416, b""),
        ("pages=1", 200, b"0123456789"),
    ],
)
def test_a_range_of_bytes_is_served(asked: str, status: int, part: bytes) -> None:
    answer = file_answer(b"0123456789", {"range": asked})
    assert (answer.status, answer.body) == (status, part)


def test_a_range_of_a_file_that_changed_gives_the_whole_file() -> None:
    assert file_answer(b"0123456789", {"range": "bytes=2-4", "if-range": '"old"'}).status == 200
