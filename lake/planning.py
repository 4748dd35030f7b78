"""When a table is built again: what is wanted against what was published, as pure facts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Inputs = dict[str, dict[str, Any]]
"""Per input its position: `{seq, run}` of a source's newest raw run, `{number, snapshot}` of a table's publish,
`{model}` of the promoted model, which may be an earlier one again."""


@dataclass(frozen=True)
class Wanted:
    """What a table would be built from now."""

    declaration: str
    code: str
    inputs: Inputs

    @property
    def fingerprint(self) -> str:
        """One hash of declaration, code and pinned inputs: equal means that a build would give the same table."""
        facts = json.dumps([self.declaration, self.code, self.inputs], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Decision:
    """Whether to build, why, and whether from the beginning."""

    build: bool
    reason: str
    whole: bool = False


def position(input_: dict[str, Any]) -> int:
    """How far an input has come: its sequence or publish number; a model's is always 0."""
    return int(input_.get("seq", input_.get("number", 0)))


def _is_news(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return position(now) > position(before) or now.get("model") != before.get("model")


def decide(wanted: Wanted, published: Sequence[dict[str, Any]], is_asked: bool = False) -> Decision:
    """What to do with a table, given its publications, newest first; `is_asked` builds it whatever they say."""
    if not published:
        return Decision(True, "first build", whole=True)
    if is_asked:
        return Decision(True, "asked for", whole=True)
    last = published[0]
    if last["fingerprint"] == wanted.fingerprint:
        return Decision(False, "up to date")
    if last["facts"].get("held") == wanted.fingerprint:
        return Decision(False, "rolled back; waits for new input")
    if any(position(last["inputs"].get(name, {})) > position(now) for name, now in wanted.inputs.items()):
        return Decision(False, "already built from newer input")
    if last["facts"].get("declaration") != wanted.declaration:
        return Decision(True, "its declaration changed", whole=True)
    if last["facts"].get("code") != wanted.code:
        return Decision(True, "its code changed", whole=True)
    news = [name for name, now in wanted.inputs.items() if _is_news(now, last["inputs"].get(name, {}))]
    return Decision(True, f"new input from {', '.join(news) or 'other tables'}")
