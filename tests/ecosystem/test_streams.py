"""Streams as frameworks of the web read them: begun in one task, read in another, left in the middle."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from tests.graph.kinds import CONFIG, agent_of, goal, ran, statuses

from goalgraph import StepContext, StepTask, specialist


def rude(begun: list[str], seconds: float) -> Any:
    """A specialist that fails where it is cancelled."""

    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        begun.append(task.step)
        try:
            await asyncio.sleep(seconds if task.step == "slow" else 0)
        except asyncio.CancelledError as error:
            raise RuntimeError("the connection is gone") from error
        return "done"

    return works


@pytest.mark.parametrize("way", ["cancelled", "closed"])
async def test_a_stream_that_one_task_has_begun_and_another_one_reads_can_be_left(way: str) -> None:
    begun: list[str] = []
    saver = InMemorySaver()
    agent = agent_of(rude(begun, 30), checkpointer=saver)
    steps = [{"id": "a", "agent": "worker"}, {"id": "slow", "agent": "worker", "depends_on": ["a"]}]
    made = agent.astream(goal(*steps), CONFIG, stream_mode=["values", "custom"])
    stream = cast("AsyncGenerator[Any]", made)
    await anext(stream)  # as those do who answer with a status before they stream

    async def read() -> None:
        async for mode, part in stream:
            if way == "closed" and mode == "custom" and part["type"] == "step_started" and part["step"] == "slow":
                await asyncio.sleep(0)  # where it begins
                break

    reader = asyncio.create_task(read())
    async with asyncio.timeout(10):
        while "slow" not in begun or (way == "closed" and not reader.done()):
            await asyncio.sleep(0.001)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    await stream.aclose()
    result = await ran(agent_of(rude(begun, 0), checkpointer=saver), None)
    assert statuses(result) == {"a": "succeeded", "slow": "succeeded"}
    assert begun == ["a", "slow", "slow"]
