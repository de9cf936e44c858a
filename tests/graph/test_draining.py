"""A process that is asked to end: what is at work is finished, nothing new begins, the run can be gone on with."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker


async def drained(agent: Any, given: Any, after: float, control: RunControl | None = None) -> None:
    """Run, ask for the end after a time, and see that it comes soon."""
    control = control or RunControl()
    running = asyncio.create_task(agent.ainvoke(given, CONFIG, control=control))
    await asyncio.sleep(after)
    control.request_drain("the machine goes down")
    async with asyncio.timeout(3):
        with pytest.raises(GraphDrained, match="goes down"):
            await running


async def test_steps_at_work_are_finished_and_others_wait_for_the_next_process(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(agent_step("a"), agent_step("b"), agent_step("c", "a"), agent_step("d", "c", "b"))
    await drained(agent_of(worker(ledger, seconds=0.3), checkpointer=sqlite), plan, 0.1)
    assert sorted(ledger.of("end")) == sorted(ledger.started) == ["a", "b"]
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert ledger.started[2:] == ["c", "d"]
    assert result["status"] == "complete"


async def test_queued_steps_and_items_of_maps_do_not_begin(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    each = {"id": "each", "type": "map", "over": [1, 2, 3, 4, 5], "step": agent_step("one"), "concurrency": 2}
    plan = goal(each, agent_step("end", "each"))
    await drained(agent_of(worker(ledger, seconds=0.3), checkpointer=sqlite), plan, 0.1)
    assert ledger.started == ["each[0]", "each[1]"]
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert sorted(ledger.started) == ["each[0]", "each[1]", "each[2]", "each[3]", "each[4]", "end"]
    assert set(statuses(result).values()) == {"succeeded"}


async def test_a_step_that_sleeps_is_woken_and_sleeps_on_in_the_next_process(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal({"id": "w", "type": "wait", "duration": "1500ms"}, agent_step("a", "w"))
    await drained(agent_of(worker(ledger), checkpointer=sqlite), plan, 0.1)
    assert ledger.started == []
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert result["status"] == "complete"


async def test_with_places_for_one_the_next_step_does_not_begin(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(*(agent_step(name) for name in "abc"), coordinator={"strategy": "sequential"})
    await drained(agent_of(worker(ledger, seconds=0.2), checkpointer=sqlite), plan, 0.1)
    assert ledger.started == ["a"]
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert ledger.started == ["a", "b", "c"]
    assert result["status"] == "complete"


async def test_where_all_is_done_before_the_end_is_asked_for_nothing_is_cut() -> None:
    ledger, control = Ledger(), RunControl()
    result = await agent_of(worker(ledger)).ainvoke(goal(agent_step("a")), CONFIG, control=control)
    control.request_drain()
    assert result["status"] == "complete"
