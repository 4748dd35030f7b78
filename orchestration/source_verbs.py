"""`lake source list / show / check`: what is declared, and what would become of what a source sends now."""

import argparse
from typing import TYPE_CHECKING, Any

from lake.errors import UsageError
from lake.settings import Settings
from lake.sources import chosen, load_sources
from orchestration.printing import print_json, print_rows
from orchestration.progress import Progress
from store.scratch import scratch

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
SHOWN = 10
Event = dict[str, Any]


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do the action."""
    if given.action == "list":
        return _list(settings, given)
    if not given.what:
        raise UsageError("NAME: got none, expected a source; `lake source list` names them")
    if given.action == "suggest":
        return _suggest(settings, given)
    sources = load_sources(settings.sources)
    chosen(sources, [given.what])
    return _show(sources[given.what]) if given.action == "show" else _check(settings, given, sources, world)


def _list(settings: Settings, given: Given) -> int:
    sources = load_sources(settings.sources)
    if given.json:
        print_json([source.model_dump(mode="json", by_alias=True) for source in sources.values()])
        return 0
    rows = [(s.name, s.kind, s.load, s.schedule or "", len(s.columns), s.description) for s in sources.values()]
    print_rows(("source", "kind", "load", "schedule", "columns", "what"), rows)
    return 0


def _show(source: Any) -> int:
    """The declaration with every default written out; references stay references."""
    print_json(source.model_dump(mode="json", by_alias=True))
    return 0


def _suggest(settings: Settings, given: Given) -> int:
    """A first declaration for the file behind an address."""
    from ingest.suggest import suggest

    text = suggest(given.what, settings, given.name)
    if given.json:
        print_json({"declaration": text})
    else:
        print(text, end="")
    return 0


def _check(settings: Settings, given: Given, sources: dict[str, Any], world: "World") -> int:
    """Fetch the first original, decode it, cast its first rows as a build would, and change nothing."""
    from ingest.sample import sample
    from orchestration.run import act
    from store.objects import Objects

    objects, source = Objects(settings), sources[given.what]
    rows: list[Event] = []
    tell = Progress(is_quiet=given.json)

    def told(event: Event) -> None:
        rows.append(event) if event["event"] == "row" else tell(event)

    with scratch() as folder:
        found = sample(given.what, sources, objects, folder)
        order = {"source": source.model_dump(mode="json", by_alias=True), "sample": str(found.path), "rows": SHOWN}
        code = act(settings, objects, "check", order, world.place, told, is_recorded=False)
    if given.json:
        print_json(
            {
                "source": given.what,
                "fetched": found.facts,
                "notes": found.notes,
                "rows": [{k: v for k, v in r.items() if k != "event"} for r in rows],
            }
        )
        return code
    print(f"{given.what}: " + ", ".join(f"{name} {value}" for name, value in found.facts.items()))
    for note in found.notes:
        print(f"note: {note}")
    names = list(source.published)
    print_rows(("row", *names), [(r["row"], *("" if r["values"][n] is None else r["values"][n] for n in names)) for r in rows])
    rejected = [row for row in rows if row["problems"]]
    for row in rejected:
        print(f"row {row['row']} would be quarantined: {'; '.join(row['problems'])}")
    print(f"{len(rows) - len(rejected)} of the first {len(rows)} rows would be published; nothing was changed")
    return code
