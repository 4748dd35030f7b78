"""What type an expression of a query has, asked from DuckDB's binder over tables without rows."""

from collections.abc import Callable, Sequence

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from sql.dialect import Columns
from sql.types import item_type

#: Types of the columns that a text in DuckDB's dialect gives; None when DuckDB cannot bind it.
Describe = Callable[[str], list[tuple[str, str]] | None]
#: What the probe calls the arguments of lambdas; as constants DuckDB would give a null's fields no type.
GIVEN = "_given"


class Probe:
    """Types of expressions, by the scope they stand in."""

    def __init__(self, describe: Describe, columns: Columns, literals: Sequence[exp.Expr]) -> None:
        self.describe = describe
        self.columns = columns
        self.literals = literals

    def query(self, query: exp.Query) -> list[tuple[str, str]] | None:
        """Name and DuckDB type of every column of a query."""
        return self.describe(self.without_rows(query.copy()).sql("duckdb"))

    def types(self, scope: Scope, operands: Sequence[exp.Expr], before: exp.Expr | None = None) -> list[str] | None:
        """DuckDB types of expressions of one SELECT, seen by what stands in its FROM, or in it `before` a part of it.

        None when they cannot be told.
        """
        select = scope.expression
        if not isinstance(select, exp.Select):
            return None
        copies, given = _of_one_group(operands), dict[str, str]()
        if not all(self._close(scope, operand, copied, given) for operand, copied in zip(operands, copies, strict=True)):
            return None
        probe = exp.Select(expressions=[exp.alias_(operand, f"p{number}") for number, operand in enumerate(copies)])
        for part in ("from_", "joins", "laterals"):
            value = select.args.get(part)
            if before is not None and value is before:
                break
            if isinstance(value, list) and before in value:
                value = value[: next(place for place, item in enumerate(value) if item is before)]
            if value:
                probe.set(part, [item.copy() for item in value] if isinstance(value, list) else value.copy())
        for column in list(probe.find_all(exp.Column)):
            if column.find_ancestor(exp.Select) is probe and column.table and column.table not in {GIVEN, *scope.sources}:
                outer = self._outer_type(scope, column)
                if outer is None:
                    return None
                column.replace(_typed_null("", outer).this)
        _with_visible(probe, select)
        if given:
            row = exp.select(*(_typed_null(name, kind) for name, kind in given.items())).subquery(GIVEN)
            probe = probe.join(row, join_type="cross", copy=False) if probe.args.get("from_") else probe.from_(row, copy=False)
        described = self.describe(self.without_rows(probe).sql("duckdb"))
        return None if described is None else [kind for _, kind in described]

    def _close(self, scope: Scope, operand: exp.Expr, copied: exp.Expr, given: dict[str, str]) -> bool:
        """Whether the copy of an operand can be asked alone: arguments of lambdas around it become columns, `given` their types."""
        inner = operand.find_ancestor(exp.Lambda)
        while inner is not None:
            array = inner.parent.this if inner.parent is not None else None
            kinds = self.types(scope, [array]) if isinstance(array, exp.Expr) else None
            item = item_type(kinds[0]) if kinds else None
            if item is None:
                return False
            for name in {argument.name for argument in inner.expressions}:
                column = f"v{len(given)}"
                given[column] = item
                for mention in _mentions(copied, name):
                    mention.replace(exp.column(column, GIVEN, quoted=True))
            inner = inner.find_ancestor(exp.Lambda)
        return True

    def without_rows(self, query: exp.Query) -> exp.Query:
        """The query with every table of the lake replaced by one row of typed nulls, and parameters by typed literals."""
        for table in list(query.find_all(exp.Table)):
            types = self.columns.get(f"{table.db}.{table.name}") if table.db else None
            if types is not None:
                row = exp.select(*(_typed_null(name, kind) for name, kind in types.items()))
                table.replace(exp.Subquery(this=row, alias=table.args.get("alias"), joins=table.args.get("joins")))
        for mark in list(query.find_all(exp.Parameter)):
            mark.replace(self.literals[int(mark.name) - 1].copy())
        return query

    def _outer_type(self, scope: Scope, column: exp.Column) -> str | None:
        """Type of a column that a subquery takes from the query around it."""
        outer = scope.parent
        while outer is not None and not (isinstance(outer.expression, exp.Select) and column.table in outer.sources):
            outer = outer.parent
        types = self.types(outer, [column]) if outer is not None else None
        return types[0] if types else None


def _mentions(node: exp.Expr, name: str) -> list[exp.Expr]:
    """Where an expression names the argument of a lambda around it."""
    return [
        word
        for word in node.find_all(exp.Identifier)
        if word.name == name
        and not isinstance(word.parent, (exp.Column, exp.Alias, exp.TableAlias, exp.Lambda))
        and not (isinstance(word.parent, exp.Dot) and word.arg_key == "expression")
    ]


def _typed_null(name: str, kind: str) -> exp.Alias:
    value = exp.cast(exp.null(), exp.DataType.build(kind, dialect="duckdb"))
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _of_one_group(operands: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Copies with plain columns made aggregates when one of them holds an aggregate: so they bind without GROUP BY."""
    copies: list[exp.Expr] = [exp.Paren(this=operand.copy()) for operand in operands]
    aggregates = set()
    for copied in copies:
        for grouping in list(copied.find_all(exp.Grouping)):
            grouping.replace(exp.Literal.number(0))
        aggregates |= {id(node) for node in copied.find_all(exp.AggFunc) if _collapses(node)}
    for column in [column for copied in copies for column in copied.find_all(exp.Column)] if aggregates else []:
        inside = column.parent
        while inside is not None and id(inside) not in aggregates and not isinstance(inside, exp.Select):
            inside = inside.parent
        if inside is None:
            column.replace(exp.AnyValue(this=column.copy()))
    return copies


def _collapses(node: exp.Expr) -> bool:
    """Whether an aggregate function makes one row of a group: not in a window, not in a query below."""
    over = node.parent.parent if isinstance(node.parent, (exp.Filter, exp.WithinGroup)) else node.parent
    return not isinstance(over, exp.Window) and node.find_ancestor(exp.Select) is None


def _with_visible(probe: exp.Select, select: exp.Select) -> None:
    """Give the probe every WITH that the SELECT can see."""
    ctes: list[exp.Expr] = []
    recursive = False
    path = {id(select)}
    node: exp.Expr | None = select
    while node is not None:
        found = node.args.get("with_")
        if isinstance(found, exp.With):
            holder = next((number for number, cte in enumerate(found.expressions) if id(cte) in path), None)
            visible = found.expressions[: holder if holder is None or not found.recursive else holder + 1]
            recursive = recursive or bool(found.args.get("recursive"))
            ctes = [*(cte.copy() for cte in visible), *ctes]
        path.add(id(node))
        node = node.parent
    if ctes:
        probe.set("with_", exp.With(expressions=ctes, recursive=recursive))
