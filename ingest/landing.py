"""One run of one source: ask, compare, decode, store with checkpoints, and its manifest last."""

import errno
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from ulid import ULID

from ingest.amounts import Amount
from ingest.draft import Draft
from ingest.hosts import Hosts
from ingest.news import asked_for, hashed, known_originals, looked
from ingest.originals import Bot, Moved, Stopped, Visit, Window
from ingest.replay import ensure_decoded_in
from ingest.wiring import bot_of
from lake.errors import SourceError, TemporaryError, UsageError
from store import checkpoints, leases, raw
from store.leases import Lease
from store.manifests import Manifest
from store.objects import Objects
from store.scratch import scratch

#: Hears what a source's pull does, in words, and how much of it has come.
Progress = Callable[[str, str | Amount], None]
#: More notes than these say nothing new to a person.
MOST_NOTES = 20


@dataclass(frozen=True)
class Pull:
    """What one pull of a source did; an unchanged pull names the run that has the same bytes."""

    source: str
    outcome: Literal["new", "unchanged"]
    run: str
    seq: int
    rows: int
    faults: int
    bytes: int
    requests: int
    seconds: float
    keys: int | None = None
    """Rows that the source has now, where all their keys were read."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of it, such as a table that was emptied."""


@dataclass(frozen=True)
class Wish:
    """What a pull is to bring: all that is new, a `window` beside the cursor, or with `is_full` everything again.

    `stop` ends it after its present original; `hosts` are shared by all pulls of a process.
    """

    window: Window | None = None
    is_full: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    hosts: Hosts = field(default_factory=Hosts)


def pull(
    name: str,
    sources: dict[str, Any],
    objects: Objects,
    run_id: str,
    progress: Progress | None = None,
    wish: Wish | None = None,
) -> Pull:
    """Bring one source's news to raw.

    Raises LockedError when another run pulls it, TemporaryError, SourceError and UsageError from its bot.
    """
    wish = wish or Wish()
    source = sources[name]
    if wish.window and source.load == "snapshot":
        raise UsageError(f"{name}: got a window for load snapshot, expected load append or merge: a window is not the whole")
    tell = progress or (lambda source, told: None)
    with leases.held(objects, f"source/{name}", run_id) as lease, _room() as folder:
        errand = _Errand(
            source, objects, lease, bot_of(source, sources, objects, wish.hosts), wish, folder, lambda told: tell(name, told)
        )
        return errand.done(run_id)


