"""How long an attempt may take and how long it may be silent; what is left behind of one that hangs."""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from tests.graph.one_step import outcome_of

from goalgraph import (
    ExecutionPolicy,
    Outcome,
    Retry,
    StepContext,
    StepTask,
    as_specialist,
    create_plan_agent,
    specialist,
)
from goalgraph.testing import ScriptedChatModel

QUICK = Retry(max_attempts=3, initial_seconds=0)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_a_timeout_is_tried_again(is_async: bool) -> None:
    seen: list[int] = []

    @specialist(name="slow")
    async def slow(task: StepTask, context: StepContext) -> str:
        seen.append(context.attempt)
        await asyncio.sleep(30 if context.attempt < 3 else 0)
        return "there"

    @specialist(name="slow")
    def slow_too(task: StepTask, context: StepContext) -> str:
        seen.append(context.attempt)
        time.sleep(1 if context.attempt < 3 else 0)
        return "there"

    outcome = outcome_of(slow if is_async else slow_too, retry=QUICK, step_timeout=0.05)
    assert (outcome.status, outcome.attempts, seen) == ("succeeded", 3, [1, 2, 3])


def test_a_sync_specialist_that_hangs_ends_its_step_and_the_error_says_that_its_thread_is_left() -> None:
    release = threading.Event()

    @specialist
    def hangs(text: str) -> str:
        release.wait(20)
        return "late"

    outcome = outcome_of(hangs, step_timeout=0.1)
    release.set()
    assert outcome.error is not None
    assert outcome.error.code == "timeout"
    assert outcome.error.message == "no result after 0.1 s; its thread is left behind, since a thread cannot be stopped"


def test_a_thread_that_is_left_behind_tells_nothing_any_more() -> None:
    release, told = threading.Event(), threading.Event()

    @specialist
    def hangs(task: StepTask, context: StepContext) -> str:
        context.progress("before")
        release.wait(20)
        context.progress("long after")
        told.set()
        return "late"

    @specialist
    def after(text: str) -> str:
        release.set()
        assert told.wait(20)
        return "told"

    agent = create_plan_agent(None, [hangs, after])
    steps: list[dict[str, object]] = [
        {"id": "a", "task": "t", "agent": "hangs", "timeout": 0.1},
        {"id": "b", "task": "t", "agent": "after", "depends_on": ["a"], "join": "all_done"},
    ]
    events: list[Any] = list(agent.stream({"goal": "g", "plan": {"steps": steps}}, stream_mode="custom"))
    assert [event["status"] for event in events if event["type"] == "step_finished"] == ["failed", "succeeded"]
    assert [event["message"] for event in events if event["type"] == "step_progress"] == ["before"]


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_a_specialist_that_gives_no_sign_of_life_times_out(is_async: bool) -> None:
    release = threading.Event()

    @specialist(name="silent")
    async def silent(text: str) -> str:
        await asyncio.sleep(30)
        return "late"

    @specialist(name="silent")
    def silent_too(text: str) -> str:
        release.wait(20)
        return "late"

    outcome = outcome_of(silent if is_async else silent_too, idle_timeout=0.1, step_timeout=20)
    release.set()
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.type) == ("timeout", "TimeoutError")
    assert outcome.error.message.startswith("no sign of life for 0.1 s")
    assert ("thread is left behind" in outcome.error.message) is not is_async
    assert outcome.seconds < 5


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_progress_keeps_a_specialist_alive_however_long_it_takes(is_async: bool) -> None:
    @specialist(name="busy")
    async def busy(task: StepTask, context: StepContext) -> str:
        for number in range(10):
            await asyncio.sleep(0.1)
            context.progress("moving", number / 10)
        return "done"

    @specialist(name="busy")
    def busy_too(task: StepTask, context: StepContext) -> str:
        for number in range(10):
            time.sleep(0.1)
            context.progress("moving", number / 10)
        return "done"

    outcome = outcome_of(busy if is_async else busy_too, idle_timeout=0.5)
    assert outcome.status == "succeeded"
    assert outcome.seconds > 0.9


def test_the_whole_time_runs_out_even_where_there_is_progress() -> None:
    @specialist
    async def busy(task: StepTask, context: StepContext) -> str:
        while True:
            await asyncio.sleep(0.02)
            context.progress("moving")

    outcome = outcome_of(busy, idle_timeout=5, step_timeout=0.2)
    assert outcome.error is not None
    assert outcome.error.message == "no result after 0.2 s"


