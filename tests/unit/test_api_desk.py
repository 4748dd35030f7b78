"""So many questions at once, so many waiting, none for longer than it may take."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from api.desk import WAITING_PER_PLACE, Desk
from api.problems import Problem


async def problem_of(desk: Desk, work: Callable[[float], object]) -> str:
    """The problem that the question has; empty when it is answered."""
    try:
        await desk.ask(work)
    except Problem as problem:
        return problem.name
    return ""


def test_a_question_more_than_may_wait_is_turned_away_at_once_and_later_ones_are_answered() -> None:
    async def scenario() -> None:
        desk, go = Desk(1, 60), threading.Event()
        held = [asyncio.create_task(desk.ask(lambda _: go.wait(60))) for _ in range(1 + WAITING_PER_PLACE)]
        await asyncio.sleep(0)
        assert await problem_of(desk, lambda _: None) == "busy"
        go.set()
        assert await asyncio.gather(*held) == [True] * len(held)
        assert await desk.ask(lambda _: "answered") == "answered"
        desk.close()

    asyncio.run(scenario())


def test_work_that_hangs_is_answered_for_and_keeps_its_place_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.desk.GRACE_SECONDS", 0.01)

    async def scenario() -> None:
        desk, go = Desk(1, 0.05), threading.Event()
        waits = asyncio.create_task(problem_of(desk, lambda _: go.wait(60)))
        await asyncio.sleep(0)
        behind = asyncio.create_task(problem_of(desk, lambda _: None))
        assert await waits == "time-limit"
        assert await behind == "busy"
        assert desk._inside == 1
        go.set()
        while desk._inside:
            await asyncio.sleep(0)
        assert await problem_of(desk, lambda _: None) == ""

    asyncio.run(scenario())


def test_work_is_told_how_long_it_may_take_and_its_errors_come_out() -> None:
    async def scenario() -> None:
        desk = Desk(2, 5)
        assert 0 < await desk.ask(lambda seconds: seconds) <= 5
        with pytest.raises(ZeroDivisionError):
            await desk.ask(lambda _: 1 // 0)
        assert await desk.ask(lambda _: 1) == 1

    asyncio.run(scenario())
