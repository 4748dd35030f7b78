"""`lake cron show / install / remove / tick`: the schedules of all sources and of upkeep, run from the user's crontab."""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake.schedules import next_due
from lake.settings import Settings
from lake.sources import load_sources
from orchestration.cron_block import block, cron_log
from orchestration.cron_clock import Memory
from orchestration.cron_jobs import Job, declared_jobs
from orchestration.cron_state import read_memories
from orchestration.crontab import has_crontab, parted, read_crontab, write_crontab
from orchestration.printing import age, print_json, print_rows

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do the action."""
    return {"show": _show, "install": _install, "remove": _remove, "tick": _tick}[given.action](settings, given)


def _show(settings: Settings, given: Given) -> int:
    """What runs when, how it went the last time, and the lines that are or would be in the crontab."""
    sources, memories, now = load_sources(settings.sources), read_memories(settings), datetime.now(UTC)
    rows = [_facts(job, memories.get(job.name), now) for job in declared_jobs(settings, sources).values()]
    if not given.json:
        shown = [(r["schedule"], r["next"][:16].replace("T", " "), _last(r), r["what"]) for r in rows]
        print_rows(("schedule (UTC)", "next", "last run", "what"), shown)
        print(flush=True)
    there = parted(read_crontab(settings), str(settings.home)).block if has_crontab(settings) else None
    wanted = block(settings, sources)
    if given.json:
        print_json({"installed": there is not None, "current": there == wanted, "lines": wanted, "schedules": rows})
        return 0
    state = "the crontab has" if there == wanted else "`lake cron install` would write"
    print(
        "\n".join([f"{state}:" if there is None or there == wanted else f"the crontab has an older block; {state}:", *wanted])
    )
    return 0


def _facts(job: Job, memory: Memory | None, now: datetime) -> dict[str, Any]:
    episode = memory.episode if memory else None
    return {
        "schedule": job.schedule,
        "what": job.what,
        "sources": job.sources,
        "next": next_due(job.schedule, now).isoformat(),
        "again": memory.again_at.isoformat() if memory and memory.again_at else None,
        "running": bool(memory and memory.begun_at),
        "last": memory.last if memory else None,
        "failing_since": episode.since.isoformat() if episode and not episode.is_over else None,
    }


def _last(row: dict[str, Any]) -> str:
    if row["running"]:
        return "running"
    last = row["last"]
    return f"exit code {last['exit_code']}, {age(last['ended_at'])}" if last else ""


def _install(settings: Settings, given: Given) -> int:
    """Write the block, in the place where it is or behind all other lines."""
    wanted = block(settings, load_sources(settings.sources))
    lines = parted(read_crontab(settings), str(settings.home))
    cron_log(settings).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if lines.block != wanted:
        write_crontab(settings, lines.text(wanted))
    return _told(given, "installed" if lines.block != wanted else "it was installed", wanted)


def _remove(settings: Settings, given: Given) -> int:
    """Take the block out."""
    lines = parted(read_crontab(settings), str(settings.home))
    if lines.block is not None:
        write_crontab(settings, lines.text(None))
    return _told(given, "removed" if lines.block is not None else "it was not installed", [])


def _told(given: Given, what: str, lines: list[str]) -> int:
    if given.json:
        print_json({"outcome": what, "lines": lines})
    else:
        print("\n".join([f"crontab: {what}", *lines]))
    return 0


def _tick(settings: Settings, given: Given) -> int:
    """Begin what is due and wait for it; how it went is in the log and in `lake cron show`, never in the exit code."""
    from orchestration.cron_tick import Tick, turn_log

    turn_log(settings)
    due = Tick(settings).run()
    if given.json:
        print_json(due)
    return 0
