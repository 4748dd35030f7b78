"""Where Trino and DuckDB would answer the same text differently, depending on types: rewrites, one per difference."""

from collections.abc import Callable, Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from sql.nested import check_lambda, field, matching, result_of, row_of
from sql.probe import Probe
from sql.rewrites import call
from sql.types import FLOATS, INTEGERS, WITH_ZONE, decimal_of, is_decimal, item_type, row_fields, trino_type
from sql.words import at_node

INTEGER_CASTS = (exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT)
OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Between: "between",
    exp.DPipe: "||",
    exp.Div: "/",
    exp.Sub: "-",
}
DAY_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def _mismatch(text: str, node: exp.Expr, left: str, right: str, hint: str = "") -> Exception:
    types = f"{trino_type(left)}, {trino_type(right)}"
    return at_node(text, node, f"{OPERATORS[type(node)]!r} cannot be applied to {types}{hint and '; '}{hint}")


def _decimal(kind: str) -> exp.DataType:
    return exp.DataType.build(f"decimal({kind})", dialect="duckdb")


def _divided(a: exp.Expr, b: exp.Expr, scales: tuple[int, int], to: tuple[int, int]) -> exp.Expr:
    """a / b as decimal `to`, exact and rounded half up: a division of the unscaled integers."""
    scale = to[1]
    quotient = call("lake_half_up", _unscaled(a, scale + scales[1]), _unscaled(b, scales[1]))
    unit = f"0.{'1':0>{scale}}" if scale else "1"
    scaled = exp.Mul(
        this=exp.cast(quotient, _decimal("38,0")),
        expression=exp.cast(exp.Literal.string(unit), _decimal(f"{scale + 1},{scale}")),
    )
    return exp.cast(scaled, _decimal(f"{to[0]},{to[1]}"))


def _unscaled(x: exp.Expr, scale: int) -> exp.Expr:
    ten = exp.cast(exp.Literal.number(10**scale), _decimal(f"{scale + 1},0"))
    return exp.cast(exp.Mul(this=exp.paren(x.copy()), expression=ten), exp.DataType.build("hugeint", dialect="duckdb"))


