"""A run that is cancelled, whatever its steps are doing, leaves no task and no thread behind."""

import asyncio
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import interrupt

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    Plan,
    PlanAgent,
    Retry,
    StepContext,
    StepTask,
    create_plan_agent,
    specialist,
)
from goalgraph.testing import ScriptedChatModel

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}
begun = threading.Event()
ended: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:  # pyright: ignore[reportUnusedFunction]
    begun.clear()
    ended.clear()


@specialist
async def slow(task: StepTask, context: StepContext) -> str:
    begun.set()
    try:
        await asyncio.sleep(30)
    finally:
        ended.append(task.step)
    return "late"


@specialist
async def quick(text: str) -> str:
    return "done"


@specialist
async def broken(text: str) -> str:
    begun.set()
    raise ConnectionError("down")


@specialist
async def asking(text: str) -> str:
    begun.set()
    return str(interrupt("may I?"))


@specialist(max_concurrency=1)
async def scarce(text: str) -> str:
    begun.set()
    await asyncio.sleep(30)
    return "late"


@specialist
async def swarm(text: str) -> str:
    begun.set()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(asyncio.sleep(30))
    return "late"


@specialist
async def chatty(text: str) -> str:
    model = ScriptedChatModel(lambda _: "ok", delay=0.01)
    begun.set()
    while True:
        await model.ainvoke(text)


def step(step_id: str, agent: str, *needs: str, **fields: object) -> dict[str, object]:
    return {"id": step_id, "task": "t", "agent": agent, "depends_on": list(needs), **fields}


ITEM = {"id": "i", "task": "t", "agent": "slow"}
SCENES: dict[str, tuple[list[dict[str, object]], dict[str, Any]]] = {
    "at work": ([step("a", "slow")], {}),
    "waiting for others": ([step("a", "slow"), step("b", "quick", "a"), step("c", "quick", "b")], {}),
    "waiting for a place": ([step(f"s{i}", "slow") for i in range(5)], {"max_concurrency": 1}),
    "waiting for a specialist": ([step(f"s{i}", "scarce") for i in range(5)], {}),
    "waiting for a fallback's place": (
        [step("a", "scarce"), step("b", "broken", fallback=["scarce"])],
        {},
    ),
    "between attempts": ([step("a", "broken")], {"retry": Retry(initial_seconds=30)}),
    "watched": ([step("a", "slow"), step("b", "chatty")], {"idle_timeout": 30, "step_timeout": 30}),
    "holding a question": ([step("a", "asking"), step("b", "slow")], {}),
    "asleep": ([step("a", "slow"), {"id": "b", "type": "wait", "duration": 30}], {}),
    "in a group with a limit": (
        [{"id": "p", "type": "parallel", "timeout": 30, "branches": ["a", "b"]}, step("a", "slow"), step("b", "slow")],
        {},
    ),
    "in a map": ([{"id": "m", "type": "map", "over": "{{ [1, 2, 3] }}", "step": ITEM}, step("b", "slow")], {}),
    "with tasks of its own": ([step("a", "swarm")], {}),
}


def agent_for(scene: str, saver: bool = True) -> tuple[PlanAgent, Any]:
    steps, policy = SCENES[scene]
    crew = [slow, quick, broken, asking, scarce, swarm, chatty]
    agent = create_plan_agent(
        None, crew, execution=ExecutionPolicy(**policy), checkpointer=InMemorySaver() if saver else None
    )
    return agent, {"goal": "g", "plan": {"steps": steps}}


def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task is not None}


def own_threads() -> set[threading.Thread]:
    """All but those of executors, which asyncio keeps for later, and the one loop that sync calls share."""
    return {one for one in threading.enumerate() if not one.name.startswith(("asyncio_", "goalgraph"))}


async def until_begun() -> None:
    while not begun.is_set():
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("scene", SCENES)
async def test_nothing_is_left_of_a_cancelled_run(scene: str) -> None:
    agent, given = agent_for(scene)
    threads = own_threads()
    run = asyncio.create_task(agent.ainvoke(given, CONFIG))
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert other_tasks() == set()
    assert own_threads() == threads


@pytest.mark.parametrize("scene", SCENES)
async def test_nothing_is_left_of_a_stream_that_is_closed(scene: str) -> None:
    agent, given = agent_for(scene)
    parts: Any = agent.astream(given, CONFIG, stream_mode="custom")
    async for part in parts:
        if part["type"] == "step_started":
            break
    await until_begun()
    await parts.aclose()
    assert other_tasks() == set()


