"""Columns and checks of a source: what a declared column is and which rules its rows must keep."""

import re
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

NAME = re.compile(r"[a-z][a-z0-9_]*")
DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")
SIMPLE_TYPES = ("string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "date", "timestamp")


class Declaration(BaseModel):
    """A part of a YAML file: frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def checked_type(value: str) -> str:
    """The column type in its one spelling.

    Raises ValueError that lists the types there are.
    """
    spelled = value.replace(" ", "").lower()
    match = DECIMAL.fullmatch(spelled)
    if spelled in SIMPLE_TYPES:
        return spelled
    if match and 1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
        return spelled
    raise ValueError(f"expected {', '.join(SIMPLE_TYPES)} or decimal(1..38,scale)")


#: Iceberg has no smaller integers: these are checked as declared and kept as int.
STORED = {"tinyint": "int", "smallint": "int"}


def stored_type(type_: str) -> str:
    """The type that a declared column has in its table."""
    return STORED.get(type_, type_)


def is_wider(narrow: str, wide: str) -> bool:
    """Whether a table's column can become `wide` without its files being written again."""
    if (stored_type(narrow), wide) in (("int", "bigint"), ("float", "double")) or (narrow, wide) in (
        ("tinyint", "smallint"),
        ("tinyint", "int"),
        ("smallint", "int"),
    ):
        return True
    before, after = DECIMAL.fullmatch(narrow), DECIMAL.fullmatch(wide)
    return bool(before and after and before[2] == after[2] and int(before[1]) < int(after[1]))


def checked_name(value: str) -> str:
    """A name that works as a folder, a table and a column.

    Raises ValueError that says what a name looks like.
    """
    if not NAME.fullmatch(value):
        raise ValueError("expected lower-case letters, digits and _, beginning with a letter")
    return value


class Column(Declaration):
    """One column: its type, where it comes from, and how its text is to be read."""

    type: str = Field(
        description="string, boolean, tinyint, smallint, int, bigint, float, double, date, timestamp or decimal(p,s)"
    )
    from_: str | None = Field(
        default=None,
        alias="from",
        description="path in the record (`rating.rate`), header name, `$` the record itself, `@index` position of an exploded child, "
        "`@name` a request parameter, `#3` the third field of a CSV record; the column's own name when left out",
    )
    required: bool = Field(default=False, description="null is a fault; key columns always are required")
    pii: bool = Field(default=False, description="stays in raw: never in trusted, quarantine, logs or messages")
    format: str | None = Field(
        default=None, description="Spark pattern of a date or timestamp, or `epoch_s`, `epoch_ms`; ISO 8601 when left out"
    )
    zone: str | None = Field(default=None, description="zone of timestamps that carry none, such as America/New_York")
    on_overlap: Literal["fault", "earlier", "later"] = Field(
        default="fault", description="which instant a local time means that a clock change repeats"
    )
    widen: list[str] = Field(
        default=[], description="wider types the column may take on, narrowest first (with `changes: evolve`)"
    )
    description: str | None = Field(default=None, description="what the column means, with its unit")

    _type = field_validator("type")(checked_type)

    @model_validator(mode="after")
    def _wider_each(self) -> "Column":
        for narrow, wide in pairwise([self.type, *self.widen]):
            if not is_wider(narrow, checked_type(wide)):
                raise ValueError(
                    f"widen: got {wide!r} behind {narrow!r}, expected int -> bigint, float -> double, or a decimal with more digits"
                )
        return self

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError("expected a zone of the IANA database, such as UTC or Europe/Madrid")
        return value

    @model_validator(mode="after")
    def _format_fits(self) -> "Column":
        if self.type not in ("date", "timestamp") and (self.format or self.zone):
            raise ValueError("format and zone belong to date and timestamp columns")
        if (
            self.type == "timestamp"
            and self.format
            and not self.format.startswith("epoch_")
            and not self.zone
            and not set("XxVzO") & set(self.format)
        ):
            raise ValueError("zone: expected one, such as UTC or Europe/Madrid: times of this format carry none")
        return self


def column_from(value: Any) -> Any:
    """The short form `price: decimal(10,2)` written out."""
    return {"type": value} if isinstance(value, str) else value


OnFail = Literal["warn", "quarantine", "halt"]
ON_FAIL = "warn counts the row; quarantine rejects it; halt stops the table"


class RowCheck(Declaration):
    """What every row's column must keep; null passes (use `required` for that)."""

    column: str = Field(description="the column that is checked")
    on_fail: OnFail = Field(default="quarantine", description=ON_FAIL)


class Between(RowCheck):
    """`low` <= column <= `high`; either end may be left open."""

    rule: Literal["between"]
    low: float | int | str | None = Field(default=None, description="smallest value allowed")
    high: float | int | str | None = Field(default=None, description="largest value allowed")

    @model_validator(mode="after")
    def _one_end(self) -> "Between":
        if self.low is None and self.high is None:
            raise ValueError("between needs low, high or both")
        return self


class OneOf(RowCheck):
    """The column is one of `values`."""

    rule: Literal["in"]
    values: list[str | int | float | bool] = Field(min_length=1, description="the values allowed")


class Matches(RowCheck):
    """The whole text matches the regular expression `pattern` (Java's syntax)."""

    rule: Literal["matches"]
    pattern: str = Field(description="regular expression for the whole text")


class Expression(Declaration):
    """A condition in Spark SQL over the row's columns that must not be false."""

    rule: Literal["expression"]
    expression: str = Field(description="condition such as `low <= high`")
    column: str | None = Field(default=None, description="the column that quarantine names")
    on_fail: OnFail = Field(default="quarantine", description=ON_FAIL)


Check = Annotated[Between | OneOf | Matches | Expression, Field(discriminator="rule")]
