"""Bytes of tracks, fits and training sets: JSON for the plain parts, and behind it the arrays as they lie in memory."""

import json
from typing import Any

import numpy as np

from jobs.series.alerting import Memory
from jobs.series.fitting import Fit, Group, TrainingSet, ViewFit, stacked
from jobs.series.rows import Learned, Series
from jobs.series.track import Track


def packed_track(track: Track) -> bytes:
    """A track as bytes; equal tracks give equal bytes."""
    parts = {"tail": _fields(track.tail), "fit": track.fit and _fit(track.fit), "memory": _fields(track.memory)}
    constants = track.constants and {"period_rows": track.constants.period_rows, "floors": list(track.constants.floors)}
    return _packed({**_fields(track), **parts, "constants": constants})


def unpacked_track(data: bytes) -> Track:
    """The track of `packed_track`."""
    kept = _unpacked(data)
    constants = kept["constants"] and Learned(kept["constants"]["period_rows"], tuple(kept["constants"]["floors"]))
    fit = kept["fit"] and _as_fit(kept["fit"])
    return Track(Series(**kept["tail"]), constants, fit, Memory(**kept["memory"]))


def packed_fit(fit: Fit) -> bytes:
    """A fit as bytes."""
    return _packed(_fit(fit))


def unpacked_fit(data: bytes) -> Fit:
    """The fit of `packed_fit`."""
    return _as_fit(_unpacked(data))


def packed_training(training: TrainingSet) -> bytes:
    """A training set as bytes: the rows of its views, from which its points are put together again."""
    groups = [_fields(group) for group in training.groups]
    return _packed({**_fields(training), "points": None, "groups": groups})


def unpacked_training(data: bytes) -> TrainingSet:
    """The training set of `packed_training`."""
    kept = _unpacked(data)
    groups = tuple(Group(**group) for group in kept["groups"])
    return TrainingSet(**{**kept, "points": stacked(groups), "groups": groups})


def _fields(each: Any) -> dict[str, Any]:
    return dict(vars(each))


def _fit(fit: Fit) -> dict[str, Any]:
    return {"at_row": fit.at_row, "views": [[_fields(once) for once in view] for view in fit.views]}


def _as_fit(kept: dict[str, Any]) -> Fit:
    return Fit(kept["at_row"], tuple(tuple(ViewFit(**once) for once in view) for view in kept["views"]))


def _packed(content: dict[str, Any]) -> bytes:
    arrays: list[bytes] = []
    head = json.dumps(_without_arrays(content, arrays), sort_keys=True).encode()
    return b"".join([len(head).to_bytes(4, "little"), head, *arrays])


def _unpacked(data: bytes) -> dict[str, Any]:
    end = 4 + int.from_bytes(data[:4], "little")
    content: dict[str, Any] = _with_arrays(json.loads(data[4:end]), data, end)
    return content


def _without_arrays(part: Any, arrays: list[bytes]) -> Any:
    if isinstance(part, np.ndarray):
        start = sum(map(len, arrays))
        arrays.append(np.ascontiguousarray(part).tobytes())
        return {"array": part.dtype.str, "shape": list(part.shape), "start": start}
    if isinstance(part, dict):
        return {name: _without_arrays(value, arrays) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_without_arrays(value, arrays) for value in part]
    return part.item() if isinstance(part, np.generic) else part


def _with_arrays(part: Any, data: bytes, end: int) -> Any:
    if isinstance(part, dict) and "array" in part:
        count = int(np.prod(part["shape"], dtype=int))
        return np.frombuffer(data, part["array"], count, end + part["start"]).reshape(part["shape"])
    if isinstance(part, dict):
        return {name: _with_arrays(value, data, end) for name, value in part.items()}
    return [_with_arrays(value, data, end) for value in part] if isinstance(part, list) else part
