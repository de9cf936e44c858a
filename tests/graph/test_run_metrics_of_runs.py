"""The metrics that runs end with."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import ExecutionPolicy, Retry, answer, as_specialist, create_plan_agent, pending, specialist
from goalgraph.planner.run_metrics import RunMetrics
from goalgraph.testing import ScriptedChatModel

QUICK = Retry(max_attempts=2, initial_seconds=0)


@specialist
async def napper(task: str) -> str:
    await asyncio.sleep(0.05)
    return "slept"


def shaky() -> Any:
    tried: list[int] = []

    @specialist
    async def shaky(task: str) -> str:
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError("not now")
        return "done"

    return shaky


def plan_of(agent: str, number: int) -> dict[str, Any]:
    return {"steps": [{"id": f"s{one}", "agent": agent, "task": "t"} for one in range(number)]}


async def test_a_run_says_what_it_took() -> None:
    model = as_specialist(ScriptedChatModel(["hello"]), name="writer")
    agent = create_plan_agent(None, [napper, shaky(), model], execution=ExecutionPolicy(retry=QUICK))
    naps = plan_of("napper", 8)["steps"]
    others = [{"id": "w", "agent": "writer", "task": "t"}, {"id": "r", "agent": "shaky", "task": "t"}]
    steps = [*naps, *others, {"id": "c", "type": "condition", "test": "{{ true }}"}]
    found = (await agent.ainvoke({"goal": "g", "plan": {"steps": steps}}))["metrics"]
    assert found.steps == {"succeeded": 11}
    assert set(found.specialists) == {"napper", "writer", "shaky"}
    assert found.specialists["shaky"].retries == 1
    assert found.specialists["napper"].count == 8
    assert found.specialists["napper"].durations.min >= 0.05
    assert (found.specialists["writer"].model_calls, found.specialists["writer"].cost_usd) == (1, None)
    assert found.parallelism > 2
    assert found.wall_seconds < found.busy_seconds


@pytest.mark.parametrize(
    ("most", "waited"), [(None, 0), (8, 0), (2, 6)], ids=["no limit", "places for all", "two places"]
)
async def test_the_longest_queue_is_noted(most: int | None, waited: int) -> None:
    agent = create_plan_agent(None, [napper], execution=ExecutionPolicy(max_concurrency=most))
    result = await agent.ainvoke({"goal": "g", "plan": plan_of("napper", 8)})
    assert result["metrics"].specialists["napper"].max_waiting == waited


async def test_items_of_maps_count() -> None:
    @specialist
    async def doubler(item: int) -> int:
        return 2 * item

    each = {"id": "one", "agent": "doubler", "task": "t", "input": {"item": "{{ item }}"}}
    agent = create_plan_agent(None, [doubler])
    result = await agent.ainvoke(
        {"goal": "g", "plan": {"steps": [{"id": "m", "type": "map", "over": [1, 2, 3], "step": each}]}}
    )
    assert result["metrics"].specialists["doubler"].count == 3
    assert result["metrics"].steps == {"succeeded": 4}


def test_metrics_count_what_was_done_before_a_run_was_gone_on_with(tmp_path: Path) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    steps = [
        *plan_of("napper", 2)["steps"],
        {
            "id": "ask",
            "type": "human_input",
            "prompt": "Who?",
            "schema": {"type": "string"},
            "depends_on": ["s0", "s1"],
        },
        {"id": "last", "agent": "napper", "task": "t", "depends_on": ["ask"]},
    ]
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        paused = create_plan_agent(None, [napper], checkpointer=saver).invoke(
            {"goal": "g", "plan": {"steps": steps}}, config
        )
        assert paused.get("metrics") is None
        fresh = create_plan_agent(None, [napper], checkpointer=saver)
        result = answer(fresh, config, {pending(fresh, config)[0].id: "Ann"})
        stored = create_plan_agent(None, [napper], checkpointer=saver).get_state(config).values["metrics"]
    assert result["metrics"].specialists["napper"].count == 3
    assert isinstance(stored, RunMetrics)
    assert stored == result["metrics"]


async def test_a_new_goal_on_a_thread_has_metrics_of_its_own() -> None:
    agent = create_plan_agent(None, [napper], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await agent.ainvoke({"goal": "g", "plan": plan_of("napper", 3)}, config)
    result = await agent.ainvoke({"goal": "h", "plan": plan_of("napper", 1)}, config)
    assert result["metrics"].steps == {"succeeded": 1}
