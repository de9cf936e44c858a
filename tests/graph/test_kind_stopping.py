"""Runs that end early, with steps of all kinds under way: by policy, or because the caller lost interest."""

import asyncio

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import (
    CONFIG,
    Ledger,
    Result,
    agent_of,
    agent_step,
    answer,
    asked,
    goal,
    ran,
    statuses,
    stopped_after,
    worker,
)

from goalgraph import AgentStep, ExecutionPolicy, Outcome, Plan, specialist
from goalgraph.graph.board.board import Board
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.slots import Slots

FAST = ExecutionPolicy(on_failure="fail_fast")


def under_way() -> list[Result]:
    """Steps of all kinds that take long."""
    return [
        agent_step("slow"),
        {
            "id": "g",
            "type": "parallel",
            "branches": [agent_step("x"), [agent_step("y"), agent_step("z")]],
            "concurrency": 1,
        },
        {"id": "m", "type": "map", "over": [1, 2, 3], "step": agent_step("one"), "concurrency": 2},
        {
            "id": "n",
            "type": "map",
            "over": [1, 2],
            "step": {"id": "i", "type": "map", "over": [1, 2], "step": agent_step("cell")},
        },
        {"id": "w", "type": "wait", "duration": 30},
        {"id": "e", "type": "wait", "event": "paid"},
        {"id": "ok", "type": "human_approval", "prompt": "?"},
        {"id": "q", "type": "map", "over": [1], "step": {"id": "ask", "type": "human_input", "prompt": "?"}},
        agent_step("after", "m", "ok", join="all_done"),
    ]


SLOW = dict.fromkeys(("slow", "g.x", "m[0]", "m[1]", *(f"n[{i}][{j}]" for i in (0, 1) for j in (0, 1))), 30.0)


@pytest.mark.parametrize("most", [None, 20])
async def test_a_policy_of_failing_fast_stops_all_kinds(most: int | None) -> None:
    ledger = Ledger()

    @specialist
    async def breaker(text: str) -> None:
        while not set(SLOW) <= set(ledger.started):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        raise ValueError(text)

    agent = agent_of(
        worker(ledger, seconds=SLOW),
        breaker,
        execution=ExecutionPolicy(on_failure="fail_fast", max_concurrency=most),
    )
    result = await ran(agent, goal(*under_way(), agent_step("bad", agent="breaker")))
    found = statuses(result)
    assert found.pop("bad") == "failed"
    assert {step for step, status in found.items() if status != "cancelled"} == set()
    assert {"q[0]", "n[1][1]", "n[1]", "m[2]", "g.z", "ok", "w", "e", "after"} <= set(found)
    assert sorted(ledger.of("cancel")) == sorted(SLOW)
    assert "m[2]" not in ledger.started
    assert "cancelled because step 'bad' failed" in str(result["degraded"])


async def test_the_failure_of_an_item_stops_the_run_too_under_that_policy() -> None:
    agent = agent_of(worker(Ledger(), seconds={"m[0]": 30, "slow": 30}, fails=["m[1]"]), execution=FAST)
    plan = goal({"id": "m", "type": "map", "over": [1, 2], "step": agent_step("one")}, agent_step("slow"))
    result = await ran(agent, plan)
    assert (statuses(result)["m[1]"], statuses(result)["m[0]"], statuses(result)["slow"]) == (
        "failed",
        "cancelled",
        "cancelled",
    )


async def test_a_refusal_fails_fast_as_any_failure_does(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite, execution=FAST)
    plan = goal(
        {"id": "ok", "type": "human_approval", "prompt": "?"},
        {"id": "other", "type": "human_approval", "prompt": "?"},
        {"id": "w", "type": "wait", "duration": 30},
    )
    paused = await ran(agent, plan)
    assert set(asked(paused)) == {"ok", "other"}
    result = await ran(agent, answer(paused, {"ok": False}))
    assert statuses(result) == {"ok": "failed", "other": "cancelled", "w": "cancelled"}


