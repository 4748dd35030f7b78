"""DuckDB's errors as ours, without its internals."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from lake.errors import ExpiredError, LakeError, TemporaryError, TimeLimitError, UsageError
from sql.words import at_first

#: A result that is read after it was interrupted says so in its text alone.
INTERRUPTED = "INTERRUPT Error"
NO_SNAPSHOT = "Could not find snapshot with id"


@contextmanager
def our_errors(text: str) -> Iterator[None]:
    """DuckDB's errors as ours; `text` is the question that they are about."""
    try:
        yield
    except duckdb.Error as error:
        raise _ours(error, text) from error


def _ours(error: duckdb.Error, text: str) -> LakeError:
    if isinstance(error, duckdb.InterruptException) or INTERRUPTED in str(error):
        return TimeLimitError("the question took longer than it may; ask for less, or narrow it down")
    if NO_SNAPSHOT in str(error):
        return ExpiredError("the state of the table that was asked for is no longer kept")
    if isinstance(error, (duckdb.HTTPException, duckdb.IOException)):
        if getattr(error, "status_code", None) in (401, 403):
            return LakeError("S3 refused to show a table's files; check LAKE_S3_ACCESS_KEY_ID and its rights")
        return TemporaryError(f"the tables' files cannot be read now: {_clean(error)}")
    said = _clean(error)
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)):
        word = re.search(r"'(\w+)\(|\"(\w+)\"|function (\w+)", said)
        name = next((group for group in word.groups() if group), "") if word else ""
        return at_first(text, name, said) if name else UsageError(said)
    return LakeError(said)


def _clean(error: duckdb.Error) -> str:
    """First line of DuckDB's message without its class, places in its own SQL and addresses."""
    first = str(error).split("\n", 1)[0]
    first = re.sub(r"^(\w+ )+Error: ", "", first)
    first = re.sub(r" (error )?for HTTP \w+ to '?.*$", "", first)
    first = re.sub(r"(s3|https?)://\S+", "...", first)
    return first.replace("lake_", "").strip().rstrip(".!")
