"""A run inside of cancel scopes of anyio (Starlette, MCP), which cancel whatever a task waits for, repeatedly."""

import asyncio
from typing import Any

import anyio
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker

from goalgraph import RevisionPolicy
from goalgraph.graph.loop import to_its_end

STEPS = goal(agent_step("a"), agent_step("slow", "a"), agent_step("end", "slow"))


@pytest.mark.parametrize("revision", [None, RevisionPolicy()], ids=["plain", "revised"])
@pytest.mark.parametrize("scope", ["time", "group"])
async def test_a_run_ends_with_the_scope_it_is_in_and_is_gone_on_with(
    scope: str, revision: RevisionPolicy | None, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"slow": 30}), checkpointer=sqlite, revision=revision)
    before = asyncio.all_tasks()
    if scope == "time":
        with anyio.move_on_after(0.3):
            await agent.ainvoke(STEPS, CONFIG)
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(agent.ainvoke, STEPS, CONFIG)
            while "slow" not in ledger.started:
                await anyio.sleep(0.01)
            await anyio.sleep(0.1)
            group.cancel_scope.cancel()
    await asyncio.sleep(0.1)  # LangGraph, cancelled while it waits for its tasks, leaves them to end by themselves
    assert asyncio.all_tasks() == before, "nothing is left behind"
    assert ledger.of("cancel") == ["slow"]
    again = agent_of(worker(ledger), checkpointer=sqlite, revision=revision)
    result = await ran(again, None)
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.started == ["a", "slow", "slow", "end"]


async def test_what_is_done_to_its_end_is_not_broken_off_however_often_its_caller_is_cancelled() -> None:
    done: list[str] = []

    async def work(fails: bool = False) -> str:
        for _ in range(20):
            await asyncio.sleep(0.005)
        done.append("done")
        if fails:
            raise ValueError("broken")
        return "result"

    assert await to_its_end(work) == "result"
    with pytest.raises(ValueError, match="broken"):
        await to_its_end(lambda: work(True))
    with anyio.move_on_after(0.01) as scope:
        await to_its_end(work)
    assert (scope.cancelled_caught, done) == (True, ["done"] * 3)
    calls: Any = asyncio.create_task(to_its_end(lambda: work(True)))
    await asyncio.sleep(0.01)
    calls.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await calls
    assert isinstance(caught.value.__cause__, ValueError)
