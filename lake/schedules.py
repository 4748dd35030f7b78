"""Schedules: cron expressions of five fields in UTC, and when they come due."""

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

FORM = 'five fields: minute hour day-of-month month day-of-week, such as "*/5 * * * *" or "15 6 * * mon-fri"'
#: Any instant from which a schedule that ever comes is found.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def checked_schedule(value: str) -> str:
    """The schedule with one space between its fields.

    Raises ValueError for one that cron would not read or that never comes.
    """
    fields = value.split()
    if len(fields) != 5:
        raise ValueError(f"expected {FORM}")
    try:
        next(CronSim(" ".join(fields), EPOCH))
    except CronSimError as error:
        raise ValueError(f"{str(error).lower()}, expected {FORM}") from None
    except StopIteration:
        raise ValueError("it never comes, expected a date that there is") from None
    return " ".join(fields)


def last_due(schedule: str, now: datetime) -> datetime:
    """The newest instant, a whole minute, at which the schedule came due and that is not after `now`."""
    return next(CronSim(schedule, _minute(now) + timedelta(minutes=1), reverse=True))


def next_due(schedule: str, now: datetime) -> datetime:
    """The first instant after `now` at which the schedule comes due."""
    return next(CronSim(schedule, _minute(now)))


def _minute(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(second=0, microsecond=0)
