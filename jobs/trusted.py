"""Decoded rows of one source to typed, checked and deduplicated rows: functions from frames to frames."""

from functools import reduce

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.casts import cast
from jobs.changes import undeclared_fields
from jobs.checks import broken, meaning
from lake.columns import Check, Column, stored_type
from lake.source import Source

LINEAGE = ("_run_id", "_ingested_at", "_raw_key", "_raw_row")
RAW_ROW = T.StructType(
    [T.StructField("object", T.IntegerType()), T.StructField("row", T.LongType()), T.StructField("child", T.IntegerType())]
)
PROBLEM = T.StructType([T.StructField(name, T.StringType()) for name in ("column", "rule", "value", "message")])
RUN = T.StructType(
    [
        T.StructField("_run_id", T.StringType()),
        T.StructField("_seq", T.LongType()),
        T.StructField("_ingested_at", T.TimestampType()),
    ]
)
QUARANTINE = T.StructType(
    [
        T.StructField("_run_id", T.StringType()),
        T.StructField("_raw_key", T.StringType()),
        T.StructField("_raw_row", RAW_ROW),
        T.StructField("problems", T.ArrayType(PROBLEM)),
        T.StructField("payload", T.StringType()),
        T.StructField("quarantined_at", T.TimestampType()),
    ]
)


def decoded_schema(source: Source) -> T.StructType:
    """Schema of the decoded rows: every declared column as text, where the row stood, and what did not decode."""
    fields = [T.StructField(name, T.StringType()) for name in source.columns]
    fields += [T.StructField("_raw_key", T.StringType()), T.StructField("_raw_row", RAW_ROW)]
    return T.StructType([*fields, T.StructField("_extra", T.StringType()), T.StructField("_faults", T.StringType())])


def table_schema(source: Source) -> T.StructType:
    """Schema of the trusted table: the published columns, then lineage."""
    fields = [
        T.StructField(name, T._parse_datatype_string(stored_type(column.type))) for name, column in source.published.items()
    ]
    lineage = (T.StringType(), T.TimestampType(), T.StringType(), RAW_ROW)
    return T.StructType([*fields, *(T.StructField(name, kind) for name, kind in zip(LINEAGE, lineage, strict=True))])


def judged_rows(decoded: DataFrame, runs: DataFrame, source: Source) -> DataFrame:
    """One row per decoded row: typed columns, lineage, `_seq`, `_payload` and what is wrong with the row.

    `_problems` array of (column, rule, value, message) rejects the row; `_warnings` and `_halts` are arrays of rules.
    `runs` has one row per run: `_run_id`, `_seq`, `_ingested_at`.
    """
    run_id = F.regexp_extract("_raw_key", r"/run=([0-9A-Z]{26})/", 1).alias("_run_id")
    casts = {name: cast(F.col(name), column) for name, column in {**source.columns, **source.published}.items()}
    faults = [_cast_problem(name, column, casts[name].fault) for name, column in source.columns.items()]
    faults += [_missing_problem(name) for name, column in {**source.columns, **source.published}.items() if column.required]
    typed = decoded.select(
        run_id,
        *(casts[name].value.alias(name) for name in source.columns),
        *("_raw_key", "_raw_row"),
        payload(source).alias("_payload"),
        F.concat(F.filter(F.array(*faults, *_undeclared(source)), lambda p: p.isNotNull()), decoding_problems()).alias(
            "_faults"
        ),
        F.struct(*(F.col(name) for name in source.columns)).alias("_text"),
    ).join(F.broadcast(runs), "_run_id", "left")
    return typed.select(
        *source.published,
        *LINEAGE,
        "_seq",
        "_payload",
        F.concat("_faults", _check_problems(source, "quarantine")).alias("_problems"),
        F.transform(_check_problems(source, "warn"), lambda p: p["rule"]).alias("_warnings"),
        _check_problems(source, "halt").alias("_halts"),
    )


def payload(source: Source) -> Expr:
    """The row's text as JSON, without PII columns and undeclared fields."""
    return F.to_json(F.struct(*(F.col(name) for name in source.published)), {"ignoreNullFields": "false"})


def decoding_problems() -> Expr:
    """What the decoder could not read, as problems."""
    none = F.array().cast(T.ArrayType(PROBLEM))
    return F.coalesce(F.from_json("_faults", T.ArrayType(PROBLEM)), none)


def accepted_rows(judged: DataFrame, source: Source, newest_seq: int) -> DataFrame:
    """One row per row without problems, with `_fate`: kept, duplicate or superseded.

    Newest per key by `order_by`, then run, then place in the run; for `append` the first one stays. Of a `snapshot`
    only the newest run (`newest_seq`) counts. A loser with the same values as the winner is a duplicate.
    """
    valid = judged.where(F.size("_problems") == 0)
    if source.load == "snapshot":
        valid = valid.withColumn("_current", F.col("_seq") == newest_seq)
    else:
        valid = valid.withColumn("_current", F.lit(True))
    if not source.key:
        return valid.withColumn("_fate", F.lit("kept")).drop("_current")
    order = [F.col("_seq").asc(), F.col("_raw_row").asc()]
    if source.load != "append":
        order = [*(F.col(name).desc_nulls_last() for name in source.order_by), F.col("_seq").desc(), F.col("_raw_row").desc()]
    window = Window.partitionBy("_current", *source.key).orderBy(*order)
    values = F.struct(*(F.col(name) for name in source.published))
    ranked = valid.withColumn("_rank", F.row_number().over(window)).withColumn(
        "_same", values.eqNullSafe(F.first(values).over(window))
    )
    fate = F.when(~F.col("_current"), "superseded").when(F.col("_rank") == 1, "kept")
    return ranked.withColumn("_fate", fate.when(F.col("_same"), "duplicate").otherwise("superseded")).drop(
        "_rank", "_same", "_current"
    )


