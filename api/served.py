"""What the API answers from: settings, declarations and named queries, read once; store and engine, opened when first asked."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property

from api.desk import Desk
from api.keys import Keys, read_keys
from api.tables import ServedTables, Shelf, declared_of
from lake.declared import read_declarations
from lake.errors import LakeError
from lake.settings import Settings
from sql.engine import Engine, open_engine
from sql.named import Question, load_questions
from store.catalog import open_catalog
from store.freshness import Freshness
from store.metadata import TableStates
from store.objects import Objects


class Served:
    """Everything behind the routes of one app.

    Raises UsageError when a key, declaration or named query is wrong, or the catalog is none that can be read here.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.api
        self.keys: Keys = read_keys(settings.api.keys, settings.environment)
        self.declarations = read_declarations(settings)
        self.questions: dict[str, Question] = load_questions()
        self.tables = ServedTables(open_catalog(settings))
        self.desk = Desk(settings.api.concurrency, settings.api.timeout_seconds)
        self.closing: list[Callable[[], None]] = [self.desk.close]

    @cached_property
    def objects(self) -> Objects:
        """The lake's objects."""
        return Objects(self.settings)

    @cached_property
    def engine(self) -> Engine:
        """The engine, kept warm; it knows the served tables alone."""
        engine = open_engine(self.settings, catalog=self.tables, memory=self.settings.api.memory)
        self.closing.append(engine.close)
        return engine

    @cached_property
    def shelf(self) -> Shelf:
        """The served tables."""
        return Shelf(self.tables, TableStates(self.objects), declared_of(self.declarations))

    @cached_property
    def freshness(self) -> Freshness:
        """How fresh the served tables are."""
        return Freshness(self.objects, self.declarations)

    def warm(self) -> None:
        """Have ready what the first question would wait for, be it that DuckDB imports pandas at the first bound value."""
        with suppress(LakeError):  # `/readyz` tells what does not answer
            self.engine.ask("SELECT ?", (1,))
        self.shelf.declared  # noqa: B018

    def close(self) -> None:
        """Begin nothing more; what is under way ends within its time."""
        for close in self.closing:
            close()
