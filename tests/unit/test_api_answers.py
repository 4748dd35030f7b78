"""Answers lose no digit, are packed for whoever takes it, and are not sent again to whoever has them."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from starlette.requests import Request

from api.answers import encoded, plain, respond


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**53 - 1, "9007199254740991"),
        (2**53, '"9007199254740992"'),
        (-(2**63), '"-9223372036854775808"'),
        (True, "true"),
        (Decimal("10.50"), '"10.50"'),
        (Decimal("1E+3"), '"1000"'),
        (Decimal("12345678901234567890.123456789"), '"12345678901234567890.123456789"'),
        (0.1, "0.1"),
        (float("nan"), '"NaN"'),
        (float("-inf"), '"-Infinity"'),
        (datetime(2024, 2, 29, 12, 30, 0, 123456, UTC), '"2024-02-29T12:30:00.123456Z"'),
        (datetime(2024, 2, 29, 12, 30, tzinfo=timezone(timedelta(hours=1))), '"2024-02-29T11:30:00Z"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        ("né\u2028\x00", '"né\u2028\\u0000"'),
        (b"\x00\xff", '"00ff"'),
        ({"row": 2**60, "tags": ["a", None]}, '{"row":"1152921504606846976","tags":["a",null]}'),
        (None, "null"),
    ],
)
def test_a_value_is_json_that_every_reader_reads_exactly(value: Any, text: str) -> None:
    assert encoded(plain(value)).decode() == text


def test_an_answer_that_is_known_is_not_sent_again() -> None:
    first = respond(request(), b"{}")
    tag = first.headers["etag"]
    for known in (tag, f'W/{tag}, "other"', f'"other" ,{tag}', "*"):
        again = respond(request(if_none_match=known), b"{}")
        assert (again.status_code, again.body, again.headers["etag"]) == (304, b"", tag)
    assert respond(request(if_none_match='"other"'), b"{}").status_code == 200
    assert respond(request(if_none_match=tag), b"[]").status_code == 200


def test_a_long_answer_is_packed_under_a_tag_of_its_own() -> None:
    body = encoded(["x"] * 1000)
    plainly, packed = respond(request(), body), respond(request(accept_encoding="br, gzip"), body)
    assert gzip.decompress(packed.body) == plainly.body == body
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert packed.headers["etag"] != plainly.headers["etag"]
    for tag in (packed.headers["etag"], plainly.headers["etag"]):
        assert respond(request(if_none_match=tag), body).status_code == 304
    assert "content-encoding" not in respond(request(accept_encoding="gzip"), b"{}").headers


@pytest.mark.parametrize("offered", ["identity", "gzip;q=0", "gzip; q=0.0", "deflate, br", ""])
def test_nothing_is_packed_for_whoever_does_not_take_it(offered: str) -> None:
    assert "content-encoding" not in respond(request(accept_encoding=offered), encoded(["x"] * 1000)).headers


def test_json_of_an_answer_is_what_python_reads_too() -> None:
    assert json.loads(encoded(plain([1, "a", None, 1.5]))) == [1, "a", None, 1.5]