@pytest.mark.parametrize("ends", ["cancelled", "paused", "done"])
async def test_nothing_is_left_behind(ends: str, sqlite: SqliteSaver) -> None:
    before = asyncio.all_tasks()
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds=SLOW if ends == "cancelled" else 0.001), checkpointer=sqlite)
    steps = [step for step in under_way() if step["id"] != "w"] if ends != "cancelled" else under_way()
    plan = goal(*steps, coordinator={"guardrails": [{"type": "timeout", "max_seconds": 600}]})
    if ends == "cancelled":
        await stopped_after(agent, plan, lambda: set(SLOW) <= set(ledger.started))
        assert sorted(ledger.of("cancel")) == sorted(SLOW)
    else:
        paused = await ran(agent, plan)
        assert set(asked(paused)) == {"e", "ok", "q[0]"}
        if ends == "done":
            result = await ran(agent, answer(paused, dict.fromkeys(asked(paused), True)))
            assert result["status"] == "complete"
    async with asyncio.timeout(2):
        while asyncio.all_tasks() - before:  # what was being written when the run was cancelled is written
            await asyncio.sleep(0.001)


async def test_a_cancelled_run_goes_on_and_nothing_recorded_runs_again(sqlite: SqliteSaver) -> None:
    first, second = Ledger(), Ledger()
    agent = agent_of(worker(first, seconds={"g.x": 30, "m[1]": 30, "n[1][0]": 30}), checkpointer=sqlite)
    plan = goal(*(step for step in under_way() if step["id"] != "w"))
    ends = {"slow", "m[0]", "m[2]", "n[0][0]", "n[0][1]", "n[1][1]"}
    await stopped_after(agent, plan, lambda: ends <= set(first.of("end")))
    agent = agent_of(worker(second), checkpointer=sqlite)
    paused = await ran(agent, None)
    assert set(second.started) == {"g.x", "g.y", "g.z", "m[1]", "n[1][0]"}
    result = await ran(agent, answer(paused, {"e": 1, "ok": True, "q[0]": "Ann"}))
    assert result["status"] == "complete"
    assert second.started[-1] == "after"
    assert (await agent.aget_state(CONFIG)).next == ()


async def test_what_was_done_before_all_it_could_wait_for_was_over_is_not_counted_again(sqlite: SqliteSaver) -> None:
    first, second = Ledger(), Ledger()
    plan = goal(
        agent_step("quick"),
        agent_step("slow"),
        agent_step("either", "quick", "slow", join="any_success"),
        {"id": "ok", "type": "human_approval", "prompt": "?"},
        agent_step("after", "slow", "either", "ok"),
    )
    agent = agent_of(worker(first, seconds={"slow": 30}), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: "either" in first.of("end"))
    agent = agent_of(worker(second), checkpointer=sqlite)
    paused = await ran(agent, None)
    assert (list(asked(paused)), second.started) == (["ok"], ["slow"])
    result = await ran(agent, answer(paused, {"ok": True}))
    assert (result["status"], second.started) == ("complete", ["slow", "after"])


async def test_a_step_recorded_after_langgraph_has_looked_has_its_outcome_at_once() -> None:
    """A write of a cancelled run may arrive between LangGraph's reading of the checkpoint and the engine's."""
    plan = Plan(steps=(AgentStep(id="a", agent="worker"), AgentStep(id="b", agent="worker")))
    index = PlanIndex.of(plan)
    known = Outcome(step="a", status="succeeded", output="recorded")
    board = Board(index, {"a": known}, dict.fromkeys("ab", "worker"), Slots(1, {}, index.priority))
    async with asyncio.timeout(1):
        assert await board.enter("a") == known
        assert not board.close("a")
        assert await board.enter("b") == "run"
    board.leave("b", Outcome(step="b", status="succeeded"))
    assert board.close("b")
