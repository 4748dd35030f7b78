"""`lake backfill NAME`: a range of a source's past, window by window beside its live cursor, then one build."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from ulid import ULID

from ingest.bots import Failure, pull_all
from ingest.landing import Pull
from ingest.landing import Wish as PullWish
from ingest.news import asked_for
from ingest.originals import Window
from ingest.wiring import bot_of
from lake.declared import read_declarations
from lake.errors import LakeError, LockedError, TemporaryError, UsageError
from lake.settings import Settings
from lake.sources import chosen
from lake.windows import windows
from orchestration.printing import print_json
from orchestration.progress import Progress
from orchestration.run import Tell, Wish, run_lake, steps, worst
from orchestration.run_records import recorded
from store import raw
from store.objects import Objects

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
Record = dict[str, Any]
#: How long a window waits for another run of the source to end.
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 1.0
#: So many windows in a row with trouble that may pass: the server is away, and asking for the others is no use.
ENOUGH = 3


def called(settings: Settings, given: Given, world: "World") -> int:
    """Pull the windows that raw does not have, and build.

    Raises UsageError when the source takes no windows or the range cannot be cut.
    """
    declared, objects, tell = read_declarations(settings), Objects(settings), Progress(is_quiet=given.json)
    chosen(declared.sources, [given.name])
    source = declared.sources[given.name]
    if source.load == "snapshot":
        raise UsageError(f"{given.name}: got load snapshot, expected append or merge: a window is not the whole")
    asked = [Window(*pair) for pair in windows(given.start, given.end, given.window)]
    if source.load == "append" and not source.key:
        tell(
            {"event": "note", "message": f"{given.name} adds rows and has no key: what the table has of this range will double"}
        )
    record: Record = {"names": [given.name], "range": [given.start, given.end, given.window], "windows": []}
    with recorded(objects, str(ULID()), "backfill", record):
        codes = _Backfill(settings, objects, declared.sources, given.name, tell, record["windows"]).all(asked)
        if not given.no_build:
            wish = Wish([given.name], is_ingesting=False, is_downstream=True)
            build = run_lake(settings, objects, wish, world.place, tell)
            record["build"] = build["run"]
            codes.append(int(build["exit_code"]))
        record["exit_code"] = worst(codes)
    if given.json:
        print_json(record)
    else:
        tell({"event": "note", "message": _told(record)})
    return int(record["exit_code"])


def _told(record: Record) -> str:
    """The end in one line."""
    outcomes = [window["outcome"] for window in record["windows"]]
    counts = [(outcomes.count("new"), "brought"), (outcomes.count("there"), "in raw already")]
    counts += [(outcomes.count("failed"), "failed"), (outcomes.count("not asked"), "not asked")]
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    again = "; the same command goes on with those that are missing" if {"failed", "not asked"} & set(outcomes) else ""
    return f"backfill {record['run']}: {len(outcomes):,} windows, {told}, exit code {record['exit_code']}{again}"


class _Backfill:
    """One backfill of one source; `done` gets what became of each window as it ends."""

    def __init__(
        self, settings: Settings, objects: Objects, sources: dict[str, Any], name: str, tell: Tell, done: list[Record]
    ) -> None:
        self.settings, self.objects, self.sources, self.name = settings, objects, sources, name
        self.tell, self.done = tell, done

    def all(self, asked: list[Window]) -> list[int]:
        """Pull every window that raw does not have; the exit codes of those that failed.

        Raises UsageError at the first window when the source takes none.
        """
        there = self._there()
        fingerprint = bot_of(self.sources[self.name], self.sources, self.objects).fingerprint()
        codes: list[int] = []
        in_a_row = 0
        for number, window in enumerate(asked, 1):
            facts = {"from": window.start, "to": window.end}
            if in_a_row == ENOUGH:
                self.done.append({**facts, "outcome": "not asked"})
                continue
            if asked_for(fingerprint, window) in there:
                found: Record = {"outcome": "there"}
            else:
                error, found = self._pulled(window)
                in_a_row = in_a_row + 1 if isinstance(error, TemporaryError) else 0
                codes += [error.exit_code] if error else []
            self.done.append({**facts, **found})
            self.tell({"event": "window", "number": number, "of": len(asked), **facts, **found})
        return codes

    def _there(self) -> set[str]:
        """What was asked for by the visible raw runs of windows: by the same declaration it is not asked again."""
        return {each.request_fingerprint for each in raw.all_manifests(self.objects, self.name) if each.window}

    def _pulled(self, window: Window) -> tuple[LakeError | None, Record]:
        """One window; while another run pulls the source, it waits a while."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            (pull,) = self._asked(window)
            if isinstance(pull, Pull):
                return None, {"outcome": "new", "run": pull.run, "rows": pull.rows, "seconds": round(pull.seconds, 3)}
            if isinstance(pull.error, UsageError):
                raise pull.error
            if not isinstance(pull.error, LockedError) or time.monotonic() > deadline:
                code = pull.error.exit_code
                return pull.error, {"outcome": "failed", "reason": str(pull.error), "exit_code": code}
            self.tell({"event": "step", "source": self.name, "message": f"waits: {pull.error}"})
            time.sleep(PAUSE_SECONDS)

    def _asked(self, window: Window) -> list[Pull | Failure]:
        told = steps(self.tell, f"{window.start}:")
        return pull_all(self.sources, [self.name], self.settings, self.objects, told, wish=PullWish(window=window))
