"""Schedules are checked where they are declared, and come due in UTC."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UsageError
from lake.schedules import checked_schedule, last_due, next_due
from lake.sources import source_from
from tests.unit.test_lake_declarations import GOOD


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("hourly", "schedule: got 'hourly', expected five fields"),
        ("* * * * * *", "expected five fields"),
        ("61 * * * *", "schedule: got '61 * * * *', bad minute, expected five fields"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("* * */20 * 1L", "it never comes"),
    ],
)
def test_a_schedule_that_cron_would_not_read_is_refused(schedule: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        source_from({**GOOD, "schedule": schedule}, "goods.yaml")
    assert message in str(caught.value)


def test_a_schedule_is_kept_in_one_spelling() -> None:
    assert checked_schedule("  */5  * * *   * ") == "*/5 * * * *"


def test_the_last_due_minute_may_be_this_one() -> None:
    assert last_due("*/5 * * * *", at("2026-03-29T02:35:59")) == at("2026-03-29T02:35:00")
    assert last_due("15 6 * * *", at("2026-03-29T06:14:59")) == at("2026-03-28T06:15:00")


def test_the_next_due_minute_is_a_later_one() -> None:
    assert next_due("*/5 * * * *", at("2026-03-29T02:35:00")) == at("2026-03-29T02:40:00")


@given(st.integers(0, 3 * 86_400))
def test_clock_changes_elsewhere_do_not_move_a_schedule_in_utc(seconds: int) -> None:
    now = at("2026-03-28T00:00:00") + timedelta(seconds=seconds)
    due = last_due("30 2 * * *", now)
    assert (due.hour, due.minute) == (2, 30)
    assert timedelta(0) <= now - due < timedelta(days=1)
