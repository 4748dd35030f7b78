"""A run that is being written: held back while it is the newest run again, then stored original by original, with checkpoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.decode import Decoder, Place, decode, decoder_of, detected_by, missing_by
from ingest.decoded import DecodedFile
from ingest.news import content, now
from ingest.originals import AllKeys, Fetched, Token, Validators, Window, unchanged
from ingest.replay import checked_copy
from lake import paths
from store import checkpoints, raw
from store.leases import Lease
from store.manifests import Checkpoint, Decoded, Decoding, Keys, Manifest, Original, Part
from store.objects import Objects

#: So many originals that are the newest run's again are compared before their number is remembered.
SAME_AT_ONCE = 50
#: So many originals without rows are kept back before a run is opened for them.
MAX_EMPTY = 8


@dataclass
class _Held:
    """An original that may never have to be written: it is in the newest run (no file), or it has no rows."""

    answer: Fetched
    file: DecodedFile | None = None


@dataclass
class Draft:
    """One run of one source before its manifest; `same` are the originals of the newest run if that asked for the same.

    `counted` hears how many rows were decoded so far.
    """

    source: Any
    objects: Objects
    lease: Lease
    run: str
    extension: str
    head: Manifest | None
    same: Sequence[Original]
    identity: str
    new_path: Callable[[], Path]
    counted: Callable[[int], None] = lambda rows: None
    holds_empty: bool = False
    cursor: Token | None = None
    attempt: str = ""
    resume: Token | None = None
    is_open: bool = False
    parts: list[Part] = field(default_factory=list)
    held: list[_Held] = field(default_factory=list)
    seen: list[Validators] = field(default_factory=list)
    keys: AllKeys | None = None
    rows: int = 0

    def __post_init__(self) -> None:
        self.folder = paths.raw_run(self.source.name, self.run)
        self._decoder: Decoder = decoder_of(self.source)
        self._saved = len(self.parts)

    def add(self, answer: Fetched) -> None:
        """One more original: held back while it may be no news, else stored."""
        number = len(self.parts) + len(self.held) + 1
        self.cursor = answer.cursor or self.cursor
        self.seen.append(answer.validators)
        if not self.parts and self._is_same(number - 1, answer):
            self.held.append(_Held(answer))
            if answer.carried is None:
                answer.path.unlink()
            if answer.resume and number % SAME_AT_ONCE == 0:
                self._save(answer.resume)
            return
        if answer.carried:
            answer = replace(answer, path=self.copy_of(answer.carried), carried=None)
        file = self._decoded(answer, number)
        if self.holds_empty and not file.rows and not self.parts and len(self.held) < MAX_EMPTY:
            self.held.append(_Held(answer, file))
            return
        self._write_held()
        self._write(answer, file)

    def keep_keys(self, keys: AllKeys) -> None:
        """The keys of all rows that the source has: held back too, beside the originals."""
        self.keys = keys

    def is_unchanged(self, committed: Token | None) -> bool:
        """Whether nothing came that the newest run does not have, and nothing is gone."""
        if self.head is None or self.parts or self.cursor != committed or not self._has_same_keys:
            return False
        if all(each.file is None for each in self.held) and len(self.held) == len(self.same) and self._same_asked:
            return True
        return self.holds_empty and all(each.file is not None for each in self.held)

    def publish(self, asked: str, window: Window | None) -> Manifest:
        """Write what was held back, then the manifest that makes the run visible."""
        self._write_held()
        self._open()
        keys = self._stored_keys()
        decodings = [part.decoded for part in self.parts]
        originals = [part.original for part in self.parts]
        manifest = Manifest(
            source=self.source.name,
            run=self.run,
            seq=self.head.seq + 1 if self.head else 1,
            previous=self.head.link if self.head else None,
            created_at=now(),
            originals=originals,
            first_decoding=Decoding(
                decoding=self.source.decoding,
                objects=decodings,
                rows=sum(part.rows for part in decodings),
                faults=sum(part.faults for part in decodings),
                observed_fields=sorted(self._decoder.observed),
                missing_columns=[] if self.attempt or not any(part.rows for part in decodings) else missing_by(self._decoder),
                detected=detected_by(self._decoder),
            ),
            keys=keys,
            request_fingerprint=asked,
            content=content(originals, keys),
            cursor=self.cursor,
            window={"from": window.start, "to": window.end} if window else None,
        )
        raw.publish_run(self.objects, self.lease, manifest)
        return manifest

    def drop(self) -> None:
        """Leave nothing of the run behind."""
        if self.is_open and self.attempt:  # its first owner may still wake up
            raw.give_up_run(self.objects, self.lease, self.source.name, self.run)
        elif self.is_open:
            raw.drop_run(self.objects, self.lease, self.source.name, self.run)
        self.is_open = False

    def copy_of(self, original: Original) -> Path:
        """The bytes of an original of the newest run in a new file.

        Raises CorruptionError when they are not what its manifest says.
        """
        path = self.new_path()
        checked_copy(self.objects, original, path)
        return path

    def go_on(self) -> None:
        """Take over what a killed process stored in this run: all that its checkpoints name, and nothing else."""
        found = checkpoints.read(self.objects, self.folder)
        last = found[-1]
        self.parts = [part for checkpoint in found for part in checkpoint.parts]
        self.rows = sum(part.decoded.rows for part in self.parts)
        if not self.parts:
            self.held = [_Held(unchanged(original)) for original in self.same[: last.same]]
        before = [part.original for part in self.parts] or self.same[: last.same]
        self.seen = [Validators(original.etag, original.last_modified) for original in before]
        self._decoder.observed.update(*(checkpoint.observed_fields for checkpoint in found))
        self.cursor, self.resume, self.is_open = last.cursor or self.cursor, last.resume, True
        self._saved, self.attempt = len(self.parts), f"-{self.lease.token}"
        named = {key for part in self.parts for key in (part.original.key, part.decoded.key)}
        there = [info.key for info in self.objects.list(self.folder)]
        left = [key for key in there if key not in named and not key.startswith(paths.checkpoints(self.folder))]
        self.lease.check()
        self.objects.delete(left)

    @property
    def _same_asked(self) -> bool:
        return self.head is not None and len(self.same) == len(self.head.originals)

    @property
    def _has_same_keys(self) -> bool:
        """Whether no sweep was made, or one with the keys of the newest run itself: an earlier sweep may lack what came since."""
        there = self.head.keys if self.head else None
        return self.keys is None or (there is not None and self.keys.stored(there.key) == there)

    def _stored_keys(self) -> Keys | None:
        if self.keys is None:
            return None
        key = paths.keys(self.folder, self.attempt)
        self.lease.check()
        self.objects.put_file(key, self.keys.path)
        return self.keys.stored(key)

    def _is_same(self, index: int, answer: Fetched) -> bool:
        """Whether the answer is the newest run's original at the same place, all before it being so too."""
        if index >= len(self.same) or any(each.file is not None for each in self.held):
            return False
        there = self.same[index]
        return (there.sha256, there.bytes, there.request) == (answer.sha256, answer.bytes, answer.request)

    def _decoded(self, answer: Fetched, number: int) -> DecodedFile:
        """An answer that cannot be used is refused before anything of it is written."""
        place = Place(answer.shown, answer.request, self._key(answer, number), number, answer.status)
        target = answer.path.with_suffix(".decoded")
        return decode(self.source, self._decoder, answer.path, place, target, lambda rows: self.counted(self.rows + rows))

    def _key(self, answer: Fetched, number: int) -> str:
        return paths.original(self.folder, number, answer.extension or self.extension, self.attempt)

    def _open(self) -> None:
        if not self.is_open:
            raw.open_run(self.objects, self.lease, self.source.name, self.run)
            self.is_open = True

    def _write_held(self) -> None:
        """What was held back is news after all: originals of the newest run are copied from there."""
        held, self.held = self.held, []
        for each in held:
            answer, file = each.answer, each.file
            if file is None:
                answer = replace(answer, path=self.copy_of(self.same[len(self.parts)]))
                file = self._decoded(answer, len(self.parts) + 1)
            self._write(replace(answer, resume=None), file)

    def _write(self, answer: Fetched, file: DecodedFile) -> None:
        """Store one original and its rows; with a token, remember how to go on behind it."""
        self._open()
        number = len(self.parts) + 1
        key = self._key(answer, number)
        decoded_key = paths.decoded(self.folder, self.source.decoding, number, self.attempt)
        self.lease.check()
        self.objects.put_file(key, answer.path)
        self.lease.check()
        self.objects.put_file(decoded_key, file.path)
        decoded = Decoded(key=decoded_key, bytes=file.bytes, sha256=file.sha256, rows=file.rows, faults=file.faults)
        self.parts.append(Part(original=answer.original(key), decoded=decoded))
        self.rows += file.rows
        answer.path.unlink()
        file.path.unlink()
        if answer.resume:
            self._save(answer.resume)

    def _save(self, resume: Token) -> None:
        self._open()
        same = len(self.held) if not self.parts else 0
        checkpoint = Checkpoint(
            identity=self.identity,
            head=self.head.run if self.head else None,
            same=same,
            parts=self.parts[self._saved :],
            resume=resume,
            cursor=self.cursor,
            observed_fields=sorted(self._decoder.observed),
        )
        checkpoints.save(self.objects, self.lease, self.folder, len(self.parts) + same, checkpoint)
        self._saved = len(self.parts)
