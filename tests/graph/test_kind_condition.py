"""Conditions: which steps run, which are skipped, and what depends on them."""

import asyncio
from typing import Any

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
    worker,
)


def fork(test: str, step_id: str = "c", /, **fields: Any) -> Result:
    return {"id": step_id, "type": "condition", "if": test, **fields}


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("rows", [0, 5])
async def test_one_branch_runs_and_the_other_is_skipped(rows: int, way: str, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, replies={"read": rows}), checkpointer=sqlite)
    plan = goal(
        agent_step("read"),
        fork("steps.read.output > 3", then=["yes", agent_step("inline")], **{"else": ["no"]}),
        agent_step("yes"),
        agent_step("no"),
        agent_step("after yes".replace(" ", "_"), "yes"),
        agent_step("after_both", "yes", "no", join="any_success"),
    )
    result = await ran(agent, plan) if way == "async" else await asyncio.to_thread(agent.invoke, plan, CONFIG)
    taken, left = ("succeeded", "skipped") if rows else ("skipped", "succeeded")
    assert statuses(result) == {
        "read": "succeeded",
        "c": "succeeded",
        "yes": taken,
        "c.inline": taken,
        "no": left,
        "after_yes": taken,
        "after_both": "succeeded",
    }
    assert result["outcomes"]["c"].output is (rows > 0)
    assert result["status"] == "complete", "what was not chosen is not missing"
    assert "no" not in ledger.started or not rows


async def test_without_an_else_nothing_runs() -> None:
    result = await ran(agent_of(worker(Ledger())), goal(fork("false", then=[agent_step("a")]), agent_step("b", "c")))
    assert statuses(result) == {"c": "succeeded", "c.a": "skipped", "b": "succeeded"}


@pytest.mark.parametrize("value", ["true", "false"])
async def test_whole_groups_maps_and_plans_stand_in_a_branch(value: str) -> None:
    ledger = Ledger()
    inner = {"id": "in", "type": "parallel", "branches": [agent_step("x"), [agent_step("y"), agent_step("z")]]}
    group: Result = {"id": "g", "type": "parallel", "branches": [agent_step("a"), inner]}
    items: Result = {"id": "m", "type": "map", "over": [1, 2], "step": agent_step("one")}
    plan: Result = {"id": "p", "type": "sub_plan", "plan": {"steps": [agent_step("a"), agent_step("b", "a")]}}
    several: Result = {"id": "s", "agents": ["worker", "other"]}
    far: Result = {"id": "far", "type": "parallel", "branches": [agent_step("a"), "farther"]}
    result = await ran(
        agent_of(worker(ledger), worker(ledger, "other")),
        goal(
            fork(value, then=[group, items, plan, several, "far"]),
            far,
            agent_step("farther"),
            agent_step("after", "c.g", "c.m", "c.p", "c.s", "far"),
        ),
    )
    found = statuses(result)
    state = "succeeded" if value == "true" else "skipped"
    assert found.pop("c") == "succeeded"
    assert found.pop("farther") == "succeeded", "it stands elsewhere, and the condition does not name it"
    assert found == dict.fromkeys(found, state)
    assert {"c.g", "c.g.in", "c.g.in.z", "c.m", "c.p", "c.p.b", "c.s.other", "far", "far.a", "after"} <= set(found)
    assert len(ledger.started) == (13 if value == "true" else 1)


async def test_a_condition_that_cannot_be_decided_blocks_both_branches() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, replies={"read": {"a": 1}}))
    plan = goal(
        agent_step("read"),
        fork("steps.read.output.b > 1", then=[agent_step("yes")], **{"else": [agent_step("no")]}),
        agent_step("after", "c.yes", "c.no", join="any_success"),
        agent_step("always", "c.yes", "c.no", join="all_done"),
    )
    result = await ran(agent, plan)
    assert statuses(result) == {
        "read": "succeeded",
        "c": "failed",
        "c.yes": "blocked",
        "c.no": "blocked",
        "after": "blocked",
        "always": "succeeded",
    }
    assert result["outcomes"]["c"].error.code == "invalid_input"
    assert "steps.read.output.b" in result["outcomes"]["c"].error.message
    assert ledger.started == ["read", "always"]


async def test_conditions_in_conditions_and_one_after_the_other() -> None:
    inner = fork("input.x > 5", "inner", then=[agent_step("many")], **{"else": [agent_step("few")]})
    plan = goal(
        fork("input.x > 0", then=[inner, "next"], **{"else": [agent_step("none")]}),
        fork("steps.c.output", "next", then=["end"]),
        agent_step("end"),
        inputs={"x": 3},
    )
    agent = agent_of(worker(Ledger()))
    positive = {
        "c": "succeeded",
        "c.inner": "succeeded",
        "c.inner.many": "skipped",
        "c.inner.few": "succeeded",
        "c.none": "skipped",
        "next": "succeeded",
        "end": "succeeded",
    }
    assert statuses(await ran(agent, plan)) == positive
    negative = dict.fromkeys(positive, "skipped") | {"c": "succeeded", "c.none": "succeeded"}
    assert statuses(await ran(agent, {**plan, "inputs": {"x": -1}})) == negative


