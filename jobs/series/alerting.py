"""When a score is an alert: one rule for what is judged as it comes and for what a backtest asks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

ALERT_FADE = math.exp(-1 / 8_000)  # per point: a past alert is half forgotten after some 5,500
LEVEL_SHARE = 1 / 1_000  # of the newest score in the usual score
NEVER = -(10**9)


@dataclass(frozen=True)
class Rule:
    """From which score on a point is an alert; as `Setting` has it."""

    threshold: float
    rest: int
    memory: float
    calm: float


@dataclass(frozen=True)
class Memory:
    """What is remembered of the points before: alerts, one more with each and fading, the usual score, the last alert's point."""

    alerts: float = 0.0
    level: float = 0.0
    last_alert: int = NEVER


def alerted(scores: Iterable[float], first: int, memory: Memory, rule: Rule) -> tuple[list[float], list[bool], Memory]:
    """Per score, of the points from number `first` on, the threshold in force and whether it is an alert; and what is
    remembered then.

    A past alert and a restless series raise the threshold; none comes within the rest after another.
    """
    alerts, level, last = memory.alerts, memory.level, memory.last_alert
    thresholds, flags = [], []
    for number, score in enumerate(scores, first):
        alerts *= ALERT_FADE
        threshold = rule.threshold * (1.0 + rule.memory * alerts) * (1.0 + rule.calm * level)
        is_alert = score >= threshold and number - last > rule.rest
        if is_alert:
            alerts, last = alerts + 1.0, number
        thresholds.append(threshold)
        flags.append(is_alert)
        level += (score - level) * LEVEL_SHARE
    return thresholds, flags, Memory(alerts, level, last)
