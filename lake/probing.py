"""What `lake doctor` is made of: a probe looks at one thing, and says what it found or what is wrong and how to mend it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


class Unwell(Exception):
    """What a probe looked at is not as it should be; `hint` is the next step."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class NotHere(Exception):
    """There is nothing for this probe to look at, and why."""


@dataclass(frozen=True)
class Probe:
    """One thing to look at: `look` gives what it found in a few words, or raises Unwell, NotHere or a LakeError."""

    name: str
    look: Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """What became of a probe."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    message: str
    hint: str = ""
    seconds: float = 0.0