async def test_a_condition_that_is_itself_skipped_skips_both_branches() -> None:
    plan = goal(
        fork("true", when="false", then=[agent_step("yes")], **{"else": [agent_step("no")]}),
        agent_step("after", "c.yes"),
    )
    result = await ran(agent_of(worker(Ledger())), plan)
    assert set(statuses(result).values()) == {"skipped"}


async def test_a_step_of_two_conditions_needs_both() -> None:
    agent = agent_of(worker(Ledger()))
    for first, second in ((True, True), (True, False), (False, True)):
        plan = goal(fork("input.a", "c", then=["s"]), fork("input.b", "d", then=["s"]), agent_step("s"))
        result = await ran(agent, {**plan, "inputs": {"a": first, "b": second}})
        assert statuses(result)["s"] == ("succeeded" if first and second else "skipped")


async def test_a_skipped_step_is_skipped_for_what_depends_on_it_unless_that_says_otherwise() -> None:
    plan = goal(
        fork("false", then=[agent_step("a")]),
        agent_step("b", "c.a"),
        agent_step("d", "b"),
        agent_step("e", "b", join="all_done"),
        {"id": "t", "type": "transform", "join": "all_done", "output": "{{ steps.c.a.status }} {{ steps.c.a.output }}"},
    )
    result = await ran(agent_of(worker(Ledger())), plan)
    found = statuses(result)
    assert (found["b"], found["d"], found["e"]) == ("skipped", "skipped", "succeeded")
    assert result["outcomes"]["t"].output == "skipped none"


async def test_the_branch_not_taken_is_skipped_at_once_and_waits_for_nobody() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"slow": 0.05}))
    plan = goal(
        agent_step("slow"),
        fork("false", then=["late"]),
        agent_step("late", "slow"),
        agent_step("after", "late", join="all_done"),
    )
    result = await ran(agent, plan)
    assert statuses(result)["late"] == "skipped"
    assert ledger.before(("end", "after"), ("end", "slow"))


async def test_a_decision_stands_after_a_pause(sqlite: SqliteSaver) -> None:
    """It is taken once: what it was taken from may look different later, such as the time."""
    ledger = Ledger()
    plan = goal(
        fork("now() < '2000'", then=["a"], **{"else": ["b"]}),
        {"id": "ask", "type": "human_approval", "prompt": "?"},
        agent_step("a", "ask"),
        agent_step("b", "ask"),
    )
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    paused = await ran(agent, plan)
    assert list(asked(paused)) == ["ask"]
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), answer(paused, {"ask": True}))
    assert statuses(result) == {"c": "succeeded", "ask": "succeeded", "a": "skipped", "b": "succeeded"}


@pytest.mark.parametrize("kind", ["parallel", "sub_plan", "map"])
async def test_a_whole_waits_for_what_stands_in_its_conditions_and_fails_with_it(kind: str) -> None:
    inner = fork("true", then=[agent_step("slow"), agent_step("quick")])
    kinds: dict[str, Result] = {
        "parallel": {"type": "parallel", "branches": [inner, agent_step("b")]},
        "sub_plan": {"type": "sub_plan", "plan": {"steps": [inner]}},
        "map": {"type": "map", "over": [1], "step": inner},
    }
    whole = kinds[kind]
    plan = goal({"id": "g", **whole}, agent_step("after", "g", join="all_done"))
    inside = "g[0]" if kind == "map" else "g.c"
    for fails in ([], [f"{inside}.slow"]):
        ledger = Ledger()
        result = await ran(agent_of(worker(ledger, seconds={f"{inside}.slow": 0.02}, fails=fails)), plan)
        assert ledger.started[-1] == "after"
        assert statuses(result)["g"] == ("failed" if fails else "succeeded")


@pytest.mark.parametrize("kind", ["parallel", "map"])
async def test_what_a_group_in_a_condition_forgives_is_forgiven(kind: str) -> None:
    group = {"id": "in", "type": "parallel", "on_failure": "continue", "branches": [agent_step("x"), agent_step("y")]}
    inner = fork("true", then=[group])
    kinds: dict[str, Result] = {
        "parallel": {"type": "parallel", "branches": [inner, agent_step("b")]},
        "map": {"type": "map", "over": [1], "step": inner},
    }
    whole = kinds[kind]
    inside = "g[0]" if kind == "map" else "g.c"
    agent = agent_of(worker(Ledger(), seconds={f"{inside}.in.y": 0.02, "g.b": 0.02}, fails=[f"{inside}.in.x"]))
    result = await ran(agent, goal({"id": "g", **whole, "on_failure": "fail_fast"}))
    assert statuses(result)[f"{inside}.in.x"] == "failed"
    assert {status for step, status in statuses(result).items() if step != f"{inside}.in.x"} == {"succeeded"}


async def test_a_branch_that_ends_with_a_condition_has_its_name_in_the_groups_output() -> None:
    branches = [[agent_step("a"), fork("true", then=[agent_step("x")])], agent_step("b")]
    plan = goal({"id": "g", "type": "parallel", "branches": branches})
    result = await ran(agent_of(worker(Ledger())), plan)
    output = result["outcomes"]["g"].output
    assert (sorted(output), output["c"]) == (["b", "c"], True)
