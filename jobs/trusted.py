"""Decoded rows of one source to typed, checked and deduplicated rows: functions from frames to frames."""

from functools import reduce

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.casts import Cast, cast
from jobs.changes import undeclared_fields
from jobs.checks import broken, meaning
from jobs.schemas import column_type
from lake.columns import Check, Column, stored_type
from lake.source import Source

LINEAGE = ("_run_id", "_ingested_at", "_raw_key", "_raw_row")
ON_FAILS = ("quarantine", "warn", "halt")
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
    fields = [T.StructField(name, column_type(column.type)) for name, column in source.published.items()]
    lineage = (T.StringType(), T.TimestampType(), T.StringType(), RAW_ROW)
    return T.StructType([*fields, *(T.StructField(name, kind) for name, kind in zip(LINEAGE, lineage, strict=True))])


def judged_rows(decoded: DataFrame, runs: DataFrame, source: Source) -> DataFrame:
    """One row per decoded row: typed columns, lineage, `_seq`, and whether anything is wrong with the row.

    `_is_rejected` boolean, then the typed columns mean nothing; `_is_misfit` boolean, a text was no value of its type;
    `_is_keyless` boolean, a column of the key had no text; `_warnings` and `_halts` int, checks broken that do not
    reject. What is wrong is spelled out by `spelled_rows`, for the few rows that need it: lists of problems would make
    Spark give up compiled code for all.
    `runs` has one row per run: `_run_id`, `_seq`, `_ingested_at`.
    """
    broken_ = {on_fail: [broken(check) for check in source.checks if check.on_fail == on_fail] for on_fail in ON_FAILS}
    reads = {name: made.read for name, made in _casts(source).items()}
    typed = _typed_rows(decoded, source, reads).join(F.broadcast(runs), "_run_id", "left")
    return typed.select(
        *source.published,
        *LINEAGE,
        "_seq",
        _any([F.col("_is_faulty"), *broken_["quarantine"]]).alias("_is_rejected"),
        "_is_misfit",
        "_is_keyless",
        _count(broken_["warn"]).alias("_warnings"),
        _count(broken_["halt"]).alias("_halts"),
    )


def spelled_rows(decoded: DataFrame, source: Source) -> DataFrame:
    """One row per decoded row: its typed columns, null where a text is faulty, `problems` and `payload`, its text as JSON.

    `problems` is an array of (column, rule, value, message), empty for a row that is not rejected.
    """
    casts = _casts(source)
    faults = [_cast_problem(name, column, casts[name].fault) for name, column in source.columns.items()]
    faults += [_missing_problem(name, name in source.key) for name in _required(source)] + _undeclared(source)
    found = F.concat(F.filter(F.array(*faults), lambda p: p.isNotNull()), decoding_problems())
    checks = [check for check in source.checks if check.on_fail == "quarantine"]
    texts = F.struct(*(F.col(name) for name in source.columns)).alias("_text")
    values = {name: made.value for name, made in casts.items()}
    typed = _typed_rows(decoded, source, values, payload(source).alias("payload"), found.alias("_found"), texts)
    broken_ = F.filter(F.array(*(_check_problem(source, check) for check in checks)), lambda p: p.isNotNull())
    problems = F.concat("_found", broken_.cast(T.ArrayType(PROBLEM))) if checks else F.col("_found")
    return typed.select("_run_id", "_raw_key", "_raw_row", *source.published, problems.alias("problems"), "payload")


def _typed_rows(decoded: DataFrame, source: Source, values: dict[str, Expr], *more: Expr) -> DataFrame:
    """One row per decoded row: every column's value, `_is_misfit`, `_is_keyless`, `_is_faulty`, its place, and what is asked for."""
    casts = _casts(source)
    is_misfit = _any([casts[name].is_faulty for name in source.columns])
    others = [F.col("_faults").isNotNull(), *(F.col(name).isNull() for name in _required(source))]
    others += [problem.isNotNull() for problem in _undeclared(source)]
    return decoded.select(
        F.regexp_extract("_raw_key", r"/run=([0-9A-Z]{26})/", 1).alias("_run_id"),
        *(values[name].alias(name) for name in source.columns),
        *("_raw_key", "_raw_row"),
        is_misfit.alias("_is_misfit"),
        _any([F.lit(False), *(F.col(name).isNull() for name in source.key)]).alias("_is_keyless"),
        _any([is_misfit, *others]).alias("_is_faulty"),
        *more,
    )


