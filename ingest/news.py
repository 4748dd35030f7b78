"""Whether a source has news: what was asked for, what came, and what the newest run already holds."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from ingest.originals import Ask, Bot, Fetched, Validators
from store import raw
from store.manifests import Manifest
from store.objects import Objects


def fingerprint(asks: list[Ask]) -> str:
    """Hash of what was asked for; secrets are no part of it."""
    return hashed([[ask.shown, ask.request] for ask in asks])


def fetched_by(
    bot: Bot, asks: list[Ask], folder: Path, known: list[Validators], tell: Callable[[str], None]
) -> list[Fetched] | None:
    """All originals in order; None when the source said of each that it has not changed."""
    number = count(1)
    found: list[list[Fetched | None]] = []
    for position, ask in enumerate(asks):
        tell(f"asking {position + 1} of {len(asks)}")
        found.append(list(bot.originals(ask, lambda: folder / f"original-{next(number)}", known[position])))
    if asks and all(answer is None for answers in found for answer in answers):
        return None
    for position, answers in enumerate(found):
        if None in answers:  # some have changed: a run holds all of them
            found[position] = list(bot.originals(asks[position], lambda: folder / f"original-{next(number)}", Validators()))
    return [answer for answers in found for answer in answers if answer is not None]


def known_validators(objects: Objects, name: str, head: Manifest | None, asks: list[Ask]) -> list[Validators]:
    """What the source said about the newest run's originals, when exactly the same is asked for again."""
    nothing = [Validators()] * len(asks)
    if head is None or head.request_fingerprint != fingerprint(asks) or len(head.originals) != len(asks):
        return nothing
    newer = raw.source_state(objects, name).get("validators") or {}
    if newer.get("run") == head.run and len(newer["each"]) == len(asks):
        return [Validators(*pair) for pair in newer["each"]]
    return [Validators(original.etag, original.last_modified) for original in head.originals]


def is_same(head: Manifest, asks: list[Ask], fetched: list[Fetched]) -> bool:
    """Whether the newest run asked for the same and got the same bytes."""
    return head.request_fingerprint == fingerprint(asks) and head.content == content(fetched)


def content(fetched: list[Fetched]) -> str:
    """Hash of all original bytes in order, and of how they are cut into objects."""
    return hashed([answer.sha256 for answer in fetched])


def now() -> str:
    """This instant in UTC."""
    return datetime.now(UTC).isoformat()


def hashed(facts: Any) -> str:
    """SHA-256 of facts written as JSON."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def looked(head: Manifest, fetched: list[Fetched] | None) -> dict[str, Any]:
    """What the state notes of a look that found nothing new."""
    facts: dict[str, Any] = {"looked_at": now()}
    if fetched is not None:
        each = [[answer.validators.etag, answer.validators.last_modified] for answer in fetched]
        facts["validators"] = {"run": head.run, "each": each}
    return facts
