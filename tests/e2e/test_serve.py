"""`lake serve` as a process: what its guide shows, how it ends, and when it does not start."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from lake.settings import HOME
from tests.documents import blocks
from tests.e2e.conftest import Copy
from tests.e2e.user import Lake, ended

GUIDE = HOME / "docs" / "guides" / "api.md"
SHOWN = "http://127.0.0.1:8480"


@contextmanager
def serving(lake: Lake, *words: str, **more: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process, and its address."""
    process = lake.start("serve", "--port", "0", "--json", *words, **more)
    try:
        assert process.stdout
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, ended(process).err
            text += line
        yield process, json.loads(text)["address"]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def lake(copy: Copy) -> Lake:
    assert copy.local_run.code == 0, copy.local_run.out
    return copy.lake


def is_part(shown: Any, given: Any) -> bool:
    """Whether an answer has all that a document shows of it."""
    if isinstance(shown, dict) and isinstance(given, dict):
        return all(key in given and is_part(value, given[key]) for key, value in shown.items())
    return bool(shown == given)


def test_the_guide_s_requests_have_the_answers_that_it_shows(lake: Lake) -> None:
    with serving(lake) as (_, address):
        request = None
        asked = 0
        for block in blocks(GUIDE):
            if block.kind == "http":
                method, _, path = block.text.strip().partition(" ")
                request = requests.request(method, address + path, timeout=60)
            elif block.kind == "json":
                assert request is not None
                assert is_part(json.loads(block.text), request.json()), request.text
                asked += 1
            elif block.kind == "sql":
                assert block.text == (HOME / "sql" / "queries" / "revenue_by_category.sql").read_text()
            elif block.kind == "python":
                found: dict[str, Any] = {}
                exec(block.text.replace(SHOWN, address), found)
                assert sorted(row["id"] for row in found["rows"]) == list(range(1, 21))
        assert asked == 3
        page = requests.get(f"{address}/docs", timeout=60)
        assert "openapi.json" in page.text
        assert "https://" not in page.text
        assert requests.get(f"{address}/openapi.json", timeout=60).json()["info"]["title"] == "Embalse"
        assert requests.get(f"{address}/v1/runs", timeout=60).json()["runs"][0]["exit_code"] == 0


def test_the_guide_s_commands_work(lake: Lake) -> None:
    commands = [command for block in blocks(GUIDE) if block.kind == "sh" for command in block.commands]
    answers = [lake(*command.split()[1:]) for command in commands]
    assert [answer.code for answer in answers] == [0, 0]
    assert "men's clothing" in answers[0].out
    key = lake("serve", "--new-key", "dashboard", "--json").json
    assert key["entry"].startswith("dashboard=sha256:")
    assert key["key"] not in key["entry"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly(lake: Lake, number: signal.Signals, code: int) -> None:
    with serving(lake) as (process, address), requests.Session() as session:
        assert session.get(f"{address}/healthz", timeout=60).status_code == 200
        process.send_signal(number)
        end = ended(process, 30)
        assert (end.code, end.last_line) == (code, "lake serve: stopped")
        assert "Traceback" not in end.err
        assert end.err.count("GET /healthz 200") == 1


def test_it_does_not_start_where_everybody_could_ask_or_somebody_listens_already(lake: Lake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        wrong = {
            ("--host", "0.0.0.0"): "--host: got '0.0.0.0' without keys, expected 127.0.0.1, or keys in LAKE_API_KEYS",
            ("--port", port): f"--port: {port} is taken on 127.0.0.1; choose another, or 0 for any that is free",
        }
        for words, said in wrong.items():
            end = lake("serve", *words)
            assert (end.code, end.out) == (2, ""), end.err
            assert said in end.last_line


def test_with_keys_it_listens_for_others_and_its_log_shows_none(lake: Lake) -> None:
    made = lake("serve", "--new-key", "ana", "--json").json
    with serving(lake, "--host", "0.0.0.0", LAKE_API_KEYS=made["entry"]) as (process, address):
        url = f"{address.replace('0.0.0.0', '127.0.0.1')}/v1/queries/customer_value?customer_id=1"
        assert requests.get(url, timeout=60).status_code == 401
        answer = requests.get(url, headers={"X-API-Key": made["key"], "X-Request-Id": "mine"}, timeout=60)
        assert (answer.json()["rows"][0]["name"], answer.headers["x-request-id"]) == ("John Doe", "mine")
        process.send_signal(signal.SIGTERM)
        end = ended(process, 30)
    assert "GET /v1/queries/customer_value 200" in end.err
    assert "key=ana id=mine" in end.err
    assert made["key"] not in end.err
    assert "customer_id" not in end.err


def test_a_wrong_parameter_of_a_named_query_is_told(lake: Lake) -> None:
    end = lake("sql", "--query", "customer_value", "--param", "customer_id=x")
    assert (end.code, end.out) == (2, "")
    assert "customer_id: got 'x', expected a whole number" in end.last_line
