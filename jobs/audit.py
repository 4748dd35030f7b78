"""Audits what a build wrote before it is published: counts, shrinkage and the table's expectations, at one gate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gate import Gate, Metric, added_metric, measured, metric
from lake.expectations import Expectation, NotNull, Unique


@dataclass(frozen=True)
class Appended:
    """The rows that were put beside those of `before`, which passed an audit by the same rules and are still the same."""

    rows: DataFrame
    before: DataFrame


@dataclass(frozen=True)
class Auditor:
    """What every audit of one run needs; `read` gives a table as it is served now."""

    gate: Gate
    read: Callable[[str], DataFrame]
    accepted: frozenset[str]

    def audit(
        self,
        table: str,
        written: DataFrame,
        expectations: Sequence[Expectation],
        extra: Sequence[Metric],
        pinned: dict[str, DataFrame],
        appended: Appended | None = None,
    ) -> int:
        """The number of rows of a table that keeps all it must; `pinned` inputs are read as they were pinned. What each row
        must keep for itself, and beside those that were there, is asked of the `appended` rows alone.

        Raises GateError for one that does not.
        """

        def read(name: str) -> DataFrame:
            return pinned[name] if name in pinned else self.read(name if "." in name else f"trusted.{name}")

        metrics = [
            added_metric(expectation, appended.rows, appended.before)
            if appended and isinstance(expectation, (Unique, NotNull))
            else metric(expectation, read)
            for expectation in expectations
        ]
        if not any(m.name == "rows" for m in metrics):
            metrics.insert(0, Metric("rows", "row_count", 0, None, F.count("*")))
        metrics += [m for m in extra if m.name not in {other.name for other in metrics}]
        unique = list({m.name: m for m in metrics}.values())
        values = measured(written, unique)
        self.gate.judge(table, unique, values)
        return int(values["rows"])

    def is_accepted(self, *names: str) -> bool:
        """Whether a person consented to this raw run or table."""
        return any(name in self.accepted for name in names)

    @staticmethod
    def consent(name: str, is_pulled: bool = True) -> str:
        """How a person consents; without a pull before it where that would bring a newer run, to be consented to anew."""
        return f" (if that is right: `lake run {'' if is_pulled else '--no-ingest '}--accept {name}`)"
