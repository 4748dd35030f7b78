"""The gate of a table: metrics in one Spark pass, judged as a Great Expectations suite, shown as Data Docs."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.results import Result
from lake.errors import GateError
from lake.expectations import Expectation, Fresh, Holds, NotNull, References, RowCount, Total, Unique

Reader = Callable[[str], DataFrame]


@dataclass(frozen=True)
class Metric:
    """One number about a table and the bounds it must keep."""

    name: str
    rule: str
    low: float | None
    high: float | None
    expression: Expr | None = None
    measure: Callable[[DataFrame], float] | None = None
    next_step: str = ""


def metric(expectation: Expectation, read: Reader) -> Metric:
    """The number that an expectation is about, and its bounds."""
    rule = expectation.rule
    if isinstance(expectation, RowCount):
        return Metric("rows", rule, expectation.min, expectation.max, F.count("*"))
    if isinstance(expectation, Unique):
        doubled = F.count("*") - F.count_distinct(F.struct(*expectation.columns))
        return Metric(f"rows that share ({', '.join(expectation.columns)})", rule, 0, 0, doubled)
    if isinstance(expectation, NotNull):
        nulls = F.count(F.when(F.greatest(F.lit(False), *(F.col(name).isNull() for name in expectation.columns)), 1))
        return Metric(f"rows without {' or '.join(expectation.columns)}", rule, 0, 0, nulls)
    if isinstance(expectation, Holds):
        return Metric(f"rows against {expectation.equation}", rule, 0, 0, F.count(F.when(~F.expr(expectation.equation), 1)))
    if isinstance(expectation, Total):
        return Metric(
            f"{expectation.equation} holds", rule, 1, 1, F.coalesce(F.expr(expectation.equation), F.lit(False)).cast("int")
        )
    if isinstance(expectation, Fresh):
        age = (
            F.unix_micros(F.current_timestamp()) - F.unix_micros(F.max(F.col(expectation.column).cast("timestamp")))
        ) / 3_600_000_000
        return Metric(f"hours since the newest {expectation.column}", rule, None, expectation.hours, age)
    return Metric(
        f"{expectation.column} not in {expectation.table}.{expectation.to}",
        rule,
        0,
        0,
        measure=_unreferenced(expectation, read),
    )


def added_metric(expectation: Unique | NotNull, rows: DataFrame, before: DataFrame) -> Metric:
    """The same number, of a table of which all but these rows kept the expectation before."""
    whole = metric(expectation, lambda _: before)
    assert whole.expression is not None
    own = whole.expression.cast("double").alias("own")

    def measure(_: DataFrame) -> float:
        if isinstance(expectation, NotNull):
            row = rows.agg(own).first()
            return float(row[0]) if row else 0.0
        row = rows.agg(own, *_times(rows, expectation.columns)).first()
        return float(row[0]) + _taken(rows, before, expectation.columns, row.asDict()) if row else 0.0

    return replace(whole, expression=None, measure=measure)


def _times(rows: DataFrame, columns: list[str]) -> list[Expr]:
    """The least and the greatest of each column that is an instant, in microseconds."""
    found = [name for name in columns if isinstance(rows.schema[name].dataType, T.TimestampType)]
    return [of(F.unix_micros(name)).alias(f"{of.__name__} {name}") for name in found for of in (F.min, F.max)]


def _taken(rows: DataFrame, before: DataFrame, columns: list[str], times: dict[str, Any]) -> int:
    """How many of the rows share their key with one that was there; files whose times cannot be among theirs are not read."""
    there = before
    for name in columns:
        low, high = times.get(f"min {name}"), times.get(f"max {name}")
        if low is not None and high is not None:
            first, last = (F.timestamp_micros(F.lit(micros)) for micros in (low, high))
            there = there.where(F.col(name).between(first, last) | F.col(name).isNull())
    keys = there.select(*(F.col(name).alias(f"_{name}") for name in columns))
    same = reduce(and_, (F.col(name).eqNullSafe(F.col(f"_{name}")) for name in columns))
    return rows.select(*columns).join(keys, same, "left_semi").count()


def _unreferenced(expectation: References, read: Reader) -> Callable[[DataFrame], float]:
    def measure(frame: DataFrame) -> float:
        known = read(expectation.table).select(F.col(expectation.to).alias("_known")).distinct()
        named = frame.select(F.col(expectation.column).alias("_named")).where("_named is not null")
        return float(named.join(known, F.col("_named") == F.col("_known"), "left_anti").count())

    return measure


def measured(frame: DataFrame, metrics: Sequence[Metric]) -> dict[str, float]:
    """The value of each metric by name; one Spark pass for all that are aggregates."""
    aggregates = [m.expression.cast("double").alias(m.name) for m in metrics if m.expression is not None]
    row = frame.agg(*aggregates).first() if aggregates else None
    values = {name: math.nan if value is None else float(value) for name, value in (row.asDict() if row else {}).items()}
    return values | {m.name: m.measure(frame) for m in metrics if m.measure is not None}


@dataclass
class Gate:
    """Judges tables with one Great Expectations context, remembers every result, and lets it be noted before it has effect."""

    run_id: str
    note: Callable[[list[Result]], None]
    results: list[Result] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _context: Any = None
    _assets: Any = None

    def judge(self, table: str, metrics: Sequence[Metric], values: dict[str, float]) -> list[Result]:
        """All results of a table's suite.

        Raises GateError that names each expectation that failed, what came and what was allowed.
        """
        with self._lock:
            outcome = self._validated(table, metrics, values)
        now = datetime.now(UTC)
        results = []
        for m in metrics:
            value = values[m.name]
            observed = None if math.isnan(value) else value
            low, high = (None if bound is None else float(bound) for bound in (m.low, m.high))
            results.append(Result(self.run_id, table, m.name, m.rule, observed, low, high, outcome[m.name], now))
        self.note(results)
        self.results.extend(results)
        failed = [_told(result) + m.next_step for result, m in zip(results, metrics, strict=True) if not result.success]
        if failed:
            raise GateError(f"{table}: {'; '.join(failed)}; the table stays as it was")
        return results

    def write_docs(self, folder: Path, earlier: Sequence[Sequence[Result]]) -> None:
        """The Data Docs of all that was judged, as HTML files below `folder`; `earlier` results of other tables are shown too."""
        for results in earlier:
            metrics = [Metric(result.expectation, result.rule, result.low, result.high) for result in results]
            values = {result.expectation: math.nan if result.observed is None else result.observed for result in results}
            self._validated(results[0].table_name, metrics, values, results[0])
        self._context.add_data_docs_site(
            "lake",
            {
                "class_name": "SiteBuilder",
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
            },
        )
        self._context.build_data_docs(site_names=["lake"])

    def _validated(
        self, table: str, metrics: Sequence[Metric], values: dict[str, float], earlier: Result | None = None
    ) -> dict[str, bool]:
        import great_expectations as gx
        import pandas as pd
        from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

        if self._context is None:
            in_memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
            self._context = gx.get_context(mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=in_memory))
            self._context.variables.progress_bars = {"globally": False}
            self._assets = self._context.data_sources.add_pandas("lake")
        suite = gx.ExpectationSuite(name=table)
        for m in metrics:
            suite.add_expectation(
                gx.expectations.ExpectColumnValuesToBeBetween(
                    column=m.name, min_value=m.low, max_value=m.high, meta={"notes": f"{m.rule}: {m.name}"}
                )
                if m.low is not None or m.high is not None
                else gx.expectations.ExpectColumnToExist(column=m.name)
            )
        batch = self._assets.add_dataframe_asset(table).add_batch_definition_whole_dataframe(self.run_id)
        suite = self._context.suites.add(suite)
        definition = self._context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite))
        checkpoint = self._context.checkpoints.add(gx.Checkpoint(name=table, validation_definitions=[definition]))
        frame = pd.DataFrame({name: [math.inf if math.isnan(value) else value] for name, value in values.items()})
        when = gx.RunIdentifier(earlier.run_id if earlier else self.run_id, earlier.judged_at if earlier else None)
        outcome = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=when)
        (result,) = outcome.run_results.values()
        return {entry.expectation_config.kwargs["column"]: bool(entry.success) for entry in result.results}


def _told(result: Result) -> str:
    low = "" if result.low is None else f"at least {result.low:g}"
    high = "" if result.high is None else f"at most {result.high:g}"
    observed = "nothing" if result.observed is None else f"{result.observed:g}"
    allowed = (
        f"{result.low:g}" if result.low == result.high and result.low is not None else " and ".join(p for p in (low, high) if p)
    )
    return f"{result.expectation}: got {observed}, expected {allowed}"
