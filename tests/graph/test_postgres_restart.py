"""A PostgreSQL server that goes away in the middle of a run: the run ends with the driver's error, and can go on."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from tests.checkpointers import KINDS, opened
from tests.postgres import Server

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.graph.storage.recorded import recorded_outcomes

CONFIG: Any = {"configurable": {"thread_id": "1"}}
COUNT = 9
PLAN = {
    "steps": [
        {"id": f"s{i}", "task": "t", "agent": "worker", "depends_on": [f"s{i - 1}"] if i else []} for i in range(COUNT)
    ]
}


def agent_of(saver: BaseCheckpointSaver[Any], ledger: list[str], server: Server | None) -> PlanAgent:
    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        ledger.append(task.step)
        await asyncio.sleep(0.05)  # time to record the step before
        if task.step == "s5" and server is not None:
            await asyncio.to_thread(server.restart)
        return f"{task.step}({','.join(str(one.output) for one in context.dependencies.values())})"

    return create_plan_agent(None, [worker], checkpointer=saver, synthesis="last_wins")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "postgres" in kind])
async def test_a_run_whose_server_is_restarted_loses_nothing_recorded(
    kind: str, tmp_path: Path, postgres_server: Server, postgres: str
) -> None:
    before: list[str] = []
    with pytest.raises(psycopg.OperationalError):
        async with opened(kind, tmp_path, lambda: postgres) as saver:
            await agent_of(saver, before, postgres_server).ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
    assert before in ([f"s{i}" for i in range(6)], [f"s{i}" for i in range(7)])  # what is lost is not built on
    after: list[str] = []
    async with opened(kind, tmp_path, lambda: postgres) as saver:
        agent = agent_of(saver, after, None)
        recorded = set(recorded_outcomes(await agent.aget_state(CONFIG)))
        assert recorded == {f"s{i}" for i in range(5)}
        done = await agent.ainvoke(None, CONFIG)
    assert after == [f"s{i}" for i in range(5, COUNT)]
    assert done["status"] == "complete"
    assert done["answer"].startswith("s8(s7(s6(")


async def test_a_server_that_is_away_when_a_run_begins_or_goes_on_is_the_drivers_error(
    postgres_server: Server, postgres: str, tmp_path: Path
) -> None:
    ledger: list[str] = []
    async with opened("postgres", tmp_path, lambda: postgres) as saver:
        postgres_server.kill()
        try:
            agent = agent_of(saver, ledger, None)
            with pytest.raises(psycopg.OperationalError):
                await agent.ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
            with pytest.raises(psycopg.OperationalError):
                await agent.ainvoke(None, CONFIG)
        finally:
            postgres_server.start()
    assert ledger == []
