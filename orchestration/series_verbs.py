"""`lake model show / report / backtest` of a detector in series: its setting, its page, and what another setting would raise."""

import argparse
from pathlib import Path
from typing import Any

from lake.declarations import first_problem
from lake.errors import UsageError
from lake.series import SeriesModel
from lake.settings import Settings
from lake.tables import Refined
from orchestration.printing import print_json, print_rows
from orchestration.report_page import write_page
from orchestration.series_judged import instant, read_watched, read_windows, words

Given = argparse.Namespace
#: What a detector's setting is made of, as `show` tells it.
SETTING = ("period", "learn", "threshold", "rest", "memory", "calm", "rare_share", "k", "refit_every", "views", "fit", "seed")


def called(settings: Settings, table: Refined, given: Given) -> int:
    """Do the action.

    Raises UsageError for one that a detector has not.
    """
    if given.action == "show":
        return _show(settings, table, given.json)
    if given.action == "report":
        return _report(settings, table, given)
    if given.action == "backtest":
        return _backtest(settings, table, given)
    raise UsageError(
        f"{given.action}: {table.name} is a detector in series, which fits itself as points come; nothing to {given.action}"
    )


def _show(settings: Settings, table: Refined, as_json: bool) -> int:
    watched, series = read_watched(settings, table), _series(table)
    facts = {name: getattr(series, name) for name in SETTING} | {"views": series.views or "all"}
    if as_json:
        print_json({"model": table.name, "setting": facts, **watched.counts, "series": watched.by_series})
        return 0
    print_rows(("detector", table.name), [(name.replace("_", " "), str(value)) for name, value in facts.items()])
    print()
    rows = [
        (words(tuple(row[name] for name in series.entity)), f"{row['points']:,}", f"{row['alerts']:,}", _score(row["highest"]))
        for row in watched.by_series
    ]
    print_rows((", ".join(series.entity) or "series", "points", "alerts", "highest score"), rows)
    return 0


def _report(settings: Settings, table: Refined, given: Given) -> int:
    from orchestration.series_report import report

    windows = read_windows(Path(given.truth), _series(table)) if given.truth else []
    page = report(table, read_watched(settings, table, given.series), windows)
    return write_page(settings, table.name, page, given)


def _backtest(settings: Settings, table: Refined, given: Given) -> int:
    from jobs.series.alerting import Rule
    from orchestration.series_backtest import against, backtest

    series = _series(table)
    if not given.start or not given.to:
        came = "neither" if not given.start and not given.to else "one alone"
        raise UsageError(f"--from, --to: got {came}, expected both: the first instant, and where the range ends (UTC)")
    start, end = instant(given.start, "--from"), instant(given.to, "--to")
    if end <= start:
        raise UsageError(f"--from, --to: got {given.start} to {given.to}, expected a range that ends after it begins")
    asked = {name: getattr(given, name) for name in ("threshold", "rest", "memory", "calm")}
    changed = {**series.model_dump(mode="json"), **{name: value for name, value in asked.items() if value is not None}}
    checked = first_problem(SeriesModel.model_validate, changed, "backtest", SeriesModel)
    rule = Rule(**{name: getattr(checked, name) for name in asked})
    windows = read_windows(Path(given.truth), series) if given.truth else []
    found = backtest(settings, table, start, end, rule)
    known = against([w for w in windows if start <= w.end and w.start < end], found, series) if windows else {}
    facts: dict[str, Any] = {
        "alerts": len(found.alerts),
        "served": found.served,
        "series": found.series,
        "points": found.points,
    }
    if given.json:
        print_json({"rule": vars(rule), **facts, **known, "listed": found.alerts})
        return 0
    rows = [
        (
            f"{row[series.time]:%Y-%m-%d %H:%M:%S}",
            *(str(row[name]) for name in series.entity),
            _score(row["score"]),
            row["reason"],
        )
        for row in found.alerts
    ]
    print_rows(("time, UTC", *series.entity, "score", "why"), rows)
    print(_told(rule.threshold, rule.rest, found.served, facts))
    if known:
        missed = f"; missed: {', '.join(known['missed'])}" if known["missed"] else ""
        print(f"{known['hit']} of {known['windows']} known windows hit, {known['false']} alerts outside of them{missed}")
    return 0


def _told(threshold: float, rest: int, served: int, facts: dict[str, Any]) -> str:
    return (
        f"threshold {threshold:g}, rest {rest}: {facts['alerts']:,} alerts in {facts['points']:,} points of "
        f"{facts['series']:,} series; the table has {served:,}"
    )


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _series(table: Refined) -> SeriesModel:
    assert table.series is not None
    return table.series
