"""The app, built by one function from settings: the same under uvicorn and behind a gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.envelope import Envelope
from api.health_routes import health_routes
from api.openapi import openapi_of
from api.problems import Problem, wrong_parameters
from api.query_routes import query_routes
from api.run_routes import run_routes
from api.served import Served
from api.table_routes import table_routes
from lake.settings import Settings

TAGS = [
    {"name": "tables", "description": "What the lake publishes, and its rows."},
    {"name": "queries", "description": "Questions written down in `sql/queries/`, with parameters."},
    {"name": "runs", "description": "What the lake did."},
    {"name": "health", "description": "For whoever watches the process; no key is needed."},
]


def make_app(settings: Settings) -> FastAPI:
    """The app over the lake that the settings name.

    Raises UsageError when a key, declaration or named query is wrong. No server is asked before the first request.
    """
    served = Served(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        served.warm()
        yield
        served.close()

    app = FastAPI(
        title="Embalse",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=TAGS,
        lifespan=lifespan,
    )
    for router in (table_routes(served), query_routes(served), run_routes(served), health_routes(served)):
        app.include_router(router)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(Envelope, keys=served.keys)
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        return document or (document.update(openapi_of(app, served.questions)) or document)

    app.state.served = served
    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _unfit(request: Request, error: Exception) -> NoReturn:
    """Parameters that do not fit their declaration."""
    assert isinstance(error, RequestValidationError)
    said = {}
    for each in error.errors():
        name = str(each["loc"][-1])
        given = each.get("input")
        shown = f"got {given[:80]!r}, " if isinstance(given, str) else ""
        said[name] = shown + each["msg"].replace("Input should be", "expected").replace(
            "a valid integer, unable", "a whole number, unable"
        )
    raise wrong_parameters(said) from error


def _refused(request: Request, error: Exception) -> NoReturn:
    """What the router has no answer for."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        raise Problem(
            "not-found", f"no path {request.url.path[:200]!r}; /openapi.json lists those there are", headers
        ) from error
    if error.status_code == 405:
        allowed = headers.get("Allow", headers.get("allow", "GET"))
        raise Problem("method-not-allowed", f"got {request.method}, expected {allowed}", headers) from error
    raise Problem("invalid-request", str(error.detail), headers) from error
