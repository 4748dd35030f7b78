"""Simulated weather devices with the truth about each reading: a slow daily wave, noise, and jumps of ten degrees."""

import numpy as np
from numpy.typing import NDArray

from jobs.series.rows import Series

START = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
NOISE = 1.43  # degrees: the rule "median +- one sample deviation per 60 readings" flags 13.6 % of the readings


def device_readings(device: int, seed: int = 1, seconds: int = 86_400) -> tuple[Series, NDArray[np.bool_]]:
    """A reading a second in whole degrees, and which of them jumped: 2 % up by 10, 4 % down by 10."""
    rng = np.random.default_rng([seed, device])
    second = np.arange(seconds)
    wave = 18.0 + 3.0 * device + 6.0 * np.sin(2.0 * np.pi * (second / 86_400.0 - 0.25))
    kind = rng.random(seconds)
    jump = np.where(kind < 0.02, 10.0, np.where(kind < 0.06, -10.0, 0.0))
    return Series(START + second * 1_000_000, np.rint(wave + rng.normal(0.0, NOISE, seconds) + jump)), jump != 0


def flagged_by_the_original_rule(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Per 60 readings, those further than one sample deviation from the median."""
    minutes = values[: len(values) // 60 * 60].reshape(-1, 60)
    apart = np.abs(minutes - np.median(minutes, axis=1, keepdims=True))
    return np.asarray(apart > minutes.std(axis=1, ddof=1, keepdims=True)).ravel()
