"""Where a page ended, as an opaque text: the snapshot that all pages read, and the place of the last row in their order."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CHECKED = 6
MOST_EQUAL = 2**31


@dataclass(frozen=True)
class Cursor:
    """A place in the rows of a question.

    `place` are the values of the last row in the order's columns, as text; `equal` rows with just these values were
    given, so that no row is lost or doubled even where the order leaves rows equal. `question` is a hash of what was asked.
    """

    snapshot: int
    question: str
    place: tuple[str | None, ...]
    equal: int

    def text(self) -> str:
        """The cursor as it is sent."""
        facts = [str(self.snapshot), self.question, list(self.place), self.equal]
        data = json.dumps(facts, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_check(data) + data).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The cursor of a text that was sent; what it says is checked, and its values are only ever bound.

    Raises ValueError when it is not one.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        check, data = raw[:CHECKED], raw[CHECKED:]
        if check != _check(data):
            raise ValueError("changed")
        snapshot, question, place, equal = json.loads(data)
        if not _are_texts([snapshot, question]) or not _are_texts([each for each in place if each is not None]):
            raise ValueError("foreign")
        if not isinstance(equal, int) or not 0 <= equal < MOST_EQUAL:
            raise ValueError("foreign")
        return Cursor(int(snapshot), question, tuple(place), equal)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise ValueError("expected a cursor as the page before gave it, unchanged") from None


def question_hash(*facts: object) -> str:
    """What must be the same on all pages, in short."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _check(data: bytes) -> bytes:
    """A sum that tells a damaged cursor; who makes one on purpose gets only what a filter would give."""
    return hashlib.sha256(b"cursor" + data).digest()[:CHECKED]
