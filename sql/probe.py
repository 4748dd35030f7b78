"""What type an expression of a query has, asked from DuckDB's binder over tables without rows."""

from collections.abc import Callable, Sequence

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from sql.dialect import Columns

#: Types of the columns that a text in DuckDB's dialect gives; None when DuckDB cannot bind it.
Describe = Callable[[str], list[tuple[str, str]] | None]


class Probe:
    """Types of expressions, by the scope they stand in."""

    def __init__(self, describe: Describe, columns: Columns, placeholders: Sequence[exp.Expr]) -> None:
        self.describe = describe
        self.columns = columns
        self.placeholders = placeholders

    def query(self, query: exp.Query) -> list[tuple[str, str]] | None:
        """Name and DuckDB type of every column of a query."""
        return self.describe(self.without_rows(query.copy()).sql("duckdb"))

    def types(self, scope: Scope, operands: Sequence[exp.Expr]) -> list[str] | None:
        """DuckDB types of expressions of one SELECT; None when they cannot be told."""
        select = scope.expression
        if not isinstance(select, exp.Select):
            return None
        items = [exp.alias_(_of_one_group(operand.copy()), f"p{number}") for number, operand in enumerate(operands)]
        probe = exp.Select(expressions=items)
        for part in ("from_", "joins", "laterals"):
            value = select.args.get(part)
            if value:
                probe.set(part, [item.copy() for item in value] if isinstance(value, list) else value.copy())
        for column in list(probe.find_all(exp.Column)):
            if column.find_ancestor(exp.Select) is probe and column.table and column.table not in scope.sources:
                outer = self._outer_type(scope, column)
                if outer is None:
                    return None
                column.replace(exp.cast(exp.null(), exp.DataType.build(outer, dialect="duckdb")))
        _with_visible(probe, select)
        described = self.describe(self.without_rows(probe).sql("duckdb"))
        return None if described is None else [kind for _, kind in described]

    def without_rows(self, query: exp.Query) -> exp.Query:
        """The query with every table of the lake replaced by one row of typed nulls, and parameters by typed literals."""
        for table in list(query.find_all(exp.Table)):
            types = self.columns.get(f"{table.db}.{table.name}") if table.db else None
            if types is not None:
                nulls = ", ".join(f"cast(null as {kind}) as {exp.to_identifier(name, quoted=True)}" for name, kind in types.items())
                row = exp.maybe_parse(f"select {nulls}", dialect="duckdb", into=exp.Select)
                table.replace(exp.Subquery(this=row, alias=table.args.get("alias"), joins=table.args.get("joins")))
        for mark in list(query.find_all(exp.Parameter)):
            mark.replace(self.placeholders[int(mark.name) - 1].copy())
        return query

    def _outer_type(self, scope: Scope, column: exp.Column) -> str | None:
        """Type of a column that a subquery takes from the query around it."""
        outer = scope.parent
        while outer is not None and column.table not in outer.sources:
            outer = outer.parent
        types = self.types(outer, [column]) if outer is not None else None
        return types[0] if types else None


def _of_one_group(operand: exp.Expr) -> exp.Expr:
    """The expression with its plain columns made aggregates, when it holds an aggregate: so it binds without GROUP BY."""
    root = exp.Paren(this=operand)
    aggregates = {
        id(node)
        for node in root.find_all(exp.AggFunc)
        if not node.find_ancestor(exp.Select) and not isinstance(node.parent, exp.Window) and not _in_window(node)
    }
    if aggregates:
        for column in list(root.find_all(exp.Column)):
            inside = column.parent
            while inside is not None and id(inside) not in aggregates and not isinstance(inside, exp.Select):
                inside = inside.parent
            if inside is None:
                column.replace(exp.AnyValue(this=column.copy()))
    return root


def _in_window(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Filter) and isinstance(node.parent.parent, exp.Window)


def _with_visible(probe: exp.Select, select: exp.Select) -> None:
    """Give the probe every WITH that the SELECT can see."""
    ctes: list[exp.CTE] = []
    recursive = False
    below: exp.Expr = select
    node: exp.Expr | None = select
    while node is not None:
        found = node.args.get("with_")
        if isinstance(found, exp.With):
            inside = below if isinstance(below, exp.With) else None
            mine = list(found.expressions)
            if inside is not None:
                holder = next((index for index, cte in enumerate(mine) if any(part is select for part in cte.walk())), len(mine))
                mine = mine[: holder + 1] if found.recursive else mine[:holder]
            recursive = recursive or bool(found.recursive)
            ctes = [*(cte.copy() for cte in mine), *ctes]
        below, node = node, node.parent
    if ctes:
        probe.set("with_", exp.With(expressions=ctes, recursive=recursive))
