"""The answers' shapes, for the OpenAPI document; the answers themselves are written by `api.answers`."""

from typing import Any

from pydantic import BaseModel, Field

SNAPSHOT = "id of the snapshot, as text because it is beyond 2^53"
INSTANT = "ISO 8601, UTC"


class ColumnModel(BaseModel):
    """A column of an answer."""

    name: str = Field(examples=["revenue"])
    type: str = Field(
        description="as Athena spells it; `decimal` is sent as text, `bigint` as text when beyond 2^53",
        examples=["decimal(20,2)"],
    )


class TableColumnModel(ColumnModel):
    """A column of a table."""

    meaning: str = Field(description="what it means, with its unit", examples=["units times the current price in USD"])
    is_lineage: bool = Field(description="it says where the row came from, and is given when asked for by name")


class InputModel(BaseModel):
    """What a table was built from."""

    name: str = Field(description="a source, or a table", examples=["trusted.products"])
    publish: int | None = Field(default=None, description="which publish of the table")
    snapshot: str | None = Field(default=None, description=SNAPSHOT)
    run: str | None = Field(default=None, description="which raw run of the source")
    seq: int | None = Field(default=None, description="which run of that source, counted from 1")


class FreshModel(BaseModel):
    """How old a table is, and whether that is as promised."""

    published_at: str | None = Field(description=INSTANT, examples=["2026-01-31T12:30:00.123Z"])
    age_seconds: int | None = Field(description="how long ago that was", examples=[240])
    as_of: str | None = Field(
        description="it holds all that its inputs had then; null when that is not known. " + INSTANT,
        examples=["2026-01-31T12:28:00Z"],
    )
    because: str | None = Field(
        description="what happened then: a source was asked, or something came that is not in it",
        examples=["publish 7 of trusted.products is not in it"],
    )
    fresh_within: str | None = Field(
        description="the promise: `as_of` is no longer ago than this; null where there is none", examples=["1 day"]
    )
    is_kept: bool | None = Field(description="whether the promise is kept now; null where there is none", examples=[True])


class TableSummaryModel(FreshModel):
    """A table, in short."""

    table: str = Field(examples=["refined.product_sales"])
    description: str = Field(
        description="begins with the grain", examples=["One row per product of the catalogue, sold or not."]
    )
    rows: int | None = Field(examples=[20])
    publish: int | None = Field(
        description="number of the publish that is shown; null for tables that are appended to", examples=[3]
    )
    href: str = Field(description="where the table is described", examples=["/v1/tables/refined.product_sales"])


class TablesModel(BaseModel):
    """All tables that are served."""

    tables: list[TableSummaryModel]


class TableModel(FreshModel):
    """A table in full, at its current snapshot."""

    table: str = Field(examples=["refined.product_sales"])
    description: str
    rows: int | None
    snapshot: str | None = Field(description=SNAPSHOT)
    publish: int | None
    schedule: str | None = Field(description="when its source is asked, as a cron expression in UTC; null for refined tables")
    key: list[str] = Field(description="columns that identify a row; empty when there are none", examples=[["product_id"]])
    columns: list[TableColumnModel]
    inputs: list[InputModel]
    href: str = Field(description="where its rows are", examples=["/v1/tables/refined.product_sales/rows"])


class RowsModel(BaseModel):
    """A page of rows; all pages that `next` leads to are of one snapshot."""

    table: str
    snapshot: str | None = Field(description=SNAPSHOT)
    publish: int | None
    published_at: str | None = Field(description=INSTANT)
    columns: list[ColumnModel]
    rows: list[dict[str, Any]] = Field(examples=[[{"product_id": 1, "revenue": "329.85"}]])
    next: str | None = Field(description="address of the next page; null on the last one")
    next_cursor: str | None = Field(description="the `cursor` of that address")


class ParameterModel(BaseModel):
    """A parameter of a named query."""

    name: str = Field(examples=["minimum"])
    type: str = Field(examples=["decimal(20,2)"])
    required: bool
    default: Any = Field(default=None, description="what counts when it is left out")
    description: str = Field(examples=["least revenue in USD"])


class QueryModel(BaseModel):
    """A named query."""

    query: str = Field(examples=["revenue_by_category"])
    description: str
    parameters: list[ParameterModel]
    href: str = Field(examples=["/v1/queries/revenue_by_category"])


class QueriesModel(BaseModel):
    """All named queries."""

    queries: list[QueryModel]


class ReadModel(BaseModel):
    """The state at which a table was read."""

    snapshot: str | None = Field(description=SNAPSHOT)
    publish: int | None


class QueryAnswerModel(BaseModel):
    """The whole answer of a named query."""

    query: str
    parameters: dict[str, Any] = Field(description="the values that counted", examples=[{"minimum": "100.00"}])
    tables: dict[str, ReadModel] = Field(description="what was read")
    columns: list[ColumnModel]
    rows: list[dict[str, Any]]


class RunModel(BaseModel):
    """A run, in short."""

    run: str = Field(examples=["01JZ8Q4M3T1V5W7X9YABCDEFGH"])
    verb: str | None = Field(examples=["run"])
    started_at: str | None = Field(description=INSTANT)
    ended_at: str | None = Field(description="null while it goes on, and for a run that was killed")
    seconds: float | None
    exit_code: int | None = Field(description="as the command line ended; null while it goes on")
    published: list[str] = Field(description="tables that it published")
    href: str


class RunsModel(BaseModel):
    """Runs, newest first."""

    runs: list[RunModel]
    next: str | None = Field(description="address of older runs; null when there are none")


class HealthModel(BaseModel):
    """The process lives, or every part of the lake answers."""

    status: str = Field(examples=["ok"])


class ProblemModel(BaseModel):
    """Problem details (RFC 9457), sent as application/problem+json."""

    type: str = Field(description="address of the type, which says what it wants", examples=["/v1/problems/invalid-parameter"])
    title: str = Field(examples=["A parameter is wrong"])
    status: int = Field(examples=[422])
    detail: str = Field(
        examples=["price.gt: got 'x', expected a number with at most 8 digits before the point and 2 behind it"]
    )
    instance: str = Field(description="path that was asked", examples=["/v1/tables/trusted.products/rows"])
    request_id: str = Field(description="what the log calls this request")
    errors: list[dict[str, str]] | None = Field(default=None, description="every wrong parameter: `parameter` and `detail`")
