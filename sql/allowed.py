"""The allow-list: which functions and which parts of a statement a question may use."""

from sqlglot import exp

from sql.words import at_node, near

#: Functions whose answers on DuckDB were compared with those of a Trino server.
FUNCTIONS = frozenset(
    """
    abs all_match any_match any_value approx_distinct arbitrary array_agg array_distinct array_join array_max array_min
    array_position avg bool_and bool_or cardinality cbrt ceil ceiling chr coalesce concat contains cos count
    count_if covar_pop covar_samp cume_dist date date_add date_diff date_format date_parse date_trunc day day_of_month
    day_of_week day_of_year degrees dense_rank element_at exp filter first_value flatten floor from_iso8601_date
    from_unixtime greatest grouping hour if is_nan lag last_day_of_month last_value lead least
    length levenshtein_distance ln log log10 log2 lower lpad ltrim max max_by min min_by minute mod month
    none_match nth_value ntile nullif percent_rank pi position pow power quarter radians rank regexp_like replace reverse round
    row_number rpad rtrim second sequence sign sin split split_part sqrt starts_with stddev stddev_pop stddev_samp strpos
    substr substring sum tan to_unixtime transform trim truncate unnest upper var_pop var_samp variance week week_of_year year
    year_of_week
    """.split()  # noqa: SIM905
)

#: Everything else a statement may consist of: its clauses, operators, and functions with a syntax of their own.
NODES = frozenset(
    """
    Add Alias All And Any ArgMax ArgMin Array Between Boolean Bracket CTE Case Cast Ceil Chr Coalesce Column Cross Cube
    CurrentDate CurrentTimestamp DPipe DataType DataTypeParam Distinct Div Dot EQ Escape Except Exists Extract Fetch Filter
    Floor From GT GTE Group GroupingSets Having Identifier If IgnoreNulls In Intersect Interval IntervalSpan Is Join LT
    LTE Lambda Lateral Like Limit LimitOptions Literal Mod Mul NEQ Neg Not Null NullSafeEQ NullSafeNEQ Nullif Offset Or
    Order Ordered Paren Parameter RespectNulls Rollup Select Star StrPosition Sub Subquery Substring Table TableAlias
    Trim TryCast Tuple Union Unnest Values Var Where Window WindowSpec With
    """.split()  # noqa: SIM905
)
STATEMENT = "one SELECT, WITH, VALUES, TABLE, SHOW TABLES or DESCRIBE"


def check_allowed(text: str, query: exp.Expr) -> None:
    """Raise UsageError, pointing at the word, for the first part of the statement that is not on the list."""
    for node in query.walk():
        if isinstance(node, exp.Table):
            _check_table(text, node)
        if isinstance(node, exp.Func) and node.meta_get("start") is not None:
            name = text[node.meta_get("start") : node.meta_get("end") + 1].lower()
            if name not in FUNCTIONS:
                raise at_node(text, node, f"no function {name.strip(chr(34))!r} here; {near(name, FUNCTIONS)}")
        elif type(node).__name__ not in NODES:
            raise at_node(text, node, f"{_spelled(node)} is not part of a question; expected {STATEMENT}")
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            raise at_node(text, node, "DISTINCT ON is not part of Athena's dialect; use row_number()")
        if isinstance(node, exp.Dot) and not isinstance(node.expression, exp.Identifier):
            raise at_node(text, node.expression, "expected the name of a field after the dot")


def _check_table(text: str, table: exp.Table) -> None:
    """A table is a name and, at most, an alias."""
    if not isinstance(table.this, exp.Identifier):
        raise at_node(text, table, "functions that make tables are not allowed here; expected the name of a table or UNNEST")
    plain = ("this", "db", "catalog", "alias", "joins")
    extra = next((key for key, value in table.args.items() if value and key not in plain), "")
    if extra:
        raise at_node(text, table, f"{extra.upper()} is not allowed behind a table")


def _spelled(node: exp.Expr) -> str:
    """A part of a statement as a user would call it."""
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return type(node).__name__.upper()
