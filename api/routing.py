"""What the routes share: how a problem is documented, and the address of another answer."""

from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel
from starlette.requests import Request

from api.problems import KINDS, PROBLEM_JSON

Responses = dict[int | str, dict[str, Any]]
#: What may happen to any question.
COMMON = ("key-required", "internal", "busy", "unavailable", "time-limit")


def documented(model: type[BaseModel], said: str, *problems: str) -> Responses:
    """The answers of a route: what it gives, and which problems it may have, by status."""
    responses: Responses = {200: {"model": model, "description": said}}
    for name in (*problems, *COMMON):
        kind = KINDS[name]
        told = f"`{name}`: {kind.meaning}"
        known = responses.setdefault(
            kind.status,
            {"description": "", "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}}},
        )
        known["description"] = f"{known['description']} {told}".strip()
    return responses


def href(request: Request, *parts: str, **query: str) -> str:
    """Address of another answer, without host: it is the one that was asked."""
    path = "/".join(quote(part, safe="") for part in parts)
    return f"{request.scope.get('root_path', '')}/v1/{path}" + (f"?{urlencode(query)}" if query else "")
