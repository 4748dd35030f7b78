"""A lineage as a person reads it: a tree from the table down to the bytes that its sources sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestration.lineage import Made, Origin
from orchestration.printing import size
from store.manifests import Manifest, Original

#: The newest runs of a source and the first originals of a run that are shown; JSON has all.
RUNS, ORIGINALS = 5, 10


@dataclass(frozen=True)
class Line:
    """A line with those below it."""

    text: str
    below: "list[Line]" = field(default_factory=list)


def as_text(root: Made) -> str:
    """The tree; what stands there twice is shown once in full."""
    return "\n".join(_drawn(_table(root, set()), "", ""))


def _drawn(line: Line, first: str, rest: str) -> Iterator[str]:
    yield first + line.text
    for number, below in enumerate(line.below, 1):
        is_last = number == len(line.below)
        yield from _drawn(below, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  "))


def _table(made: Made, seen: set[tuple[str, int]]) -> Line:
    head = f"{made.table}, publish {made.number}"
    told = made.publication
    if told is None:
        return Line(f"{head}: no longer remembered")
    if (made.table, made.number) in seen:
        return Line(f"{head}: see above")
    seen.add((made.table, made.number))
    text = f"{head}: {told['rows']:,} rows, {told['published_at'][:19]} UTC, run {told['run']}, snapshot {told['snapshot']}"
    back = told["facts"].get("rolled_back_to")
    tables = [_table(each, seen) for each in made.tables]
    origins = [line for origin in made.origins for line in _origin(origin)]
    models = [Line(f"model {made.model}")] if made.model else []
    return Line(text + (f", back to publish {back}" if back else ""), [*models, *tables, *origins])


def _origin(origin: Origin) -> list[Line]:
    """The newest runs first."""
    lines = [_run(run) for run in origin.runs[::-1][:RUNS]]
    left = len(origin.runs) - RUNS
    if left > 0:
        lines.append(Line(f"... and {left} earlier runs of {origin.source}; `--format json` lists them"))
    if origin.gone:
        lines.append(Line(f"... and {len(origin.gone)} runs of {origin.source} that raw no longer has"))
    return lines


def _run(run: Manifest) -> Line:
    window = f", window {run.window['from']} to {run.window['to']}" if run.window else ""
    text = (
        f"{run.source}, run {run.run} (number {run.seq}): {run.first_decoding.rows:,} rows, {run.created_at[:19]} UTC{window}"
    )
    return Line(text, _originals(run.originals))


def _originals(originals: Sequence[Original]) -> list[Line]:
    lines = [Line(f"{each.url}  {size(each.bytes)}  sha256 {each.sha256}  {each.key}") for each in originals[:ORIGINALS]]
    left = len(originals) - ORIGINALS
    return [*lines, Line(f"... and {left} more originals; `--format json` lists them")] if left > 0 else lines
