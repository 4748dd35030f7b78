"""What runs within Spark's tasks, a whole series at a time: training sets, fits, and judgements."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.series.fitting import Fit, TrainingSet, due, fits_from, next_due, training_set
from jobs.series.judging import Judged, judge
from jobs.series.lloyd import centres
from jobs.series.packing import packed_track, packed_training, unpacked_fit, unpacked_track
from jobs.series.reasons import reason, view_words
from jobs.series.rows import Series, Whole, finite, is_finite, joined, learned
from jobs.series.setting import Setting, setting_of
from jobs.series.track import Track
from lake.series import SeriesModel

Batches = Iterable[pa.RecordBatch]
Task = Callable[[Batches], Batches]

SETS = "_series string, at_row bigint, training binary"
#: What is said of each point, as columns of the detector's table.
SAID = "score double, flag int, threshold double, view string, usual double, came double, reason string"
#: Where a series stands after some of its points: all of them, those that were judged or learnt from, the last one's time, what
#: tells whether they are still the same, the count of points at which a refit is due next, and how to go on.
TRACK = "points bigint, seen bigint, last_at bigint, digest bigint, next_refit bigint, is_refit boolean, track binary"
#: Refits of one series at whose rows it is remembered, so that late points go on from there.
REMEMBERED = 2


@dataclass(frozen=True)
class Pending:
    """A series with points to be judged: how many came before them, the digest of those, and what the next refits look at."""

    points: Series
    seals: Whole
    passed: int
    digest: int
    track: Track
    history: Series


def judged_schema(series: SeriesModel) -> str:
    """One row per series: its entity, its judged points in order of time, where it stands, and how often it was fitted."""
    entity = "".join(f"`{name}` {column.type}, " for name, column in series.entity.items())
    values = "".join(f"`{name}`: double, " for name in series.values)
    said, track = (", ".join(": ".join(part.split()) for part in columns.split(", ")) for columns in (SAID, TRACK))
    return f"_series string, {entity}judged array<struct<at: bigint, {values}{said}>>, tracks array<struct<{track}>>, refits bigint"


def training_sets(series: SeriesModel) -> Task:
    """Ready series to one row per refit that is due: SETS."""
    setting = setting_of(series)

    def task(batches: Batches) -> Batches:
        for batch in batches:
            for name, pending in zip(batch.column("_series").to_pylist(), _pending(batch, series), strict=True):
                sets = [(each.at_row, packed_training(each)) for each in _trainings(pending, setting)]
                rows, packed = zip(*sets, strict=True) if sets else ((), ())
                names = pa.array([name] * len(sets), pa.string())
                arrays = [names, pa.array(rows, pa.int64()), pa.array(packed, pa.binary())]
                yield pa.RecordBatch.from_arrays(arrays, ["_series", "at_row", "training"])

    return task


def judgements(series: SeriesModel) -> Task:
    """Ready series to their judgements: `judged_schema`. Fits that did not come with them (`fits`) are found here."""
    setting = setting_of(series)

    def task(batches: Batches) -> Batches:
        for batch in batches:
            given = batch.column("fits").to_pylist() if "fits" in batch.schema.names else None
            found = [
                _judged(each, _fits(each, setting) if given is None else _given_fits(given[number]), setting)
                for number, each in enumerate(_pending(batch, series))
            ]
            names = ["_series", *series.entity]
            arrays = [*(batch.column(name) for name in names), _said(batch, [each.told for each in found], series)]
            stands = pa.array([each.stands for each in found], _TRACKS)
            refits = pa.array([each.refits for each in found], pa.int64())
            yield pa.RecordBatch.from_arrays([*arrays, stands, refits], [*names, "judged", "tracks", "refits"])

    return task


def _trainings(pending: Pending, setting: Setting) -> Iterator[TrainingSet]:
    """What the refits learn from that are due while these points are judged; none of one that has too little to learn from."""
    before = pending.track.rows
    marks = due(before - 1, before + int(is_finite(pending.points).sum()) - 1, setting)
    if not marks:
        return
    whole = joined(pending.history, finite(Series(pending.points.times, pending.points.values)))
    constants = learned(whole, setting)
    for at_row in marks:
        training = training_set(whole, at_row, setting, constants)
        if training is not None:
            yield training


def _fits(pending: Pending, setting: Setting) -> dict[int, Fit]:
    found = _trainings(pending, setting)
    return {each.at_row: fits_from(each, centres(each.points(), each.k, each.seed)) for each in found}


def _given_fits(fits: list[dict[str, Any]] | None) -> dict[int, Fit]:
    return {each["at_row"]: unpacked_fit(each["fit"]) for each in fits or []}


@dataclass(frozen=True)
class _Found:
    """What was said of one series' points, in parts, and where it stands after each part."""

    told: list[Judged]
    stands: list[dict[str, Any]]
    refits: int


