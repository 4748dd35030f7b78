"""When a schedule's run begins, is repeated and is told of, minute by minute, without a clock."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestration.cron_clock import KILLED, Memory, announced, begun, checked, ended, first_seen, is_due

FIVE = "*/5 * * * *"
DAILY = "15 6 * * *"
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-05T{text}").replace(tzinfo=UTC)


def ran(memory: Memory, now: datetime, code: int = 0, schedule: str = FIVE) -> Memory:
    return ended(begun(schedule, memory, now), code, now)


def failed(*codes: int, memory: Memory | None = None) -> Memory:
    memory = memory or Memory(fired=at("12:00"))
    for code in codes:
        memory = ran(memory, at("12:00"), code)
    return memory


def test_a_schedule_runs_in_the_very_minute_it_is_declared_for_and_only_once() -> None:
    memory = first_seen(FIVE, at("12:05:20"))
    assert is_due(FIVE, memory, at("12:05:20"))
    assert not is_due(FIVE, ran(memory, at("12:05:20")), at("12:05:50"))


def test_what_came_due_before_a_source_was_declared_is_not_caught_up() -> None:
    memory = first_seen(DAILY, at("06:16"))
    assert not is_due(DAILY, memory, at("23:59"))
    assert is_due(DAILY, memory, at("06:15") + timedelta(days=1))


def test_firings_missed_while_the_machine_was_off_are_caught_up_by_one_run() -> None:
    memory = ran(Memory(fired=at("06:00")), at("06:05"))
    assert is_due(FIVE, memory, at("11:32"))
    after = ran(memory, at("11:32"))
    assert not is_due(FIVE, after, at("11:34"))
    assert is_due(FIVE, after, at("11:35"))


def test_a_clock_that_goes_back_a_little_repeats_nothing() -> None:
    memory = ran(Memory(fired=at("12:00")), at("12:05"))
    assert not is_due(FIVE, checked(FIVE, memory, at("12:01")), at("12:01"))


def test_a_clock_that_was_far_ahead_does_not_stop_the_schedule_until_then() -> None:
    memory = failed(75, memory=Memory(fired=at("12:00") + timedelta(days=400)))
    now = at("12:04")
    assert not is_due(FIVE, checked(FIVE, Memory(fired=memory.fired), now), now)
    assert is_due(FIVE, checked(FIVE, Memory(fired=memory.fired), now), at("12:05"))


def test_trouble_that_may_pass_is_tried_again_after_1_2_4_minutes_and_then_hourly_at_most() -> None:
    memory, waits = Memory(fired=at("06:15")), []
    for _ in range(9):
        memory = ended(memory, 75, at("12:00"))
        assert memory.again_at
        waits.append((memory.again_at - at("12:00")) // MINUTE)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert not is_due(DAILY, memory, at("12:59"))
    assert is_due(DAILY, memory, at("13:00"))


def test_a_firing_does_not_wait_for_the_next_try() -> None:
    memory = failed(75, 75, 75, 75)
    assert memory.again_at == at("12:08")
    assert is_due(FIVE, memory, at("12:05"))


def test_a_failure_without_use_to_retry_waits_for_the_next_firing() -> None:
    memory = failed(1)
    assert not is_due(FIVE, memory, at("12:04"))
    assert is_due(FIVE, memory, at("12:05"))


def test_a_failure_is_told_once_and_its_recovery_once() -> None:
    memory = failed(1)
    assert memory.owed == "failure"
    memory = failed(1, 3, 75, memory=announced(memory))
    assert memory.owed is None
    memory = failed(0, memory=memory)
    assert memory.owed == "recovery"
    memory = announced(memory)
    assert (memory.owed, memory.episode) == (None, None)
    assert failed(0, memory=memory).owed is None


def test_temporary_trouble_is_told_when_five_tries_in_a_row_met_it() -> None:
    assert failed(75, 75, 75, 75).owed is None
    assert failed(75, 75, 75, 75, 75).owed == "failure"
    assert failed(75, 75, 75, 75, 0, 75).owed is None


def test_a_lock_that_others_hold_is_never_told_but_tried_again() -> None:
    memory = failed(*[5] * 30)
    assert memory.owed is None
    assert memory.again_at == at("13:00")


def test_a_run_that_was_stopped_or_killed_is_tried_again() -> None:
    for code in (130, 143, KILLED):
        assert failed(code).again_at == at("12:01")
        assert failed(code).owed is None


def test_a_failure_that_could_not_be_told_is_owed_until_it_is_over() -> None:
    memory = failed(1, 1)
    assert memory.owed == "failure"
    assert failed(0, memory=memory).owed is None


def test_a_recovery_that_could_not_be_told_before_the_next_failure_never_was_one() -> None:
    memory = failed(0, 1, memory=announced(failed(1)))
    assert memory.owed is None
    assert memory.episode
    assert memory.episode.since == at("12:00")


@given(st.lists(st.sampled_from([0, 1, 3, 5, 75, 143]), max_size=60))
def test_failures_and_recoveries_are_told_in_turn(codes: list[int]) -> None:
    memory, told = Memory(fired=at("12:00")), []
    for code in codes:
        memory = failed(code, memory=memory)
        if memory.owed:
            told.append(memory.owed)
            memory = announced(memory)
    assert told == (["failure", "recovery"] * len(told))[: len(told)]


@given(st.lists(st.integers(0, 90), min_size=1, max_size=40))
def test_however_the_ticks_fall_a_firing_runs_at_most_once_and_the_newest_always(gaps: list[int]) -> None:
    memory, now, runs = Memory(fired=at("00:00")), at("00:00"), 0
    for gap in gaps:
        now += gap * MINUTE
        if is_due(FIVE, memory, now):
            memory, runs = ran(memory, now), runs + 1
        assert now - memory.fired < timedelta(minutes=5)
    assert runs <= (now - at("00:00")) // timedelta(minutes=5)
