"""What the scheduler begins when it is due: the sources of each schedule together, and upkeep."""

from dataclasses import dataclass
from typing import Any

from lake.errors import UsageError
from lake.schedules import checked_schedule
from lake.settings import Settings


@dataclass(frozen=True)
class Job:
    """A command that a schedule begins; its name is what the scheduler remembers it by."""

    name: str
    schedule: str
    words: tuple[str, ...]
    what: str
    sources: tuple[str, ...] = ()


def declared_jobs(settings: Settings, sources: dict[str, Any]) -> dict[str, Job]:
    """All that is due at times, by name: sources with the same schedule are one job, and so is upkeep unless it is off.

    Raises UsageError when the setting of upkeep is no schedule.
    """
    together: dict[str, list[str]] = {}
    for name, source in sources.items():
        if source.schedule:
            together.setdefault(source.schedule, []).append(name)
    jobs = [
        Job(schedule, schedule, ("run", "--json", "--downstream", *names), ", ".join(names), tuple(names))
        for schedule, names in together.items()
    ]
    nightly = _upkeep(settings.maintain)
    if nightly:
        jobs.append(Job(f"maintain {nightly}", nightly, ("maintain", "--json"), "`lake maintain`"))
    return {job.name: job for job in jobs}


def _upkeep(value: str) -> str | None:
    """When upkeep is due; None where it is off."""
    if value.strip() == "off":
        return None
    try:
        return checked_schedule(value)
    except ValueError as error:
        raise UsageError(f"LAKE_MAINTAIN: got {value!r}, {error}, or `off`") from None
