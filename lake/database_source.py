"""What a source in a database declares."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration
from lake.source import Source

#: One part of a table's name: bare without a dot, or in double quotes.
PART = r'"(?:[^"]|"")+"|[^."]+'
TABLE = re.compile(rf"(?:(?P<schema>{PART})\.)?(?P<table>{PART})")
LAG = re.compile(r"(?P<number>\d+)(?: (?P<unit>second|minute|hour|day)s?)?")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Tls(Declaration):
    """Whether the connection is encrypted, and how the server proves who it is."""

    mode: Literal["verify_identity", "verify_ca", "off"] = Field(
        default="verify_identity",
        description="verify_identity: certificate and host name; verify_ca: certificate alone; off: no encryption",
    )
    ca: str | None = Field(default=None, description="PEM file of the authority; the system's own authorities when left out")

    @model_validator(mode="after")
    def _ca_is_used(self) -> "Tls":
        if self.mode == "off" and self.ca:
            raise ValueError("ca belongs to mode verify_identity or verify_ca")
        return self


class Cursor(Declaration):
    """The column by which only new and changed rows are read."""

    column: str = Field(description="name in the database of a column that only grows: a number, a date or a time")
    lag: str = Field(
        default="0",
        description="how far behind the largest value is read again, for rows that were committed late: `10 minutes`, or a number",
    )
    start: str | None = Field(default=None, description="smallest value that the first run reads; all when left out")

    @field_validator("lag", "start", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("lag")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not LAG.fullmatch(value):
            raise ValueError("expected a whole number, or one with second(s), minute(s), hour(s) or day(s)")
        return value

    @property
    def lag_number(self) -> int:
        """The lag in the column's own unit; seconds for times."""
        match = LAG.fullmatch(self.lag)
        assert match
        return int(match["number"]) * SECONDS[match["unit"] or "second"]


class DatabaseSource(Source):
    """A table, view or query of a MySQL, MariaDB or PostgreSQL database."""

    kind: Literal["database"]
    url: str = Field(
        description="mysql://, mariadb:// or postgresql://user:password@host:port/database, best as one ${env:...} reference"
    )
    table: str | None = Field(default=None, description='table or view to read: `name`, `schema.name` or `"odd.name"`')
    query: str | None = Field(default=None, description="one SELECT to read in place of a table")
    cursor: Cursor | None = Field(default=None, description="read only what is new since the last run; needs append or merge")
    deletes: Literal["kept", "key_sweep"] = Field(
        default="kept",
        description="what becomes of rows that are deleted in the database: kept: they stay in the trusted table; key_sweep: each run "
        "also reads the key of every row there is, and rows whose key is gone leave the table; needs merge",
    )
    chunk_rows: int = Field(
        default=200_000,
        ge=1,
        le=1_000_000,
        description="rows of one statement and checkpoint, where the table has a unique key",
    )
    tls: Tls = Field(default=Tls(mode="off"), description="encryption of the connection and proof of the server")
    timeout_seconds: float = Field(
        default=300, gt=0, description="longest run of one statement, and longest wait for the server's answer"
    )

    @field_validator("table")
    @classmethod
    def _table_name(cls, value: str | None) -> str | None:
        if value is not None and not TABLE.fullmatch(value):
            raise ValueError('expected name, schema.name, or a part with a dot or quote as "odd.name"')
        return value

    @model_validator(mode="after")
    def _one_relation(self) -> "DatabaseSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("expected exactly one of table and query")
        if self.cursor and self.load == "snapshot":
            raise ValueError("cursor: got load snapshot, expected append or merge: a part of the rows is not the whole truth")
        return self

    @model_validator(mode="after")
    def _keys_can_be_swept(self) -> "DatabaseSource":
        if not self.sweeps_keys:
            return self
        if self.load != "merge":
            why = "forgets deleted rows by itself" if self.load == "snapshot" else "forgets no row"
            raise ValueError(f"deletes: got key_sweep with load {self.load}, expected merge: {self.load} {why}")
        for field in self.key_fields:
            if field.startswith("@"):
                raise ValueError(f"deletes: got a key column from {field!r}, expected one from a column of the table or query")
        return self

    @property
    def sweeps_keys(self) -> bool:
        """Whether each run also brings the key of every row there is."""
        return self.deletes == "key_sweep"

    @property
    def is_brought_whole(self) -> bool:
        """Whether no row is left out because it is older than the cursor's start."""
        return self.cursor is None or self.cursor.start is None

    @property
    def key_fields(self) -> list[str]:
        """Names in the database of the key's columns."""
        return list(dict.fromkeys(self.columns[name].from_ or name for name in self.key))

    @property
    def table_parts(self) -> tuple[str | None, str]:
        """Schema, or None, and table without quotes."""
        match = TABLE.fullmatch(self.table or "")
        assert match
        return (_bare(match["schema"]) if match["schema"] else None), _bare(match["table"])

    def decoding_options(self) -> dict[str, Any]:
        """Originals of every table are decoded alike."""
        return {"kind": self.kind}


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
