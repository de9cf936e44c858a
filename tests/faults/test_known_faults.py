"""What the engine does not keep yet; each of these tests is to pass one day."""

import asyncio
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.faults.life import CONFIG
from tests.faults.stores import connected

from goalgraph import ApprovalPolicy, StepContext, StepTask, aanswer, apending, create_plan_agent, specialist


@pytest.mark.xfail(strict=True, reason="an update begins a checkpoint, and answers stand beside the one that asked")
async def test_a_step_that_was_approved_and_is_not_over_is_not_asked_about_again_after_an_update(
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        begun.set()
        await asyncio.sleep(30)
        return task.step

    connection = connected(tmp_path / "run.sqlite")
    policy = ApprovalPolicy(steps=("worker",))
    agent = create_plan_agent(None, [worker], checkpointer=SqliteSaver(connection), approval=policy)
    await agent.ainvoke({"goal": "work", "plan": {"steps": [{"id": "work", "agent": "worker"}]}}, CONFIG)
    (request,) = await apending(agent, CONFIG)
    running = asyncio.create_task(aanswer(agent, CONFIG, {request.id: True}))
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await agent.aupdate_state(CONFIG, {"inputs": {"new": 1}})
    begun.clear()
    again = asyncio.create_task(agent.ainvoke(None, CONFIG))
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([again, waiting], timeout=5, return_when=asyncio.FIRST_COMPLETED)
    for task in (again, waiting):
        task.cancel()
    await asyncio.gather(again, waiting, return_exceptions=True)
    connection.close()
    assert begun.is_set(), "asked about again"
