"""Rows of one table: what was asked for, as one question to the engine, and its answer as one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.answers import encoded, plain, tag_of
from api.cursor import Cursor, question_hash, read_cursor
from api.filters import Condition, conditions, quoted
from api.keyset import Sort, not_before, place_of
from api.problems import wrong_parameters
from api.tables import Column, Table
from sql.engine import Answer, Parameter
from sql.values import is_comparable, text_of
from sql.words import near

#: Parameters that are no filters; a column of such a name is filtered as `limit.eq`.
RESERVED = ("columns", "sort", "limit", "cursor")
#: Raised when the bytes of an answer change though the rows do not.
FORM = 1


@dataclass(frozen=True)
class Asked:
    """What was asked of a table's rows: parameters as they came."""

    columns: str
    sort: str
    limit: int
    cursor: Cursor | None
    given: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """A page to be asked for: which columns are shown, the order, the conditions, and where it begins."""

    table: Table
    shown: list[Column]
    order: list[Sort]
    tiebreak: list[Column]
    filters: list[Condition]
    limit: int
    cursor: Cursor | None
    question: str

    def etag(self, most_bytes: int) -> str:
        """Equal for equal answers: all that decides about the bytes of this page."""
        state = (self.table.name, self.table.snapshot, self.table.publication.get("number"))
        return tag_of(FORM, state, self.shown, self.question, self.limit, self.cursor, most_bytes)

    def sql(self) -> tuple[str, list[Parameter]]:
        """The question, and the values of its `?`; one row more than the page has, to see whether there is another."""
        begin = [not_before(self.order, place_of(self.cursor.place, self.order))] if self.cursor and self.order else []
        where = [*self.filters, *begin]
        names = dict.fromkeys([*(column.name for column in self.shown), *(sort.name for sort in self.order)])
        zone, _, name = self.table.name.partition(".")
        parts = [f"SELECT {', '.join(map(quoted, names))}", f"FROM {quoted(zone)}.{quoted(name)}"]
        parts += [f"WHERE {' AND '.join(condition.sql for condition in where)}"] if where else []
        fixed = {condition.fixed for condition in self.filters}
        ordered = [
            *(sort.sql for sort in self.order if sort.name not in fixed),
            *(f"{quoted(column.name)} ASC" for column in self.tiebreak),
        ]
        parts += [f"ORDER BY {', '.join(ordered)}"] if ordered else []
        parts += [f"OFFSET {self.cursor.equal}"] if self.cursor else []
        parts += [f"LIMIT {self.limit + 1}"]
        return " ".join(parts), [value for condition in where for value in condition.values]


def page_of(table: Table, asked: Asked) -> Page:
    """The page that was asked for.

    Raises Problem that names every parameter that is wrong.
    """
    wrong: list[tuple[str, str]] = []
    filters, unfit = conditions(asked.given, table.columns, RESERVED)
    shown, order = _shown(asked.columns, table, wrong), _order(asked.sort, table, wrong)
    if wrong or unfit:
        raise wrong_parameters([*wrong, *unfit])
    _, tiebreak = table.order
    question = question_hash(table.name, order, filters)
    page = Page(table, shown, order, tiebreak, filters, asked.limit, asked.cursor, question)
    if asked.cursor is not None:
        try:
            if asked.cursor.question != question:
                raise ValueError("belongs to another question; keep `sort` and all filters as they were, or follow `next`")
            place_of(asked.cursor.place, order)
        except ValueError as error:
            raise wrong_parameters({"cursor": str(error)}) from None
    return page


def cursor_of(text: str | None) -> Cursor | None:
    """The cursor that was sent.

    Raises Problem when it is not one.
    """
    if text is None:
        return None
    try:
        return read_cursor(text)
    except ValueError as error:
        raise wrong_parameters({"cursor": str(error)}) from None


def _shown(text: str, table: Table, wrong: list[tuple[str, str]]) -> list[Column]:
    """The columns that are shown: those that were named, else all but lineage."""
    if not text:
        return [column for column in table.columns.values() if not column.is_lineage]
    names = list(dict.fromkeys(text.split(",")))
    wrong += [("columns", f"no column {n[:80]!r}; {near(n, table.columns)}") for n in names if n not in table.columns]
    return [table.columns[name] for name in names if name in table.columns]


def _order(text: str, table: Table, wrong: list[tuple[str, str]]) -> list[Sort]:
    """The order that was asked for, made one of all rows by the columns that identify them."""
    order: dict[str, Sort] = {}
    for each in text.split(",") if text else ():
        name = each.removeprefix("-")
        column = table.columns.get(name)
        if column is None:
            wrong.append(("sort", f"no column {name[:80]!r}; {near(name, table.columns)}"))
        elif not is_comparable(column.type):
            wrong.append(("sort", f"{name}: a column of type {column.type} has no order"))
        else:
            order.setdefault(name, Sort(name, column.type, each.startswith("-")))
    for column in table.order[0]:
        order.setdefault(column.name, Sort(column.name, column.type))
    return list(order.values())


def answered(page: Page, answer: Answer, most_bytes: int) -> tuple[dict[str, Any], list[bytes], Cursor | None]:
    """What an answer begins with, its rows as JSON, and where the next page begins; one that grows too large ends early."""
    names = [column.name for column in answer.columns]
    positions = [names.index(sort.name) for sort in page.order]
    shown = names[: len(page.shown)]
    texts: list[bytes] = []
    given: list[tuple[Any, ...]] = []
    total, is_more = 0, False
    for row in answer.rows:
        text = encoded({name: plain(value) for name, value in zip(shown, row, strict=False)})
        total += len(text) + 1
        if len(texts) == page.limit or (texts and total > most_bytes):
            is_more = True
            break
        texts.append(text)
        given.append(row)
    head = {
        "table": page.table.name,
        "snapshot": page.table.snapshot_text,
        "publish": page.table.publication.get("number"),
        "published_at": page.table.published_at,
        "columns": [{"name": column.name, "type": column.type} for column in page.shown],
    }
    return head, texts, _next(page, given, positions) if is_more else None


def _next(page: Page, given: list[tuple[Any, ...]], positions: list[int]) -> Cursor:
    """The place of the last row, and how many rows with this very place were given so far."""
    place = _place(given[-1], positions)
    equal = next((n for n, row in enumerate(reversed(given)) if _place(row, positions) != place), len(given))
    if equal == len(given) and page.cursor is not None and page.cursor.place == place:
        equal += page.cursor.equal
    assert page.table.snapshot is not None
    return Cursor(page.table.snapshot, page.question, place, equal)


def _place(row: tuple[Any, ...], positions: list[int]) -> tuple[str | None, ...]:
    """The row's values in the columns of the order, as text; the two zeros of doubles are one."""
    values = (row[at] + 0.0 if isinstance(row[at], float) else row[at] for at in positions)
    return tuple(None if value is None else text_of(value) for value in values)
