"""A run that is cut off at any of its writes, and then changed from outside, loses nothing recorded, and goes on."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from langgraph.graph import START
from tests.faults.stores import CutSaver, connected
from tests.faults.witness import recorded_now

from goalgraph import PlanAgent, create_plan_agent
from goalgraph.testing import ScriptedSpecialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
PLAN: Any = {"steps": [{"id": "a", "agent": "worker"}, {"id": "b", "agent": "worker"}]}


def opened(path: Path) -> tuple[PlanAgent, CutSaver]:
    saver = CutSaver(connected(path))
    return create_plan_agent(None, [ScriptedSpecialist("worker")], checkpointer=saver), saver


async def test_a_run_that_was_cut_off_anywhere_keeps_what_is_recorded_through_updates_and_ends(
    tmp_path: Path,
) -> None:
    seen: set[int] = set()
    names: set[str] = set()
    for writes in range(16):
        path = tmp_path / f"{writes}.sqlite"
        agent, saver = opened(path)
        saver.wire.left = writes
        with suppress(sqlite3.OperationalError):
            await agent.ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
        saver.conn.close()
        agent, saver = opened(path)
        tasks = {task.name for task in (await agent.aget_state(CONFIG)).tasks}
        if tasks - {START}:  # else it is over, or is begun anew: not even its goal was taken in
            names |= tasks
            before = await recorded_now(agent, CONFIG)
            seen.add(len(before.outcomes))
            for number in range(2):
                await agent.aupdate_state(CONFIG, {"inputs": {"new": number}})
                assert (await recorded_now(agent, CONFIG)).outcomes == before.outcomes, writes
            result = await agent.ainvoke(None, CONFIG)
            assert (result["status"], len(result["outcomes"])) == ("complete", 2), writes
        saver.conn.close()
    assert seen >= {0, 2}
    assert names >= {"decompose", "dispatch", "worker", "gather", "synthesize"}
