"""Expectations of a whole table, declared beside it and held at its gate."""

from typing import Annotated, Literal

from pydantic import Field

from lake.columns import Declaration


class RowCount(Declaration):
    """The table has between `min` and `max` rows."""

    rule: Literal["row_count"]
    min: int = 0
    max: int | None = None


class Unique(Declaration):
    """No two rows share the values of `columns`."""

    rule: Literal["unique"]
    columns: list[str] = Field(min_length=1)


class NotNull(Declaration):
    """`columns` hold no null."""

    rule: Literal["not_null"]
    columns: list[str] = Field(min_length=1)


class References(Declaration):
    """Every value of `column` that is not null occurs in column `to` of `table`."""

    rule: Literal["references"]
    column: str
    table: str
    to: str


class Holds(Declaration):
    """`equation`, a condition in Spark SQL over one row, is false for no row."""

    rule: Literal["holds"]
    equation: str


class Total(Declaration):
    """`equation`, a condition in Spark SQL over aggregates of the table, is true (`sum(units) >= count(*)`)."""

    rule: Literal["total"]
    equation: str


class Fresh(Declaration):
    """The newest `column` is at most `hours` old when the table is built."""

    rule: Literal["fresh"]
    column: str
    hours: float


Expectation = Annotated[RowCount | Unique | NotNull | References | Holds | Total | Fresh, Field(discriminator="rule")]
