"""What every request gets, whatever is asked: an id, a key check, a line in the log, and problems as RFC 9457 has them."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import make_app
from api.problems import KINDS, TYPES_PATH
from lake.errors import UsageError
from lake.settings import HOME, read_settings
from store.catalog import open_catalog
from tests.asgi import Answered, ask

SECRET = "the-secret-of-ana-and-nobody-else"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()


def app_of(home: Path, **more: str) -> FastAPI:
    """The app of a lake whose catalog knows a table, without a server."""
    settings = read_settings({"LAKE_HOME": str(home), "LAKE_SOURCES": str(HOME / "ingest" / "sources"), **more})
    open_catalog(settings).register({"refined.things": "s3://lake/things/metadata/1.json"})
    return make_app(settings)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_of(tmp_path_factory.mktemp("lake"), LAKE_API_MAX_ROWS="500")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_of(tmp_path_factory.mktemp("lake"), LAKE_API_KEYS=f"ana=sha256:{HASH}")


def is_problem(answer: Answered, name: str) -> Any:
    """Check that the answer is this problem; its JSON."""
    problem = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["type"], problem["title"]) == (f"{TYPES_PATH}/{name}", KINDS[name].title)
    assert answer.status == problem["status"] == KINDS[name].status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    return problem


@pytest.mark.parametrize(
    ("path", "method", "name", "said"),
    [
        ("/v2/tables", "GET", "not-found", "no path '/v2/tables'"),
        ("/v1/tables/", "GET", "not-found", "no path '/v1/tables/'"),
        ("/v1/tables/refined.nope", "GET", "not-found", "no table 'refined.nope'"),
        ("/v1/tables/quarantine.products/rows", "GET", "not-found", "no table"),
        ("/v1/queries/revenue", "GET", "not-found", "no query 'revenue'; expected one of best_sellers, customer_value"),
        ("/v1/runs/nope", "GET", "not-found", "no run 'nope'"),
        ("/v1/tables", "DELETE", "method-not-allowed", "got DELETE, expected GET"),
        (
            "/v1/tables/refined.nope/rows?limit=501",
            "GET",
            "invalid-parameter",
            "limit: got '501', expected less than or equal to 500",
        ),
        ("/v1/tables/refined.nope/rows?limit=x", "GET", "invalid-parameter", "limit: got 'x', expected a whole number"),
        (
            "/v1/tables/refined.nope/rows?cursor=x",
            "GET",
            "invalid-parameter",
            "cursor: expected a cursor as the page before gave it",
        ),
        ("/v1/queries/customer_value", "GET", "invalid-parameter", "customer_id: is missing"),
        ("/v1/queries/customer_value?customer_id=1&customer_id=2", "GET", "invalid-parameter", "is given more than once"),
        ("/v1/runs?before=x", "GET", "invalid-parameter", "before: got 'x', expected the id of a run"),
        ("/%00%ff/%F0%9F%90%9F", "GET", "not-found", "no path"),
    ],
)
def test_a_wrong_request_is_a_problem_that_says_what_was_expected(
    app: FastAPI, path: str, method: str, name: str, said: str
) -> None:
    problem = is_problem(ask(app, path, method), name)
    assert said in problem["detail"]
    assert problem["instance"] == path.partition("?")[0]


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        (b"{", "invalid-request", "expected a JSON object"),
        (b"[1]", "invalid-request", "got list"),
        (b"[" * 60_000, "invalid-request", "expected a JSON object"),
        (b'{"customer_id": NaN}', "invalid-request", "expected a JSON object"),
        (b'{"customer_id": {"a": 1}}', "invalid-parameter", "customer_id: expected text, a number"),
        (b'{"customer_id": "1; DROP"}', "invalid-parameter", "customer_id: got '1; DROP', expected a whole number"),
        (b'{"customer_id": "\\ud800"}', "invalid-parameter", "customer_id: got "),
        (b" " * 70_000, "body-too-large", "expected at most 65,536 bytes"),
    ],
)
def test_a_wrong_body_is_a_problem_too(app: FastAPI, body: bytes, name: str, said: str) -> None:
    assert said in is_problem(ask(app, "/v1/queries/customer_value", "POST", body), name)["detail"]


def test_a_method_that_is_not_allowed_names_those_that_are(app: FastAPI) -> None:
    assert ask(app, "/v1/queries", "DELETE").headers["allow"] == "GET"


def test_every_wrong_parameter_is_listed(app: FastAPI) -> None:
    answer = ask(app, "/v1/queries/best_sellers?best=many&worst=1")
    assert [each["parameter"] for each in is_problem(answer, "invalid-parameter")["errors"]] == ["worst", "best"]


@pytest.mark.parametrize("name", KINDS)
def test_the_type_of_a_problem_says_what_it_wants(app: FastAPI, name: str) -> None:
    told = ask(app, f"{TYPES_PATH}/{name}").json
    assert told == {"title": KINDS[name].title, "status": KINDS[name].status, "meaning": KINDS[name].meaning}


def test_an_error_that_nobody_foresaw_shows_nothing_of_the_inside(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: Any) -> Any:
        raise RuntimeError("s3://secret/place")

    monkeypatch.setattr("api.query_routes._described", broken)
    answer = ask(app, "/v1/queries", x_request_id="mine-1")
    assert "secret" not in str(is_problem(answer, "internal"))
    assert "mine-1" in str(answer.json["detail"])
    assert "s3://secret/place" in caplog.text


def test_a_request_s_id_goes_through_and_a_foreign_one_is_replaced(app: FastAPI) -> None:
    assert ask(app, "/healthz", x_request_id="trace-7.a_b").headers["x-request-id"] == "trace-7.a_b"
    assert len(ask(app, "/healthz", x_request_id="a\r\nb").headers["x-request-id"]) == 26
    assert ask(app, "/healthz").headers["x-request-id"] != ask(app, "/healthz").headers["x-request-id"]


def test_a_key_is_asked_for_and_each_way_to_send_it_works(locked: FastAPI) -> None:
    problem = ask(locked, "/v1/queries")
    assert "this needs a key" in is_problem(problem, "key-required")["detail"]
    assert problem.headers["www-authenticate"].startswith("Bearer")
    for wrong in ({"x_api_key": "wrong"}, {"authorization": f"Basic {SECRET}"}, {"authorization": f"Bearer {HASH}"}):
        is_problem(ask(locked, "/v1/queries", **wrong), "key-required")
    for right in ({"x_api_key": SECRET}, {"authorization": f"Bearer {SECRET}"}, {"authorization": f"bearer  {SECRET}"}):
        assert ask(locked, "/v1/queries", **right).status == 200
    is_problem(ask(locked, "/nope"), "key-required")
    is_problem(ask(locked, "/openapi.json"), "key-required")
    for path in ("/healthz", "/docs", f"{TYPES_PATH}/busy"):
        assert ask(locked, path).status == 200


def test_a_page_of_another_site_cannot_ask_for_its_visitor(app: FastAPI, locked: FastAPI) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8480", ""):
        is_problem(ask(app, "/v1/queries", host=host), "wrong-host")
    for host in ("localhost:8480", "127.0.0.1", "[::1]:8480", "LOCALHOST"):
        assert ask(app, "/v1/queries", host=host).status == 200
    assert ask(locked, "/v1/queries", host="lake.example", x_api_key=SECRET).status == 200
    assert "access-control-allow-origin" not in ask(app, "/v1/queries", origin="https://evil.example").headers


def test_the_log_has_one_line_per_request_without_query_and_key(locked: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "api.access")
    ask(locked, "/v1/queries?name=somebody", x_api_key=SECRET, x_request_id="r1")
    ask(locked, "/v1/queries", x_api_key="wrong-key-here", x_request_id="r2")
    first, second = (record.getMessage() for record in caplog.records if record.name == "api.access")
    assert first.startswith("GET /v1/queries 200 ")
    assert first.endswith("key=ana id=r1")
    assert second.endswith("key=- id=r2")
    for hidden in (SECRET, HASH, "somebody", "wrong-key-here"):
        assert hidden not in caplog.text


def test_a_head_has_the_headers_of_a_get_and_no_body(app: FastAPI) -> None:
    head, get = ask(app, "/v1/queries", "HEAD"), ask(app, "/v1/queries")
    assert (head.status, head.body) == (200, b"")
    assert (head.headers["etag"], head.headers["content-length"]) == (get.headers["etag"], str(len(get.body)))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (SECRET, "entry 1 cannot be read, expected NAME=sha256:HEX"),
        (f"ana={SECRET}", "ana: got a secret as it is, expected NAME=sha256:HEX"),
        ("ana=sha256:abc", "ana: got a secret as it is, expected NAME=sha256:HEX"),
        ("ana=${env:NOT_SET}", "LAKE_API_KEYS: ana: ${env:NOT_SET} is not set"),
        ("ana=${env:SHORT}", "ana: expected a secret of at least 16 characters"),
        (f"ana=sha256:{HASH},Bob=x", "entry 2 cannot be read"),
    ],
)
def test_a_wrong_key_setting_is_refused_without_showing_it(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        app_of(tmp_path, LAKE_API_KEYS=keys, SHORT="hidden")
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert "hidden" not in str(error.value)


def test_keys_may_be_references_and_several_may_share_a_name(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key-that-lies-in-a-file\n")
    keys = f"ana=${{file:{tmp_path}/key}}, ana=${{env:ANA_KEY}} ,bob=sha256:{HASH}"
    app = app_of(tmp_path, LAKE_API_KEYS=keys, ANA_KEY="the-next-key-of-ana")
    for key in ("a-key-that-lies-in-a-file", "the-next-key-of-ana", SECRET):
        assert ask(app, "/v1/queries", x_api_key=key).status == 200


def test_the_openapi_document_holds_together_and_names_every_query(app: FastAPI) -> None:
    document = ask(app, "/openapi.json").json
    text = str(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"]
    ids = [told["operationId"] for operations in document["paths"].values() for told in operations.values()]
    assert len(ids) == len(set(ids))
    for path, operations in document["paths"].items():
        for told in operations.values():
            assert told["summary"]
            assert "HTTPValidationError" not in str(told)
            wanted = set(re.findall(r"{(\w+)}", path))
            assert {each["name"] for each in told.get("parameters", []) if each["in"] == "path"} == wanted
    (minimum,) = document["paths"]["/v1/queries/revenue_by_category"]["get"]["parameters"]
    assert (minimum["name"], minimum["required"], minimum["schema"]) == ("minimum", False, {"type": "string", "default": "0"})
    (customer,) = document["paths"]["/v1/queries/customer_value"]["get"]["parameters"]
    assert (customer["required"], customer["schema"]) == (True, {"type": "integer"})
    problem = document["paths"]["/v1/tables/{table}/rows"]["get"]["responses"]["410"]
    assert list(problem["content"]) == ["application/problem+json"]


def test_the_page_in_the_browser_loads_nothing_from_elsewhere(app: FastAPI) -> None:
    page = ask(app, "/docs")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert re.findall(rb"(?:src|href)=\"([^\"]*)\"", page.body) == [b"openapi.json"]
