"""One minute of the scheduler: begins what is due, waits for it, remembers how it ended, and tells a person once."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake.errors import UsageError
from lake.settings import Settings
from lake.sources import load_sources
from orchestration import cron_clock
from orchestration.announce import announce
from orchestration.cron_block import cron_log
from orchestration.cron_clock import Memory
from orchestration.cron_jobs import Job, declared_jobs
from orchestration.cron_state import Memories, alone, change_memories, lock_name, read_memories

LOG_BYTES = 1_000_000
LOGS_KEPT = 5
#: What is remembered of declarations that cannot be read stands under this name, among the jobs.
DECLARATIONS = Job("declarations", "declarations", (), "every source")


class Tick:
    """The runs of one minute, side by side: one per job that is due."""

    def __init__(self, settings: Settings, now: datetime | None = None) -> None:
        self.settings, self._now = settings, now
        self.children: list[subprocess.Popen[str]] = []

    def now(self) -> datetime:
        """This instant, or the one that a test says it is."""
        return self._now or datetime.now(UTC)

    def run(self) -> list[str]:
        """Run what is due to its end; names of the jobs that were due: none while a declaration is wrong."""
        try:
            jobs = declared_jobs(self.settings, load_sources(self.settings.sources))
        except UsageError as error:
            self._ended(DECLARATIONS, error.exit_code, {"ended_at": _instant(self.now()), "errors": [str(error)]})
            return []
        memories = read_memories(self.settings)
        if DECLARATIONS.name in memories:
            self._ended(DECLARATIONS, 0, {"ended_at": _instant(self.now())})
        if set(memories) != set(jobs):
            memories = change_memories(self.settings, lambda found: self._known(found, jobs))
        now = self.now()
        due = [job for job in jobs.values() if self._is_wanted(job, cron_clock.checked(job.schedule, memories[job.name], now))]
        threads = [threading.Thread(target=self._scheduled, args=(job,), name=job.name) for job in due]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            for child in self.children:
                child.terminate()
            raise
        return [job.name for job in due]

    def _known(self, found: Memories, jobs: dict[str, Job]) -> Memories:
        """What is remembered of the jobs there are now; trouble with declarations until its end was told."""
        owed = {name: memory for name, memory in found.items() if name == DECLARATIONS.name and memory.owed}
        return owed | {
            job.name: found.get(job.name) or cron_clock.first_seen(job.schedule, self.now()) for job in jobs.values()
        }

    def _is_wanted(self, job: Job, memory: Memory) -> bool:
        return memory.begun_at is not None or cron_clock.is_due(job.schedule, memory, self.now())

    def _scheduled(self, job: Job) -> None:
        """One run, unless the last one of this job still goes on."""
        with alone(self.settings, lock_name(job.name), is_waiting=False) as lock:
            if lock is None:
                return
            memory = self._remembered(job, lambda before: self._begun(job, before))
            if memory.begun_at is None:
                return
            code, facts = self._ran(job, lock.fileno())
            say(f"{job.name}: {_line(code, facts)}")
            self._ended(job, code, facts)

    def _ended(self, job: Job, code: int, facts: dict[str, Any]) -> None:
        """Remember how a run ended, and tell a person what is owed; what cannot be delivered stays owed until the next run."""
        memory = self._remembered(job, lambda before: cron_clock.ended(before, code, self.now(), facts))
        if memory.owed is None:
            return
        told = notice(self.settings, job, memory)
        say(f"{job.name}: {told['text']}")
        trouble = announce(self.settings, told)
        if trouble:
            say(f"{job.name}: this could not be announced: {trouble}")
        else:
            self._remembered(job, cron_clock.announced)

    def _begun(self, job: Job, memory: Memory) -> Memory:
        """The memory of a run that begins now; a run that never said how it ended was killed, and is tried again later."""
        now, memory = self.now(), cron_clock.checked(job.schedule, memory, self.now())
        if memory.begun_at:
            say(f"{job.name}: the run that began at {_instant(memory.begun_at)} is gone without an end")
            memory = cron_clock.ended(memory, cron_clock.KILLED, now, {"ended_at": _instant(now)})
        return cron_clock.begun(job.schedule, memory, now) if cron_clock.is_due(job.schedule, memory, now) else memory

    def _remembered(self, job: Job, change: Callable[[Memory], Memory]) -> Memory:
        def changed(found: Memories) -> Memories:
            return {**found, job.name: change(found.get(job.name) or Memory(fired=self.now()))}

        return change_memories(self.settings, changed)[job.name]

    def _ran(self, job: Job, lock: int) -> tuple[int, dict[str, Any]]:
        """Exit code and facts of the command; it holds the job's lock too, so that it outlives this process alone."""
        words = [str(Path(sys.executable).parent / "lake"), *job.words]
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=(lock,)
        )
        self.children.append(child)
        out, err = child.communicate()
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        return code, {"ended_at": _instant(datetime.now(UTC)), **_facts(out, err)}


def notice(settings: Settings, job: Job, memory: Memory) -> dict[str, Any]:
    """What a person is told; `text` says all in one sentence."""
    last, episode = memory.last or {}, memory.episode
    since = f"{episode.since:%Y-%m-%d %H:%M} UTC" if episode else ""
    if memory.owed == "recovery":
        text = f"{settings.root}: scheduled runs of {job.what} are well again (they failed since {since})"
    else:
        text = f"{settings.root}: scheduled runs of {job.what} fail since {since}: {_line(last.get('exit_code', 1), last)}"
    facts = {key: last.get(key) for key in ("run", "exit_code", "errors", "ended_at")}
    told = {"event": memory.owed, "text": text, "lake": settings.root, "schedule": job.schedule, "what": job.what}
    return {**told, "sources": job.sources, **facts}


def _facts(out: str, err: str) -> dict[str, Any]:
    """What a run says of itself, or the end of what it said when it broke off."""
    try:
        record = json.loads(out)
    except ValueError:
        return {"run": None, "errors": err.strip().splitlines()[-3:]}
    failed = [f"{each['source']}: {each['reason']}" for each in record.get("sources", ()) if each["outcome"] == "failed"]
    tables = record.get("tables", {})
    failed += [f"{name}: {table['reason']}" for name, table in tables.items() if table["outcome"] == "failed"]
    done = "maintained" if record["verb"] == "maintain" else "published"
    count = sum(1 for table in tables.values() if table["outcome"] == done)
    return {"run": record["run"], done: count, "seconds": record["seconds"], "errors": failed}


def _line(code: int, facts: dict[str, Any]) -> str:
    words = [f"exit code {code}", *([f"run {facts['run']}"] if facts.get("run") else [])]
    words += [
        f"{facts[done]} tables {done} in {facts['seconds']:.1f} s" for done in ("published", "maintained") if done in facts
    ]
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