@pytest.mark.parametrize("scene", SCENES)
async def test_nothing_is_left_of_a_run_that_is_out_of_time(scene: str) -> None:
    agent, given = agent_for(scene)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await agent.ainvoke(given, CONFIG)
    assert other_tasks() == set()


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_left_of_a_sync_stream_that_is_closed(scene: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @specialist
    async def here(text: str) -> str:
        loops.append(asyncio.get_running_loop())
        return "here"

    create_plan_agent(None, [here]).invoke({"goal": "g", "plan": {"steps": [step("a", "here")]}})
    agent, given = agent_for(scene)
    threads = own_threads()
    known = asyncio.all_tasks(loops[0])
    parts: Any = agent.stream(given, CONFIG, stream_mode="custom")
    next(part for part in parts if part["type"] == "step_started")
    begun.wait(10)
    time.sleep(0.05)
    parts.close()
    assert {task for task in asyncio.all_tasks(loops[0]) - known if not task.done()} == set()
    assert own_threads() == threads


def interrupted_by(action: Callable[[], object], agent: PlanAgent, given: Any) -> None:
    def act() -> None:
        begun.wait(10)
        time.sleep(0.05)
        action()

    timer = threading.Thread(target=act)
    timer.start()
    try:
        agent.invoke(given, CONFIG)
    finally:
        timer.join()


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("scene", ["at work", "between attempts", "holding a question"])
def test_ctrl_c_in_a_sync_call_ends_what_it_began(scene: str) -> None:
    agent, given = agent_for(scene)
    threads = own_threads()
    with pytest.raises(KeyboardInterrupt):
        interrupted_by(lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT), agent, given)
    assert own_threads() == threads
    assert ended == [item["id"] for item in given["plan"]["steps"] if item["agent"] == "slow"]


async def test_a_sync_specialists_thread_ends_with_its_code_and_its_late_result_is_dropped() -> None:
    release = threading.Event()

    @specialist
    def blocking(text: str) -> str:
        begun.set()
        release.wait(20)
        return "late"

    agent = create_plan_agent(None, [blocking], checkpointer=InMemorySaver())
    threads = own_threads()
    run = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": {"steps": [step("a", "blocking")]}}, CONFIG))
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert other_tasks() == set()
    assert [thread.name for thread in own_threads() - threads] == ["specialist blocking"]
    release.set()
    while own_threads() != threads:
        await asyncio.sleep(0.01)
    assert (await agent.aget_state(CONFIG)).values.get("outcomes") == {}


async def test_a_run_that_is_cancelled_goes_on_where_it_was() -> None:
    agent, given = agent_for("waiting for others")
    given["plan"]["steps"].insert(0, step("first", "quick"))
    run = asyncio.create_task(agent.ainvoke(given, CONFIG))
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    begun.clear()
    started: list[str] = []

    async def again() -> None:
        async for part in agent.astream(None, CONFIG, stream_mode="custom"):
            started.extend([part["step"]] if part["type"] == "step_started" else [])

    run = asyncio.create_task(again())
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert started == ["a"]


async def test_a_step_that_fails_because_it_is_cancelled_has_not_failed_at_its_work() -> None:
    calls: list[int] = []

    @specialist
    async def untidy(text: str) -> str:
        calls.append(1)
        begun.set()
        try:
            await asyncio.sleep(30 if len(calls) == 1 else 0)
        except asyncio.CancelledError:
            raise ValueError("the file is still open") from None
        return "done"

    agent = create_plan_agent(
        None, [untidy], checkpointer=InMemorySaver(), execution=ExecutionPolicy(retry=Retry(initial_seconds=0))
    )
    run = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": {"steps": [step("a", "untidy")]}}, CONFIG))
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(calls) == 1
    assert (await agent.ainvoke(None, CONFIG))["status"] == "complete"


class SlowSaver(InMemorySaver):
    """Takes a while to read."""

    async def aget_tuple(self, config: RunnableConfig) -> Any:
        await asyncio.sleep(0.1)
        return await super().aget_tuple(config)


async def test_nothing_is_left_of_a_run_that_is_cancelled_while_it_is_read_from_the_database() -> None:
    agent = create_plan_agent(None, [slow], checkpointer=SlowSaver())
    run = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": {"steps": [step("a", "slow")]}}, CONFIG))
    await until_begun()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    for delay in (0.0, 0.05, 0.15, 0.25, 0.35, 0.45):
        run = asyncio.create_task(agent.ainvoke(None, CONFIG))
        await asyncio.sleep(delay)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert other_tasks() == set()


async def test_nothing_is_on_its_way_to_the_database_once_a_cancelled_run_has_ended(tmp_path: Path) -> None:
    chance = random.Random(1)

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        """Works."""
        await asyncio.sleep(0.003)
        return task.step

    steps = [AgentStep(id=f"s{n}", agent="worker", depends_on=(f"s{n - 3}",) if n > 2 else ()) for n in range(12)]
    for number in range(40):
        connection = sqlite3.connect(tmp_path / "run.sqlite", check_same_thread=False)
        agent = create_plan_agent(None, [worker], checkpointer=SqliteSaver(connection))
        config: Any = {"configurable": {"thread_id": str(number)}}
        running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": Plan(steps=tuple(steps))}, config))
        await asyncio.sleep(chance.random() * 0.12)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a write goes on after the run"
        connection.close()
