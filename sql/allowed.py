"""The allow-list: which functions and which parts of a statement a question may use."""

from sqlglot import exp

from sql.words import at_node, near

#: Functions whose answer on DuckDB was compared with a Trino server; tests/unit/test_sql_answers.py holds the comparison.
FUNCTIONS = frozenset(
    """abs all_match any_match any_value approx_distinct arbitrary array_agg array_distinct array_join array_max array_min array_position
    avg bool_and bool_or cardinality cbrt ceil ceiling chr coalesce codepoint concat contains corr count count_if cos
    covar_pop covar_samp cume_dist date date_add date_diff date_format date_trunc day day_of_month day_of_week day_of_year degrees
    dense_rank e element_at every exp first_value flatten floor format_datetime from_iso8601_date from_unixtime
    greatest grouping hour if is_nan is_finite is_infinite lag last_day_of_month last_value lead least length levenshtein_distance ln log log10 log2 lower
    lpad ltrim max max_by min min_by minute mod month none_match nth_value ntile nullif percent_rank pi pow power quarter radians rank
    regexp_like regexp_replace replace reverse round row_number rpad rtrim second sequence sign sin split split_part sqrt
    starts_with stddev stddev_pop stddev_samp strpos substr substring sum tan to_unixtime trim truncate try unnest upper var_pop
    var_samp variance week week_of_year width_bucket year year_of_week""".split()
)

#: Functions and operators that have a syntax of their own, and every other part of a statement.
NODES = frozenset(
    """Select Union Intersect Except Subquery CTE With Values Tuple From Join Table TableAlias Where Group Having Order Ordered Limit
    Offset Fetch LimitOptions Distinct Star Column Identifier Alias Literal Boolean Null Paren Placeholder Var Window WindowSpec Filter
    Rollup Cube GroupingSets Unnest Lateral Lambda Bracket Array In Between Like Escape Is Exists Any All Not Neg And Or EQ NEQ LT LTE GT GTE
    NullSafeEQ NullSafeNEQ Add Sub Mul Div Mod DPipe Case If Cast TryCast DataType DataTypeParam Interval Extract CurrentDate CurrentTimestamp
    Localtimestamp AtTimeZone Trim StrPosition WithinGroup IgnoreNulls RespectNulls Coalesce Nullif Use Cross Kwarg DecimalParam
    ArrayContainsAll IntervalSpan""".split()
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
        if isinstance(node, exp.Placeholder) and node.args.get("this"):
            raise at_node(text, node, f"got parameter {node.name!r}, expected ?")


def _check_table(text: str, table: exp.Table) -> None:
    """A table is a name and, at most, an alias."""
    if not isinstance(table.this, exp.Identifier):
        raise at_node(text, table, "functions that make tables are not allowed here; expected the name of a table or UNNEST")
    extra = next((key for key, value in table.args.items() if value and key not in ("this", "db", "catalog", "alias", "joins")), "")
    if extra:
        raise at_node(text, table, f"{extra.upper()} is not allowed behind a table")


def _spelled(node: exp.Expr) -> str:
    """A part of a statement as a user would call it."""
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    return type(node).__name__.upper()

