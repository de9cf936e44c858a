"""Sync calls: in any thread and any loop, also from inside of runs, and each ends what it began."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from goalgraph import create_plan_agent, specialist
from goalgraph.graph.loop import iterate

PLAN: Any = {"steps": [{"id": "a", "task": "t", "agent": "doer"}]}


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0)
        yield number


def test_parts_come_in_order() -> None:
    assert list(iterate(numbers)) == [0, 1, 2]


def test_an_error_comes_after_the_parts_before_it() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise SystemExit(2)

    parts = iterate(failing)
    assert next(parts) == 1
    with pytest.raises(SystemExit):
        next(parts)


def test_a_stream_that_cannot_begin_says_why() -> None:
    def refused() -> AsyncIterator[int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(iterate(refused))


def test_a_stream_that_is_cancelled_by_itself_ends() -> None:
    async def cancelled() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        list(iterate(cancelled))


def test_a_task_that_ends_the_loop_ends_it_for_nobody_else() -> None:
    async def leave() -> None:
        raise SystemExit(2)

    async def awaiting() -> AsyncIterator[int]:
        yield 1
        await asyncio.create_task(leave())

    other = iterate(numbers)
    assert next(other) == 0
    with pytest.raises(SystemExit):
        list(iterate(awaiting))
    assert list(other) == [1, 2]


def nested(depth: int, blocking: bool) -> object:
    """A specialist that runs an agent whose specialist runs an agent, and so on, always by a sync call."""

    def call() -> str:
        if not depth:
            return "the innermost"
        return str(create_plan_agent(None, [nested(depth - 1, blocking)]).invoke({"goal": "g", "plan": PLAN})["answer"])

    @specialist(name="doer")
    async def blocks(text: str) -> str:
        return call()

    @specialist(name="doer")
    def has_a_thread(text: str) -> str:
        return call()

    return blocks if blocking else has_a_thread


def by_turns(depth: int) -> object:
    """As `nested`; every other one blocks the loop that it is in."""

    def call() -> str:
        if not depth:
            return "the innermost"
        return str(create_plan_agent(None, [by_turns(depth - 1)]).invoke({"goal": "g", "plan": PLAN})["answer"])

    @specialist(name="doer")
    async def blocks(text: str) -> str:
        return call()

    @specialist(name="doer")
    def has_a_thread(text: str) -> str:
        return call()

    return blocks if depth % 2 else has_a_thread


def loops() -> int:
    return sum(1 for thread in threading.enumerate() if thread.name == "goalgraph")


@pytest.mark.parametrize(
    "crew",
    [lambda: nested(4, True), lambda: nested(4, False), lambda: by_turns(4), lambda: by_turns(5)],
    ids=["blocking", "in threads", "by turns", "by turns, the outermost blocks"],
)
def test_runs_inside_of_runs_wait_for_none_of_those_they_are_in(crew: Callable[[], object]) -> None:
    create_plan_agent(None, [nested(0, True)]).invoke({"goal": "g", "plan": PLAN})
    before = loops()
    assert create_plan_agent(None, [crew()]).invoke({"goal": "g", "plan": PLAN})["answer"] == "the innermost"
    deadline = time.monotonic() + 10
    while loops() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert loops() == before == 1


@pytest.mark.usefixtures("ctrl_c")
def test_a_call_that_is_interrupted_before_its_stream_begins_ends() -> None:
    async def blocking() -> AsyncIterator[int]:
        yield 1
        time.sleep(0.6)

    def interrupt() -> None:
        time.sleep(0.3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    other = iterate(blocking)
    next(other)  # from now on the loop is blocked, and can neither begin the next stream nor end it
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(iterate(numbers))
    thread.join()
    assert list(other) == []
