"""Small JSON objects that several processes change: read, and change by compare-and-swap."""

import json
from collections.abc import Callable
from typing import Any

from lake.errors import ConflictError, CorruptionError
from store.objects import Objects

Document = dict[str, Any]
TRIES = 20


def encoded(document: Document) -> bytes:
    """The document as stored."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode()


def read_document(objects: Objects, key: str) -> Document | None:
    """The document, or None when it is not there.

    Raises CorruptionError when the object is no JSON object.
    """
    found = objects.read(key)
    return None if found is None else decoded(found.data, objects.uri(key))


def change_document(objects: Objects, key: str, change: Callable[[Document | None], Document | None]) -> Document | None:
    """Apply `change` to what is there until no other writer comes in between; None from it leaves things as they are.

    Raises ConflictError after many lost races, and whatever `change` raises.
    """
    for _ in range(TRIES):
        found = objects.read(key)
        before = None if found is None else decoded(found.data, objects.uri(key))
        after = change(before)
        if after is None:
            return before
        try:
            if found is None:
                objects.create(key, encoded(after))
            else:
                objects.swap(key, encoded(after), found.etag)
        except ConflictError:
            continue
        return after
    raise ConflictError(f"{objects.uri(key)}: lost the race {TRIES} times")


def decoded(data: bytes, where: str) -> Document:
    """The document in stored bytes.

    Raises CorruptionError when they are no JSON object.
    """
    try:
        document = json.loads(data)
    except ValueError as error:
        raise CorruptionError(f"{where}: expected JSON: {error}") from None
    if not isinstance(document, dict):
        raise CorruptionError(f"{where}: expected a JSON object, got {type(document).__name__}")
    return document
