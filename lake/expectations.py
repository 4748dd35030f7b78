"""Expectations of a whole table, declared beside it and held at its gate."""

from typing import Annotated, Literal

from pydantic import Field

from lake.columns import Declaration


class RowCount(Declaration):
    """The table has between `min` and `max` rows."""

    rule: Literal["row_count"]
    min: int = Field(default=0, description="fewest rows allowed")
    max: int | None = Field(default=None, description="most rows allowed")


class Unique(Declaration):
    """No two rows share the values of `columns`."""

    rule: Literal["unique"]
    columns: list[str] = Field(min_length=1, description="columns that are unique together")


class NotNull(Declaration):
    """`columns` hold no null."""

    rule: Literal["not_null"]
    columns: list[str] = Field(min_length=1, description="columns that are always there")


class References(Declaration):
    """Every value of `column` that is not null occurs in column `to` of `table`."""

    rule: Literal["references"]
    column: str = Field(description="column of this table")
    table: str = Field(description="name of a source or refined table")
    to: str = Field(description="column of that table")


class Holds(Declaration):
    """`equation`, a condition in Spark SQL over one row, is false for no row."""

    rule: Literal["holds"]
    equation: str = Field(description="condition such as `units >= carts`")


class Total(Declaration):
    """`equation`, a condition in Spark SQL over aggregates of the table, is true (`sum(units) >= count(*)`)."""

    rule: Literal["total"]
    equation: str = Field(description="condition such as `sum(units) >= count(*)`")


class Fresh(Declaration):
    """The newest `column` is at most `hours` old when the table is built."""

    rule: Literal["fresh"]
    column: str = Field(description="a date or timestamp")
    hours: float = Field(description="greatest age")


Expectation = Annotated[RowCount | Unique | NotNull | References | Holds | Total | Fresh, Field(discriminator="rule")]