def _division(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """7/2 is 3; decimals stay decimals, rounded half up; x/0 is an error, except for doubles."""
    left, right = types
    a, b = node.this, node.args["expression"]
    first, second = decimal_of(left), decimal_of(right)
    if left in INTEGERS and right in INTEGERS:
        return call("lake_int_div", a, b)
    if first and second:
        scale = max(first[1], second[1])
        precision = min(38, first[0] + second[1] + max(0, second[1] - first[1]))
        return _divided(a, b, (first[1], second[1]), (precision, scale))
    if all(kind in FLOATS or decimal_of(kind) for kind in types):
        return call("lake_div", a, b)
    raise _mismatch(text, node, left, right)


def _modulus(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """x % 0 is an error, except for doubles."""
    if any(kind in FLOATS for kind in types):
        return None
    rest = call("lake_mod", node.this, node.args["expression"])
    first, second = decimal_of(types[0]), decimal_of(types[1])
    if not (first and second) or not any(is_decimal(kind) for kind in types):
        return rest
    scale = max(first[1], second[1])
    return exp.cast(rest, _decimal(f"{min(first[0] - first[1], second[0] - second[1]) + scale},{scale}"))


def _average(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """The average of decimals is a decimal of the same scale, rounded half up; the node may have FILTER and OVER."""
    to = decimal_of(types[0])
    if to is None or not is_decimal(types[0]):
        return None
    whole = node
    while isinstance(whole.parent, (exp.Filter, exp.Window)) and whole.parent.this is whole:
        whole = whole.parent

    def instead(aggregate: type[exp.Expr]) -> exp.Expr:
        copied = whole.copy()
        inner = next(part for part in copied.walk() if isinstance(part, exp.Avg))
        other = aggregate(this=inner.this.copy())
        if inner is copied:
            return other
        inner.replace(other)
        return copied

    count = exp.Nullif(this=instead(exp.Count), expression=exp.Literal.number(0))
    whole.replace(_divided(instead(exp.Sum), count, (to[1], 0), to))
    return None


def _conversion(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """Halves round away from zero; text must be a whole number to become one; some casts to text print differently."""
    source, to = types[0], node.args["to"].this
    is_nested = bool(item_type(source)) or row_fields(source) is not None
    gently = "try_" if isinstance(node, exp.TryCast) else ""
    if to in INTEGER_CASTS and source in FLOATS:
        node.set("this", exp.Round(this=node.this))
    elif to in INTEGER_CASTS and source == "VARCHAR":
        node.set("this", call(f"lake_{gently}whole", node.this))
    elif to == exp.DType.BOOLEAN and source == "VARCHAR":
        node.set("this", call(f"lake_{gently}flag", node.this))
    elif to in exp.DataType.TEXT_TYPES and (source in FLOATS or source.startswith("TIMESTAMP")):
        other = "cast it to a decimal first" if source in FLOATS else "use date_format(x, '%Y-%m-%d %H:%i:%s')"
        raise at_node(text, node, f"a {trino_type(source)} prints differently on Athena; {other}")
    elif is_nested and to in exp.DataType.TEXT_TYPES:
        raise at_node(
            text, node, f"cannot cast {trino_type(source)} to varchar; write array_join(transform(x, y -> ...), ', ')"
        )
    return None


def _rounding(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """A decimal that is rounded to some places keeps its scale."""
    shape = decimal_of(types[0])
    if shape is None or not is_decimal(types[0]) or not node.args.get("decimals"):
        return None
    return exp.cast(node.copy(), _decimal(f"{min(38, shape[0] + 1)},{shape[1]}"))


def _sign(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """The sign has the type of the number."""
    return exp.cast(node.copy(), _decimal("1,0") if is_decimal(types[0]) else exp.DataType.build(types[0], dialect="duckdb"))


def _date_sum(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """A date plus days is a date; the difference of two times is another type on Athena."""
    left, right = types
    if isinstance(node, exp.Sub) and all(kind == "DATE" or kind.startswith("TIMESTAMP") for kind in types):
        raise _mismatch(text, node, left, right, "use date_diff('day', a, b)")
    if left == "DATE" and right == "INTERVAL":
        return exp.cast(node.copy(), exp.DataType.build("date"))
    return None


def _date_step(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """date_trunc and date_add of a date give a date."""
    if types[0] == "DATE" and node.text("unit").upper() in DAY_UNITS:
        return exp.cast(node.copy(), exp.DataType.build("date"))
    return None


def _same_kind(text: str, node: exp.Expr, types: list[str]) -> exp.Expr | None:
    """Text is compared and joined with text only; a timestamp compared with an instant is meant in UTC."""
    left = types[0]
    if not isinstance(node, exp.DPipe) and any(item_type(kind) or row_fields(kind) is not None for kind in types):
        raise at_node(text, node, "nulls inside rows and arrays compare differently on Athena; compare fields or elements")
    for right in types[1:]:
        if (left == "VARCHAR") != (right == "VARCHAR") and not {left, right} & {'"NULL"', "NULL"}:
            raise _mismatch(text, node, left, right, "write date '...'" if "DATE" in types else "write cast(... as ...)")
    if any(kind == WITH_ZONE for kind in types):
        for operand, kind in zip(_operands(node), types, strict=True):
            if kind == "DATE" or (kind.startswith("TIMESTAMP") and kind != WITH_ZONE):
                plain = exp.cast(operand.copy(), exp.DataType.build("timestamp", dialect="duckdb"))
                operand.replace(exp.cast(plain, exp.DataType.build("timestamptz", dialect="duckdb")))
    return None


Rule = Callable[[str, exp.Expr, list[str]], exp.Expr | None]


def _operands(node: exp.Expr) -> list[exp.Expr]:
    """What an operator stands between."""
    return [node.args[part] for part in ("this", "expression", "low", "high") if part in node.args]


def _first(node: exp.Expr) -> list[exp.Expr]:
    return [node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this]


#: node -> (the operands whose types decide, the rewrite).
TYPED: dict[type[exp.Expr], tuple[Callable[[exp.Expr], list[exp.Expr]], Rule]] = {
    exp.Div: (_operands, _division),
    exp.Mod: (_operands, _modulus),
    exp.Avg: (_first, _average),
    exp.Cast: (_first, _conversion),
    exp.TryCast: (_first, _conversion),
    exp.Round: (_first, _rounding),
    exp.Sign: (_first, _sign),
    exp.Add: (_operands, _date_sum),
    exp.Sub: (_operands, _date_sum),
    exp.DateAdd: (_first, _date_step),
    exp.TimestampTrunc: (_first, _date_step),
    exp.DateTrunc: (_first, _date_step),
    exp.Dot: (row_of, field),
    **dict.fromkeys((exp.ArrayFilter, exp.ArrayAny, exp.ArrayAll), (result_of, matching)),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.DPipe), (_operands, _same_kind)),
}


def rewrite_typed(text: str, query: exp.Query, probe: Probe) -> list[exp.Expr]:
    """Apply the rewrites that depend on types, inner nodes first, in place; the nodes whose types cannot be told."""
    unknown = []
    for scope in traverse_scope(query):
        for node in _inner_first(scope):
            if isinstance(node, exp.Lambda):
                check_lambda(text, node, scope, probe)
            operands, rule = TYPED.get(type(node), (None, None))
            if operands is None or rule is None or any(isinstance(part, exp.Null) for part in operands(node)):
                continue
            parent, key, index = node.parent, node.arg_key, node.index
            types = probe.types(scope, operands(node))
            if types is None:
                unknown.append(node)
                continue
            instead = rule(text, node, types)
            if instead is not None and parent is not None and key is not None:
                parent.set(key, instead, index)
    return unknown


def _inner_first(scope: Scope) -> list[exp.Expr]:
    """The nodes of a scope, each after what is in it, and an array before the lambda that goes over it."""
    own = {id(node) for node in scope.walk()}

    def below(node: exp.Expr) -> Iterator[exp.Expr]:
        for child in node.iter_expressions():
            if id(child) in own:
                yield from below(child)
        yield node

    return list(below(scope.expression))
