"""All that is declared, read and validated together: sources, and refined tables each after its inputs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lake.errors import UsageError
from lake.model_tables import load_tables
from lake.rest_source import RestSource
from lake.series import check_watched
from lake.settings import Settings
from lake.source import Source
from lake.sources import load_sources
from lake.tables import Refined, in_order, trusted_code


@dataclass(frozen=True)
class Declared:
    """All that is declared: sources, and refined tables each after its inputs."""

    sources: dict[str, Any]
    refined: dict[str, Refined]
    trusted_code: str

    def table(self, name: str) -> str:
        """Full name of the table that an input name means."""
        return self.sources[name].trusted if name in self.sources else f"refined.{name}"

    @property
    def tables(self) -> list[str]:
        """Full names of all, each after its inputs."""
        return [*(source.trusted for source in self.sources.values()), *(table.table for table in self.refined.values())]

    def columns(self, name: str) -> dict[str, str]:
        """The types of an input's columns by name."""
        columns = self.sources[name].published if name in self.sources else self.refined[name].contract.columns
        return {column: each.type for column, each in columns.items()}

    def closure(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """The named sources and refined tables with all they need; everything when none is named.

        Raises UsageError that lists the names there are.
        """
        wanted = list(names)
        if not wanted:
            return list(self.sources), list(self.refined)
        sources: set[str] = set()
        refined: set[str] = set()
        while wanted:
            name = wanted.pop().removeprefix("trusted.").removeprefix("refined.")
            if name in self.sources and name not in sources:
                sources.add(name)
                wanted += _needed_sources(self.sources[name])
            elif name in self.refined and name not in refined:
                refined.add(name)
                wanted += self.refined[name].inputs
            elif name not in sources | refined:
                raise UsageError(f"name: got {name!r}, expected one of {', '.join([*self.sources, *self.refined])}")
        return [name for name in self.sources if name in sources], [name for name in self.refined if name in refined]

    def downstream(self, names: Iterable[str]) -> list[str]:
        """The refined tables that are built from the named sources and tables, through as many others as it takes."""
        reached = {name.removeprefix("trusted.").removeprefix("refined.") for name in names}
        for table in self.refined.values():  # each stands after its inputs
            if reached & set(table.inputs):
                reached.add(table.name)
        return [name for name in self.refined if name in reached]

    def upstream(self, table: str) -> list[str]:
        """Full names of the tables that a declared one is built from, through as many others as it takes, and its own."""
        reached = {table}
        for refined in reversed(self.refined.values()):  # each stands before its inputs
            if refined.table in reached:
                reached |= {self.table(name) for name in refined.inputs}
        return [name for name in self.tables if name in reached]


def read_declarations(settings: Settings) -> Declared:
    """Sources and refined tables, validated together.

    Raises UsageError for the first declaration that is wrong.
    """
    sources = load_sources(settings.sources)
    jobs = settings.code / "jobs"
    refined = in_order(sources, load_tables(jobs))
    declared = Declared(sources, {table.name: table for table in refined}, trusted_code(jobs))
    for table in refined:
        if table.series:
            check_watched(f"{table.folder}/{table.name}.yaml", table.series, declared.columns(table.series.input))
    return declared


def referenced(contract: Any) -> list[str]:
    """Tables that a contract's expectations look into."""
    return [each.table.rpartition(".")[2] for each in contract.expectations if each.rule == "references"]


def _needed_sources(source: Source) -> list[str]:
    asked = [each.source for each in source.for_each.values()] if isinstance(source, RestSource) else []
    return [*asked, *referenced(source)]
