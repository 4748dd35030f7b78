"""Where Trino and DuckDB would answer the same text differently: rewrites that need no types, one per difference."""

from collections.abc import Callable

from sqlglot import exp

from sql.words import at_node

#: Defined on every connection before its configuration is locked.
MACROS = (
    "create macro lake_div(a, b) as a / b",
    "create macro lake_int_div(a, b) as case when b = 0 then error('Division by zero') else a // b end",
    "create macro lake_mod(a, b) as case when b = 0 then error('Division by zero') else a % b end",
    """create macro lake_half_up(n hugeint, d hugeint) as case when d = 0 then error('Division by zero')
    else n // d + case when 2 * abs(n % d) >= abs(d) then sign(n) * sign(d) else 0 end end""",
    """create macro lake_whole(x) as case when x is null or regexp_full_match(x, '\\s*[+-]?[0-9]+\\s*') then x
    else error('Cannot cast ''' || x || ''' to a whole number') end""",
    "create macro lake_try_whole(x) as case when regexp_full_match(x, '\\s*[+-]?[0-9]+\\s*') then x end",
    """create macro lake_flag(x) as case when x is null or lower(x) in ('true', 'false', 't', 'f', '1', '0') then x
    else error('Cannot cast ''' || x || ''' to boolean') end""",
    "create macro lake_try_flag(x) as case when lower(x) in ('true', 'false', 't', 'f', '1', '0') then x end",
    """create macro lake_substr(s, begin) as case when begin = 0 and s is not null then '' else substr(s, begin) end,
    (s, begin, size) as case when begin = 0 and s is not null then '' else substr(s, begin, size) end""",
    """create macro lake_split_part(s, d, n) as case when n < 1 then error('Index must be greater than zero')
    when n <= len(string_split(s, d)) then split_part(s, d, n) end""",
    """create macro lake_item(a, i) as case when a is not null and (i < 1 or i > len(a))
    then error('Array subscript out of bounds: ' || i) else a[i] end""",
    """create macro lake_any(a) as case when list_contains(a, true) then true
    when list_count(a) = len(a) then false end""",
    """create macro lake_all(a) as case when list_contains(a, false) then false
    when list_count(a) = len(a) then true end""",
    "create macro lake_contains(a, x) as case when list_contains(a, x) or list_count(a) = len(a) then list_contains(a, x) end",
    "create macro lake_position(a, x) as case when a is not null and x is not null then coalesce(list_position(a, x), 0)::bigint end",
    "create macro lake_most(a) as case when list_count(a) = len(a) then list_max(a) end",
    "create macro lake_least(a) as case when list_count(a) = len(a) then list_min(a) end",
    """create macro lake_distinct(a) as list_filter(a, lambda x, i: i = case when x is null
    then list_position(list_transform(a, lambda y: y is null), true) else list_position(a, x) end)""",
)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a DuckDB function or of one of the macros."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def _subscript(text: str, node: exp.Expr) -> exp.Expr:
    """a[9] of a shorter array is an error; element_at(a, 9) is null."""
    if node.args.get("safe"):
        return node
    index = node.expressions[0]
    if not isinstance(index, exp.Literal) or index.is_string:
        raise at_node(text, node, "expected a number between the brackets; for anything else write element_at(x, i)")
    return call("lake_item", node.this, exp.Literal.number(int(index.name) + 1))


def _date_diff(text: str, node: exp.Expr) -> exp.Expr:
    """date_diff counts whole units that passed, not the boundaries between them."""
    return call("date_sub", exp.Literal.string(node.text("unit").lower()), node.args["expression"], node.this)


def _extract(text: str, node: exp.Expr) -> exp.Expr:
    """Sunday is day 7 of the week."""
    if node.name.lower() in ("dow", "day_of_week", "dayofweek"):
        return exp.DayOfWeekIso(this=node.args["expression"])
    return node


def _substring(text: str, node: exp.Expr) -> exp.Expr:
    """Nothing stands at position 0."""
    return call("lake_substr", *(node.args[part] for part in ("this", "start", "length") if node.args.get(part)))


