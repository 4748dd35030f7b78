"""The seam of `lake sql` and the API: what any engine answers to a question in Athena's dialect."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from lake.errors import UsageError
from lake.settings import Settings
from store.catalog import open_catalog

ENGINES = ("duckdb",)

Parameter = bool | int | float | Decimal | str | date | datetime | None


class Tables(Protocol):
    """What an engine asks of a catalog: `store.catalog.open_catalog` gives one."""

    def tables(self) -> dict[str, str]:
        """Address of the current metadata of every table, by full name such as `refined.category_summary`."""


@dataclass(frozen=True)
class AnswerColumn:
    """A column of an answer; the type is spelled as Trino spells it: varchar, bigint, decimal(10,2)."""

    name: str
    type: str


@dataclass(frozen=True)
class Answer:
    """Columns, and rows that are read once, as they come.

    `pinned` says which metadata each table of the query was read at, by full name.
    """

    columns: tuple[AnswerColumn, ...]
    rows: Iterable[tuple[Any, ...]]
    pinned: Mapping[str, str]


@dataclass(frozen=True)
class Terms:
    """How a question is to be answered beside its text: tables read at these snapshots, within so many seconds."""

    at: Mapping[str, int]
    seconds: float | None = None


#: Every table as it is now, however long it takes.
FREELY = Terms({})


class Engine(Protocol):
    """Answers questions in Athena's dialect, for many threads at once; one state of every table per question."""

    def ask(self, text: str, parameters: Sequence[Parameter] = (), terms: Terms = FREELY) -> Answer:
        """Answer of one SELECT whose `?` stand for `parameters`.

        Raises UsageError that points at the word for a wrong question, LakeError for one that fails on the data,
        ExpiredError for a snapshot that is no longer kept, TimeLimitError, also while rows are read, when the time is
        over, and TemporaryError when a server does not answer.
        """

    def close(self) -> None:
        """Begin nothing more in threads of its own, so that the process can end."""


def open_engine(settings: Settings, name: str = "duckdb", catalog: Tables | None = None, memory: str = "") -> Engine:
    """The engine of that name over the tables of a catalog, or of the one that the settings name.

    With a `memory` such as `1GB` the engine is for a server: it takes no more, and uses it to be fast the next time.
    Raises UsageError for a name that is none.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: got {name!r}, expected {' or '.join(ENGINES)}")
    from sql.duckdb_engine import DuckDBEngine
    from sql.duckdb_open import open_duckdb

    return DuckDBEngine(open_duckdb(settings, memory), catalog or open_catalog(settings), is_copying=bool(memory))
