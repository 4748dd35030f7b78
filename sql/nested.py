"""Where Trino and DuckDB would answer differently about rows and arrays: fields of rows, and lambdas over arrays."""

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from sql.probe import Probe
from sql.rewrites import call
from sql.types import item_type, row_fields, trino_type
from sql.words import at_node, near

LAMBDAS = (exp.ArrayFilter, exp.Transform, exp.ArrayAny, exp.ArrayAll)


def check_lambda(text: str, node: exp.Lambda, scope: Scope, probe: Probe) -> None:
    """Nothing for a lambda that Trino takes there too; raises UsageError for any other."""
    if not isinstance(node.parent, LAMBDAS) or node.arg_key != "expression":
        raise at_node(text, node, "did not expect a lambda here")
    if len(node.expressions) != 1:
        raise at_node(text, node, f"got a lambda of {len(node.expressions)} arguments, expected 1: x -> ...")
    for part in node.this.walk():
        if isinstance(part, (exp.AggFunc, exp.Window, exp.Query)):
            raise at_node(text, part, "a lambda holds no aggregate, window or subquery")
    if isinstance(node.this, exp.Null):
        raise at_node(text, node, "got a lambda that gives null, expected a value")
    kinds = probe.types(scope, [node.parent.this])
    if kinds and item_type(kinds[0]) is None:
        raise at_node(text, node.parent.this, f"got {trino_type(kinds[0])}, expected an array")


def field(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """A field of a row, null when the row is null."""
    fields, name = row_fields(types[0]), node.args["expression"].name
    if fields is None:
        raise at_node(text, node.args["expression"], f"{trino_type(types[0])} has no fields, expected a row before the dot")
    if name.lower() not in {each.lower() for each in fields}:
        raise at_node(text, node.args["expression"], f"no field {name!r}; {near(name, fields)}")
    return call("struct_extract", node.this, exp.Literal.string(name))


def matching(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """A condition is true or false; whether any or all keep it is unknown when that hangs on one that is unknown."""
    if types[0] != "BOOLEAN":
        raise at_node(text, node.args["expression"], f"got a lambda that gives {trino_type(types[0])}, expected boolean")
    if isinstance(node, exp.ArrayFilter):
        return None
    each = exp.Transform(this=node.this, expression=node.args["expression"])
    return call("lake_any" if isinstance(node, exp.ArrayAny) else "lake_all", each)


def row_of(node: exp.Expr) -> list[exp.Expr]:
    """What a field is taken from."""
    return [node.this]


def result_of(node: exp.Expr) -> list[exp.Expr]:
    """What the lambda of a function gives."""
    return [node.args["expression"].this]
