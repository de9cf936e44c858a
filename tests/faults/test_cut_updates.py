"""A run that was cut off at any of its writes, and whose state is then changed from outside, loses nothing recorded."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.stores import CutSaver, connected
from tests.faults.witness import recorded_now

from goalgraph import PlanAgent, create_plan_agent
from goalgraph.testing import ScriptedSpecialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
PLAN: Any = {"steps": [{"id": "a", "agent": "worker"}, {"id": "b", "agent": "worker"}]}


def opened(path: Path) -> tuple[PlanAgent, CutSaver]:
    saver = CutSaver(connected(path))
    return create_plan_agent(None, [ScriptedSpecialist("worker")], checkpointer=saver), saver


async def test_what_is_recorded_outlives_an_update_wherever_the_run_was_cut_off(tmp_path: Path) -> None:
    seen: set[int] = set()
    for writes in range(12):
        path = tmp_path / f"{writes}.sqlite"
        agent, saver = opened(path)
        saver.wire.left = writes
        with suppress(sqlite3.OperationalError):
            await agent.ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
        saver.conn.close()
        agent, saver = opened(path)
        if (await agent.aget_state(CONFIG)).created_at is not None:
            before = await recorded_now(agent, CONFIG)
            seen.add(len(before.outcomes))
            await agent.aupdate_state(CONFIG, {"inputs": {"new": 1}})
            assert (await recorded_now(agent, CONFIG)).outcomes == before.outcomes, writes
        saver.conn.close()
    assert seen >= {0, 2}
