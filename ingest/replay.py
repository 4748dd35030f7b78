"""Decodes again from the originals, under the same run, after a declaration has changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ulid import ULID

from ingest.decode import Decoder, Place, decode, decoder_of, detected_by, missing_by
from ingest.decoded import DecodedFile
from lake import paths
from lake.errors import ConflictError, CorruptionError, UsageError
from store import leases, raw
from store.leases import Lease
from store.manifests import Decoded, Decoding, Manifest, Original
from store.objects import Objects
from store.scratch import scratch


@dataclass(frozen=True)
class Replay:
    """What a replay did with one run."""

    source: str
    run: str
    seq: int
    outcome: Literal["decoded", "present"]
    rows: int
    faults: int


def replay(source: Any, objects: Objects, run: str | None = None) -> list[Replay]:
    """Decode one visible run, or all of them, as the declaration now says; runs that have that decoding stay as they are.

    Raises UsageError when there is no such run.
    """
    manifests = [manifest for manifest in raw.runs_after(objects, source.name, 0) if run in (None, manifest.run)]
    if run and not manifests:
        raise UsageError(f"{source.name}: got run {run!r}, expected one that `lake raw list {source.name}` shows")
    present = [raw.decoding_of(objects, manifest, source.decoding) for manifest in manifests]
    decodings = ensure_decoded(source, objects, manifests)
    return [
        Replay(source.name, manifest.run, manifest.seq, "present" if before else "decoded", after.rows, after.faults)
        for manifest, before, after in zip(manifests, present, decodings, strict=True)
    ]


def ensure_decoded(source: Any, objects: Objects, manifests: Iterable[Manifest]) -> list[Decoding]:
    """The decoding of each run under the current declaration, made where it is missing.

    Takes the source's lease only when one is missing; raises LockedError when another run holds it then.
    """
    runs = list(manifests)
    found = [raw.decoding_of(objects, manifest, source.decoding) for manifest in runs]
    decodings = [decoding for decoding in found if decoding]
    if len(decodings) == len(runs):
        return decodings
    with leases.held(objects, f"source/{source.name}", str(ULID())) as lease:
        return ensure_decoded_in(lease, source, objects, runs)


def ensure_decoded_in(lease: Lease, source: Any, objects: Objects, manifests: Iterable[Manifest]) -> list[Decoding]:
    """As `ensure_decoded`, by whoever holds the source's lease already."""
    return [
        raw.decoding_of(objects, manifest, source.decoding) or _decoded_again(lease, source, objects, manifest)
        for manifest in manifests
    ]


def put_decoded(
    objects: Objects, lease: Lease, run_folder: str, decoding: str, files: list[DecodedFile], decoder: Decoder
) -> Decoding:
    """Write decoded files under a run and say what they are; they are visible once a manifest names them."""
    written = []
    for number, file in enumerate(files, 1):
        key = paths.decoded(run_folder, decoding, number)
        lease.check()
        objects.put_file(key, file.path)
        written.append(Decoded(key=key, bytes=file.bytes, sha256=file.sha256, rows=file.rows, faults=file.faults))
    rows, faults = sum(file.rows for file in files), sum(file.faults for file in files)
    return Decoding(
        decoding=decoding,
        objects=written,
        rows=rows,
        faults=faults,
        observed_fields=sorted(decoder.observed),
        missing_columns=missing_by(decoder) if rows else [],
        detected=detected_by(decoder),
    )


def _decoded_again(lease: Lease, source: Any, objects: Objects, manifest: Manifest) -> Decoding:
    run_folder = paths.raw_run(manifest.source, manifest.run)
    decoder = decoder_of(source, missing_is_null=True)
    with scratch() as folder:
        files = []
        for number, original in enumerate(manifest.originals, 1):
            path, target = folder / "original", folder / f"{number}.decoded"
            checked_copy(objects, original, path)
            place = Place(original.url, original.request, original.key, number, original.status)
            files.append(decode(source, decoder, path, place, target))
        decoding = put_decoded(objects, lease, run_folder, source.decoding, files, decoder)
    lease.check()
    try:
        objects.create(paths.decoding_manifest(run_folder, source.decoding), decoding.model_dump_json(indent=1).encode())
    except ConflictError:
        return raw.decoding_of(objects, manifest, source.decoding) or decoding
    return decoding


def checked_copy(objects: Objects, original: Original, path: Path) -> None:
    """A copy of an original that is what its manifest says.

    Raises CorruptionError when it is not.
    """
    if objects.bytes_of(original.key) is None:
        raise CorruptionError(f"{objects.uri(original.key)}: the original is missing; `lake raw verify` lists what else is")
    objects.download(original.key, path)
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != original.sha256:
            raise CorruptionError(f"{objects.uri(original.key)}: its bytes are not those its manifest names")