def _casts(source: Source) -> dict[str, Cast]:
    return {name: cast(F.col(name), column) for name, column in {**source.columns, **source.published}.items()}


def _required(source: Source) -> list[str]:
    return [name for name, column in {**source.columns, **source.published}.items() if column.required]


def payload(source: Source) -> Expr:
    """The row's text as JSON, without PII columns and undeclared fields."""
    return F.to_json(F.struct(*(F.col(name) for name in source.published)), {"ignoreNullFields": "false"})


def decoding_problems() -> Expr:
    """What the decoder could not read, as problems."""
    none = F.array().cast(T.ArrayType(PROBLEM))
    return F.coalesce(F.from_json("_faults", T.ArrayType(PROBLEM)), none)


def colliding_keys(judged: DataFrame, source: Source, newest_seq: int) -> DataFrame:
    """One row per key that more than one of the rows that count have: the key columns, and `rows` bigint."""
    current = _with_current(judged, source, newest_seq, is_one_run=False).where("_current")
    return current.groupBy(*source.key).agg(F.count("*").alias("rows")).where("rows > 1")


def accepted_rows(
    judged: DataFrame, source: Source, newest_seq: int, *, is_one_run: bool = False, has_repeats: bool = True
) -> DataFrame:
    """One row per row that is not rejected, with `_fate`: kept, duplicate or superseded.

    Newest per key by `order_by`, then run, then place in the run; for `append` the first one stays. Of a `snapshot`
    only the newest run (`newest_seq`) counts, for `overwrite` the newest run of each partition. A loser with the same
    values as the winner is a duplicate. Without repeated keys nothing has to be sorted, and of one run all rows count.
    """
    valid = _with_current(judged, source, newest_seq, is_one_run)
    if not source.key or not has_repeats:
        return valid.withColumn("_fate", F.when(F.col("_current"), "kept").otherwise("superseded")).drop("_current")
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


def _with_current(judged: DataFrame, source: Source, newest_seq: int, is_one_run: bool) -> DataFrame:
    """The rows that are not rejected, with `_current`: whether their run is one that counts."""
    valid = judged.where("not _is_rejected")
    if is_one_run:
        return valid.withColumn("_current", F.lit(True))
    if source.load == "snapshot":
        return valid.withColumn("_current", F.col("_seq") == newest_seq)
    if source.load == "overwrite" and source.partition:
        newest = judged.where(F.col(source.partition).isNotNull()).groupBy(source.partition).agg(F.max("_seq").alias("_newest"))
        dated = valid.join(F.broadcast(newest), source.partition, "left")
        return dated.withColumn("_current", F.col("_seq") == F.col("_newest")).drop("_newest")
    return valid.withColumn("_current", F.lit(True))


def changed_rows(accepted: DataFrame, current: DataFrame, source: Source) -> DataFrame:
    """The accepted rows with `_fate` decided against the table: a kept row that the table has already is a duplicate,
    one that the table has a newer row for (an older one, for `append`) is superseded.
    """
    if source.load in ("snapshot", "overwrite") or not source.key:
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


def rejected_rows(decoded: DataFrame, source: Source) -> DataFrame:
    """One row per decoded row with problems, as quarantine keeps it."""
    return (
        spelled_rows(decoded, source)
        .where(F.size("problems") > 0)
        .select(*("_run_id", "_raw_key", "_raw_row", "problems", "payload"), F.current_timestamp().alias("quarantined_at"))
    )


