"""Where rows and centres of a model stand in a picture: its one or two values as they are, or the principal axes of more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lake.model import Feature, Model

Document = dict[str, Any]
Place = tuple[float, float]
#: Values farther than so many scales do not turn the axes.
FAR = 5


@dataclass(frozen=True)
class Places:
    """Points and centres, what each axis is, and in words how they were placed."""

    points: list[Place]
    centres: list[Place]
    names: tuple[str, str]
    words: str


def on_two_axes(model: Model, document: Document, rows: Sequence[dict[str, Any]]) -> Places:
    """The rows and the centres of the clusters: by both values, by the one value and the score, or by principal axes."""
    features, scales = list(model.features.items()), [document["features"][name] for name in model.features]
    points = [
        [_standard(row[name], feature, scale) for (name, feature), scale in zip(features, scales, strict=True)] for row in rows
    ]
    centres = [cluster["centre"] for cluster in document["clusters"]]
    if len(features) > 2:
        return _principal(points, centres, list(model.features))
    names = [f"{name}, {feature.unit}{', as log' if feature.enters == 'log' else ''}" for name, feature in features]
    valued, middles = (
        [[z * s["scale"] + s["middle"] for z, s in zip(at, scales, strict=True)] for at in each] for each in (points, centres)
    )
    if len(features) == 2:
        return Places([(x, y) for x, y in valued], [(x, y) for x, y in middles], (names[0], names[1]), "")
    scored = [(at[0], row["score"]) for at, row in zip(valued, rows, strict=True)]
    return Places(scored, [(at[0], 0.0) for at in middles], (names[0], "score"), "")


def _standard(value: float | None, feature: Feature, scale: Document) -> float:
    """The value as the model compares it, as `jobs/models/features.py` does for rows."""
    if value is None:
        if not isinstance(feature.nulls, float):
            return 0.0
        value = feature.nulls
    if feature.enters == "log":
        value = math.copysign(math.log1p(abs(value)), value)
    low = -math.inf if feature.low is None else feature.low
    high = math.inf if feature.high is None else feature.high
    return float((min(max(value, low), high) - scale["middle"]) / scale["scale"])


def _principal(points: list[list[float]], centres: list[list[float]], names: Sequence[str]) -> Places:
    """On the first two principal axes, each named by what it is made of."""
    import numpy as np

    shares, vectors = np.linalg.eigh(np.cov(np.clip(np.array(points), -FAR, FAR).T))
    axes = vectors[:, np.argsort(shares)[::-1][:2]]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    told = [
        " ".join(f"{weight:+.1f} {name}" for weight, name in zip(axis, names, strict=True) if abs(weight) >= 0.2)
        for axis in axes.T
    ]
    placed, middles = ([(float(x), float(y)) for x, y in np.array(each) @ axes] for each in (points, centres))
    return Places(
        placed, middles, (told[0], told[1]), " on the two axes along which rows differ most, made of its values in scales"
    )
