"""The values of a run, read from where it is stored, without those who did it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import AgentStep, HumanApprovalStep, MapStep, Plan, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.graph.storage.recorded import recorded_outcomes
from goalgraph.graph.storage.values import stored_values

CONFIG: Any = {"configurable": {"thread_id": "1"}}
PLAN = Plan(
    steps=(
        AgentStep(id="first", agent="worker"),
        HumanApprovalStep(id="ok", prompt="?", depends_on=("first",)),
        AgentStep(id="last", agent="worker", depends_on=("ok",)),
    )
)


@specialist
async def worker(task: StepTask, context: StepContext) -> str:
    """Works."""
    return f"did {task.step}"


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["BaseCheckpointSaver[Any]"]:
    """Savers as the command line has them."""
    if request.param == "memory":
        yield InMemorySaver()
        return
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as opened:
        yield opened


async def test_outcomes_of_the_superstep_that_is_under_way_are_among_them(saver: "BaseCheckpointSaver[Any]") -> None:
    agent = create_plan_agent(None, [worker], checkpointer=saver)
    await agent.ainvoke({"goal": "the goal", "plan": PLAN}, CONFIG)
    state = await agent.aget_state(CONFIG)
    found = await asyncio.to_thread(stored_values, saver, "1")
    assert found["outcomes"] == recorded_outcomes(state)
    assert list(found["outcomes"]) == ["first"]
    assert {**found, "outcomes": None} == {**state.values, "outcomes": None}


async def test_a_run_that_is_over_is_read_as_its_agent_reads_it() -> None:
    saver = InMemorySaver()
    agent = create_plan_agent(None, [worker], checkpointer=saver)
    await agent.ainvoke({"goal": "the goal", "plan": Plan(steps=PLAN.steps[:1])}, CONFIG)
    assert stored_values(saver, "1") == (await agent.aget_state(CONFIG)).values


async def test_items_of_a_map_that_is_not_over_are_among_them() -> None:
    saver, stopped = InMemorySaver(), asyncio.Event()

    @specialist
    async def stopper(task: StepTask, context: StepContext) -> str:
        """Stops at the second item."""
        if task.step.endswith("[1]"):
            stopped.set()
            await asyncio.sleep(60)
        return "done"

    plan = Plan(steps=(MapStep(id="each", over=[1, 2], concurrency=1, step=AgentStep(id="one", agent="stopper")),))
    agent = create_plan_agent(None, [stopper], checkpointer=saver)
    running = asyncio.create_task(agent.ainvoke({"goal": "the goal", "plan": plan}, CONFIG))
    await stopped.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert list(stored_values(saver, "1")["outcomes"]) == ["each[0]"]


def test_of_a_thread_that_is_not_there_nothing_is_read(tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "empty.sqlite")) as saver:
        assert stored_values(saver, "1") == {}