def changed_rows(accepted: DataFrame, current: DataFrame, source: Source) -> DataFrame:
    """The accepted rows with `_fate` decided against the table: a kept row that the table has already is a duplicate,
    one that the table has a newer row for (an older one, for `append`) is superseded.
    """
    if source.load == "snapshot" or not source.key:
        return accepted
    types = {name: stored_type(column.type) for name, column in source.published.items()}
    had = {name: (F.col(name) if name in current.columns else F.lit(None)).cast(type_) for name, type_ in types.items()}
    there = current.select(
        *(had[name].alias(f"_key_{name}") for name in source.key),
        F.struct(*(value.alias(name) for name, value in had.items())).alias("_there"),
    )
    same_key = reduce(lambda left, right: left & right, (F.col(name).eqNullSafe(F.col(f"_key_{name}")) for name in source.key))
    joined = accepted.join(there, same_key, "left")
    values = F.struct(*(F.col(name).cast(type_).alias(name) for name, type_ in types.items()))
    older = F.lit(source.load == "append")
    if source.load == "merge" and source.order_by:
        older = F.struct(*(F.col(name) for name in source.order_by)) < F.struct(
            *(F.col(f"_there.{n}") for n in source.order_by)
        )
    decided = F.when((F.col("_fate") != "kept") | F.col("_there").isNull(), F.col("_fate"))
    decided = decided.when(values.eqNullSafe(F.col("_there")), "duplicate").when(older, "superseded").otherwise("kept")
    return joined.withColumn("_fate", decided).select(*accepted.columns)


def rejected_rows(judged: DataFrame) -> DataFrame:
    """One row per decoded row with problems, as quarantine keeps it."""
    return judged.where(F.size("_problems") > 0).select(
        "_run_id",
        "_raw_key",
        "_raw_row",
        F.col("_problems").alias("problems"),
        F.col("_payload").alias("payload"),
        F.current_timestamp().alias("quarantined_at"),
    )


def run_counts(judged: DataFrame, accepted: DataFrame) -> DataFrame:
    """One row per run: decoded, quarantined, kept, superseded, duplicates, misfits, warnings and halts, all bigint."""
    seen = judged.groupBy("_run_id").agg(
        F.count("*").alias("decoded"),
        F.count(F.when(F.size("_problems") > 0, 1)).alias("quarantined"),
        F.count(F.when(F.exists("_problems", lambda p: p["rule"] == "type"), 1)).alias("misfits"),
        F.sum(F.size("_warnings")).alias("warnings"),
        F.sum(F.size("_halts")).alias("halts"),
    )
    fates = accepted.groupBy("_run_id").agg(
        F.count(F.when(F.col("_fate") == "kept", 1)).alias("kept"),
        F.count(F.when(F.col("_fate") == "superseded", 1)).alias("superseded"),
        F.count(F.when(F.col("_fate") == "duplicate", 1)).alias("duplicates"),
    )
    return seen.join(fates, "_run_id", "left").na.fill(0)


def _problem(condition: Expr, column: str | None, rule: str, value: Expr, message: Expr) -> Expr:
    fields = (F.lit(column).cast("string"), F.lit(rule), value.cast("string"), message)
    return F.when(condition, F.struct(*(field.alias(name) for field, name in zip(fields, PROBLEM.names, strict=True))))


def _cast_problem(name: str, column: Column, fault: Expr) -> Expr:
    shown = F.lit(None) if column.pii else F.col(name)
    return _problem(fault.isNotNull(), name, "type", shown, fault)


def _missing_problem(name: str) -> Expr:
    return _problem(F.col(name).isNull(), name, "required", F.lit(None), F.lit("expected a value, got none"))


def _undeclared(source: Source) -> list[Expr]:
    """A problem for a row with fields that nobody declared, where the source's policy says so; it names the fields alone."""
    if source.changes != "quarantine":
        return []
    names = undeclared_fields()
    return [_problem(names != "", None, "undeclared", F.lit(None), F.concat(F.lit("fields nobody declared: "), names))]


def _check_problems(source: Source, on_fail: str) -> Expr:
    """Array of the problems that the checks with this consequence find."""
    problems = [_check_problem(source, check) for check in source.checks if check.on_fail == on_fail]
    if not problems:
        return F.array().cast(T.ArrayType(PROBLEM))
    return F.filter(F.array(*problems), lambda problem: problem.isNotNull())


def _check_problem(source: Source, check: Check) -> Expr:
    hidden = check.column is None or source.columns[check.column].pii
    value = F.lit(None) if hidden else F.col(f"_text.{check.column}")
    return _problem(broken(check), check.column, check.rule, value, F.lit(meaning(check)))
