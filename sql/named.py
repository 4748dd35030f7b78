"""Named queries as questions: every `:name` of the text bound to a typed value, never pasted into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from lake.errors import UsageError
from lake.queries import NamedQuery, QueryParameter, load_queries
from sql.dialect import parse
from sql.engine import Parameter
from sql.types import declared_type
from sql.values import placeholder, text_of, value_of
from sql.words import at_word, near


@dataclass(frozen=True)
class Question:
    """A named query with `?` where its parameters stand, and their names in that order."""

    query: NamedQuery
    text: str
    order: tuple[str, ...]

    def values(self, given: Mapping[str, str | None]) -> dict[str, Parameter]:
        """Every parameter's value, by name.

        Raises UsageError for the first that is unknown, missing or of another type.
        """
        problems = self.problems(given)
        if problems:
            raise UsageError(
                "; ".join(f"{name} {said}" if said.startswith("is ") else f"{name}: {said}" for name, said in problems.items())
            )
        return {name: _value(parameter, name, given) for name, parameter in self.query.parameters.items()}

    def problems(self, given: Mapping[str, str | None]) -> dict[str, str]:
        """What is wrong with the values, by parameter."""
        known = self.query.parameters
        found = {name: f"no such parameter; {near(name, known)}" for name in given if name not in known}
        for name, parameter in known.items():
            try:
                _value(parameter, name, given)
            except ValueError as error:
                found[name] = str(error)
        return found

    def bound(self, values: Mapping[str, Parameter]) -> list[Parameter]:
        """The values in the order in which the text asks for them."""
        return [values[name] for name in self.order]


def load_questions() -> dict[str, Question]:
    """All named queries of `sql/queries`.

    Raises UsageError for the first that is wrong.
    """
    return {name: question_of(query) for name, query in load_queries(files("sql") / "queries").items()}


def chosen(questions: Mapping[str, Question], name: str) -> Question:
    """The question of that name.

    Raises UsageError that says which there are.
    """
    if name not in questions:
        raise UsageError(f"--query: no query {name!r}; {near(name, questions)}")
    return questions[name]


def question_of(query: NamedQuery) -> Question:
    """The query as a question.

    Raises UsageError that points at a parameter nobody declared, names one that nothing uses, or a default of another type.
    """
    where = f"{query.name}.sql"
    text, order = query.text, []
    try:
        tokens = Trino().tokenize(text)
    except TokenError as error:
        raise UsageError(f"{where}: {error}") from None
    spans = []
    for colon, word in pairwise(tokens):
        if colon.token_type == TokenType.COLON and word.start == colon.end + 1:
            if word.text not in query.parameters:
                said = f"no parameter {word.text!r} is declared; {near(word.text, query.parameters)}"
                raise UsageError(f"{where}: {at_word(text, colon.start, word.end + 1, said)}")
            spans.append((colon.start, word.end + 1))
            order.append(word.text)
    for name in query.parameters:
        if name not in order:
            raise UsageError(f"{where}: parameters.{name}: the text never uses :{name}")
    for start, end in reversed(spans):
        mark = placeholder(declared_type(query.parameters[text[start + 1 : end]].type))
        text = text[:start] + mark + text[end:]
    question = Question(query, text, tuple(order))
    for name, said in question.problems({}).items():
        if not query.parameters[name].is_required:
            raise UsageError(f"{where}: parameters.{name}.default: {said}")
    try:
        parse(text)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return question


def _value(parameter: QueryParameter, name: str, given: Mapping[str, str | None]) -> Parameter:
    """The value that a parameter has.

    Raises ValueError when it is missing or of another type.
    """
    text = given.get(name)
    if name not in given:
        if parameter.is_required:
            raise ValueError(f"is missing; expected a value of type {parameter.type}")
        text = None if parameter.default is None else text_of(parameter.default)
    if text is None:
        if parameter.is_required or parameter.default is not None:
            raise ValueError(f"got null, expected a value of type {parameter.type}")
        return None
    try:
        return value_of(text, declared_type(parameter.type))
    except ValueError as error:
        raise ValueError(f"got {text[:80]!r}, {error}") from None