def test_streamed_tokens_are_signs_of_life() -> None:
    model = ScriptedChatModel(["one two three four five six seven eight"])

    @specialist
    async def teller(text: str) -> str:
        words: list[str] = []
        async for chunk in model.astream(text):  # which makes the next one when it is asked for it
            words.append(chunk.text)
            await asyncio.sleep(0.15)
        return "".join(words)

    outcome = outcome_of(teller, idle_timeout=0.9)
    assert outcome.status == "succeeded"
    assert outcome.seconds > 1


def calls_of_models() -> Any:
    model = ScriptedChatModel(["ok"] * 8, delay=0.15)

    @specialist(name="work")
    async def work(text: str) -> str:
        for _ in range(8):
            await model.ainvoke(text)
        return "done"

    return work


def calls_of_models_in_a_thread() -> Any:
    model = ScriptedChatModel(["ok"] * 8, delay=0.15)

    @specialist(name="work")
    def work(text: str) -> str:
        for _ in range(8):
            model.invoke(text)
        return "done"

    return work


def calls_of_tools() -> Any:
    @tool
    async def wait(what: str) -> str:
        """Wait."""
        await asyncio.sleep(0.15)
        return what

    @specialist(name="work")
    async def work(text: str) -> str:
        for _ in range(8):
            await wait.ainvoke({"what": "x"})
        return "done"

    return work


def nodes_of_a_graph() -> Any:
    async def node(state: MessagesState) -> dict[str, Any]:
        await asyncio.sleep(0.15)
        return {"messages": [AIMessage("done")]}

    builder = StateGraph(MessagesState)
    names = [f"n{number}" for number in range(8)]
    for before, name in zip([START, *names], names, strict=False):
        builder.add_node(name, node)  # pyright: ignore[reportUnknownMemberType]
        builder.add_edge(before, name)
    builder.add_edge(names[-1], END)
    return as_specialist(builder.compile(), name="work")  # pyright: ignore[reportUnknownMemberType]


def steps_of(**policy: Any) -> Any:
    @specialist
    async def inner(task: StepTask, context: StepContext) -> str:
        for _ in range(8):
            await asyncio.sleep(0.15)
            context.progress("moving")
        return "done"

    agent = create_plan_agent(None, [inner], execution=ExecutionPolicy(**policy))

    @specialist(name="work")
    async def work(text: str) -> str:
        plan = {"steps": [{"id": "a", "task": "t", "agent": "inner"}]}
        return str((await agent.ainvoke({"goal": "g", "plan": plan}))["answer"])

    return work


def steps_of_another_agent() -> Any:
    return steps_of()


def steps_of_another_agent_with_a_watch_of_its_own() -> Any:
    return steps_of(idle_timeout=30)


@pytest.mark.parametrize(
    "work",
    [
        calls_of_models,
        calls_of_models_in_a_thread,
        calls_of_tools,
        nodes_of_a_graph,
        steps_of_another_agent,
        steps_of_another_agent_with_a_watch_of_its_own,
    ],
    ids=lambda work: work.__name__,
)
def test_what_happens_inside_of_a_step_is_a_sign_of_life(work: Any) -> None:
    outcome = outcome_of(work(), idle_timeout=0.9)
    assert (outcome.status, outcome.seconds > 1) == ("succeeded", True)


def test_a_sign_of_life_of_one_step_is_none_of_another() -> None:
    model = ScriptedChatModel(lambda _: "ok")

    @specialist
    async def busy(text: str) -> str:
        for _ in range(15):
            await asyncio.sleep(0.1)
            await model.ainvoke(text)
        return "done"

    @specialist
    async def silent(text: str) -> str:
        await asyncio.sleep(20)
        return "late"

    agent = create_plan_agent(None, [busy, silent], execution=ExecutionPolicy(idle_timeout=0.6))
    steps = [{"id": name, "task": "t", "agent": name} for name in ("busy", "silent")]
    outcomes: Mapping[str, Outcome] = agent.invoke({"goal": "g", "plan": {"steps": steps}})["outcomes"]
    assert {name: outcome.status for name, outcome in outcomes.items()} == {"busy": "succeeded", "silent": "failed"}
