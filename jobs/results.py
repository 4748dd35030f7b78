"""What gates found, as documents: those not yet in `meta.quality_results`, and the last ones of each table."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lake import paths
from store.documents import Document, encoded, read_document
from store.objects import Objects


@dataclass(frozen=True)
class Result:
    """One judged expectation, as `meta.quality_results` keeps it."""

    run_id: str
    table_name: str
    expectation: str
    rule: str
    observed: float | None
    low: float | None
    high: float | None
    success: bool
    judged_at: datetime


def note_results(objects: Objects, results: list[Result]) -> None:
    """Make durable what a gate found in one table, so that it outlives its job."""
    objects.put(paths.pending_results(results[0].run_id, results[0].table_name), _encoded(results))


def noted_results(objects: Objects) -> dict[str, list[Result]]:
    """What gates found and is not known to be in the table, by key, oldest run first."""
    return dict(_read(objects, paths.pending_results()))


def remember_results(objects: Objects, found: Iterable[list[Result]]) -> None:
    """Let the newest of these be the last results of their table, unless newer ones are."""
    last = last_results(objects)
    newest = {results[0].table_name: results for results in sorted([*last.values(), *found], key=lambda r: r[0].judged_at)}
    for table, results in newest.items():
        if results != last.get(table):
            objects.put(paths.quality_results(table), _encoded(results))


def last_results(objects: Objects) -> dict[str, list[Result]]:
    """What the last gate of each table found, by table."""
    return {results[0].table_name: results for _, results in _read(objects, paths.quality_results("").removesuffix(".json"))}


def plain(result: Result) -> dict[str, Any]:
    """The result as JSON can hold it."""
    return {**asdict(result), "judged_at": result.judged_at.isoformat()}


def _encoded(results: list[Result]) -> bytes:
    return encoded({"results": [plain(result) for result in results]})


def _read(objects: Objects, beginning: str) -> Iterable[tuple[str, list[Result]]]:
    for info in objects.list(beginning):
        found = _results(read_document(objects, info.key) or {"results": []})
        if found:
            yield info.key, found


def _results(document: Document) -> list[Result]:
    return [Result(**{**entry, "judged_at": datetime.fromisoformat(entry["judged_at"])}) for entry in document["results"]]
