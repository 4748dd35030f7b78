"""`lake raw list / verify / replay / sweep`: prove, replay and tidy the raw zone."""

import argparse
from dataclasses import asdict

from lake.errors import CorruptionError
from lake.settings import Settings
from lake.sources import chosen, load_sources
from orchestration.printing import print_json, print_rows, size
from store.objects import Objects
from store.raw import raw_sources

Given = argparse.Namespace


def called(settings: Settings, given: Given) -> int:
    """Do the action on the named sources, or on all."""
    objects = Objects(settings)
    return {"list": _list, "verify": _verify, "replay": _replay, "sweep": _sweep}[given.action](settings, objects, given)


def _named(objects: Objects, given: Given) -> list[str]:
    """The named sources, or all that raw holds.

    Raises UsageError for a name that raw does not know: nothing can be said of it.
    """
    return chosen(dict.fromkeys(raw_sources(objects)), given.names)


def _list(settings: Settings, objects: Objects, given: Given) -> int:
    from ingest.verify import raw_list

    runs = [{"source": source, **run} for source in _named(objects, given) for run in raw_list(objects, source)]
    if given.json:
        print_json(runs)
        return 0
    rows = [
        (
            *(r["source"], r["seq"], r["run"], r["created_at"][:19], f"{r['rows']:,}", r["faults"], size(r["bytes"])),
            "" if r["keys"] is None else f"{r['keys']:,}",
        )
        for r in runs
    ]
    print_rows(("source", "seq", "run", "at", "rows", "faults", "original", "keys"), rows)
    return 0


def _verify(settings: Settings, objects: Objects, given: Given) -> int:
    from ingest.verify import verify

    report = verify(objects, _named(objects, given))
    if given.json:
        print_json(asdict(report))
    else:
        for problem in report.problems:
            print(f"{problem.kind}: {problem.key}: {problem.message}")
        print(f"{report.runs} runs, {report.objects} objects, {size(report.bytes)} read: {len(report.problems)} problems")
    return CorruptionError.exit_code if report.problems else 0


def _replay(settings: Settings, objects: Objects, given: Given) -> int:
    from ingest.replay import replay

    sources = load_sources(settings.sources)
    done = [each for name in chosen(sources, given.names) for each in replay(sources[name], objects)]
    if given.json:
        print_json([asdict(each) for each in done])
        return 0
    print_rows(
        ("source", "seq", "run", "rows", "faults", ""), [(d.source, d.seq, d.run, d.rows, d.faults, d.outcome) for d in done]
    )
    return 0


def _sweep(settings: Settings, objects: Objects, given: Given) -> int:
    from ingest.verify import sweep

    gone = [key for source in given.names or raw_sources(objects) for key in sweep(objects, source)]
    if given.json:
        print_json(gone)
    else:
        print("\n".join([*gone, f"{len(gone)} objects of dead runs removed"]))
    return 0
