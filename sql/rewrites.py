"""Where Trino and DuckDB would answer the same text differently: small rewrites of the tree, one per difference."""

from collections.abc import Callable

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from sql.probe import Probe
from sql.types import FLOATS, INTEGERS, decimal_of, is_decimal, trino_type
from sql.words import at_node

#: Defined on every connection before the configuration is locked.
MACROS = (
    "create macro lake_int_div(a, b) as case when b = 0 then error('Division by zero') else a // b end",
    "create macro lake_mod(a, b) as case when b = 0 then error('Division by zero') else a % b end",
    "create macro lake_half_up(n hugeint, d hugeint) as case when d = 0 then error('Division by zero')"
    " else n // d + case when 2 * abs(n % d) >= abs(d) then sign(n) * sign(d) else 0 end end",
    "create macro lake_whole(x) as case when x is null or regexp_full_match(x, '[+-]?[0-9]+') then x"
    " else error('Cannot cast ''' || x || ''' to a whole number') end",
    "create macro lake_try_whole(x) as case when regexp_full_match(x, '[+-]?[0-9]+') then x end",
)
INTEGER_CASTS = (exp.DataType.Type.TINYINT, exp.DataType.Type.SMALLINT, exp.DataType.Type.INT, exp.DataType.Type.BIGINT)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a DuckDB function."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def _decimal_division(a: exp.Expr, b: exp.Expr, left: tuple[int, int], right: tuple[int, int], to: tuple[int, int]) -> exp.Expr:
    """a / b as decimal `to`, exact and rounded half up: division of the unscaled integers."""
    scale = to[1]
    upper = _unscaled(a, scale + right[1])
    quotient = exp.cast(call("lake_half_up", upper, _unscaled(b, right[1])), "decimal(38,0)", dialect="duckdb")
    unit = exp.cast(exp.Literal.string(f"{10**-scale:.{scale}f}" if scale else "1"), f"decimal({scale + 1},{scale})", dialect="duckdb")
    return exp.cast(exp.Mul(this=quotient, expression=unit), f"decimal({to[0]},{to[1]})", dialect="duckdb")


def _unscaled(x: exp.Expr, scale: int) -> exp.Expr:
    ten = exp.cast(exp.Literal.number(10**scale), f"decimal({scale + 1},0)", dialect="duckdb")
    return exp.cast(exp.Mul(this=exp.paren(x.copy()), expression=ten), "hugeint", dialect="duckdb")


def division(text: str, node: exp.Div, types: list[str]) -> exp.Expr | None:
    """7/2 is 3; decimals stay decimals, rounded half up; x/0 is an error, except for doubles."""
    left, right = types
    a, b = node.this, node.expression
    if left in INTEGERS and right in INTEGERS:
        return call("lake_int_div", a.copy(), b.copy())
    if left in FLOATS or right in FLOATS:
        return exp.Paren(this=exp.Div(this=a.copy(), expression=b.copy(), typed=False, safe=True))
    first, second = decimal_of(left), decimal_of(right)
    if first and second:
        scale = max(first[1], second[1])
        precision = min(38, first[0] + second[1] + max(0, second[1] - first[1]))
        return _decimal_division(a, b, first, second, (precision, scale))
    raise at_node(text, node, f"'/' cannot be applied to {trino_type(left)}, {trino_type(right)}")


def modulus(text: str, node: exp.Mod, types: list[str]) -> exp.Expr | None:
    """x % 0 is an error, except for doubles."""
    if any(kind in FLOATS for kind in types):
        return None
    return call("lake_mod", node.this.copy(), node.expression.copy())


def average(text: str, node: exp.Avg, types: list[str]) -> exp.Expr | None:
    """The average of decimals is a decimal of the same scale, rounded half up."""
    if not is_decimal(types[0]):
        return None
    to = decimal_of(types[0])
    assert to is not None
    whole: exp.Expr = node
    while isinstance(whole.parent, (exp.Filter, exp.Window)) and whole.parent.this is whole:
        whole = whole.parent

    def instead(aggregate: type[exp.Expr]) -> exp.Expr:
        copied = whole.copy()
        inner = copied.find(exp.Avg)
        assert inner is not None
        other = aggregate(this=inner.this.copy())
        if inner is copied:
            return other
        inner.replace(other)
        return copied

    mean = _decimal_division(instead(exp.Sum), exp.Nullif(this=instead(exp.Count), expression=exp.Literal.number(0)), to, (19, 0), to)
    whole.replace(mean)
    return None


def conversion(text: str, node: exp.Cast, types: list[str]) -> exp.Expr | None:
    """Halves round away from zero; text must be a whole number to become one; some casts to text print differently."""
    source, to = types[0], node.to.this
    if to in INTEGER_CASTS and source in FLOATS:
        node.set("this", exp.Round(this=node.this.copy()))
    elif to in INTEGER_CASTS and source == "VARCHAR":
        node.set("this", call("lake_try_whole" if isinstance(node, exp.TryCast) else "lake_whole", node.this.copy()))
    elif to in exp.DataType.TEXT_TYPES and (source in FLOATS or source.startswith("TIMESTAMP")):
        other = "cast to decimal first" if source in FLOATS else "use date_format(x, '%Y-%m-%d %H:%i:%s')"
        raise at_node(text, node, f"a {trino_type(source)} prints differently on Athena; {other}")
    return None


Typed = Callable[[str, exp.Expr, list[str]], exp.Expr | None]

#: node -> (the operands whose types decide, what to write instead).
TYPED: dict[type[exp.Expr], tuple[Callable[[exp.Expr], list[exp.Expr]], Typed]] = {
    exp.Div: (lambda node: [node.this, node.args["expression"]], division),  # type: ignore[dict-item]
    exp.Mod: (lambda node: [node.this, node.args["expression"]], modulus),  # type: ignore[dict-item]
    exp.Avg: (lambda node: [_argument(node)], average),  # type: ignore[dict-item]
    exp.Cast: (lambda node: [node.this], conversion),  # type: ignore[dict-item]
    exp.TryCast: (lambda node: [node.this], conversion),  # type: ignore[dict-item]
}


def _argument(node: exp.Expr) -> exp.Expr:
    inner = node.this
    return inner.expressions[0] if isinstance(inner, exp.Distinct) else inner


def rewrite_typed(text: str, query: exp.Query, probe: Probe) -> list[exp.Expr]:
    """Apply the rewrites that depend on types, inner ones first, in place; the nodes whose types cannot be told."""
    unknown = []
    for scope in traverse_scope(query):
        for node in reversed(list(scope.walk())):
            rule = TYPED.get(type(node))
            if rule is None or node.parent is None:
                continue
            types = _types(scope, rule[0](node), probe)
            if types is None:
                unknown.append(node)
                continue
            instead = rule[1](text, node, types)
            if instead is not None:
                node.replace(instead)
    return unknown


def _types(scope: Scope, operands: list[exp.Expr], probe: Probe) -> list[str] | None:
    return probe.types(scope, operands)
