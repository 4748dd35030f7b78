"""Named queries: a SQL file whose first comment declares in YAML what it answers and which parameters it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration, checked_name, checked_type
from lake.declarations import first_problem, parse_yaml
from lake.errors import UsageError

HEADER = re.compile(r"\s*/\*(?P<yaml>.*?)\*/\s*(?P<text>.*)", re.DOTALL)


class QueryParameter(Declaration):
    """A parameter of a named query; the text names it as `:name`."""

    type: str = Field(description="a type as in a source's columns")
    default: str | int | float | bool | None = Field(
        default=None, description="what counts when it is left out, or null; without this key the parameter is required"
    )
    description: str | None = Field(default=None, description="what it means, with its unit")

    _type = field_validator("type")(checked_type)

    @property
    def is_required(self) -> bool:
        """Whether a question must give it."""
        return "default" not in self.model_fields_set


class Query(Declaration):
    """The header of a named query."""

    description: str = Field(description="one sentence that begins with the grain: `One row per ...`")
    parameters: dict[str, QueryParameter] = Field(default={}, description="name -> its type, or all that is said of it")

    @field_validator("parameters", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"type": said} if isinstance(said, str) else said for name, said in value.items()}

    @model_validator(mode="after")
    def _names(self) -> "Query":
        for name in self.parameters:
            checked_name(name)
        return self


@dataclass(frozen=True)
class NamedQuery:
    """A named query: its header, and its text in Athena's dialect with `:name` where a parameter stands."""

    name: str
    description: str
    parameters: Mapping[str, QueryParameter]
    text: str


def query_from(text: str, name: str, where: str) -> NamedQuery:
    """A query with a valid header.

    Raises UsageError that names the file, the key, what was given and what is allowed.
    """
    match = HEADER.fullmatch(text)
    if match is None or not match["text"].strip():
        raise UsageError(f"{where}: expected a comment /* description: ... */ with the header in YAML, then one SELECT")
    header = first_problem(Query.model_validate, parse_yaml(match["yaml"], where), where, Query, QueryParameter)
    return NamedQuery(name, header.description, header.parameters, match["text"].strip().removesuffix(";"))


def load_queries(folder: Traversable) -> dict[str, NamedQuery]:
    """All named queries of a folder by name.

    Raises UsageError for the first file that is wrong.
    """
    queries: dict[str, NamedQuery] = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name, dot, kind = entry.name.partition(".")
        if dot and kind == "sql":
            try:
                checked_name(name)
            except ValueError as error:
                raise UsageError(f"{entry.name}: {error}") from None
            queries[name] = query_from(entry.read_text("utf-8"), name, entry.name)
    return queries
