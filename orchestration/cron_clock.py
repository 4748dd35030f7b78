"""When a schedule's run begins, is tried again, and is told of: what is remembered of a schedule, as pure facts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from lake.schedules import last_due

LOCKED = 5
#: Trouble that may pass: tried again soon. A run whose process is gone counts as `KILLED`.
KILLED = 137
PASSING = (75, 130, 143, KILLED)
GOOD = (0, 4)
#: So many tries in a row that ended with trouble that may pass are a failure that a person should know of.
PATIENCE = 5
LONGEST = timedelta(hours=1)
Notice = Literal["failure", "recovery"]


@dataclass(frozen=True)
class Episode:
    """A time of failure: when it began, with which exit code, and whether anybody was told."""

    since: datetime
    code: int
    is_announced: bool = False
    is_over: bool = False


@dataclass(frozen=True)
class Memory:
    """What is remembered of one schedule.

    `fired` is the newest due minute whose run was begun; `begun_at` stays set while it goes on; `tries` counts those in a
    row that ended with trouble that may pass, and `again_at` is when the next may begin.
    """

    fired: datetime
    begun_at: datetime | None = None
    tries: int = 0
    again_at: datetime | None = None
    episode: Episode | None = None
    last: dict[str, Any] | None = None

    @property
    def owed(self) -> Notice | None:
        """What a person should be told and was not."""
        if self.episode is None or (self.episode.is_announced and not self.episode.is_over):
            return None
        return "recovery" if self.episode.is_over else "failure"


def first_seen(schedule: str, now: datetime) -> Memory:
    """A schedule that was just declared: what came due before this minute is not caught up."""
    return Memory(fired=last_due(schedule, now - timedelta(minutes=1)))


def checked(schedule: str, memory: Memory, now: datetime) -> Memory:
    """The memory, made right where the clock was far ahead when it was written."""
    fired, again_at = memory.fired, memory.again_at
    return replace(
        memory,
        fired=last_due(schedule, now) if fired > now + LONGEST else fired,
        again_at=now if again_at and again_at > now + LONGEST else again_at,
    )


def is_due(schedule: str, memory: Memory, now: datetime) -> bool:
    """Whether a run is to begin: the schedule came due, be it once or often since the last run, or a try is to be repeated."""
    return last_due(schedule, now) > memory.fired or (memory.again_at is not None and now >= memory.again_at)


def begun(schedule: str, memory: Memory, now: datetime) -> Memory:
    """After a run began."""
    return replace(memory, fired=max(memory.fired, last_due(schedule, now)), begun_at=now, again_at=None)


def ended(memory: Memory, code: int, now: datetime, facts: dict[str, Any] | None = None) -> Memory:
    """After a run ended with an exit code."""
    after = replace(memory, begun_at=None, again_at=None, last={"exit_code": code, **(facts or {})})
    if code in GOOD:
        episode = memory.episode
        told = replace(episode, is_over=True) if episode and episode.is_announced else None
        return replace(after, tries=0, episode=told)
    if code == LOCKED or code in PASSING:
        tries = memory.tries + 1
        after = replace(after, tries=tries, again_at=now + min(timedelta(minutes=2 ** min(tries - 1, 10)), LONGEST))
        is_failure = code != LOCKED and tries >= PATIENCE
    else:
        after, is_failure = replace(after, tries=0), True
    return _failing(after, code, now) if is_failure else after


def announced(memory: Memory) -> Memory:
    """After a person was told what was owed."""
    if memory.episode is None or memory.episode.is_over:
        return replace(memory, episode=None)
    return replace(memory, episode=replace(memory.episode, is_announced=True))


def _failing(memory: Memory, code: int, now: datetime) -> Memory:
    """One episode goes on until it recovers; one whose recovery nobody was told of yet was never over."""
    if memory.episode:
        return replace(memory, episode=replace(memory.episode, is_over=False))
    return replace(memory, episode=Episode(now, code))
