"""UNNEST as Trino means it: a column for each array, for an array of rows one for each field; several arrays side by side."""

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from sql.probe import Probe
from sql.rewrites import call
from sql.types import item_type, row_fields, trino_type
from sql.words import at_node

#: What Trino cannot do with a subquery over an UNNEST of the query around it.
BEYOND_TRINO = ("where", "group", "having")


def spread_unnests(text: str, query: exp.Query, probe: Probe) -> None:
    """Put a lateral query in the place of every UNNEST whose types can be told, in place.

    Raises UsageError where Trino refuses: for what is no array, the wrong number of names, a join that is not ON TRUE.
    """
    for number, scope in enumerate(traverse_scope(query)):
        select = scope.expression
        if isinstance(select, exp.Select):
            holders = [select.args.get("from_"), *select.args.get("joins", ())]
            for place, holder in enumerate(holder for holder in holders if holder and isinstance(holder.this, exp.Unnest)):
                _check_join(text, holder)
                _spread(text, holder.this, scope, probe, f"_unnest{number}_{place}")


def left_over(text: str, query: exp.Query) -> None:
    """Nothing; raises UsageError for an UNNEST whose types could not be told."""
    for unnest in query.find_all(exp.Unnest):
        raise at_node(text, unnest, "cannot tell what this unnests; write cast(... as array(...)) in it")


def _check_join(text: str, join: exp.Expr) -> None:
    side, on = join.text("side").upper(), join.args.get("on")
    if side in ("RIGHT", "FULL"):
        raise at_node(text, join, f"UNNEST cannot stand on the right of {side} JOIN; put CROSS JOIN or LEFT JOIN ... ON TRUE")
    if join.args.get("using") or (on is not None and not (isinstance(on, exp.Boolean) and on.this)):
        raise at_node(text, join, "a JOIN of UNNEST is only ON TRUE; write the condition into WHERE")


def _spread(text: str, unnest: exp.Unnest, scope: Scope, probe: Probe, name: str) -> None:
    arrays, outer = unnest.expressions, scope.parent
    kinds = probe.types(scope, arrays, before=unnest.parent)
    while kinds is None and outer is not None:
        kinds, is_correlated, outer = probe.types(outer, arrays), True, outer.parent
        if kinds is not None and is_correlated:
            _check_correlated(text, unnest, scope.expression)
    if kinds is None:
        return
    columns: list[tuple[str, exp.Expr]] = []
    for array, kind in zip(arrays, kinds, strict=True):
        item = item_type(kind)
        if item is None:
            raise at_node(text, array, f"cannot unnest {trino_type(kind)}, expected an array")
        fields = row_fields(item)
        if fields is None:
            columns.append(("", call("unnest", array.copy())))
        for place, field in enumerate(fields or (), 1):
            value = call("struct_extract_at", call("unnest", array.copy()), exp.Literal.number(place))
            columns.append((field, value))
    if unnest.args.get("offset"):
        lengths = exp.Greatest(this=call("len", arrays[0].copy()), expressions=[call("len", a.copy()) for a in arrays[1:]])
        end = exp.Add(this=lengths, expression=exp.Literal.number(1))
        columns.append(("", call("unnest", call("range", exp.Literal.number(1), end))))
    unnest.replace(_lateral(text, unnest, columns, name))


def _check_correlated(text: str, unnest: exp.Unnest, select: exp.Expr) -> None:
    around = select.parent.parent if isinstance(select.parent, exp.Subquery) else select.parent
    if any(select.args.get(part) for part in BEYOND_TRINO) or isinstance(around, (exp.In, exp.Any, exp.All)):
        raise at_node(
            text,
            unnest,
            "Athena has no such subquery over an array of the query around it; write any_match(x, y -> ...) or filter",
        )


def _lateral(text: str, unnest: exp.Unnest, columns: list[tuple[str, exp.Expr]], name: str) -> exp.Lateral:
    """The query that gives the columns, under the names the question gives them, else those of the fields."""
    alias = unnest.args.get("alias")
    written, last = list(alias.columns) if alias else [], unnest.args.get("offset")
    written += [last] if isinstance(last, exp.Identifier) else []
    if written and len(written) != len(columns):
        raise at_node(text, written[0], f"got {len(written)} names, expected {len(columns)}: the columns that this UNNEST has")
    names = [exp.to_identifier(field or f"_col_{place}", quoted=True) for place, (field, _) in enumerate(columns)]
    names = [identifier.copy() for identifier in written] or names
    items = [exp.Alias(this=value, alias=name.copy()) for name, (_, value) in zip(names, columns, strict=True)]
    table = alias.this.copy() if alias and alias.this else exp.to_identifier(name, quoted=True)
    return exp.Lateral(this=exp.Subquery(this=exp.Select(expressions=items)), alias=exp.TableAlias(this=table, columns=names))
