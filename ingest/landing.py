"""One run of one source: fetch, compare, decode, write, and its manifest last."""

import errno
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ulid import ULID

from ingest.decode import Place, decode, decoder_of
from ingest.decoded import DecodedFile
from ingest.news import content, fetched_by, fingerprint, is_same, known_validators, looked, now
from ingest.originals import Ask, Fetched
from ingest.replay import ensure_decoded_in, put_decoded
from ingest.wiring import bot_of
from lake import paths
from lake.errors import TemporaryError
from store import leases, raw
from store.leases import Lease
from store.manifests import Manifest, Original
from store.objects import Objects

Progress = Callable[[str, str], None]


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


def pull(name: str, sources: dict[str, Any], objects: Objects, run_id: str, progress: Progress | None = None) -> Pull:
    """Bring one source's news to raw.

    Raises LockedError when another run pulls it, TemporaryError, SourceError and UsageError from its bot.
    """
    began = time.monotonic()
    source = sources[name]
    tell = progress or (lambda source, message: None)
    with leases.held(objects, f"source/{name}", run_id) as lease, _room() as folder:
        given_up = raw.settle_open_runs(objects, lease, name)
        head = raw.head(objects, name)
        bot = bot_of(source, sources, objects)
        asks = bot.asks()
        fetched = fetched_by(
            bot, asks, folder, known_validators(objects, name, head, asks), lambda message: tell(name, message)
        )
        if head and (fetched is None or is_same(head, asks, fetched)):
            ensure_decoded_in(lease, source, objects, [head])
            raw.look(objects, lease, name, looked(head, fetched))
            return _unchanged(head, asks, began)
        run = _run_after(head, run_id, given_up)
        manifest = _landed(source, objects, lease, run, head, asks, fetched or [], bot.extension)
        tell(name, f"{manifest.first_decoding.rows:,} rows")
    size = sum(original.bytes for original in manifest.originals)
    done = manifest.first_decoding
    return Pull(name, "new", run, manifest.seq, done.rows, done.faults, size, len(asks), time.monotonic() - began)


def _unchanged(head: Manifest, asks: list[Ask], began: float) -> Pull:
    done = head.first_decoding
    return Pull(head.source, "unchanged", head.run, head.seq, done.rows, done.faults, 0, len(asks), time.monotonic() - began)


def _run_after(head: Manifest | None, run_id: str, given_up: list[str]) -> str:
    """The lake run's id, or a later one: runs of one source sort by time and none is used twice."""
    if run_id not in given_up and (head is None or run_id > head.run):
        return run_id
    fresh = ULID()
    if head is None or str(fresh) > head.run:
        return str(fresh)
    return str(ULID.from_int(int(ULID.from_str(head.run)) + 1))


def _landed(
    source: Any,
    objects: Objects,
    lease: Lease,
    run: str,
    head: Manifest | None,
    asks: list[Ask],
    fetched: list[Fetched],
    extension: str,
) -> Manifest:
    """Decode everything first, so that an answer that cannot be used leaves nothing behind; then write."""
    folder = paths.raw_run(source.name, run)
    keys = [paths.original(folder, number, extension) for number in range(1, len(fetched) + 1)]
    decoder = decoder_of(source)
    files: list[DecodedFile] = []
    for number, (answer, key) in enumerate(zip(fetched, keys, strict=True), 1):
        place = Place(answer.ask.shown, answer.ask.request, key, number)
        files.append(decode(source, decoder, answer.path, place, answer.path.with_suffix(".decoded")))
    raw.open_run(objects, lease, source.name, run)
    for answer, key in zip(fetched, keys, strict=True):
        lease.check()
        objects.put_file(key, answer.path)
    decoding = put_decoded(objects, lease, folder, source.decoding, files, sorted(decoder.observed))
    manifest = Manifest(
        source=source.name,
        run=run,
        seq=head.seq + 1 if head else 1,
        previous=head.link if head else None,
        created_at=now(),
        originals=[_original(answer, key) for answer, key in zip(fetched, keys, strict=True)],
        first_decoding=decoding,
        request_fingerprint=fingerprint(asks),
        content=content(fetched),
    )
    raw.publish_run(objects, lease, manifest)
    return manifest


def _original(answer: Fetched, key: str) -> Original:
    return Original(
        key=key,
        bytes=answer.bytes,
        sha256=answer.sha256,
        url=answer.ask.shown,
        request=answer.ask.request,
        status=answer.status,
        content_type=answer.content_type,
        etag=answer.validators.etag,
        last_modified=answer.validators.last_modified,
        fetched_at=answer.fetched_at,
    )


@contextmanager
def _room() -> Iterator[Path]:
    """A folder for the run's temporary files.

    Raises TemporaryError when its disk is full.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="embalse-") as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TemporaryError(f"{tempfile.gettempdir()}: the disk is full; free some space and run again") from error
