"""`/healthz` and `/readyz`, for whoever watches the process; the types of problems, and the page that shows how to ask."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.answers import encoded, respond
from api.models import HealthModel
from api.problems import KINDS, RETRY_SECONDS, TYPES_PATH, Problem
from api.served import Served
from lake import paths

PATIENCE_SECONDS = 2.0
#: What the page may do: run its own script and ask this server.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'"


def health_routes(served: Served) -> APIRouter:
    """The routes, over what is served."""
    router = APIRouter(tags=["health"], default_response_class=Response)

    def store() -> object:
        return served.objects.bytes_of(f"{paths.STATE}/ready")

    def catalog() -> object:
        return served.shelf.known()

    watcher = _Watcher({"store": store, "catalog": catalog})
    served.closing.append(watcher.close)

    @router.get("/healthz", summary="Whether the process lives", responses={200: {"model": HealthModel}})
    async def healthz(request: Request) -> Response:
        return respond(request, encoded({"status": "ok"}))

    @router.get(
        "/readyz",
        summary="Whether store and catalog answer",
        responses={200: {"model": HealthModel}, 503: {"description": "`unavailable`: `failing` names what does not answer."}},
    )
    async def readyz(request: Request) -> Response:
        failing = await watcher.failing()
        if failing:
            said = f"{' and '.join(failing)} {'does' if len(failing) == 1 else 'do'} not answer"
            raise Problem("unavailable", said, {"Retry-After": RETRY_SECONDS}, failing=failing)
        return respond(request, encoded({"status": "ok"}))

    @router.get(f"{TYPES_PATH}/{{name}}", include_in_schema=False)
    async def problem(request: Request, name: str) -> Response:
        if name not in KINDS:
            raise Problem("not-found", f"no problem {name[:80]!r}, expected one of {', '.join(KINDS)}")
        kind = KINDS[name]
        return respond(request, encoded({"title": kind.title, "status": kind.status, "meaning": kind.meaning}))

    @router.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        page = (files("api") / "docs.html").read_text("utf-8")
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    return router


class _Watcher:
    """Asks every probe in a thread of its own; one that still hangs is not asked again meanwhile."""

    def __init__(self, probes: dict[str, Callable[[], object]]) -> None:
        self._probes = probes
        self._threads = ThreadPoolExecutor(len(probes), "probe")
        self._asked: dict[str, asyncio.Future[object]] = {}

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def failing(self) -> list[str]:
        """Names of those that do not answer in time."""
        loop = asyncio.get_running_loop()
        for name, probe in self._probes.items():
            if name not in self._asked or self._asked[name].done():
                self._asked[name] = loop.run_in_executor(self._threads, probe)
        await asyncio.wait(self._asked.values(), timeout=PATIENCE_SECONDS)
        return [name for name, asked in self._asked.items() if not asked.done() or asked.exception()]
