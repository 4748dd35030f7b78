"""What upkeep may take away: snapshots that nobody needs, raw runs and run records that are old; pure facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The reason of a table that upkeep left as it was.
NOTHING_TO_DO = "nothing to do"


@dataclass(frozen=True)
class Expiry:
    """Snapshots that may go now, and when (ms since 1970) the next one may if nothing else happens; None: never."""

    gone: list[int]
    again_at: int | None


def expiry(made_at: Mapping[int, int], log: Sequence[tuple[int, int]], kept: Iterable[int], now: int, readers: int) -> Expiry:
    """What becomes of the snapshots `made_at` (id -> ms), of which `kept` stay whatever their age.

    `log` says when which snapshot became current, oldest first. A snapshot may be read for `readers` ms after it was
    replaced, not after it was made: a reader may have begun just before.
    """
    others = [snapshot for snapshot in made_at if snapshot not in set(kept)]
    free_at = {snapshot: replaced_at(made_at[snapshot], snapshot, log) + readers for snapshot in others}
    waiting = [at for at in free_at.values() if at > now]
    return Expiry([snapshot for snapshot, at in free_at.items() if at <= now], min(waiting, default=None))


def replaced_at(made_at: int, snapshot: int, log: Sequence[tuple[int, int]]) -> int:
    """When another snapshot took this one's place, in ms; one that never was current counts from when it was made.

    Expiry shortens the log: a snapshot from before it was replaced when it begins, at the latest.
    """
    last = max((place for place, (_, current) in enumerate(log) if current == snapshot), default=None)
    if last is None:
        return max(made_at, log[0][0]) if log else made_at
    return log[last + 1][0] if last + 1 < len(log) else made_at


def pins(published: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[int]]:
    """The snapshots of each table that the newest publish of another was made from: its next build compares with them."""
    found: dict[str, set[int]] = {}
    for history in published.values():
        for table, at in (history[0]["inputs"] if history else {}).items():
            if "snapshot" in at:
                found.setdefault(table, set()).add(int(at["snapshot"]))
    return {table: sorted(snapshots) for table, snapshots in found.items()}


def lease_of(table: str) -> str:
    """The lease that guards a table: rejected rows are published under that of the trusted table."""
    zone, _, name = table.partition(".")
    return f"table/trusted.{name}" if zone == "quarantine" else f"table/{table}"


def told(facts: Mapping[str, Any]) -> str:
    """What was done to a table, in words."""
    words = {
        "compacted": "{} small files compacted",
        "manifests": "{} manifests rewritten",
        "expired": "{} snapshots expired",
        "branches": "{} dead branches dropped",
        "removed": "{} objects removed",
    }
    return ", ".join(text.format(f"{facts[name]:,}") for name, text in words.items() if facts.get(name))
