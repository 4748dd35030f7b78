"""The OpenAPI document: the routes', with keys, problems, and every named query with its own parameters."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.envelope import OPEN
from api.models import ProblemModel
from lake.queries import QueryParameter
from sql.named import Question

DESCRIPTION = """Tables, named queries and runs of the lake.

Answers are I-JSON (RFC 7493): a `decimal` is text with all its digits, a whole number beyond 2^53 is text, NaN and
infinities are the texts `NaN`, `Infinity` and `-Infinity`, instants are ISO 8601 in UTC. Errors are problem details
(RFC 9457). An `ETag` stands for one state of what it is of; send it back as `If-None-Match`."""
KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key of `LAKE_API_KEYS`"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
}
TYPES = {"bigint": "integer", "int": "integer", "smallint": "integer", "tinyint": "integer", "boolean": "boolean"}
FORMATS = {"date": "date", "timestamp": "date-time"}
QUERY_PATH = "/v1/queries/{query}"


def openapi_of(app: FastAPI, questions: dict[str, Question]) -> dict[str, Any]:
    """The document of an app."""
    document = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=app.openapi_tags
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemModel"] = ProblemModel.model_json_schema()
    document["components"]["securitySchemes"] = KEYS
    document["security"] = [{"bearer": []}, {"key": []}, {}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]  # FastAPI's own form, which is never sent
            if path in OPEN:
                operation["security"] = []
    general = document["paths"][QUERY_PATH]["get"]
    for name, question in questions.items():
        document["paths"][QUERY_PATH.replace("{query}", name)] = {"get": _named(general, question)}
    return document


def _named(general: dict[str, Any], question: Question) -> dict[str, Any]:
    """The operation that asks one named query."""
    query = question.query
    return {
        **deepcopy(general),
        "summary": f"Named query {query.name}",
        "description": query.description,
        "operationId": f"query_{query.name}",
        "parameters": [_parameter(name, parameter) for name, parameter in query.parameters.items()],
    }


def _parameter(name: str, parameter: QueryParameter) -> dict[str, Any]:
    kind = TYPES.get(parameter.type, "string")
    schema: dict[str, Any] = {"type": kind}
    if parameter.type in FORMATS:
        schema["format"] = FORMATS[parameter.type]
    if parameter.default is not None:
        schema["default"] = parameter.default if kind != "string" else str(parameter.default)
    return {
        "name": name,
        "in": "query",
        "required": parameter.is_required,
        "description": f"{parameter.description or ''} ({parameter.type})".strip(),
        "schema": schema,
    }
