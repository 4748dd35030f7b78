"""Trained models: documents written once, and which one is promoted, changed by compare-and-swap."""

from datetime import UTC, datetime

from lake import paths
from lake.errors import ConflictError, LockedError, UsageError
from lake.tables import Refined
from store.documents import Document, change_document, encoded, read_document
from store.objects import Objects


def keep_model(objects: Objects, document: Document) -> Document:
    """Write a trained model unless it is there; the document that the lake has under its id."""
    key = paths.model(document["model"], document["id"])
    try:
        objects.create(key, encoded(document))
    except ConflictError:  # the same training gave the same model before, at another time
        return read_model(objects, document["model"], document["id"])
    return document


def read_model(objects: Objects, name: str, model_id: str) -> Document:
    """A trained model.

    Raises UsageError that lists those there are.
    """
    found = read_document(objects, paths.model(name, model_id))
    if found is None:
        known = ", ".join(each["id"] for each in kept_models(objects, name))
        raise UsageError(f"model {name}: got {model_id!r}, expected one of {known or 'none: none was trained yet'}")
    return found


def kept_models(objects: Objects, name: str) -> list[Document]:
    """All trained models of a declaration, oldest first."""
    found = [read_document(objects, info.key) for info in objects.list(paths.models(name))]
    return sorted((each for each in found if each), key=lambda each: (each["trained_at"], each["id"]))


def promotion(objects: Objects, name: str) -> Document | None:
    """The promoted model: its id, the number of the promotion, when and why; None before the first."""
    return read_document(objects, paths.model_state(name))


def usable_pin(objects: Objects, table: Refined) -> dict[str, Document]:
    """The promoted model as an input of its table; none where no model makes it, or none of this declaration's was promoted."""
    state = promotion(objects, table.name) if table.model else None
    if state is None or table.model is None or state["shape"] != table.model.shape:
        return {}
    return {f"model.{table.name}": {"model": state["id"]}}


def promote(objects: Objects, document: Document, before: str | None, why: str) -> Document:
    """Let the lake score with a model from now on, in place of the one with the id `before`.

    Raises LockedError when somebody else promoted another meanwhile.
    """
    name = document["model"]

    def change(state: Document | None) -> Document | None:
        now = state["id"] if state else None
        if now == document["id"]:
            return None
        if now != before:
            raise LockedError(f"model {name}: {now} was promoted meanwhile; compare with that one: `lake model train {name}`")
        number = state["number"] + 1 if state else 1
        facts = {"id": document["id"], "shape": document["shape"], "before": before, "why": why}
        return {"number": number, "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}

    changed = change_document(objects, paths.model_state(name), change)
    assert changed is not None
    return changed
