"""The order of rows, and where in it a page begins; nulls come last, whichever the direction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from api.filters import Condition, quoted
from sql.engine import Parameter
from sql.values import FLOATS, placeholder, value_of

NOTHING = Condition("1 = 0")


@dataclass(frozen=True)
class Sort:
    """A column of the order, and its direction."""

    name: str
    type: str
    is_descending: bool = False

    @property
    def sql(self) -> str:
        """As it stands behind ORDER BY."""
        return f"{quoted(self.name)} {'DESC' if self.is_descending else 'ASC'} NULLS LAST"


def not_before(order: Sequence[Sort], place: Sequence[Parameter]) -> Condition:
    """The rows at a place of the order or after it."""
    sort, value = order[0], place[0]
    after, same = _after(sort, value), _same(sort, value)
    if len(order) > 1:
        rest = not_before(order[1:], place[1:])
        same = Condition(f"({same.sql} AND {rest.sql})", same.values + rest.values)
    if after is NOTHING:
        return same
    return Condition(f"({after.sql} OR {same.sql})", after.values + same.values)


def place_of(texts: Sequence[str | None], order: Sequence[Sort]) -> list[Parameter]:
    """The values of a place from their texts.

    Raises ValueError when they are not values of the order's columns.
    """
    if len(texts) != len(order):
        raise ValueError(f"expected {len(order)} values")
    return [None if text is None else _value(text, sort.type) for text, sort in zip(texts, order, strict=True)]


def _value(text: str, type_: str) -> Parameter:
    if type_ in FLOATS and text in ("nan", "inf", "-inf"):
        return float(text)
    return value_of(text, type_)


def _is_nan(value: Parameter) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _same(sort: Sort, value: Parameter) -> Condition:
    name = quoted(sort.name)
    if value is None:
        return Condition(f"{name} IS NULL")
    if _is_nan(value):
        return Condition(f"is_nan({name})")
    return Condition(f"{name} = {placeholder(sort.type)}", (value,))


def _after(sort: Sort, value: Parameter) -> Condition:
    """Rows whose column comes after the value; NaN is greater than every number, as Trino and DuckDB order it."""
    name = quoted(sort.name)
    if value is None:
        return NOTHING
    if _is_nan(value):
        greater = f"NOT is_nan({name}) OR " if sort.is_descending else ""
        return Condition(f"({greater}{name} IS NULL)")
    nan = f" OR is_nan({name})" if sort.type in FLOATS and not sort.is_descending else ""
    sign = "<" if sort.is_descending else ">"
    return Condition(f"({name} {sign} {placeholder(sort.type)}{nan} OR {name} IS NULL)", (value,))
