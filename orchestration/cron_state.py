"""What this machine's scheduler remembers, in `.lake/cron/`, and the locks by which its minutes do not collide."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from lake.settings import Settings
from orchestration.cron_clock import Episode, Memory

Memories = dict[str, Memory]


def folder(settings: Settings) -> Path:
    """Where the scheduler keeps its state."""
    return settings.local / "cron"


def read_memories(settings: Settings) -> Memories:
    """What is remembered of each schedule; nothing where the file is missing or damaged: then no run is caught up."""
    try:
        found = json.loads((folder(settings) / "state.json").read_text())
        return {schedule: _memory(facts) for schedule, facts in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def change_memories(settings: Settings, change: Callable[[Memories], Memories]) -> Memories:
    """Change what is remembered while no other process does; what it is then."""
    with alone(settings, "state.lock") as lock:
        assert lock
        after = change(read_memories(settings))
        path = folder(settings) / "state.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps({schedule: asdict(memory) for schedule, memory in after.items()}, indent=1, default=_text))
        os.replace(part, path)
        return after


@contextmanager
def alone(settings: Settings, name: str, is_waiting: bool = True) -> Iterator[IO[str] | None]:
    """The lock file, held; None when another process holds it and one does not wait. The kernel frees it at the end."""
    folder(settings).mkdir(parents=True, exist_ok=True)
    with (folder(settings) / name).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if is_waiting else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file


def lock_name(schedule: str) -> str:
    """The lock that a schedule's run holds."""
    return f"{sha256(schedule.encode()).hexdigest()[:12]}.lock"


def _memory(facts: dict[str, Any]) -> Memory:
    episode = facts["episode"]
    return Memory(
        fired=datetime.fromisoformat(facts["fired"]),
        begun_at=_instant(facts["begun_at"]),
        tries=int(facts["tries"]),
        again_at=_instant(facts["again_at"]),
        episode=Episode(**{**episode, "since": datetime.fromisoformat(episode["since"])}) if episode else None,
        last=facts["last"],
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(instant: datetime) -> str:
    return instant.isoformat()
