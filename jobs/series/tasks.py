"""What runs within Spark's tasks, a whole series at a time: which refits are due, their training sets, and judgements."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.series.fitting import due, training_set
from jobs.series.judging import Judged, judge
from jobs.series.packing import packed_fit, packed_track, packed_training, unpacked_fit, unpacked_track, unpacked_training
from jobs.series.reasons import reason, view_words
from jobs.series.rows import Series, finite, is_finite, learned
from jobs.series.setting import Setting
from jobs.series.track import Track
from lake.series import SeriesModel

Batches = Iterable[pa.RecordBatch]
Task = Callable[[Batches], Batches]

DUE = "_series string, before bigint"
SETS = "_series string, at_row bigint, training binary"
FITS = "_series string, at_row bigint, fit binary"
#: What is said of each point, as columns of the detector's table.
SAID = "score double, flag int, threshold double, view string, usual double, came double, reason string"
#: Where a series stands after some of its points: all of them, those that were judged or learnt from, the last one's time.
TRACKS = "array<struct<points: bigint, seen: bigint, last_at: bigint, is_refit: boolean, track: binary>>"
#: Refits of one series at whose rows it is remembered, so that late points go on from there.
REMEMBERED = 2


def setting_of(series: SeriesModel) -> Setting:
    """How the declared detector judges."""
    return Setting(
        threshold=series.threshold,
        rest=series.rest,
        memory=series.memory,
        calm=series.calm,
        learn=series.learn,
        period=series.period_seconds,
        rare_share=series.rare_share,
        k=series.k,
        every=series.refit_every,
        seed=series.seed,
        views=tuple(series.views or ()),
    )


def judged_schema(series: SeriesModel) -> str:
    """One row per series: its entity, its judged points in order of time, and where it stands."""
    entity = "".join(f"`{name}` {column.type}, " for name, column in series.entity.items())
    values = "".join(f"`{name}`: double, " for name in series.values)
    said = ", ".join(": ".join(part.split()) for part in SAID.split(", "))
    return f"_series string, {entity}judged array<struct<at: bigint, {values}{said}>>, tracks {TRACKS}"


def due_series(series: SeriesModel) -> Task:
    """Rows (`_series`, `before`, `now`: points that count) to the series that are to be fitted again: DUE."""
    setting = setting_of(series)

    def task(batches: Batches) -> Batches:
        for batch in batches:
            found = [
                (name, before)
                for name, before, now in zip(*(batch.column(n).to_pylist() for n in ("_series", "before", "now")), strict=True)
                if due(before - 1, now - 1, setting)
            ]
            names, counts = zip(*found, strict=True) if found else ((), ())
            yield _batch(_series=(pa.string(), names), before=(pa.int64(), counts))

    return task


def training_sets(series: SeriesModel) -> Task:
    """Rows (`_series`, `before`, `points`: the whole series) to one row per refit that is due: SETS."""
    setting = setting_of(series)

    def task(batches: Batches) -> Batches:
        for batch in batches:
            for name, before, given in zip(*_columns(batch, "_series", "before"), _points(batch, series), strict=True):
                yield _sets(name, finite(given), before, setting)

    return task


def _sets(name: str, whole: Series, before: int, setting: Setting) -> pa.RecordBatch:
    rows, sets = [], []
    for at_row in due(before - 1, len(whole.times) - 1, setting):
        training = training_set(whole, at_row, setting, learned(whole, setting))
        if training is not None:
            rows.append(at_row)
            sets.append(packed_training(training))
    return _batch(_series=(pa.string(), [name] * len(rows)), at_row=(pa.int64(), rows), training=(pa.binary(), sets))


def group_fits(batches: Batches) -> Batches:
    """Training sets (SETS) to fits (FITS) by a k-means that runs here."""
    from jobs.series.fitting import fits_from
    from jobs.series.lloyd import centres

    for batch in batches:
        names, rows, sets = _columns(batch, "_series", "at_row", "training")
        trainings = [unpacked_training(each) for each in sets]
        fits = [packed_fit(fits_from(each, centres(each.points, each.k, each.seed))) for each in trainings]
        yield _batch(_series=(pa.string(), names), at_row=(pa.int64(), rows), fit=(pa.binary(), fits))


def judgements(series: SeriesModel) -> Task:
    """Rows of pending series (with `before`, `points`, `track`, `fits`) to their judgements: `judged_schema`."""
    setting = setting_of(series)

    def task(batches: Batches) -> Batches:
        for batch in batches:
            judged: list[Any] = []
            tracks: list[list[dict[str, Any]]] = []
            given = zip(*_columns(batch, "_series", "passed", "track", "fits"), _points(batch, series), strict=True)
            for _, passed, track, fits, points in given:
                told, stands = _judged(points, passed, unpacked_track(track) if track else Track(), fits or [], setting)
                judged.append(_said(points, told, series))
                tracks.append(stands)
            offsets = pa.array(np.cumsum([0, *map(len, judged)]), pa.int32())
            listed = pa.ListArray.from_arrays(offsets, pa.concat_arrays(judged))
            arrays = [batch.column(name) for name in ("_series", *series.entity)]
            names = ["_series", *series.entity, "judged", "tracks"]
            yield pa.RecordBatch.from_arrays([*arrays, listed, pa.array(tracks, _TRACKS)], names)

    return task


def _judged(
    points: Series, passed: int, track: Track, fits: list[dict[str, Any]], setting: Setting
) -> tuple[list[Judged], list[dict[str, Any]]]:
    """What is said of the points after those `passed`, and where the series stands at its last refits and at its end."""
    fitted = {each["at_row"]: unpacked_fit(each["fit"]) for each in fits}
    is_counted = is_finite(points)
    seen = track.rows + np.cumsum(is_counted)
    known = {at_row: fitted.get(at_row) for at_row in due(track.rows - 1, int(seen[-1]), setting)}
    at_refits = {int(np.searchsorted(seen, at_row)) + 1 for at_row in sorted(known)[-REMEMBERED:] if at_row > track.rows}
    ends = sorted({*at_refits, len(seen)})
    told, stands, start = [], [], 0
    for end in ends:
        part = Series(points.times[start:end], points.values[start:end], track.rows)
        said, track = judge(track, part, known, setting)
        told.append(said)
        at = int(points.times[end - 1])
        stands.append(
            {
                "points": passed + end,
                "seen": track.rows,
                "last_at": at,
                "is_refit": end in at_refits,
                "track": packed_track(track),
            }
        )
        start = end
    return told, stands


def _said(points: Series, told: list[Judged], series: SeriesModel) -> pa.StructArray:
    """The points as the detector's table has them."""
    views = next((each.views for each in told if each.views), ())
    score, threshold, usual, came = (
        np.concatenate([getattr(each, name) for each in told]) for name in ("score", "threshold", "usual", "came")
    )
    flag, view, column = (np.concatenate([getattr(each, name) for each in told]) for name in ("flag", "view", "column"))
    words = view_words(series, views, view, column)
    told_reasons = [
        reason(series, words[i] or "", float(usual[i]), float(came[i])) if flag[i] == 1 else None for i in range(len(flag))
    ]
    values = [_floats(points.table[:, number]) for number in range(len(series.values))]
    said = [_floats(score), pa.array(flag, pa.int32()), _floats(threshold), pa.array(words, pa.string()), _floats(usual)]
    arrays = [pa.array(points.times), *values, *said, _floats(came), pa.array(told_reasons, pa.string())]
    return pa.StructArray.from_arrays(arrays, ["at", *series.values, *(part.split()[0] for part in SAID.split(", "))])


def _points(batch: pa.RecordBatch, series: SeriesModel) -> Iterator[Series]:
    """The points of each row's series; a missing value is NaN."""
    listed = batch.column("points")
    flat = listed.flatten()
    times = flat.field("at").to_numpy(zero_copy_only=False).astype(np.int64)
    values = np.column_stack([flat.field(name).to_numpy(zero_copy_only=False) for name in series.values]).astype(np.float64)
    ends = np.cumsum([0, *(len(each) for each in listed)])
    for start, end in pairwise(ends):
        own = values[start:end]
        yield Series(times[start:end], own[:, 0] if len(series.values) == 1 else own)


def _columns(batch: pa.RecordBatch, *names: str) -> list[list[Any]]:
    return [batch.column(name).to_pylist() for name in names]


def _batch(**columns: tuple[pa.DataType, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, kind) for kind, values in columns.values()], list(columns))


def _floats(values: Any) -> pa.Array:
    """Numbers, null for NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


_TRACK = {"points": pa.int64(), "seen": pa.int64(), "last_at": pa.int64(), "is_refit": pa.bool_(), "track": pa.binary()}
_TRACKS = pa.list_(pa.struct(list(_TRACK.items())))
