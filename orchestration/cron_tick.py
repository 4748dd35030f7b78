"""One minute of the scheduler: begins what is due, waits for it, remembers how it ended, and tells a person once."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake.errors import UsageError
from lake.settings import Settings
from lake.sources import load_sources
from orchestration import cron_clock
from orchestration.announce import announce
from orchestration.cron_block import cron_log, scheduled
from orchestration.cron_clock import Memory
from orchestration.cron_state import Memories, alone, change_memories, lock_name, read_memories

LOG_BYTES = 1_000_000
LOGS_KEPT = 5
#: What is remembered of declarations that cannot be read stands under this name, among the schedules.
DECLARATIONS = "declarations"


class Tick:
    """The runs of one minute, side by side: one per schedule that is due."""

    def __init__(self, settings: Settings, now: datetime | None = None) -> None:
        self.settings, self._now = settings, now
        self.children: list[subprocess.Popen[str]] = []

    def now(self) -> datetime:
        """This instant, or the one that a test says it is."""
        return self._now or datetime.now(UTC)

    def run(self) -> list[str]:
        """Run what is due to its end; the schedules that were due: none while a declaration is wrong."""
        try:
            schedules = scheduled(load_sources(self.settings.sources))
        except UsageError as error:
            self._ended(DECLARATIONS, [], error.exit_code, {"ended_at": _instant(self.now()), "errors": [str(error)]})
            return []
        memories = read_memories(self.settings)
        if DECLARATIONS in memories:
            self._ended(DECLARATIONS, [], 0, {"ended_at": _instant(self.now())})
        if set(memories) != set(schedules):
            memories = change_memories(self.settings, lambda found: self._known(found, list(schedules)))
        now = self.now()
        due = [each for each in schedules if self._is_wanted(each, cron_clock.checked(each, memories[each], now))]
        threads = [threading.Thread(target=self._scheduled, args=(each, schedules[each]), name=each) for each in due]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            for child in self.children:
                child.terminate()
            raise
        return due

    def _known(self, found: Memories, schedules: list[str]) -> Memories:
        """What is remembered of the schedules there are now; trouble with declarations until its end was told."""
        owed = {name: memory for name, memory in found.items() if name == DECLARATIONS and memory.owed}
        return owed | {each: found.get(each) or cron_clock.first_seen(each, self.now()) for each in schedules}

    def _is_wanted(self, schedule: str, memory: Memory) -> bool:
        return memory.begun_at is not None or cron_clock.is_due(schedule, memory, self.now())

    def _scheduled(self, schedule: str, names: list[str]) -> None:
        """One run, unless the last one of this schedule still goes on."""
        with alone(self.settings, lock_name(schedule), is_waiting=False) as lock:
            if lock is None:
                return
            memory = self._remembered(schedule, self._begun)
            if memory.begun_at is None:
                return
            code, facts = self._ran(schedule, names, lock.fileno())
            say(f"{schedule}: {_line(code, facts)}")
            self._ended(schedule, names, code, facts)

    def _ended(self, schedule: str, names: list[str], code: int, facts: dict[str, Any]) -> None:
        """Remember how a run ended, and tell a person what is owed; what cannot be delivered stays owed until the next run."""
        memory = self._remembered(schedule, lambda _, before: cron_clock.ended(before, code, self.now(), facts))
        if memory.owed is None:
            return
        told = notice(self.settings, schedule, names, memory)
        say(f"{schedule}: {told['text']}")
        trouble = announce(self.settings, told)
        if trouble:
            say(f"{schedule}: this could not be announced: {trouble}")
        else:
            self._remembered(schedule, lambda _, before: cron_clock.announced(before))

    def _begun(self, schedule: str, memory: Memory) -> Memory:
        """The memory of a run that begins now; a run that never said how it ended was killed, and is tried again later."""
        now, memory = self.now(), cron_clock.checked(schedule, memory, self.now())
        if memory.begun_at:
            say(f"{schedule}: the run that began at {_instant(memory.begun_at)} is gone without an end")
            memory = cron_clock.ended(memory, cron_clock.KILLED, now, {"ended_at": _instant(now)})
        return cron_clock.begun(schedule, memory, now) if cron_clock.is_due(schedule, memory, now) else memory

    def _remembered(self, schedule: str, change: Any) -> Memory:
        def changed(found: Memories) -> Memories:
            before = found.get(schedule) or Memory(fired=self.now())
            return {**found, schedule: change(schedule, before)}

        return change_memories(self.settings, changed)[schedule]

    def _ran(self, schedule: str, names: list[str], lock: int) -> tuple[int, dict[str, Any]]:
        """Exit code and facts of `lake run`; it holds the schedule's lock too, so that it outlives this process alone."""
        words = [str(Path(sys.executable).parent / "lake"), "run", "--json", "--downstream", *names]
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=(lock,)
        )
        self.children.append(child)
        out, err = child.communicate()
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        return code, {"ended_at": _instant(datetime.now(UTC)), **_facts(out, err)}


def notice(settings: Settings, schedule: str, names: list[str], memory: Memory) -> dict[str, Any]:
    """What a person is told; `text` says all in one sentence."""
    last, episode = memory.last or {}, memory.episode
    since = f"{episode.since:%Y-%m-%d %H:%M} UTC" if episode else ""
    if memory.owed == "recovery":
        text = f"{settings.root}: scheduled runs of {', '.join(names)} are well again (they failed since {since})"
    else:
        text = (
            f"{settings.root}: scheduled runs of {', '.join(names)} fail since {since}: {_line(last.get('exit_code', 1), last)}"
        )
    facts = {key: last.get(key) for key in ("run", "exit_code", "errors", "ended_at")}
    return {"event": memory.owed, "text": text, "lake": settings.root, "schedule": schedule, "sources": names, **facts}


def _facts(out: str, err: str) -> dict[str, Any]:
    """What a run says of itself, or the end of what it said when it broke off."""
    try:
        record = json.loads(out)
    except ValueError:
        return {"run": None, "errors": err.strip().splitlines()[-3:]}
    failed = [f"{each['source']}: {each['reason']}" for each in record["sources"] if each["outcome"] == "failed"]
    tables = record.get("tables", {})
    failed += [f"{name}: {table['reason']}" for name, table in tables.items() if table["outcome"] == "failed"]
    published = sum(1 for table in tables.values() if table["outcome"] == "published")
    return {"run": record["run"], "published": published, "seconds": record["seconds"], "errors": failed}


def _line(code: int, facts: dict[str, Any]) -> str:
    words = [f"exit code {code}", *([f"run {facts['run']}"] if facts.get("run") else [])]
    words += [f"{facts['published']} tables published in {facts['seconds']:.1f} s"] if "published" in facts else []
    return "; ".join([", ".join(words), *facts.get("errors", [])])


def _instant(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")


def say(line: str) -> None:
    """One line of the scheduler's log, which is this process's output."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}", flush=True)


def turn_log(settings: Settings) -> None:
    """Begin a new log when the one that this process writes is long; the oldest of those kept goes."""
    log = cron_log(settings)
    with alone(settings, "log.lock"):
        if not log.exists() or log.stat().st_size < LOG_BYTES or not os.path.samestat(os.fstat(1), log.stat()):
            return
        for number in range(LOGS_KEPT - 1, 0, -1):
            older = log.with_name(f"{log.name}.{number}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number + 1}"))
        log.replace(log.with_name(f"{log.name}.1"))
        new = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(new, 1)
        os.dup2(new, 2)
        os.close(new)
