"""A range is cut without gap or overlap, and written as its ends were."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UsageError
from lake.windows import window, windows


@pytest.mark.parametrize(
    ("start", "end", "length", "edges"),
    [
        ("2024-01-30", "2024-02-02", "1d", ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]),
        ("2024-01-01", "2024-01-10", "1 week", ["2024-01-01", "2024-01-08", "2024-01-10"]),
        ("2024-01-31", "2024-05-01", "1 month", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-01"]),
        ("2023-02-28", "2026-01-01", "1 year", ["2023-02-28", "2024-02-28", "2025-02-28", "2026-01-01"]),
        ("2024-01-01T22:00:00Z", "2024-01-02T00:00:00Z", "1h", [f"2024-01-{at}:00:00Z" for at in ("01T22", "01T23", "02T00")]),
        ("2024-01-01", "2024-01-02", "12 hours", ["2024-01-01T00:00:00", "2024-01-01T12:00:00", "2024-01-02T00:00:00"]),
        ("2024-03-31T01:00:00+01:00", "2024-03-31T02:00:00+01:00", "1h", ["2024-03-31T01:00:00+01:00", "2024-03-31T02:00:00+01:00"]),
        ("2024-01-01T00:00:00", "2024-01-01T01:00:00", "30 min", [f"2024-01-01T{at}:00" for at in ("00:00", "00:30", "01:00")]),
        ("0", "25", "10", ["0", "10", "20", "25"]),
    ],
)  # fmt: skip
def test_a_range_is_cut_at_these_edges(start: str, end: str, length: str, edges: list[str]) -> None:
    assert windows(start, end, length) == list(pairwise(edges))


@pytest.mark.parametrize(
    ("start", "end", "length", "message"),
    [
        ("2024-01-01", "2024-01-02", "a while", "--window: got 'a while', expected a length such as `1 day`"),
        ("2024-01-01", "2024-01-02", "0d", "--window: got '0d'"),
        ("yesterday", "2024-01-02", "1d", "--from: got 'yesterday', expected a date or instant"),
        ("2024-01-01", "2024-02-30", "1d", "--to: got '2024-02-30'"),
        ("2024-01-02", "2024-01-02", "1d", "got 2024-01-02 and 2024-01-02, expected a range that ends after it begins"),
        ("2024-01-01", "2024-01-02", "7", "--from: got '2024-01-01', expected a number, or --window with a unit"),
        ("2024-01-01T00:00:00Z", "2024-01-02", "1d", "expected both with a zone or both without"),
        ("2000-01-01", "2024-01-01", "1m", "--window: got more than 10,000 windows"),
    ],
)
def test_a_range_that_cannot_be_cut_is_refused(start: str, end: str, length: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        windows(start, end, length)
    assert message in str(caught.value)


@given(st.integers(0, 10_000), st.integers(1, 1_000), st.integers(1, 40), st.sampled_from(["d", "w", "month", "y"]))
def test_windows_touch_and_cover_the_whole(day: int, days: int, number: int, unit: str) -> None:
    first = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day)
    start, end = first.date().isoformat(), (first + timedelta(days=days)).date().isoformat()
    found = windows(start, end, f"{number} {unit}")
    assert (found[0][0], found[-1][1]) == (start, end)
    assert all(before[1] == after[0] and before[0] < before[1] for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2024-02-01", "2024-01-01", "got 2024-02-01 and 2024-01-01, expected a range that ends after it begins"),
        ("10", "10", "expected a range that ends after it begins"),
        ("yesterday", "2024-01-01", "--from: got 'yesterday', expected a date or instant"),
        ("2024-01-01", "2024-02-01T00:00:00Z", "expected both with a zone or both without"),
    ],
)
def test_one_window_has_ends_that_fit(start: str, end: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        window(start, end)


def test_one_window_is_asked_for_as_it_was_written() -> None:
    assert window("2024-01-31T06:00:00Z", "2024-02-01T00:00:00+01:00") == ("2024-01-31T06:00:00Z", "2024-02-01T00:00:00+01:00")
    assert window("9", "10") == ("9", "10")
