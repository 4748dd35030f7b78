"""How a series is judged: the numbers that were measured to be good. `lake.series` says which may be declared, and their limits."""

from dataclasses import dataclass

from lake.series import SeriesModel

VIEWS = ("value", "shape10", "scales", "clock", "dayago", "spread48")
EXTRA_VIEWS = ("local48", "together")


@dataclass(frozen=True)
class Setting:
    """One setting for every series of a model.

    threshold: score from which a point is an alert while the series is calm, 0..3.
    rest: points after an alert in which there is no other.
    memory: share by which each past alert, fading over 8,000 points, raises the threshold; 0 for none.
    calm: how much the usual score of a restless series (its mean over some 1,000 points) raises the threshold; 0 for none.
    learn: points before the first judgement (and the first fit).
    period: seconds after which the series is expected to repeat itself; None for a series without one.
    k: centres per view.
    history: points before a refit that it may learn from.
    growth, every: a refit is due when the points have grown by this share, at the latest after so many points.
    seed: of the samples and of the start of k-means.
    rare_share: a cluster with a smaller share of the training rows is not counted as usual; 0 counts all.
    views: the views to judge by; empty for all of one value, or `value` and `together` for several.
    """

    threshold: float = 0.6
    rest: int = 30
    memory: float = 0.1
    calm: float = 0.5
    learn: int = 150
    period: float | None = 86_400.0
    k: int = 20
    history: int = 8_000
    growth: float = 0.25
    every: int = 500
    seed: int = 1
    rare_share: float = 0.0
    views: tuple[str, ...] = ()


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
