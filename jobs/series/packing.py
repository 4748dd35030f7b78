"""Bytes of tracks, fits and training sets: whole numbers first, and behind them all arrays as they lie in memory."""

import numpy as np

from jobs.series.alerting import Memory
from jobs.series.fitting import Fit, Group, TrainingSet, ViewFit
from jobs.series.rows import Floats, Learned, Series
from jobs.series.track import Track


class _Writer:
    """Gathers numbers and arrays in the order in which `_Reader` gives them back."""

    def __init__(self) -> None:
        self.whole: list[int] = []
        self.floats: list[Floats] = []

    def array(self, values: Floats) -> None:
        self.floats.append(values.ravel())

    def packed(self) -> bytes:
        body = np.concatenate(self.floats) if self.floats else np.empty(0)
        return np.array([len(self.whole), *self.whole], "<i8").tobytes() + body.astype("<f8", copy=False).tobytes()


class _Reader:
    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[:8], "little")
        self.whole = iter(np.frombuffer(data, "<i8", size, 8).tolist())
        self.floats = np.frombuffer(data, "<f8", offset=8 * (size + 1))
        self.at = 0

    def number(self) -> int:
        found: int = next(self.whole)
        return found

    def array(self, *shape: int) -> Floats:
        start, self.at = self.at, self.at + int(np.prod(shape, dtype=int) if len(shape) > 1 else shape[0])
        return self.floats[start : self.at].reshape(shape)


def packed_track(track: Track) -> bytes:
    """A track as bytes; equal tracks give equal bytes."""
    writer, tail, memory, constants = _Writer(), track.tail, track.memory, track.constants
    width = 0 if tail.values.ndim == 1 else tail.values.shape[1]
    writer.whole += [tail.first, len(tail.times), width, memory.last_alert]
    writer.array(tail.times.view(np.float64))
    writer.array(tail.values)
    writer.array(np.array([memory.alerts, memory.level]))
    writer.whole += [len(constants.floors), constants.period_rows] if constants else [0, 0]
    writer.array(np.array(constants.floors if constants else ()))
    writer.whole.append(int(track.fit is not None))
    if track.fit is not None:
        _write_fit(track.fit, writer)
    return writer.packed()


def unpacked_track(data: bytes) -> Track:
    """The track of `packed_track`."""
    reader = _Reader(data)
    first, rows, width, last_alert = (reader.number() for _ in range(4))
    times = reader.array(rows).view(np.int64)
    tail = Series(times, reader.array(rows, width) if width else reader.array(rows), first)
    alerts, level = reader.array(2).tolist()
    values, period_rows = reader.number(), reader.number()
    floors = tuple(reader.array(values).tolist())
    fit = _read_fit(reader) if reader.number() else None
    return Track(tail, Learned(period_rows, floors) if values else None, fit, Memory(alerts, level, last_alert))


def packed_fit(fit: Fit) -> bytes:
    """A fit as bytes."""
    writer = _Writer()
    _write_fit(fit, writer)
    return writer.packed()


def unpacked_fit(data: bytes) -> Fit:
    """The fit of `packed_fit`."""
    return _read_fit(_Reader(data))


def packed_training(training: TrainingSet) -> bytes:
    """A training set as bytes."""
    writer = _Writer()
    writer.whole += [training.k, training.seed, training.at_row, training.views, len(training.groups)]
    writer.array(np.array([training.rare_share]))
    for group in training.groups:
        writer.whole.append(group.view)
        _write_scaled(group.rows, group.middle, group.scale, group.turn, writer)
    return writer.packed()


def unpacked_training(data: bytes) -> TrainingSet:
    """The training set of `packed_training`."""
    reader = _Reader(data)
    k, seed, at_row, views, groups = (reader.number() for _ in range(5))
    (rare_share,) = reader.array(1).tolist()
    return TrainingSet(
        k, seed, at_row, tuple(Group(reader.number(), *_read_scaled(reader)) for _ in range(groups)), views, rare_share
    )


def _write_fit(fit: Fit, writer: _Writer) -> None:
    writer.whole += [fit.at_row, len(fit.views)]
    for view in fit.views:
        writer.whole.append(len(view))
        for each in view:
            _write_scaled(each.centres, each.middle, each.scale, each.turn, writer)
            writer.array(np.array([each.unit]))


def _read_fit(reader: _Reader) -> Fit:
    at_row, views = reader.number(), reader.number()
    return Fit(at_row, tuple(tuple(_read_view(reader) for _ in range(reader.number())) for _ in range(views)))


def _read_view(reader: _Reader) -> ViewFit:
    centres, middle, scale, turn = _read_scaled(reader)
    return ViewFit(centres, middle, scale, float(reader.array(1)[0]), turn)


def _write_scaled(rows: Floats, middle: Floats, scale: Floats, turn: Floats | None, writer: _Writer) -> None:
    """Rows (n, d) with what brought them to scale."""
    writer.whole += [*rows.shape, int(turn is not None)]
    for array in (rows, middle, scale, *([] if turn is None else [turn])):
        writer.array(array)


def _read_scaled(reader: _Reader) -> tuple[Floats, Floats, Floats, Floats | None]:
    rows, columns, is_turned = reader.number(), reader.number(), reader.number()
    plain = reader.array(rows, columns), reader.array(columns), reader.array(columns)
    return *plain, reader.array(columns, columns) if is_turned else None
