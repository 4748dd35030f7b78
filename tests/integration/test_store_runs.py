"""Runs in a real store, newest first, without reading the whole list."""

from datetime import UTC, datetime, timedelta

import pytest
from ulid import ULID

from store.objects import Objects
from store.runs import newest_run_ids, run_ids, write_plan, write_record

AGES = (0, 1, 2, 30, 300, 900)


@pytest.fixture
def runs(objects: Objects) -> list[str]:
    """Two runs of each age in days, newest first; half of them left only a plan."""
    now = datetime.now(UTC)
    ids = sorted(
        (str(ULID.from_datetime(now - timedelta(days=age, minutes=n))) for age in AGES for n in range(2)), reverse=True
    )
    for number, run in enumerate(ids):
        (write_record if number % 2 else write_plan)(objects, run, {"run": run})
    return ids


def test_the_newest_runs_come_first_and_pages_go_on_behind_the_last(objects: Objects, runs: list[str]) -> None:
    for count in (1, 2, 5, 12, 50):
        assert newest_run_ids(objects, count) == runs[:count]
    paged: list[str] = []
    while page := newest_run_ids(objects, 5, paged[-1] if paged else None):
        paged += page
    assert paged == runs


def test_a_lake_without_runs_has_none(objects: Objects) -> None:
    assert newest_run_ids(objects, 5) == []


def test_runs_since_a_time_leave_out_older_ones(objects: Objects, runs: list[str]) -> None:
    assert list(run_ids(objects)) == runs[::-1]
    since = datetime.now(UTC) - timedelta(days=10)
    assert list(run_ids(objects, since)) == runs[:6][::-1]
