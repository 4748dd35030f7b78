"""The page of the API's reference, from its OpenAPI document, its problems and the named queries."""

import json
from typing import Any

from lake.settings import read_settings
from orchestration import markdown as md

Schema = dict[str, Any]
ABOUT = (
    "`lake serve` answers these. `/openapi.json` describes them for programs, `/docs` shows them in a browser; neither needs\n"
    "the internet. [The guide](../guides/api.md) shows how to ask.\n"
)
PROBLEMS = (
    "Errors are `application/problem+json` (RFC 9457). `type` is one of these behind `/v1/problems/`, `detail` says what came\n"
    "and what was expected, `request_id` is what the log calls the request.\n"
)
QUERY_PATH = "/v1/queries/{query}"


def api_page() -> str:
    """Every path of the API, its answers, its problems, and the named queries."""
    from api.app import make_app
    from api.filters import OPERATORS
    from api.problems import KINDS

    app = make_app(read_settings({}))
    document = app.openapi()
    schemas = document["components"]["schemas"]
    named = [path for path in document["paths"] if path.startswith("/v1/queries/") and path != QUERY_PATH]
    paths = {path: operations for path, operations in document["paths"].items() if path not in named}
    sections = [_operation(path, method, told) for path, operations in paths.items() for method, told in operations.items()]
    operators = "## Filters\n\n`column.operator=value`, all of which must hold.\n\n"
    operators += md.table(("operator", "means"), [(f"`{name}`", meaning) for name, meaning in OPERATORS.items()])
    queries = "## Named queries\n\nFiles of `sql/queries/`, also asked by `lake sql --query NAME --param NAME=VALUE`.\n\n"
    queries += "\n".join(_query(question) for question in app.state.served.questions.values())
    problems = f"## Problems\n\n{PROBLEMS}\n"
    problems += md.table(
        ("type", "status", "means"), [(f"`{name}`", kind.status, kind.meaning) for name, kind in KINDS.items()]
    )
    shapes = "## Answers\n\n" + "\n".join(_model(name, schema) for name, schema in sorted(schemas.items()))
    return md.page("API", ABOUT, document["info"]["description"] + "\n", *sections, operators, queries, problems, shapes)


def _operation(path: str, method: str, told: Schema) -> str:
    """The section of one method of one path."""
    parts = [f"## {method.upper()} {path}\n", f"{told['summary']}.\n"]
    listed = [
        (f"`{each['name']}`", each["in"], _schema_of(each["schema"], each["required"]), each.get("description", ""))
        for each in told.get("parameters", [])
        if each.get("name") != "column.operator"
    ]
    if any(each.get("name") == "column.operator" for each in told.get("parameters", [])):
        listed.append(("`column.operator`", "query", "text", "a condition on rows: [filters](#filters)"))
    parts += [md.table(("parameter", "in", "type", "meaning"), listed)] if listed else []
    ok = told["responses"]["200"]
    shape = ok.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    parts.append(f"Gives {_linked(shape)}.\n" if shape else f"{ok['description']}\n")
    return "\n".join(parts)


def _query(question: Any) -> str:
    query = question.query
    rows = [
        (f"`{name}`", each.type, "required" if each.is_required else md.code(json.dumps(each.default)), each.description or "")
        for name, each in query.parameters.items()
    ]
    return f"### {query.name}\n\n{query.description}\n\n" + md.table(("parameter", "type", "default", "meaning"), rows)


def _model(name: str, schema: Schema) -> str:
    rows = [(f"`{key}`", _schema_of(field), field.get("description", "")) for key, field in schema["properties"].items()]
    return f"### {_titled(name)}\n\n{schema['description']}\n\n" + md.table(("member", "type", "meaning"), rows)


def _titled(name: str) -> str:
    return name.removesuffix("Model")


def _linked(name: str) -> str:
    return f"[{_titled(name)}](#{md.anchor(_titled(name))})"


def _schema_of(schema: Schema, is_required: bool = False) -> str:
    """A JSON Schema type in words."""
    said = _words(schema)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    said = " ".join([said, *bounds])
    if is_required:
        return f"{said}, required"
    default = schema.get("default")
    return f"{said}, {md.code(default)} when left out" if default not in (None, "") else said


def _words(schema: Schema) -> str:
    if "$ref" in schema:
        return _linked(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_words(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_words(schema['items'])}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"map to {_words(values)}" if isinstance(values, dict) and values else "object"
    return {"string": "text", "integer": "whole number", None: "any"}.get(schema.get("type"), str(schema.get("type")))