@dataclass
class _Errand:
    """One pull under its lease."""

    source: Any
    objects: Objects
    lease: Lease
    bot: Bot
    wish: Wish
    folder: Path
    tell: Callable[[str | Amount], None]

    def __post_init__(self) -> None:
        self.amount, self.rows = Amount(), 0
        self.began = time.monotonic()
        self.number = count(1)
        self.notes: list[str] = []
        self.asked = asked_for(self.bot.fingerprint(), self.wish.window)
        self.identity = hashed([self.asked, self.source.decoding, self.wish.is_full])

    def done(self, run_id: str) -> Pull:
        """What the pull did."""
        settled = raw.settle_open_runs(self.objects, self.lease, self.source.name, self.identity)
        self.head = raw.head(self.objects, self.source.name)
        draft = self._draft(_run_after(self.head, run_id, [*settled.given_up, settled.spared]))
        if settled.spared:
            spared = self._spared(settled.spared)
            if spared:
                try:
                    return self._ended(spared)
                except Moved as moved:
                    self.notes.clear()
                    self._note(f"begins again: {moved}")
        return self._ended(draft)

    def _draft(self, run: str) -> Draft:
        self.state = raw.source_state(self.objects, self.source.name)
        cursor = self.state.get("cursor")
        return Draft(
            source=self.source,
            objects=self.objects,
            lease=self.lease,
            run=run,
            extension=self.bot.extension,
            head=self.head,
            same=known_originals(self.objects, self.source.name, self.head, self.asked),
            identity=self.identity,
            new_path=self._new_path,
            counted=self._counted,
            holds_empty=cursor is not None and not self.wish.window,  # that a window had nothing is worth a run
            cursor=cursor,
        )

    def _spared(self, run: str) -> Draft | None:
        """The run of a killed process as far as it came; None (and it is gone) when it cannot be gone on with."""
        draft = self._draft(run)
        found = checkpoints.read(self.objects, draft.folder)
        head = self.head.run if self.head else None
        if not found or found[-1].head != head or (head and run <= head) or found[-1].same > len(draft.same):
            raw.give_up_run(self.objects, self.lease, self.source.name, run)
            return None
        draft.go_on()
        self._note(f"goes on behind {len(draft.seen):,} originals that a stopped run had stored")
        return draft

    def _ended(self, draft: Draft) -> Pull:
        """The run brought to its end: a trouble that may pass keeps it to be gone on with, any other leaves nothing."""
        try:
            self._bring(draft)
        except (SourceError, UsageError, Moved):
            draft.drop()
            raise
        committed = self.state.get("cursor")
        if self.wish.window:
            draft.cursor = committed
        if self.head and draft.is_unchanged(committed):
            draft.drop()
            ensure_decoded_in(self.lease, self.source, self.objects, [self.head])
            if not self.wish.window:
                raw.look(self.objects, self.lease, self.source.name, looked(self.head, draft.seen))
            return self._pull("unchanged", self.head, 0, len(draft.seen))
        manifest = draft.publish(self.asked, self.wish.window)
        self._note_emptied(manifest)
        for option, found in manifest.first_decoding.detected.items():
            self._note(f"detected {option} {', '.join(map(repr, found))}; `{option}` in the declaration pins it")
        return self._pull("new", manifest, sum(original.bytes for original in manifest.originals), len(manifest.originals))

    def _bring(self, draft: Draft) -> None:
        self.rows = draft.rows
        visit = Visit(
            new_path=self._new_path,
            tell=self.tell,
            came=self._came,
            note=self._note,
            keep_keys=draft.keep_keys,
            known=() if self.wish.is_full else draft.same,
            copy_of=draft.copy_of,
            cursor=self.state.get("cursor"),
            resume=draft.resume,
            window=self.wish.window,
            is_full=self.wish.is_full,
            stop=self.wish.stop,
        )
        for answer in self.bot.originals(visit):
            draft.add(answer)
            if self.wish.stop.is_set():
                raise Stopped(f"{self.source.name}: stopped by a signal after {len(draft.seen):,} originals; run again")

    def _came(self, amount: Amount) -> None:
        """Tell how much has come, with the decoded rows where the bot counts none."""
        self.amount = amount
        self.tell(amount if amount.rows is not None else replace(amount, rows=self.rows))

    def _counted(self, rows: int) -> None:
        """Tell how many rows were decoded, which takes as long as a large file's way here."""
        self.rows = rows
        if self.amount.rows is None:
            self._came(self.amount)

    def _note(self, text: str) -> None:
        """Show it, and keep it for the record; what comes again and again is kept once."""
        self.tell(text)
        if text not in self.notes and len(self.notes) < MOST_NOTES:
            self.notes.append(text)

    def _note_emptied(self, manifest: Manifest) -> None:
        """Name a source without rows that had some; a cursor or a window may well bring none."""
        before = self.head.first_decoding.rows if self.head else 0
        if before and not manifest.first_decoding.rows and manifest.cursor is None and manifest.window is None:
            self._note(f"got no rows where the run before had {before:,}: was the source emptied?")

    def _new_path(self) -> Path:
        return self.folder / f"original-{next(self.number)}"

    def _pull(self, outcome: Literal["new", "unchanged"], manifest: Manifest, size: int, requests: int) -> Pull:
        done = manifest.first_decoding
        seconds = time.monotonic() - self.began
        facts = (manifest.run, manifest.seq, done.rows, done.faults, size, requests, seconds)
        return Pull(self.source.name, outcome, *facts, manifest.keys.rows if manifest.keys else None, self.notes)


def _run_after(head: Manifest | None, run_id: str, used: list[str | None]) -> str:
    """The lake run's id, or a later one: runs of one source sort by time and none is used twice."""
    if run_id not in used and (head is None or run_id > head.run):
        return run_id
    fresh = ULID()
    if head is None or str(fresh) > head.run:
        return str(fresh)
    return str(ULID.from_int(int(ULID.from_str(head.run)) + 1))


@contextmanager
def _room() -> Iterator[Path]:
    """A folder for the run's temporary files.

    Raises TemporaryError when its disk is full.
    """
    try:
        with scratch() as folder:
            yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TemporaryError(f"{tempfile.gettempdir()}: the disk is full; free some space and run again") from error