def _date_format(text: str, node: exp.Expr) -> exp.Expr:
    """Trino writes milliseconds only for %f."""
    pattern = node.args["format"]
    if not isinstance(pattern, exp.Literal) or "%f" in pattern.name:
        raise at_node(text, node, "expected a format in quotes, without %f")
    return node


def _cast(text: str, node: exp.Expr) -> exp.Expr:
    """A timestamp has milliseconds unless its precision is written."""
    to = node.args["to"]
    if to.this == exp.DType.TIMESTAMP and not to.expressions:
        node.set("to", exp.DataType.build("timestamp(3)", dialect="trino"))
    return node


def _by(name: str) -> "Rewrite":
    """max_by and min_by: a null is a value too."""

    def rewrite(text: str, node: exp.Expr) -> exp.Expr:
        if node.args.get("count"):
            raise at_node(text, node, "expected two arguments")
        return exp.AnonymousAggFunc(this=name, expressions=[node.this, node.args["expression"]])

    return rewrite


def _split_part(text: str, node: exp.Expr) -> exp.Expr:
    """There is no part behind the last, and none before the first."""
    return call("lake_split_part", node.this, node.args["delimiter"], node.args["part_index"])


def _as(kind: str) -> "Rewrite":
    """The same with the type that Trino gives it."""

    def rewrite(text: str, node: exp.Expr) -> exp.Expr:
        return exp.cast(node.copy(), kind, dialect="trino")

    return rewrite


def _match(text: str, node: exp.Expr) -> exp.Expr:
    """any_match and its kin, which only their names tell."""
    kinds: dict[str, type[exp.Expr]] = {"any_match": exp.ArrayAny, "all_match": exp.ArrayAll, "none_match": exp.ArrayAny}
    kind = kinds.get(node.name.lower())
    if kind is None:
        return node
    if len(node.expressions) != 2 or not isinstance(node.expressions[1], exp.Lambda):
        raise at_node(text, node, "expected an array and a lambda, such as any_match(x, y -> y > 1)")
    found = kind(this=node.expressions[0], expression=node.expressions[1])
    return exp.Not(this=found) if node.name.lower() == "none_match" else found


def _has_lambda(text: str, node: exp.Expr) -> exp.Expr:
    """filter and transform."""
    if not isinstance(node.args.get("expression"), exp.Lambda):
        raise at_node(text, node, "expected an array and a lambda, such as filter(x, y -> y > 1)")
    return node


def _macro(name: str, *parts: str) -> "Rewrite":
    """What a macro does in the place of DuckDB's own function, which takes nulls otherwise."""

    def rewrite(text: str, node: exp.Expr) -> exp.Expr:
        return call(name, *(node.args[part] for part in parts))

    return rewrite


Rewrite = Callable[[str, exp.Expr], exp.Expr]

PLAIN: dict[type[exp.Expr], Rewrite] = {
    exp.Bracket: _subscript,
    exp.DateDiff: _date_diff,
    exp.Extract: _extract,
    exp.Substring: _substring,
    exp.TimeToStr: _date_format,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.ArgMax: _by("arg_max_null"),
    exp.ArgMin: _by("arg_min_null"),
    exp.SplitPart: _split_part,
    exp.ArrayPosition: _macro("lake_position", "this", "expression"),
    exp.ArrayContains: _macro("lake_contains", "this", "expression"),
    exp.ArrayMax: _macro("lake_most", "this"),
    exp.ArrayMin: _macro("lake_least", "this"),
    exp.ArrayDistinct: _macro("lake_distinct", "this"),
    exp.ArrayFilter: _has_lambda,
    exp.Transform: _has_lambda,
    exp.Anonymous: _match,
    exp.StrToTime: _as("timestamp(3)"),
}


def rewrite_plain(text: str, query: exp.Query) -> None:
    """Apply the rewrites that need no types, inner nodes first, in place."""
    for node in reversed(list(query.walk())):
        rule = PLAIN.get(type(node))
        if rule is not None and node.parent is not None:
            parent, key, index = node.parent, node.arg_key, node.index
            instead = rule(text, node)
            if instead is not node and key is not None:
                parent.set(key, instead, index)
