"""State that is changed from outside while a run waits: nothing recorded is lost, no approval is passed by."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, answer, asked, goal, ran, statuses, worker

from goalgraph import (
    ApprovalPolicy,
    InvalidPlan,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    pending,
    specialist,
)
from goalgraph.errors import RunBusy


def approval(step_id: str, *needs: str) -> Any:
    return {"id": step_id, "type": "human_approval", "prompt": f"{step_id}?", "depends_on": list(needs)}


async def test_an_update_of_a_waiting_run_keeps_what_its_steps_came_to(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    plan = goal(agent_step("a"), approval("ok", "a"), agent_step("b", "ok", task="{{ input.x }}"), inputs={"x": "old"})
    paused = await ran(agent, plan)
    old = asked(paused)["ok"].id
    await agent.aupdate_state(CONFIG, {"inputs": {"x": "new"}})
    paused = await ran(agent, None)
    assert ledger.started == ["a"]
    assert asked(paused)["ok"].id != old, "the run stands elsewhere now"
    result = await ran(agent, answer(paused, {"ok": True}))
    assert ledger.started == ["a", "b"]
    assert ledger.tasks["b"].instruction == "new"
    assert set(statuses(result).values()) == {"succeeded"}


async def test_items_of_a_map_that_is_not_over_are_kept_too(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    inner = {"steps": [agent_step("work"), approval("ok", "work"), agent_step("end", "ok")]}
    each = {"id": "m", "type": "map", "over": [1, 2], "step": {"id": "one", "type": "sub_plan", "plan": inner}}
    paused = await ran(agent, goal(each, agent_step("last", "m")))
    assert sorted(ledger.started) == ["m[0].work", "m[1].work"]
    for number in range(3):
        await agent.aupdate_state(CONFIG, {"inputs": {"round": number}})
        paused = await ran(agent, None)
        assert sorted(ledger.started) == ["m[0].work", "m[1].work"]
    paused = await ran(agent, answer(paused, {"m[1].ok": True}))
    await agent.aupdate_state(CONFIG, {"inputs": {}})
    paused = await ran(agent, None)
    result = await ran(agent, answer(paused, {"m[0].ok": True}))
    assert sorted(ledger.started) == ["last", "m[0].end", "m[0].work", "m[1].end", "m[1].work"]
    assert result["status"] == "complete"


def test_sync_code_updates_in_the_same_way(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    agent.invoke(goal(agent_step("a"), approval("ok", "a")), CONFIG)
    agent.update_state(CONFIG, {"inputs": {"x": 1}})
    agent.invoke(None, CONFIG)
    assert ledger.started == ["a"]
    assert agent.get_state(CONFIG).values["inputs"] == {"x": 1}


async def test_a_plan_that_is_written_into_the_state_is_checked(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    paused = await ran(agent, goal(agent_step("a"), approval("ok", "a"), agent_step("b", "ok")))
    with pytest.raises(InvalidPlan, match="nobody"):
        await agent.aupdate_state(CONFIG, {"plan": {"steps": [{"id": "x", "agent": "nobody"}]}})
    assert asked(await ran(agent, None))["ok"].id == asked(paused)["ok"].id
    await agent.aupdate_state(
        CONFIG, {"plan": {"steps": [agent_step("a"), approval("ok", "a"), agent_step("c", "ok")]}}
    )
    paused = await ran(agent, None)
    assert ledger.started == ["a"]
    result = await ran(agent, answer(paused, {"ok": True}))
    assert list(result["outcomes"]) == ["a", "ok", "c"]


async def test_a_plan_that_is_written_into_the_state_goes_to_the_review(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    await ran(agent, goal(agent_step("a")))
    await agent.aupdate_state(CONFIG, {"plan": {"steps": [agent_step("b")]}})
    await ran(agent, None)
    requests = pending(agent, CONFIG)
    assert [request.kind for request in requests] == ["plan"]
    plan: Any = requests[0].arguments["plan"]
    assert plan["steps"][0]["id"] == "b"
    await agent.aupdate_state(CONFIG, {"inputs": {"x": 1}})
    assert [one.value["kind"] for one in (await ran(agent, None))["__interrupt__"]] == ["plan"]
    assert ledger.started == []


async def test_a_run_whose_new_plan_has_nothing_left_to_do_ends(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    await ran(agent, goal(agent_step("a"), approval("ok", "a"), agent_step("b", "ok")))
    await agent.aupdate_state(CONFIG, {"plan": {"steps": [agent_step("a")]}})
    result = await ran(agent, None)
    assert ledger.started == ["a"]
    assert (result["status"], list(result["outcomes"])) == ("complete", ["a"])


async def test_what_get_state_returns_as_config_means_the_run_as_it_is(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    await ran(agent, goal(agent_step("a"), approval("ok", "a"), approval("too"), agent_step("b", "ok", "too")))

    async def here() -> Any:
        return (await agent.aget_state(CONFIG)).config

    await agent.ainvoke(None, await here())
    await agent.aupdate_state(await here(), {"inputs": {"x": 1}})
    await agent.ainvoke(None, await here())
    first, second = pending(agent, await here())
    await aanswer(agent, await here(), {first.id: True})
    await agent.aupdate_state(await here(), {"inputs": {"x": 2}})
    await agent.ainvoke(None, await here())
    (last,) = pending(agent, await here())
    assert last.step == second.step
    result = await aanswer(agent, await here(), {last.id: True})
    assert ledger.started == ["a", "b"]
    assert result["status"] == "complete"


async def test_an_update_of_the_past_begins_another_history_from_there(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    steps = (agent_step("a", task="{{ input.x }}"), approval("ok", "a"), agent_step("b", "ok"))
    await ran(agent, answer(await ran(agent, goal(*steps, inputs={"x": "old"})), {"ok": True}))
    past = [one async for one in agent.aget_state_history(CONFIG)]
    for number, one in enumerate(one for one in past if one.values.get("plan") is not None and one.next):
        before, is_done = len(ledger.started), set(one.values["outcomes"])
        fork = await agent.aupdate_state(one.config, {"inputs": {"x": f"new {number}"}})
        found: Any = await agent.ainvoke(None, fork)
        if "ok" not in is_done:
            (asked_anew,) = pending(agent, CONFIG)
            found = await aanswer(agent, CONFIG, {asked_anew.id: True})
            assert ledger.tasks["a"].instruction == f"new {number}"
        assert ledger.started[before:] == [one for one in ("a", "b") if one not in is_done]
        assert found["status"] == "complete"


async def test_a_plan_that_is_written_into_the_past_is_checked(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    await ran(agent, goal(agent_step("a")))
    async for one in agent.aget_state_history(CONFIG):
        with pytest.raises(InvalidPlan, match="nobody"):
            await agent.aupdate_state(one.config, {"plan": {"steps": [{"id": "x", "agent": "nobody"}]}})


async def test_a_run_that_a_call_is_at_is_not_changed(sqlite: SqliteSaver) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        begun.set()
        await go.wait()
        return task.step

    agent = create_plan_agent(None, [worker], checkpointer=sqlite)
    call = asyncio.create_task(ran(agent, goal(agent_step("a"), approval("ok", "a"))))
    await begun.wait()
    with pytest.raises(RunBusy, match="'thread'"):
        await agent.aupdate_state(CONFIG, {"inputs": {"x": 1}})
    go.set()
    await call
    await agent.aupdate_state(CONFIG, {"inputs": {"x": 1}})
    await ran(agent, None)
    (request,) = await apending(agent, CONFIG)
    assert (await aanswer(agent, CONFIG, {request.id: True}))["status"] == "complete"
