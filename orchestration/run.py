"""One run of the lake: ask the sources, plan, build what changed, and record it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from ulid import ULID

from ingest.amounts import Amount
from ingest.bots import Failure, pull_all
from ingest.landing import Pull
from ingest.landing import Wish as PullWish
from ingest.replay import ensure_decoded
from lake import paths
from lake.declared import Declared, read_declarations
from lake.errors import NothingToDo
from lake.settings import Settings
from orchestration.plan import Entry, planned_tables, published_tables
from orchestration.run_records import recorded
from orchestration.spark_process import Place, run_job
from store import raw
from store.objects import Objects
from store.runs import table_records, write_plan

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Wish:
    """What a person asked for."""

    names: list[str] = field(default_factory=list)
    accept: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    """Trusted tables to build from the beginning whatever was published."""
    is_ingesting: bool = True
    is_downstream: bool = False
    """Ask the named sources alone, and build all that is made from them."""
    fails_on_empty: bool = False


def run_lake(settings: Settings, objects: Objects, wish: Wish, place: Callable[[], Place], tell: Tell) -> dict[str, Any]:
    """The record of the run; its `exit_code` is what the command ends with.

    Raises LakeError when nothing could be planned at all.
    """
    run_id = str(ULID())
    declared = read_declarations(settings)
    declared.closure(wish.names)
    record = {"names": wish.names, "accept": wish.accept}
    with recorded(objects, run_id, "run", record):
        record |= _carried_out(settings, objects, declared, run_id, wish, place, tell)
    return record


def _carried_out(
    settings: Settings, objects: Objects, declared: Declared, run_id: str, wish: Wish, place: Callable[[], Place], tell: Tell
) -> dict[str, Any]:
    """Ask the sources, plan, build: what the record says of each."""
    started = time.monotonic()
    sources, refined = declared.closure(wish.names)
    asked = sources
    if wish.is_downstream:
        asked = [name for name in sources if name in {each.removeprefix("trusted.") for each in wish.names}]
        sources, refined = declared.closure([*wish.names, *declared.downstream(wish.names)])
    record: dict[str, Any] = {}
    pulls = pulled(settings, objects, declared.sources, asked, run_id, tell) if wish.is_ingesting else []
    record |= {"sources": [pull_facts(pull) for pull in pulls], "asked_seconds": round(time.monotonic() - started, 3)}
    codes = [pull.error.exit_code for pull in pulls if isinstance(pull, Failure)]
    entries = planned(settings, objects, declared, sources, refined, wish.again)
    building = [entry for entry in entries if entry["build"]]
    for entry in entries:
        tell({"event": "plan", "table": entry["table"], "build": entry["build"], "reason": entry["reason"]})
    if building:
        record |= _built(settings, objects, declared, run_id, wish, building, place, tell)
        codes.append(record["job_exit_code"])
    elif not codes and wish.fails_on_empty and not any(isinstance(pull, Pull) and pull.outcome == "new" for pull in pulls):
        codes.append(NothingToDo.exit_code)
    return {**record, "exit_code": worst(codes)}


def pulled(
    settings: Settings,
    objects: Objects,
    sources: dict[str, Any],
    names: list[str],
    run_id: str,
    tell: Tell,
    wish: PullWish | None = None,
) -> list[Pull | Failure]:
    """What became of each source; `tell` hears of its steps and of its end."""

    def ended(pull: Pull | Failure) -> None:
        tell({"event": "source", **pull_facts(pull)})

    return pull_all(sources, names, settings, objects, steps(tell), run_id, wish or PullWish(), ended)


def steps(tell: Tell, before: str = "") -> Callable[[str, str | Amount], None]:
    """Tells what bots tell as events; `before` stands before their words."""

    def told(source: str, what: str | Amount) -> None:
        if isinstance(what, Amount):
            tell({"event": "amount", "source": source, **asdict(what), "at": " ".join(filter(None, [before, what.at]))})
        else:
            tell({"event": "step", "source": source, "message": " ".join(filter(None, [before, what]))})

    return told


def worst(codes: list[int]) -> int:
    """One exit code for many: failures without use to retry first, then temporary ones, gates, locks."""
    return next((code for code in (1, 2, 75, 3, 5, 4) if code in codes), 0)


def planned(
    settings: Settings,
    objects: Objects,
    declared: Declared,
    sources: list[str],
    refined: list[str],
    again: list[str],
) -> list[Entry]:
    """The plan's entries, after old runs were decoded again where their declaration asks for it."""
    tables = [*(declared.table(name) for name in sources), *(declared.table(name) for name in refined)]
    published = published_tables(settings, objects, tables)

    def decode(name: str) -> None:
        source = declared.sources[name]
        newest = raw.head(objects, name)
        history = published.get(source.trusted, [])
        if newest is None or (history and history[0]["facts"].get("declaration") == source.declaration):
            return
        manifests = [newest] if source.load == "snapshot" else raw.runs_after(objects, name, 0, newest)
        ensure_decoded(source, objects, manifests)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, sources))
    return planned_tables(objects, declared, published, sources, refined, again)


def plan_document(declared: Declared, run_id: str, wish: Wish, building: list[Entry]) -> dict[str, Any]:
    """The plan as the job reads it: what to build, from what, as declared now."""
    names = [entry["name"] for entry in building if entry["kind"] == "trusted"]
    sources = {name: declared.sources[name].model_dump(mode="json", by_alias=True) for name in names}
    return {"run": run_id, "accept": wish.accept, "again": wish.again, "tables": building, "sources": sources}


def _built(
    settings: Settings,
    objects: Objects,
    declared: Declared,
    run_id: str,
    wish: Wish,
    building: list[Entry],
    place: Callable[[], Place],
    tell: Tell,
) -> dict[str, Any]:
    """Write the plan, let Spark carry it out, and gather what it did."""
    write_plan(objects, run_id, plan_document(declared, run_id, wish, building))
    began, up = time.monotonic(), 0.0

    def told(event: dict[str, Any]) -> None:
        nonlocal up
        if event["event"] == "spark" and event["state"] == "up":
            up = time.monotonic()
        tell(event)

    ended = run_job(settings, place(), run_id, "build", told)
    times = {"spark_seconds": round(up - began, 3), "build_seconds": round(time.monotonic() - up, 3)} if up else {}
    return {
        "tables": table_records(objects, run_id),
        "job_exit_code": ended.exit_code,
        "peak_memory_bytes": max(ended.peak_memory, 0),
        **times,
        **ended.facts,
    }


def pull_facts(pull: Pull | Failure) -> dict[str, Any]:
    """What a pull did, as run records keep it."""
    if isinstance(pull, Failure):
        return {"source": pull.source, "outcome": "failed", "reason": str(pull.error), "exit_code": pull.error.exit_code}
    return asdict(pull)


def act(
    settings: Settings,
    objects: Objects,
    action: str,
    order: dict[str, Any],
    place: Callable[[], Place],
    tell: Tell,
    is_recorded: bool = True,
) -> int:
    """Let a job do one thing that is no build, with an order it understands; its exit code."""
    run_id = str(ULID())
    write_plan(objects, run_id, {"run": run_id, action: order})
    if not is_recorded:
        try:
            return run_job(settings, place(), run_id, action, tell).exit_code
        finally:
            objects.delete([paths.run_plan(run_id)])
    record: dict[str, Any] = {}
    with recorded(objects, run_id, action, record):
        ended = run_job(settings, place(), run_id, action, tell)
        record |= {"tables": table_records(objects, run_id), "exit_code": ended.exit_code, **ended.facts}
    return ended.exit_code
