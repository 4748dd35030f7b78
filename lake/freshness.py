"""How fresh a table is: since when its inputs may hold something that it does not, against what was promised."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

PROMISE = re.compile(r"(?P<number>[1-9]\d{0,5}) (?P<unit>minute|hour|day)s?")
FORM = "a length of time such as `15 minutes`, `1 hour` or `2 days`"


def checked_promise(value: str) -> str:
    """The promise as written.

    Raises ValueError that says what a promise looks like.
    """
    if not PROMISE.fullmatch(value):
        raise ValueError(f"expected {FORM}")
    return value


#: A length of time in a declaration.
Promise = Annotated[str, AfterValidator(checked_promise)]


def promised(value: str) -> timedelta:
    """The greatest age that a promise allows."""
    match = PROMISE.fullmatch(value)
    assert match
    return timedelta(**{f"{match['unit']}s": int(match["number"])})


@dataclass(frozen=True)
class AsOf:
    """The instant up to which a table is known to hold all that its inputs had, and what happened then; None: not even once."""

    at: datetime | None
    why: str


def of_source(name: str, looked_at: datetime | None, pending: tuple[str, datetime] | None) -> AsOf:
    """Of a trusted table: its source's last look that ended well, or the oldest raw run that is not in the table."""
    if pending is not None:
        run, created_at = pending
        return AsOf(created_at, f"run {run} of {name} is not in it")
    return AsOf(looked_at, f"{name} was asked" if looked_at else f"{name} was never asked")


def of_inputs(inputs: Iterable[tuple[str, AsOf, tuple[int, datetime] | None]]) -> AsOf:
    """Of a refined table: the oldest of its inputs, or the first publish of one that is not in the table."""
    found: list[AsOf] = []
    for name, as_of, pending in inputs:
        found.append(as_of)
        if pending is not None:
            number, published_at = pending
            found.append(AsOf(published_at, f"publish {number} of {name} is not in it"))
    dated = [(each.at, each.why) for each in found if each.at is not None]
    return AsOf(*min(dated)) if len(dated) == len(found) else next(each for each in found if each.at is None)


def is_kept(promise: str | None, as_of: AsOf, now: datetime) -> bool | None:
    """Whether a promise is kept; None where there is none."""
    if promise is None:
        return None
    return as_of.at is not None and now - as_of.at <= promised(promise)
