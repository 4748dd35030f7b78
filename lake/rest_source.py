"""What a REST source declares."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration
from lake.rest_auth import Auth
from lake.rest_paging import OnePage, Pagination, kind_from
from lake.source import Source

CURSOR_TYPES = ("tinyint", "smallint", "int", "bigint", "date", "timestamp")


class Each(Declaration):
    """One request per value of a column of another source."""

    source: str = Field(description="name of the other source")
    column: str = Field(description="its column; one request per distinct value")


class Records(Declaration):
    """Where the records are, for an object whose keys are ids."""

    path: str | None = Field(default=None, description="path in the body; the body itself when left out")
    keyed_by: str = Field(description="column that takes the keys of the object at the path; its values are the records")


class RestCursor(Declaration):
    """Only records that are new since the last run: those behind the greatest value of a column."""

    column: str = Field(description=f"column of type {', '.join(CURSOR_TYPES)}")
    param: str | None = Field(default=None, description="query parameter that takes the value; or write {from} where it goes")
    until: str | None = Field(default=None, description="query parameter that takes the end of a window (`lake ingest --to`)")
    lag: str = Field(
        default="0",
        pattern=r"^\d+[smhd]?$",
        description="ask again for so much before the cursor: 30s, 15m, 2h, 1d, or a number for integers; merge by key drops repeats",
    )
    start: str | int | None = Field(default=None, description="value of the first run; the parameter is left out without one")


class RestSource(Source):
    """A REST API that answers JSON."""

    kind: Literal["rest"]
    url: str = Field(
        description="address; `{name}` is replaced by a request parameter, `{from}`, `{to}` and `{date:%Y-%m-%d}` by instants"
    )
    parameters: dict[str, str | int | bool] = Field(
        default={}, description="query parameters; values may be references and hold what url may"
    )
    pagination: Pagination = Field(
        default=OnePage(kind="none"), description="none, page, offset, cursor, next_url or link_header, and what each needs"
    )
    auth: Auth | None = Field(default=None, description="api_key, basic, bearer or oauth2_client_credentials")
    cursor: RestCursor | None = Field(default=None, description="incremental: ask only for what is new")
    format: Literal["json", "jsonl"] = Field(default="json", description="json, or jsonl: one JSON value per line")
    records: str | Records | None = Field(
        default=None, description="path of the records in the body, or {path, keyed_by}; the body itself when left out"
    )
    explode: str | None = Field(
        default=None,
        description="path of a list in each record: one row per element; an empty list gives one row with @index 0",
    )
    no_rows: list[int | Literal["null", "empty"]] = Field(
        default=[], description="answers that mean no rows: statuses such as 404, a body `null`, an empty body"
    )
    on_empty: Literal["rows", "error"] = Field(default="rows", description="error: a run without any record is an error")
    for_each: dict[str, Each] = Field(default={}, description="request parameters taken from another source's newest run")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    rate_limit: float | None = Field(default=None, gt=0, description="requests per second and host, of all sources together")
    max_concurrency: int = Field(default=4, gt=0, description="requests at once and host, of all sources together")
    timeout_seconds: float = Field(default=30, gt=0, description="longest wait for one answer as a whole")
    connect_seconds: float = Field(default=10, gt=0, description="longest wait for a connection")
    read_seconds: float | None = Field(default=None, gt=0, description="longest silence of the server; the whole when left out")
    max_bytes: int = Field(default=100_000_000, gt=0, description="largest body accepted")

    _short = field_validator("pagination", mode="before")(kind_from)

    @model_validator(mode="after")
    def _parts_agree(self) -> "RestSource":
        if self.keyed_by and self.keyed_by not in self.columns:
            raise ValueError(f"records.keyed_by: got {self.keyed_by!r}, expected one of {', '.join(self.columns)}")
        if self.format == "jsonl" and (self.records or self.pagination.kind not in ("none", "link_header", "page", "offset")):
            raise ValueError("format jsonl has no body around its records: expected no records and pagination without a path")
        if self.cursor:
            self._check_cursor(self.cursor)
        return self

    def _check_cursor(self, cursor: RestCursor) -> None:
        fit = [name for name, column in self.columns.items() if column.type in CURSOR_TYPES]
        if cursor.column not in fit:
            raise ValueError(f"cursor.column: got {cursor.column!r}, expected one of {', '.join(fit) or 'none declared'}")
        if self.load == "snapshot":
            raise ValueError("cursor: got load snapshot, expected load append or merge: what is new is not the whole")
        column = self.columns[cursor.column]
        if self.explode and (column.from_ or cursor.column).startswith(f"{self.explode}."):
            raise ValueError("cursor.column: got a column of exploded children, expected one of the record")
        is_number = "int" in column.type or str(column.format).startswith("epoch")
        if is_number != cursor.lag.isdigit() and cursor.lag != "0":
            wanted = "a number" if is_number else "a duration such as 30s, 15m, 2h, 1d"
            raise ValueError(f"cursor.lag: got {cursor.lag!r}, expected {wanted}")

    @property
    def records_path(self) -> str | None:
        """Where in the body the records are."""
        return self.records.path if isinstance(self.records, Records) else self.records

    @property
    def keyed_by(self) -> str | None:
        """The column that takes the keys of an object whose values are the records."""
        return self.records.keyed_by if isinstance(self.records, Records) else None

    def decoding_options(self) -> dict[str, Any]:
        """Where the records are, and which answers hold none."""
        options = {"kind": self.kind, "records": self.records_path, "explode": self.explode}
        beside = {"keyed_by": self.keyed_by, "no_rows": self.no_rows, "format": self.format}
        return {**options, **{name: value for name, value in beside.items() if value and value != "json"}}
