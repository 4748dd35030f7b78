"""`/v1/runs`: what the lake did, newest first."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from ulid import ULID

from api.answers import encoded, plain, respond
from api.models import RunsModel
from api.problems import Problem, wrong_parameters
from api.routing import documented, href
from api.served import Served
from lake.kept import Kept
from store.documents import Document
from store.runs import newest_run_ids, read_record

MOST = 100


def run_routes(served: Served) -> APIRouter:
    """The routes, over what is served."""
    router = APIRouter(prefix="/v1/runs", tags=["runs"], default_response_class=Response)
    ended: Kept[str, Document] = Kept(1000)

    def record_of(run: str) -> Document | None:
        """The record of a run; one that has ended never changes."""
        found = ended.get(run) or read_record(served.objects, run)
        return ended.put(run, found) if found and "exit_code" in found else found

    @router.get("", summary="Runs, newest first", responses=documented(RunsModel, "A page of runs.", "invalid-parameter"))
    async def runs(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST, description="most runs of the page")] = 20,
        before: Annotated[str | None, Query(description="only runs older than this one")] = None,
    ) -> Response:
        if before is not None and not _is_run(before):
            raise wrong_parameters({"before": f"got {before[:80]!r}, expected the id of a run"})

        def listed(_: float) -> Response:
            ids = newest_run_ids(served.objects, limit + 1, before)
            with ThreadPoolExecutor(8) as pool:
                records = list(pool.map(record_of, ids[:limit]))
            shown = [_short(request, run, record or {}) for run, record in zip(ids, records, strict=False)]
            older = href(request, "runs", limit=str(limit), before=ids[limit - 1]) if len(ids) > limit else None
            return respond(request, encoded(plain({"runs": shown, "next": older})))

        return await served.desk.ask(listed)

    @router.get(
        "/{run}",
        summary="One run",
        responses={200: {"description": "The run's record, as `lake runs show` prints it."}, **_others()},
    )
    async def run(request: Request, run: str) -> Response:
        def found(_: float) -> Response:
            record = record_of(run) if _is_run(run) else None
            if record is None:
                raise Problem("not-found", f"no run {run[:80]!r}; /v1/runs lists those there are")
            return respond(request, encoded(plain({"run": run, **record})))

        return await served.desk.ask(found)

    return router


def _others() -> dict[int | str, dict[str, Any]]:
    return {status: told for status, told in documented(RunsModel, "", "not-found").items() if status != 200}


def _is_run(text: str) -> bool:
    try:
        return str(ULID.from_str(text)) == text
    except ValueError:
        return False


def _short(request: Request, run: str, record: Document) -> dict[str, Any]:
    """A run in short."""
    tables = record.get("tables", {})
    return {
        "run": run,
        "verb": record.get("verb"),
        "started_at": record.get("started_at"),
        "ended_at": record.get("ended_at"),
        "seconds": record.get("seconds"),
        "exit_code": record.get("exit_code"),
        "published": sorted(name for name, table in tables.items() if table.get("outcome") == "published"),
        "href": href(request, "runs", run),
    }
