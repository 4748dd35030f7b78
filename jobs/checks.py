"""Row rules of a declaration as Spark conditions."""

from pyspark.sql import Column as Expr
from pyspark.sql import functions as F

from lake.columns import Between, Check, Expression, Matches, OneOf


def broken(check: Check) -> Expr:
    """True where a row breaks the rule; a null in the rule's column breaks none."""
    if isinstance(check, Expression):
        return F.coalesce(~F.expr(check.expression), F.lit(False))
    value = F.col(check.column)
    if isinstance(check, Between):
        keeps = F.lit(True)
        if check.low is not None:
            keeps = keeps & (value >= F.lit(check.low))
        if check.high is not None:
            keeps = keeps & (value <= F.lit(check.high))
    elif isinstance(check, OneOf):
        keeps = value.isin(*check.values)
    else:
        keeps = value.rlike(f"^(?:{check.pattern})$")
    return F.coalesce(~keeps, F.lit(False))


def meaning(check: Check) -> str:
    """What the rule wants, in words."""
    if isinstance(check, Expression):
        return f"expected {check.expression}"
    if isinstance(check, Between):
        low = "" if check.low is None else f"at least {check.low}"
        high = "" if check.high is None else f"at most {check.high}"
        return f"expected {' and '.join(part for part in (low, high) if part)}"
    if isinstance(check, OneOf):
        return f"expected one of {', '.join(str(value) for value in check.values)}"
    if isinstance(check, Matches):
        return f"expected text like {check.pattern}"
    raise TypeError(f"no rule: {check!r}")
