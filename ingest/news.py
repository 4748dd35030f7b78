"""Whether a source has news: what was asked for, and what the newest run already holds."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ingest.originals import Validators, Window
from store import raw
from store.manifests import Keys, Manifest, Original
from store.objects import Objects


def asked_for(bot_fingerprint: str, window: Window | None) -> str:
    """Hash of what a run asks for: only runs that ask for the same are compared."""
    return hashed([bot_fingerprint, [window.start, window.end]]) if window else bot_fingerprint


def known_originals(objects: Objects, name: str, head: Manifest | None, asked: str) -> list[Original]:
    """The newest run's originals when exactly the same is asked for again, with what the source last said of them."""
    if head is None or head.request_fingerprint != asked:
        return []
    newer = raw.source_state(objects, name).get("validators") or {}
    if newer.get("run") != head.run or len(newer["each"]) != len(head.originals):
        return list(head.originals)
    return [
        original.model_copy(update={"etag": etag, "last_modified": last_modified})
        for original, (etag, last_modified) in zip(head.originals, newer["each"], strict=True)
    ]


def content(originals: Sequence[Original], keys: Keys | None = None) -> str:
    """Hash of all original bytes in order, of how they are cut into objects, and of the keys where they were swept."""
    return hashed([*(original.sha256 for original in originals), *([["keys", keys.sha256]] if keys else [])])


def now() -> str:
    """This instant in UTC."""
    return datetime.now(UTC).isoformat()


def hashed(facts: Any) -> str:
    """SHA-256 of facts written as JSON."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def looked(head: Manifest, seen: Sequence[Validators]) -> dict[str, Any]:
    """What the state notes of a look that found nothing new."""
    facts: dict[str, Any] = {"looked_at": now()}
    each = [[each.etag, each.last_modified] for each in seen]
    if len(each) == len(head.originals) and each != [[one.etag, one.last_modified] for one in head.originals]:
        facts["validators"] = {"run": head.run, "each": each}
    return facts
