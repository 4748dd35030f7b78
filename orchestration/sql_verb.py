"""The verb `sql`: one question, written here or in a file of `sql/queries/`."""

import argparse
import sys
from typing import TYPE_CHECKING

from lake.errors import UsageError
from lake.settings import Settings

if TYPE_CHECKING:
    from orchestration.cli import World
    from sql.engine import Parameter


def sql(settings: Settings, given: argparse.Namespace, world: "World") -> int:
    """Answer one SELECT."""
    from sql.engine import open_engine
    from sql.output import write_answer

    if (given.text is None) == (given.query is None):
        raise UsageError("QUERY: expected one SELECT, or --query NAME for a named query")
    if given.param and not given.query:
        raise UsageError("--param: expected --query NAME beside it")
    text, values = _named(given.query, given.param) if given.query else (given.text, [])
    answer = open_engine(settings, given.engine).ask(sys.stdin.read() if text == "-" else text, values)
    write_answer(answer, given.format or ("json" if given.json else "table"), sys.stdout)
    return 0


def _named(name: str, pairs: list[str]) -> "tuple[str, list[Parameter]]":
    """The text of a named query, and the values of its `?`.

    Raises UsageError for a name that is none, and for the first parameter that is wrong.
    """
    from sql.named import chosen, load_questions

    question = chosen(load_questions(), name)
    given: dict[str, str | None] = {}
    for pair in pairs:
        parameter, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param: got {pair!r}, expected NAME=VALUE")
        if parameter in given:
            raise UsageError(f"--param: {parameter} is given more than once")
        given[parameter] = value
    return question.text, question.bound(question.values(given))
