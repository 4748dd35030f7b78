"""Where the server does not start, and how named queries are asked from the command line, without either running."""

from pathlib import Path

import pytest

from api.keys import new_key
from api.server import serve
from lake.errors import UsageError
from lake.settings import Settings, read_settings
from orchestration.cli import World
from orchestration.sql_verb import sql
from orchestration.words import parser


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"LAKE_HOME": str(tmp_path), "LAKE_API_KEYS": new_key("ana")[1]})


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", 70000, "--port: got 70000, expected a number from 0 to 65535"),
        ("127.0.0.1", -1, "--port: got -1, expected a number from 0 to 65535"),
        ("nowhere.invalid", 0, "--host: got 'nowhere.invalid', expected a name or address of this machine"),
        ("192.0.2.1", 0, "--host: got '192.0.2.1', expected a name or address of this machine"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_refused(settings: Settings, host: str, port: int, said: str) -> None:
    with pytest.raises(UsageError) as error:
        serve(settings, host, port, print)
    assert str(error.value) == said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example", "127.0.0.1.example"])
def test_without_keys_it_listens_on_loopback_alone(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match=r"without keys, expected 127\.0\.0\.1, or keys in LAKE_API_KEYS"):
        serve(read_settings({"LAKE_HOME": str(tmp_path)}), host, 0, print)


def test_a_key_s_name_is_one_that_a_log_can_show() -> None:
    for name in ("Ana", "ana smith", "a=b", ""):
        with pytest.raises(UsageError, match="--new-key"):
            new_key(name)
    assert new_key("ana")[0] != new_key("ana")[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sql"], "QUERY: expected one SELECT, or --query NAME"),
        (["sql", "SELECT 1", "--query", "best_sellers"], "QUERY: expected one SELECT, or --query NAME"),
        (["sql", "SELECT 1", "--param", "a=b"], "--param: expected --query NAME beside it"),
        (["sql", "--query", "best_seler"], "--query: no query 'best_seler'; did you mean 'best_sellers'?"),
        (["sql", "--query", "customer_value"], "customer_id is missing; expected a value of type bigint"),
        (["sql", "--query", "customer_value", "--param", "customer_id"], "--param: got 'customer_id', expected NAME=VALUE"),
        (["sql", "--query", "best_sellers", "--param", "best=1", "--param", "best=2"], "--param: best is given more than once"),
    ],
)
def test_a_wrong_named_query_is_told_on_the_command_line(settings: Settings, words: list[str], told: str) -> None:
    with pytest.raises(UsageError) as error:
        sql(settings, parser().parse_args(words), World(settings))
    assert told in str(error.value)
