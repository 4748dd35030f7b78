"""The stand-in as a bot meets it: routes by HTTP, scripted faults, recorded requests."""

import http.client
import json
from collections.abc import Iterator

import pytest

from local.feeds import Answer, Feeds, json_answer, start_feeds


@pytest.fixture
def feeds() -> Iterator[Feeds]:
    server = start_feeds()
    yield server
    server.close()


def get(feeds: Feeds, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(feeds.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_an_unknown_path_answers_404_as_html(feeds: Feeds) -> None:
    status, headers, body = get(feeds, "/nothing/<here>")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"Cannot GET /nothing/&lt;here&gt;" in body


def test_the_name_of_a_category_is_quoted_in_the_path(feeds: Feeds) -> None:
    assert len(json.loads(get(feeds, "/products/category/women%27s%20clothing")[2])) == 6


def test_faults_answer_first_in_their_order_and_then_the_data(feeds: Feeds) -> None:
    feeds.faults["/users"] = [Answer(429, b"", {"Retry-After": "0"}), Answer(500, b"<html>")]
    assert [get(feeds, "/users")[0] for _ in range(3)] == [429, 500, 200]


def test_a_truncated_answer_promises_more_than_it_sends(feeds: Feeds) -> None:
    feeds.faults["/carts"] = [Answer(200, b"[1,2,3]", truncate_at=3)]
    with pytest.raises(http.client.IncompleteRead) as failed:
        get(feeds, "/carts")
    assert failed.value.partial == b"[1,"


def test_a_fault_can_be_scripted_for_one_query_alone(feeds: Feeds) -> None:
    feeds.faults["/products?limit=1"] = [json_answer(None)]
    assert get(feeds, "/products?limit=2")[2] != b"null"
    assert get(feeds, "/products?limit=1")[2] == b"null"


def test_requests_are_recorded_with_their_headers(feeds: Feeds) -> None:
    get(feeds, "/products?limit=1", Accept="application/json")
    assert [(request.path, request.headers["accept"]) for request in feeds.requests] == [
        ("/products?limit=1", "application/json")
    ]


def test_a_file_is_sent_once_to_a_caller_who_keeps_its_tag(feeds: Feeds) -> None:
    _, headers, content = get(feeds, "/files/exchange_rates.csv")
    assert content.startswith(b"date,currency,usd\n")
    status, _, nothing = get(feeds, "/files/exchange_rates.csv", **{"If-None-Match": headers["ETag"]})
    assert (status, nothing) == (304, b"")


def test_each_stand_in_serves_its_own_data_and_files() -> None:
    other = start_feeds(data={"products": [{"id": 1, "category": "x"}]}, files={"prices.csv": b"a\n"})
    try:
        assert get(other, "/products")[2] == b'[{"id":1,"category":"x"}]'
        assert get(other, "/files/prices.csv")[2] == b"a\n"
        assert len(json.loads(get(other, "/users")[2])) == 10
    finally:
        other.close()