def _judged(pending: Pending, fits: Mapping[int, Fit], setting: Setting) -> _Found:
    """The judgement of the points, with stops at the last refits, where the series is remembered."""
    points, track = pending.points, pending.track
    if not len(points.times):
        return _Found([], [], 0)
    seen = track.rows + np.cumsum(is_finite(points))
    known = {at_row: fits.get(at_row) for at_row in due(track.rows - 1, int(seen[-1]), setting)}
    at_refits = {int(np.searchsorted(seen, at_row)) + 1 for at_row in sorted(known)[-REMEMBERED:] if at_row > track.rows}
    digests = np.bitwise_xor.accumulate(pending.seals) ^ np.int64(pending.digest)
    told, stands, start = [], [], 0
    for end in sorted({*at_refits, len(seen)}):
        part = Series(points.times[start:end], points.values[start:end], track.rows)
        said, track = judge(track, part, known, setting)
        told.append(said)
        stand = {"points": pending.passed + end, "seen": track.rows, "last_at": int(points.times[end - 1])}
        ahead = {"digest": int(digests[end - 1]), "next_refit": next_due(track.rows, setting), "is_refit": end in at_refits}
        stands.append({**stand, **ahead, "track": packed_track(track)})
        start = end
    return _Found(told, stands, len(fits))


def _said(batch: pa.RecordBatch, told: list[list[Judged]], series: SeriesModel) -> pa.ListArray:
    """The points of each series as the detector's table has them."""
    parts = [part for each in told for part in each]
    words = [word for part in parts for word in view_words(series, part.views, part.view, part.column)]
    names = ("score", "flag", "threshold", "usual", "came")
    score, flag, threshold, usual, came = (_joined([getattr(part, name) for part in parts]) for name in names)
    reasons: list[str | None] = [None] * len(words)
    for i in np.flatnonzero(flag == 1).tolist():
        reasons[i] = reason(series, words[i] or "", float(usual[i]), float(came[i]))
    given = batch.column("points")
    flat = given.flatten()
    said = [_floats(score), pa.array(flag, pa.int32()), _floats(threshold), pa.array(words, pa.string()), _floats(usual)]
    arrays = [
        flat.field("at"),
        *(flat.field(name) for name in series.values),
        *said,
        _floats(came),
        pa.array(reasons, pa.string()),
    ]
    rows = pa.StructArray.from_arrays(arrays, ["at", *series.values, *(part.split()[0] for part in SAID.split(", "))])
    return pa.ListArray.from_arrays(pa.array(_offsets(given), pa.int32()), rows)


def _pending(batch: pa.RecordBatch, series: SeriesModel) -> Iterator[Pending]:
    """The series of a batch of ready ones."""
    seals = batch.column("points").flatten().field("seal").to_numpy()
    ends = _offsets(batch.column("points"))
    plain = zip(*(batch.column(name).to_pylist() for name in ("passed", "digest", "track")), strict=True)
    listed = zip(_points(batch.column("points"), series), _points(batch.column("history"), series), pairwise(ends), strict=True)
    for (passed, digest, packed), (points, history, (start, end)) in zip(plain, listed, strict=True):
        track = unpacked_track(packed) if packed else Track()
        yield Pending(points, seals[start:end], passed, digest, track, finite(history))


def _points(listed: pa.ListArray, series: SeriesModel) -> Iterator[Series]:
    """The points of each row's series, none for a null; a missing value is NaN."""
    flat = listed.flatten()
    times = flat.field("at").to_numpy(zero_copy_only=False).astype(np.int64)
    values = np.column_stack([flat.field(name).to_numpy(zero_copy_only=False) for name in series.values]).astype(np.float64)
    for start, end in pairwise(_offsets(listed)):
        own = values[start:end]
        yield Series(times[start:end], own[:, 0] if len(series.values) == 1 else own)


def _offsets(listed: pa.ListArray) -> list[int]:
    """Where each row's points begin among those of all rows, and where the last ones end."""
    lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy(zero_copy_only=False)
    offsets: list[int] = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
    return offsets


def _joined(arrays: list[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0)


def _floats(values: Any) -> pa.Array:
    """Numbers, null for NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


_KINDS = {"bigint": pa.int64(), "boolean": pa.bool_(), "binary": pa.binary()}
_TRACKS = pa.list_(pa.struct([(name, _KINDS[kind]) for name, kind in (part.split() for part in TRACK.split(", "))]))
