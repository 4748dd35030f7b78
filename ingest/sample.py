"""The first original of a source, decoded into a file of this machine: what `lake source check` looks at."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ulid import ULID

from ingest.decode import Place, decode, decoder_of
from ingest.originals import Visit
from ingest.wiring import bot_of
from lake import paths
from lake.errors import SourceError
from store.objects import Objects


@dataclass(frozen=True)
class Sample:
    """Decoded rows in a Parquet file, what came, in words, and what a person should know of it."""

    path: Path
    facts: dict[str, Any]
    notes: list[str]


def sample(name: str, sources: dict[str, Any], objects: Objects, folder: Path) -> Sample:
    """Ask a source for its first original as a pull would, and decode it; nothing is written to the lake.

    Raises what a pull would, and SourceError when the source sent nothing.
    """
    source, number = sources[name], count(1)
    bot = bot_of(source, sources, objects)
    notes: list[str] = []
    visit = Visit(new_path=lambda: folder / f"original-{next(number)}", note=notes.append, is_full=True)
    originals = bot.originals(visit)
    first = next(originals, None)
    if first is None:
        raise SourceError(f"{name}: got nothing, expected at least one answer")
    key = paths.original(paths.raw_run(name, str(ULID())), 1, first.extension or bot.extension)
    decoder = decoder_of(source)
    done = decode(source, decoder, first.path, Place(first.shown, first.request, key, 1), folder / "sample.parquet")
    facts = {
        "from": first.shown,
        "bytes": f"{first.bytes:,}",
        "rows": f"{done.rows:,}",
        "rows that did not decode": done.faults,
    }
    observed = sorted(getattr(decoder, "observed", ()))
    facts |= {"fields nobody declared": " ".join(observed)} if observed else {}
    return Sample(done.path, facts, notes)