def repeated_keys(accepted: DataFrame, key: list[str]) -> DataFrame:
    """One row per run in which keys came more than once: repeated bigint, how many keys; example, the first of them in words."""
    words = F.concat_ws(", ", *(F.concat(F.lit(f"{name} "), F.col(name).cast("string")) for name in key))
    keys = accepted.groupBy("_run_id", *key).agg(F.count("*").alias("_rows")).where("_rows > 1")
    return keys.groupBy("_run_id").agg(F.count("*").alias("repeated"), F.substring(F.min(words), 1, 100).alias("example"))


def lone_run_counts(judged: DataFrame, source: Source) -> DataFrame:
    """What `run_counts` says of a single run in which no key comes twice; `keys` bigint, as many as `kept` where that is so."""
    kept, none = F.count_if(~F.col("_is_rejected")), F.lit(0).cast("bigint")
    return judged.groupBy("_run_id").agg(
        *_seen(),
        kept.alias("kept"),
        none.alias("superseded"),
        none.alias("duplicates"),
        (F.count_distinct(F.when(~F.col("_is_rejected"), F.struct(*source.key))) if source.key else kept).alias("keys"),
    )


def run_counts(judged: DataFrame, accepted: DataFrame) -> DataFrame:
    """One row per run: decoded, quarantined, kept, superseded, duplicates, misfits, keyless, warnings and halts, all bigint."""
    seen = judged.groupBy("_run_id").agg(*_seen())
    fates = accepted.groupBy("_run_id").agg(
        F.count(F.when(F.col("_fate") == "kept", 1)).alias("kept"),
        F.count(F.when(F.col("_fate") == "superseded", 1)).alias("superseded"),
        F.count(F.when(F.col("_fate") == "duplicate", 1)).alias("duplicates"),
    )
    return seen.join(fates, "_run_id", "left").na.fill(0)


def _seen() -> list[Expr]:
    """Counts of judged rows, whatever becomes of those that are accepted."""
    return [
        F.count("*").alias("decoded"),
        F.count_if("_is_rejected").alias("quarantined"),
        F.count_if("_is_misfit").alias("misfits"),
        F.count_if("_is_keyless").alias("keyless"),
        F.sum("_warnings").alias("warnings"),
        F.sum("_halts").alias("halts"),
    ]


def _problem(condition: Expr, column: str | None, rule: str, value: Expr, message: Expr) -> Expr:
    fields = (F.lit(column).cast("string"), F.lit(rule), value.cast("string"), message)
    return F.when(condition, F.struct(*(field.alias(name) for field, name in zip(fields, PROBLEM.names, strict=True))))


def _cast_problem(name: str, column: Column, fault: Expr) -> Expr:
    shown = F.lit(None) if column.pii else F.col(name)
    return _problem(fault.isNotNull(), name, "type", shown, fault)


def _missing_problem(name: str, is_key: bool) -> Expr:
    message = f"expected a value{' of the key' if is_key else ''}, got none"
    return _problem(F.col(name).isNull(), name, "required", F.lit(None), F.lit(message))


def _undeclared(source: Source) -> list[Expr]:
    """A problem for a row with fields that nobody declared, where the source's policy says so; it names the fields alone."""
    if source.changes != "quarantine":
        return []
    names = undeclared_fields()
    return [_problem(names != "", None, "undeclared", F.lit(None), F.concat(F.lit("fields nobody declared: "), names))]


def _check_problem(source: Source, check: Check) -> Expr:
    hidden = check.column is None or source.columns[check.column].pii
    value = F.lit(None) if hidden else F.col(f"_text.{check.column}")
    return _problem(broken(check), check.column, check.rule, value, F.lit(meaning(check)))


def _any(conditions: list[Expr]) -> Expr:
    return reduce(lambda one, other: one | other, conditions)


def _count(conditions: list[Expr]) -> Expr:
    """How many of the conditions are true."""
    return reduce(lambda one, other: one + other, (condition.cast("int") for condition in conditions), F.lit(0))
