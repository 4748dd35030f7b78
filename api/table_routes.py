"""`/v1/tables`: which there are, what each holds, and its rows."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import encoded, known_tag, plain, respond, unchanged
from api.filters import OPERATORS
from api.models import RowsModel, TableModel, TablesModel
from api.routing import documented, href
from api.rows import Asked, answered, cursor_of, page_of
from api.served import Served
from api.tables import Table
from sql.engine import Terms
from store.freshness import Fresh, facts

DEFAULT_LIMIT = 100
FILTERS = {
    "name": "column.operator",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"price.ge": "10.00", "category.in": 'electronics,"men\'s clothing"'},
    "description": "Conditions that rows must meet, all of them: `column.operator=value`. "
    + "; ".join(f"`{operator}`: {meaning}" for operator, meaning in OPERATORS.items())
    + ".",
}


def table_routes(served: Served) -> APIRouter:
    """The routes, over what is served."""
    router = APIRouter(prefix="/v1/tables", tags=["tables"], default_response_class=Response)
    most = served.limits.max_rows

    @router.get("", summary="All tables", responses=documented(TablesModel, "What is published, by name."))
    async def tables(request: Request) -> Response:
        return await served.desk.ask(lambda _: respond(request, encoded(plain(_list(request, served)))))

    @router.get(
        "/{table}",
        summary="One table",
        responses=documented(TableModel, "Columns with their meaning, key, snapshot and inputs.", "not-found"),
    )
    async def table(request: Request, table: str) -> Response:
        def described(_: float) -> Response:
            with served.tables.held():
                found, now = served.shelf.table(table), datetime.now(UTC)
                wanted = served.declarations.upstream(found.name)
                fresh = served.freshness.of(served.shelf.histories(wanted), now, wanted).get(found.name)
            told = _description(request, found, _age(found, fresh, now))
            return respond(request, encoded(plain(told)), headers=_modified(found))

        return await served.desk.ask(described)

    @router.get(
        "/{table}/rows",
        summary="Rows of a table",
        responses=documented(RowsModel, "A page of rows.", "not-found", "expired-snapshot", "invalid-parameter"),
        openapi_extra={"parameters": [FILTERS]},
    )
    async def rows(
        request: Request,
        table: str,
        columns: Annotated[str, Query(description="names separated by commas; all but lineage when left out")] = "",
        sort: Annotated[
            str, Query(description="names separated by commas, `-` before one for descending; nulls last; then the table's key")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=most, description="most rows of the page")] = min(DEFAULT_LIMIT, most),
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before; the rest as it was")] = None,
    ) -> Response:
        asked = Asked(columns, sort, limit, cursor_of(cursor), request.query_params.multi_items())
        return await served.desk.ask(lambda seconds: _rows(request, served, table, asked, seconds))

    return router


def _rows(request: Request, served: Served, name: str, asked: Asked, seconds: float) -> Response:
    """A page of rows, or 304 without asking the engine when it is known."""
    with served.tables.held():
        return _page(request, served, name, asked, seconds)


def _page(request: Request, served: Served, name: str, asked: Asked, seconds: float) -> Response:
    found = served.shelf.table(name, asked.cursor.snapshot if asked.cursor else None)
    page = page_of(found, asked)
    etag = page.etag(served.limits.max_bytes)
    known = known_tag(request, etag)
    if known is not None:
        return unchanged(known)
    text, values = page.sql()
    at = {} if found.snapshot is None else {name: found.snapshot}
    answer = served.engine.ask(text, values, Terms(at, seconds))
    head, texts, cursor = answered(page, answer, served.limits.max_bytes)
    headers, after = _modified(found), None
    if cursor is not None:
        kept = [(key, value) for key, value in asked.given if key != "cursor"]
        after = f"{href(request, 'tables', name, 'rows')}?{urlencode([*kept, ('cursor', cursor.text())])}"
        headers["Link"] = f'<{after}>; rel="next"'
    tail = encoded({"next": after, "next_cursor": cursor.text() if cursor else None})
    body = b'%s,"rows":[%s],%s' % (encoded(head)[:-1], b",".join(texts), tail[1:])
    return respond(request, body, etag, headers)


def _list(request: Request, served: Served) -> dict[str, Any]:
    tables, now = served.shelf.all(), datetime.now(UTC)
    fresh = served.freshness.of({table.name: table.state.publications for table in tables}, now)
    return {
        "tables": [
            {
                "table": table.name,
                "description": table.declared.description,
                "rows": table.state.rows(table.snapshot),
                "publish": table.publication.get("number"),
                "published_at": table.published_at,
                **_age(table, fresh.get(table.name), now),
                "href": href(request, "tables", table.name),
            }
            for table in tables
        ]
    }


def _age(table: Table, fresh: Fresh | None, now: datetime) -> dict[str, Any]:
    """How long ago it was published, and as of when it holds its inputs."""
    return {"age_seconds": table.age_seconds(now), **facts(fresh)}


def _description(request: Request, table: Table, age: dict[str, Any]) -> dict[str, Any]:
    inputs = [
        {"name": name, "publish": at.get("number"), "snapshot": at.get("snapshot"), "run": at.get("run"), "seq": at.get("seq")}
        for name, at in table.publication.get("inputs", {}).items()
    ]
    return {
        "table": table.name,
        "description": table.declared.description,
        "rows": table.state.rows(table.snapshot),
        "snapshot": table.snapshot_text,
        "publish": table.publication.get("number"),
        "published_at": table.published_at,
        **age,
        "schedule": table.declared.schedule,
        "key": [column.name for column in table.key],
        "columns": [
            {"name": column.name, "type": column.type, "meaning": column.meaning, "is_lineage": column.is_lineage}
            for column in table.columns.values()
        ],
        "inputs": inputs,
        "href": href(request, "tables", table.name, "rows"),
    }


def _modified(table: Table) -> dict[str, str]:
    return {"Last-Modified": format_datetime(table.changed_at.astimezone(UTC), usegmt=True)}
