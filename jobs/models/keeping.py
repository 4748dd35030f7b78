"""Trains a model and keeps it in the lake: promoted if it is no worse than the promoted one, beside it otherwise."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame

from jobs.models.promotion import Verdict, checks, drift, verdict
from jobs.models.training import trained
from lake.tables import Refined
from store.documents import Document
from store.models import keep_model, promote, promotion, read_model
from store.objects import Objects


@dataclass(frozen=True)
class Trained:
    """A model that was trained, what became of it, and whether it is another than the promoted one was."""

    document: Document
    verdict: Verdict
    is_new: bool


def train(objects: Objects, table: Refined, rows: DataFrame, snapshot: dict[str, Any], run: str) -> Trained:
    """Train the model of a table on rows of its input, keep it, and promote it when it may.

    Raises GateError when there are too few rows, LockedError when another model was promoted meanwhile.
    """
    model = table.model
    assert model is not None
    state = promotion(objects, table.name)
    document = trained(rows, model, table.name, snapshot)
    if state and state["id"] == document["id"]:
        return Trained(read_model(objects, table.name, document["id"]), Verdict(True, "it is the promoted one"), False)
    old = read_model(objects, table.name, state["id"]) if state and state["shape"] == model.shape else None
    judged, check = Verdict(True, "the first model of this declaration"), None
    if old:
        new_check, old_check = checks(rows, model, [document, old])
        judged = verdict(new_check, old_check, model.threshold)
        moved = drift(rows, model, document, old)
        check = {
            "against": old["id"],
            "new": asdict(new_check),
            "promoted": asdict(old_check),
            "drift": moved,
            "why": judged.why,
        }
    facts = {"run": run, "trained_at": datetime.now(UTC).isoformat(timespec="seconds"), "check": check}
    kept = keep_model(objects, {**document, **facts})
    if judged.is_promoted:
        promote(objects, kept, state["id"] if state else None, judged.why)
    return Trained({**kept, "check": check}, judged, is_new=True)
