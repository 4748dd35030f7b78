"""What bots ask for, read off a declaration without a network."""

from typing import Any

import pytest

from ingest.bots import needs
from ingest.credentials import carried, redirected
from ingest.database_address import parsed_address
from ingest.kinds import kind_of
from ingest.rest import RestBot
from ingest.rest_requests import Ask
from lake.errors import SourceError, UsageError
from lake.sources import source_from


def bot(values: list[str], *, hidden: bool = False, url: str = "http://h/by/{name}", **more: Any) -> RestBot:
    declared = {"name": "things", "description": "One row per thing.", "kind": "rest", "url": url, "load": "append"}
    each = {"name": {"source": "names", "column": "name"}}
    source: Any = source_from({**declared, "for_each": each, "columns": {"id": "bigint"}, **more}, "things.yaml")
    return RestBot(source, {"TOKEN": "s3cret"}, None, lambda each: values, lambda each: hidden)  # type: ignore[arg-type]


def asks(of: RestBot) -> list[Ask]:
    return of.addresses.asks({}, [None])


def test_each_value_is_one_request_with_the_value_quoted() -> None:
    found = asks(bot(["men's clothing", "a/b?c&d", "{name}", "é"]))
    assert [ask.url for ask in found] == [
        "http://h/by/men%27s%20clothing",
        "http://h/by/a%2Fb%3Fc%26d",
        "http://h/by/%7Bname%7D",
        "http://h/by/%C3%A9",
    ]
    assert found[1].request == {"name": "a/b?c&d"}


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_would_climb_the_path_is_refused(value: str) -> None:
    with pytest.raises(SourceError, match="expected a value that can stand in a path"):
        asks(bot([value]))


def test_a_value_that_identifies_a_person_is_not_shown() -> None:
    (ask,) = asks(bot(["ann@example.com"], hidden=True))
    assert ask.shown == "http://h/by/{name}"
    assert "ann" not in ask.shown


def test_an_ask_does_not_print_its_secrets() -> None:
    (ask,) = asks(bot(["x"], url="http://u:${env:TOKEN}@h/{name}?api_key=${env:TOKEN}"))
    assert "s3cret" in ask.url
    assert "s3cret" not in repr(ask)


def test_a_parameter_that_nobody_gives_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match=r"url: got \{other\}, expected one of name"):
        bot([], url="http://h/{other}")


@pytest.mark.parametrize("url", ["ftp://h/x", "http://", "http://[::1", "http://u:s3cret@h:port/", "h/x"])
def test_an_address_must_be_http_and_is_not_shown_otherwise(url: str) -> None:
    with pytest.raises(UsageError, match=r"^things\.yaml: url: got something else, expected http://host/\.\.\."):
        bot([], url=url)


def test_a_source_needs_those_it_asks_with() -> None:
    assert needs(bot([]).source) == {"names"}


def test_a_database_address_is_percent_decoded() -> None:
    address = parsed_address("mysql://us%40er:p%3A%2Fw@db.example.com:3307/shop", "x.yaml: url")
    assert (address.host, address.port, address.user, address.database) == ("db.example.com", 3307, "us@er", "shop")
    assert str(address.password) == "p:/w"
    assert "p:/w" not in repr(address)


@pytest.mark.parametrize(
    "url", ["oracle://u:s3cret@h/d", "mysql://u:s3cret@h", "mysql://u:s3/cret@h/d", "mysql://u:s3cret@h:port/d", "s3cret"]
)
def test_a_database_address_of_another_form_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed_address(url, "x.yaml: url")
    assert "s3" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"", "an empty body"),
        (b" \n", "an empty body"),
        (b"null\n", "the body null"),
        (b"\xef\xbb\xbf<!doctype HTML>", "an HTML page"),
        (b"<a/>", "an XML document"),
        (b'{"password": "x"}', "a JSON object"),
        (b"[1]", "a JSON list"),
        (b'"x"', "a JSON string"),
        (b"true", "a JSON boolean"),
        (b"-1.5e3", "a JSON number"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"\x00\x01", "binary data"),
        (b"Not found", "a text"),
    ],
)
def test_a_body_is_known_by_its_kind(start: bytes, kind: str) -> None:
    assert kind_of(start) == kind


def test_a_default_port_is_the_same_host() -> None:
    assert "X-Key" in carried({"X-Key": "s"}, "https://h/a", "https://h:443/b")
    assert "X-Key" not in carried({"X-Key": "s"}, "https://h/a", "https://h:444/b")


def test_a_redirect_loses_user_and_password() -> None:
    assert redirected("https://h/a", "https://u:p@h/b") == "https://h/b"
