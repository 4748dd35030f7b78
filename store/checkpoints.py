"""How far an unfinished run of a source had come: small objects under the run, from which another process goes on."""

from concurrent.futures import ThreadPoolExecutor

from lake import paths
from lake.errors import ConflictError, CorruptionError, LockedError
from store.leases import Lease
from store.manifests import Checkpoint
from store.objects import Objects

READERS = 16


def save(objects: Objects, lease: Lease, run_folder: str, number: int, checkpoint: Checkpoint) -> None:
    """Remember how to go on after original `number`.

    Raises LockedError when another run went on with it meanwhile.
    """
    lease.check()
    key = paths.checkpoint(run_folder, number)
    try:
        objects.create(key, checkpoint.model_dump_json().encode())
    except ConflictError:
        raise LockedError(f"{objects.uri(key)}: another run has gone on with it; nothing more was written") from None


def read(objects: Objects, run_folder: str) -> list[Checkpoint]:
    """All checkpoints of a run in order; empty when they do not follow each other."""
    keys = _keys(objects, run_folder)
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(lambda key: _read(objects, key), keys))
    if not found or any(each.identity != found[0].identity for each in found):
        return []
    stored = [part for checkpoint in found for part in checkpoint.parts]
    last = found[-1]
    return found if keys[-1] == paths.checkpoint(run_folder, len(stored) + (last.same if not stored else 0)) else []


def is_spared(objects: Objects, run_folder: str, identity: str | None) -> bool:
    """Whether the run has a checkpoint, of this identity if one is given."""
    keys = _keys(objects, run_folder)
    return bool(keys) and (identity is None or _read(objects, keys[-1]).identity == identity)


def clear(objects: Objects, run_folder: str) -> None:
    """Remove the checkpoints of a run that is visible."""
    keys = _keys(objects, run_folder)
    if keys:
        objects.delete(keys)


def _keys(objects: Objects, run_folder: str) -> list[str]:
    return [info.key for info in objects.list(paths.checkpoints(run_folder))]


def _read(objects: Objects, key: str) -> Checkpoint:
    try:
        return Checkpoint.model_validate_json(objects.get(key))
    except ValueError as error:
        raise CorruptionError(f"{objects.uri(key)}: no checkpoint of this lake: {error}") from None
