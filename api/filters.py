"""Conditions on rows: parameters `column.operator=value`, made into SQL whose values are bound."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from api.tables import Column
from sql.engine import Parameter
from sql.values import is_comparable, placeholder, value_of
from sql.words import near

MOST_CONDITIONS = 50
MOST_VALUES = 1000
COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
#: operator -> what it means.
OPERATORS = {
    "eq": "equal; also written `column=value`",
    "ne": "other than; a null is neither equal nor other",
    "lt": "less than",
    "le": "at most",
    "gt": "greater than",
    "ge": "at least",
    "in": 'one of several, separated by commas; one that holds a comma stands in double quotes: `a,"b,c"`',
    "like": "text that matches; `%` stands for any text, `_` for one character, `\\` makes the next one plain",
    "prefix": "text that begins with this",
    "null": "`true`: there is no value; `false`: there is one",
}
TEXT_ONLY = ("like", "prefix")


@dataclass(frozen=True)
class Condition:
    """A condition in SQL, the values of its `?`, and the column that has one value in all rows that meet it."""

    sql: str
    values: tuple[Parameter, ...] = ()
    fixed: str = ""


def quoted(name: str) -> str:
    """The name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def conditions(
    given: Iterable[tuple[str, str]], columns: Mapping[str, Column], reserved: Iterable[str]
) -> tuple[list[Condition], list[tuple[str, str]]]:
    """The conditions among the parameters, and what is wrong with them, by parameter; all of them must hold."""
    found: list[Condition] = []
    wrong: list[tuple[str, str]] = []
    for name, text in given:
        if name in reserved:
            continue
        try:
            found.append(_condition(name, text, columns))
        except ValueError as error:
            wrong.append((name[:100], str(error)))
    if len(found) > MOST_CONDITIONS:
        wrong.append(("filters", f"got {len(found)} conditions, expected at most {MOST_CONDITIONS}"))
    return found, wrong


def _condition(parameter: str, text: str, columns: Mapping[str, Column]) -> Condition:
    """The condition of one parameter.

    Raises ValueError that says what was expected.
    """
    name, dot, operator = parameter.rpartition(".")
    if not dot:
        name, operator = parameter, "eq"
    if name not in columns:
        raise ValueError(f"no column {name[:80]!r}; {near(name, columns)}")
    if operator not in OPERATORS:
        raise ValueError(f"no operator {operator[:80]!r}; {near(operator, OPERATORS)}")
    column = columns[name]
    if operator == "null":
        if text not in ("true", "false"):
            raise ValueError(f"got {text[:80]!r}, expected true or false")
        return Condition(f"{quoted(name)} IS {'' if text == 'true' else 'NOT '}NULL")
    if not is_comparable(column.type):
        raise ValueError(f"a column of type {column.type} cannot be compared; only its `null` can be asked")
    if operator in TEXT_ONLY and column.type != "varchar":
        raise ValueError(f"{operator} is for text, and the column is of type {column.type}")
    texts = _several(text) if operator == "in" else [text]
    values = tuple(_value(each, column) for each in texts)
    return Condition(_sql(operator, quoted(name), column.type, len(texts)), values, name if operator == "eq" else "")


def _sql(operator: str, name: str, type_: str, count: int) -> str:
    mark = placeholder(type_)
    forms: dict[str, Callable[[], str]] = {
        "in": lambda: f"{name} IN ({', '.join([mark] * count)})",
        "like": lambda: f"{name} LIKE {mark} ESCAPE '\\'",
        "prefix": lambda: f"starts_with({name}, {mark})",
    }
    return forms[operator]() if operator in forms else f"{name} {COMPARISONS[operator]} {mark}"


def _value(text: str, column: Column) -> Parameter:
    try:
        return value_of(text, column.type)
    except ValueError as error:
        raise ValueError(f"got {text[:80]!r}, {error}") from None


def _several(text: str) -> list[str]:
    """The values of a list."""
    try:
        values = next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise ValueError('expected values separated by commas, such as a,"b,c"') from None
    if len(values) > MOST_VALUES:
        raise ValueError(f"got {len(values)} values, expected at most {MOST_VALUES}")
    return values or [""]
