"""`/v1/queries`: questions that somebody wrote down, asked with parameters of one's own."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import encoded, plain, respond
from api.models import QueriesModel, QueryAnswerModel
from api.problems import Problem, wrong_parameters
from api.routing import documented, href
from api.served import Served
from sql.engine import Terms
from sql.named import Question
from sql.words import near

MOST_BODY = 64 << 10
Given = Mapping[str, str | None]
BODY = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "description": "names and values of the parameters", "additionalProperties": True},
            "example": {"minimum": "100.00"},
        }
    }
}
VALUES = {
    "name": "parameters",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"minimum": "100.00"},
    "description": "The query's parameters by name, as `/v1/queries` lists them.",
}


def query_routes(served: Served) -> APIRouter:
    """The routes, over what is served."""
    router = APIRouter(prefix="/v1/queries", tags=["queries"], default_response_class=Response)
    problems = ("not-found", "invalid-parameter", "answer-too-large")

    @router.get("", summary="All named queries", responses=documented(QueriesModel, "The queries with their parameters."))
    async def queries(request: Request) -> Response:
        listed = [_described(request, question) for question in served.questions.values()]
        return respond(request, encoded({"queries": listed}))

    @router.get(
        "/{query}",
        summary="Ask a named query",
        responses=documented(QueryAnswerModel, "Its whole answer.", *problems),
        openapi_extra={"parameters": [VALUES]},
    )
    async def asked(request: Request, query: str) -> Response:
        question = _chosen(served, query)
        given = request.query_params.multi_items()
        twice = [name for name, _ in given if len(request.query_params.getlist(name)) > 1]
        if twice:
            raise wrong_parameters(dict.fromkeys(twice, "is given more than once"))
        return await served.desk.ask(lambda seconds: _answer(request, served, question, dict(given), seconds))

    @router.post(
        "/{query}",
        summary="Ask a named query, parameters in the body",
        responses=documented(QueryAnswerModel, "Its whole answer.", *problems, "invalid-request", "body-too-large"),
        openapi_extra={"requestBody": BODY},
    )
    async def posted(request: Request, query: str) -> Response:
        question = _chosen(served, query)
        given = _values(await _body(request))
        return await served.desk.ask(lambda seconds: _answer(request, served, question, given, seconds))

    return router


def _chosen(served: Served, name: str) -> Question:
    if name not in served.questions:
        raise Problem("not-found", f"no query {name[:80]!r}; {near(name, served.questions)}")
    return served.questions[name]


def _answer(request: Request, served: Served, question: Question, given: Given, seconds: float) -> Response:
    """The whole answer of a query; a part of one would look like all of it."""
    wrong = question.problems(given)
    if wrong:
        raise wrong_parameters(wrong)
    values = question.values(given)
    answer = served.engine.ask(question.text, question.bound(values), Terms({}, seconds))
    names, rows, total = [column.name for column in answer.columns], [], 0
    for row in answer.rows:
        rows.append(encoded({name: plain(value) for name, value in zip(names, row, strict=True)}))
        total += len(rows[-1]) + 1
        if len(rows) > served.limits.max_rows or total > served.limits.max_bytes:
            most = f"{served.limits.max_rows:,} rows and {served.limits.max_bytes:,} bytes"
            raise Problem("answer-too-large", f"the answer has more than {most}; narrow it down by the query's parameters")
    head = {
        "query": question.query.name,
        "parameters": {name: plain(value) for name, value in values.items()},
        "tables": {name: _read(served, location) for name, location in answer.pinned.items()},
        "columns": [{"name": column.name, "type": column.type} for column in answer.columns],
    }
    return respond(request, b'%s,"rows":[%s]}' % (encoded(head)[:-1], b",".join(rows)))


def _read(served: Served, location: str) -> dict[str, Any]:
    """The state at which a table was read."""
    state = served.shelf.states.at(location)
    publication = state.publication(state.current) or {}
    return {"snapshot": None if state.current is None else str(state.current), "publish": publication.get("number")}


def _described(request: Request, question: Question) -> dict[str, Any]:
    query = question.query
    parameters = [
        {
            "name": name,
            "type": parameter.type,
            "required": parameter.is_required,
            "default": parameter.default,
            "description": parameter.description or "",
        }
        for name, parameter in query.parameters.items()
    ]
    return {
        "query": query.name,
        "description": query.description,
        "parameters": parameters,
        "href": href(request, "queries", query.name),
    }


async def _body(request: Request) -> bytes:
    """The body, as far as it may be long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            raise Problem("body-too-large", f"expected at most {MOST_BODY:,} bytes of JSON")
    return body


def _values(body: bytes) -> Given:
    """The parameters of a JSON object, each as text: numbers with all their digits.

    Raises Problem when the body is no such object.
    """
    try:
        found = json.loads(body or b"{}", parse_float=Decimal, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise Problem("invalid-request", 'expected a JSON object of parameters, such as {"minimum": "100.00"}') from None
    if not isinstance(found, dict):
        raise Problem("invalid-request", f"expected a JSON object of parameters, got {type(found).__name__}")
    wrong = {
        name: "expected text, a number, true, false or null" for name, value in found.items() if isinstance(value, (dict, list))
    }
    if wrong:
        raise wrong_parameters(wrong)
    return {name: _text(value) for name, value in found.items()}


def _refused(constant: str) -> Any:
    raise ValueError(constant)


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
    return str(value)
