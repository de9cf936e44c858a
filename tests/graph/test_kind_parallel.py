"""Parallel steps: branches, what their failures do, how many are at work, how long they may take."""

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
    stopped_after,
    worker,
)


def group(*branches: Any, **fields: Any) -> Result:
    return {"id": "g", "type": "parallel", "branches": list(branches), **fields}


def branch_of(step: str) -> str | None:
    """The branch of a step such as ``g.b1``; None where it is in none."""
    return step[2] if step.startswith("g.") else None


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_branches_run_at_the_same_time_and_the_output_has_them_by_id(way: str, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds=0.02), checkpointer=sqlite)
    plan = goal(
        agent_step("before"),
        group(
            agent_step("a"),
            [agent_step("b1"), agent_step("b2", input={"of": "after {{ steps.b1.output }}"})],
            "far",
            depends_on=["before"],
        ),
        agent_step("far"),
        agent_step("after", input={"of": "{{ steps.g.output }}"}),
    )
    result = await ran(agent, plan) if way == "async" else await asyncio.to_thread(agent.invoke, plan, CONFIG)
    assert set(statuses(result).values()) == {"succeeded"}
    assert result["outcomes"]["g"].output == {"a": "g.a", "b2": "after g.b1", "far": "far"}
    assert result["outcomes"]["after"].output == result["outcomes"]["g"].output
    assert ledger.started[0] == "before"
    assert set(ledger.started[1:4]) == {"g.a", "g.b1", "far"}, "the far one waits for what the group waits for"
    assert ledger.most() == 3
    assert ledger.before(("end", "g.b1"), ("start", "g.b2"))
    assert ledger.started[-1] == "after"


async def test_the_output_is_what_the_expression_says() -> None:
    agent = agent_of(worker(Ledger()))
    both = group(agent_step("a"), agent_step("b"), output={"first": "{{ steps.g.a.output }}", "n": "{{ 1 + 1 }}"})
    result = await ran(agent, goal(both, agent_step("last", input={"of": "{{ steps.g.output.n }}"})))
    assert result["outcomes"]["g"].output == {"first": "g.a", "n": 2}
    assert result["outcomes"]["last"].output == 2


async def test_an_output_that_cannot_be_computed_fails_the_whole() -> None:
    agent = agent_of(worker(Ledger()))
    both = group(agent_step("a"), agent_step("b"), output="{{ steps.g.a.output.field }}")
    result = await ran(agent, goal(both, agent_step("last", "g")))
    assert statuses(result) == {"g.a": "succeeded", "g.b": "succeeded", "g": "failed", "last": "blocked"}
    assert result["outcomes"]["g"].error.code == "invalid_input"


async def test_groups_in_groups_have_outputs_of_their_own() -> None:
    ledger = Ledger()
    inner: Result = {"id": "in", "type": "parallel", "branches": [agent_step("x"), agent_step("y")]}
    innermost = {"id": "deep", "type": "parallel", "branches": [agent_step("x"), inner]}
    result = await ran(agent_of(worker(ledger, seconds=0.01)), goal(group(agent_step("x"), innermost)))
    assert result["outcomes"]["g"].output == {
        "x": "g.x",
        "deep": {"x": "g.deep.x", "in": {"x": "g.deep.in.x", "y": "g.deep.in.y"}},
    }
    assert ledger.most() == 4


@pytest.mark.parametrize("value", ["true", "false"])
async def test_a_condition_on_the_whole_holds_for_all_branches(value: str) -> None:
    ledger = Ledger()
    inner: Result = {"id": "in", "type": "parallel", "branches": [agent_step("x"), agent_step("y")]}
    plan = goal(
        agent_step("before"),
        agent_step("far"),
        group(agent_step("a"), [agent_step("b1"), agent_step("b2")], inner, "far", when=value, depends_on=["before"]),
        agent_step("after", "g"),
    )
    result = await ran(agent_of(worker(ledger)), plan)
    state = "succeeded" if value == "true" else "skipped"
    ends = {step: status for step, status in statuses(result).items() if step not in ("before", "g.when")}
    assert ends == dict.fromkeys(ends, state)
    assert len(ends) == 9
    assert len(ledger.started) == (8 if value == "true" else 1)


@pytest.mark.parametrize(
    ("join", "state"), [("all_success", "blocked"), ("all_done", "succeeded"), ("any_success", "succeeded")]
)
async def test_a_join_of_the_whole_holds_for_all_branches(join: str, state: str) -> None:
    ledger = Ledger()
    plan = goal(
        agent_step("good"),
        agent_step("bad"),
        group(agent_step("a"), [agent_step("b1"), agent_step("b2")], join=join, depends_on=["good", "bad"]),
        agent_step("after", "g"),
    )
    result = await ran(agent_of(worker(ledger, fails=["bad"])), plan)
    found = statuses(result)
    assert {found[step] for step in ("g.a", "g.b1", "g.b2", "g", "after")} == {state}


async def test_a_branch_with_a_join_of_its_own_still_waits_for_what_the_whole_waits_for() -> None:
    ledger = Ledger()
    plan = goal(
        agent_step("bad"),
        agent_step("slow"),
        agent_step("quick"),
        group(agent_step("a", "quick", "bad", join="any_success"), depends_on=["slow"]),
    )
    result = await ran(agent_of(worker(ledger, seconds={"slow": 0.03}, fails=["bad"])), plan)
    assert statuses(result)["g.a"] == "succeeded"
    assert ledger.before(("end", "slow"), ("start", "g.a"))
    blocked = await ran(agent_of(worker(Ledger(), fails=["bad", "slow"])), plan)
    assert statuses(blocked)["g.a"] == "blocked"


FAILURES = {
    "fail_fast": {"g.a": "failed", "g.b1": "cancelled", "g.b2": "cancelled", "g": "failed", "after": "blocked"},
    "wait_all": {"g.a": "failed", "g.b1": "succeeded", "g.b2": "succeeded", "g": "failed", "after": "blocked"},
    "continue": {"g.a": "failed", "g.b1": "succeeded", "g.b2": "succeeded", "g": "succeeded", "after": "succeeded"},
}


@pytest.mark.parametrize("rule", FAILURES)
async def test_what_the_failure_of_a_branch_does(rule: str, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(
        worker(ledger, seconds={"g.a": 0.005, "g.b1": 0.03, "beside": 0.05}, fails=["g.a"]), checkpointer=sqlite
    )
    plan = goal(
        group(agent_step("a"), [agent_step("b1"), agent_step("b2")], on_failure=rule),
        agent_step("beside"),
        agent_step("after", "g"),
    )
    result = await ran(agent, plan)
    assert statuses(result) == FAILURES[rule] | {"beside": "succeeded"}
    assert ledger.of("cancel") == (["g.b1"] if rule == "fail_fast" else [])
    whole = result["outcomes"]["g"]
    if rule == "continue":
        assert whole.output == {"b2": "g.b2"}
        assert whole.degraded == ("'g.a' failed: ValueError: g.a is broken",)
    else:
        assert whole.error.code == "branch_failed"
        assert "'g.a' failed: ValueError: g.a is broken" in whole.error.message
    assert result["status"] == "degraded"


@pytest.mark.parametrize("rule", FAILURES)
async def test_where_all_branches_fail_the_whole_fails(rule: str) -> None:
    agent = agent_of(worker(Ledger(), fails=["g.a", "g.b"]))
    result = await ran(agent, goal(group(agent_step("a"), agent_step("b"), on_failure=rule), agent_step("after", "g")))
    assert (statuses(result)["g"], statuses(result)["after"]) == ("failed", "blocked")


async def test_the_failure_of_an_early_step_of_a_branch_is_the_branchs() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"g.b": 5}, fails=["g.a1"]))
    result = await ran(
        agent, goal(group([agent_step("a1"), agent_step("a2")], agent_step("b"), on_failure="fail_fast"))
    )
    assert statuses(result) == {"g.a1": "failed", "g.a2": "blocked", "g.b": "cancelled", "g": "failed"}


async def test_a_failure_inside_that_its_own_group_forgives_does_not_stop_the_outer_one() -> None:
    ledger = Ledger()
    inner = {
        "id": "in",
        "type": "parallel",
        "on_failure": "continue",
        "branches": [agent_step("x"), agent_step("y")],
    }
    agent = agent_of(worker(ledger, seconds={"g.b": 0.03}, fails=["g.in.x"]))
    result = await ran(agent, goal(group(inner, agent_step("b"), on_failure="fail_fast")))
    assert statuses(result) == {
        "g.in.x": "failed",
        "g.in.y": "succeeded",
        "g.in": "succeeded",
        "g.b": "succeeded",
        "g": "succeeded",
    }


async def test_fail_fast_reaches_groups_and_maps_inside() -> None:
    ledger = Ledger()
    inner = {"id": "in", "type": "parallel", "branches": [agent_step("x"), [agent_step("y"), agent_step("z")]]}
    items = {"id": "m", "type": "map", "over": [1, 2, 3], "concurrency": 2, "step": agent_step("one")}
    agent = agent_of(worker(ledger, seconds={"g.a": 0.02, "g.in.x": 5, "g.m[0]": 5, "g.m[1]": 5}, fails=["g.a"]))
    result = await ran(agent, goal(group(agent_step("a"), inner, items, on_failure="fail_fast"), agent_step("beside")))
    found = statuses(result)
    assert found.pop("beside") == "succeeded"
    assert (found.pop("g.a"), found.pop("g"), found.pop("g.in.y"), found.pop("g.in.z")) == (
        "failed",
        "failed",
        "succeeded",
        "succeeded",
    )
    assert found == dict.fromkeys(("g.in", "g.in.x", "g.m", "g.m[0]", "g.m[1]", "g.m[2]"), "cancelled")
    assert sorted(ledger.of("cancel")) == ["g.in.x", "g.m[0]", "g.m[1]"]
    assert "g.m[2]" not in ledger.started


async def test_optional_branches_stop_nobody() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"g.b": 0.02}, fails=["g.a"]))
    result = await ran(agent, goal(group(agent_step("a", optional=True), agent_step("b"), on_failure="fail_fast")))
    assert statuses(result) == {"g.a": "failed", "g.b": "succeeded", "g": "succeeded"}
    assert result["outcomes"]["g"].output == {"b": "g.b"}
    assert result["status"] == "degraded"


async def test_an_optional_group_may_fail() -> None:
    agent = agent_of(worker(Ledger(), fails=["g.a"]))
    plan = goal(group(agent_step("a"), agent_step("b"), optional=True), agent_step("after", "g"))
    result = await ran(agent, plan)
    assert (statuses(result)["g"], statuses(result)["after"]) == ("failed", "succeeded")


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_no_more_branches_are_at_work_than_allowed(limit: int) -> None:
    ledger = Ledger()
    branches = [[agent_step(f"{letter}{number}") for number in range(3)] for letter in "abcde"]
    result = await ran(
        agent_of(worker(ledger, seconds=0.002)), goal(group(*branches, concurrency=limit), agent_step("beside"))
    )
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.most(branch_of) == limit
    first_ends = [step for kind, step in ledger.lines if kind == "end" and step != "beside"]
    assert all(
        first_ends.index(f"g.{letter}2") < ledger_place(ledger, f"g.{later}0")
        for letter, later in zip("abc", "cde" if limit == 2 else "bcd", strict=True)
        if limit < 3
    )


def ledger_place(ledger: Ledger, step: str) -> int:
    """How many steps of the group had ended when this one began."""
    return sum(
        1 for kind, one in ledger.lines[: ledger.lines.index(("start", step))] if kind == "end" and one != "beside"
    )


async def test_branches_that_wait_for_each_other_share_their_place() -> None:
    ledger = Ledger()
    plan = goal(group([agent_step("a1"), agent_step("a2", "b1")], [agent_step("b1"), agent_step("b2")], concurrency=1))
    result = await ran(agent_of(worker(ledger, seconds=0.002)), plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.most() == 1


async def test_a_limit_inside_of_a_limit() -> None:
    ledger = Ledger()

    def inner(name: str) -> Result:
        branches = [agent_step(f"x{number}") for number in range(4)]
        return {"id": name, "type": "parallel", "concurrency": 2, "branches": branches}

    result = await ran(
        agent_of(worker(ledger, seconds=0.002)), goal(group(*(inner(name) for name in "abc"), concurrency=2))
    )
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.most(branch_of) == 2
    assert ledger.most() == 4


async def test_a_branch_that_waits_for_a_human_lets_others_work() -> None:
    ledger = Ledger()
    asks: Result = {"id": "a1", "type": "human_approval", "prompt": "Go on?"}
    plan = goal(group([asks, agent_step("a2")], agent_step("b"), agent_step("c"), concurrency=1))
    agent = agent_of(worker(ledger))
    paused = await ran(agent, plan)
    assert list(asked(paused)) == ["g.a1"]
    assert ledger.started == ["g.b", "g.c"]
    result = await ran(agent, answer(paused, {"g.a1": True}))
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.started == ["g.b", "g.c", "g.a2"]


async def test_humans_inside_of_a_branchs_map_let_other_branches_work() -> None:
    ledger = Ledger()
    asks: Result = {"id": "one", "type": "human_approval", "prompt": "Is {{ item }} right?"}
    items: Result = {"id": "m", "type": "map", "over": [1, 2], "step": asks}
    agent = agent_of(worker(ledger))
    paused = await ran(agent, goal(group(items, agent_step("b"), agent_step("c"), concurrency=1)))
    assert ledger.started == ["g.b", "g.c"]
    result = await ran(agent, answer(paused, {"g.m[0]": True, "g.m[1]": True}))
    assert set(statuses(result).values()) == {"succeeded"}


async def test_a_group_whose_time_is_up_fails_and_the_rest_goes_on() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"g.a": 5, "beside": 0.1}))
    plan = goal(
        group(agent_step("a"), [agent_step("b1"), "w", agent_step("b2")], timeout=0.05),
        {"id": "w", "type": "wait", "duration": 30},
        agent_step("beside"),
        agent_step("after", "g"),
        agent_step("then", "g", join="all_done"),
    )
    result = await ran(agent, plan)
    assert statuses(result) == {
        "g.a": "cancelled",
        "g.b1": "succeeded",
        "w": "cancelled",
        "g.b2": "cancelled",
        "g": "failed",
        "beside": "succeeded",
        "after": "blocked",
        "then": "succeeded",
    }
    whole = result["outcomes"]["g"]
    assert (whole.error.code, whole.error.message) == ("timeout", "not done after 0.05 s")
    assert ledger.of("cancel") == ["g.a"]


async def test_the_time_of_a_group_counts_from_its_first_step() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"before": 0.12, "g.a": 0.02}))
    result = await ran(agent, goal(agent_step("before"), group(agent_step("a"), depends_on=["before"], timeout=0.1)))
    assert set(statuses(result).values()) == {"succeeded"}


async def test_a_group_that_is_done_in_time_but_waits_for_others_to_say_its_output_is_not_late() -> None:
    agent = agent_of(worker(Ledger(), seconds={"beside": 0.1}))
    both = group(agent_step("a"), output="{{ steps.beside.output }}", timeout=0.04)
    result = await ran(agent, goal(both, agent_step("beside")))
    assert result["outcomes"]["g"].output == "beside"


async def test_the_time_of_a_group_goes_on_while_a_human_is_waited_for(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    asks: Result = {"id": "ask", "type": "human_approval", "prompt": "Go on?"}
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    plan = goal(group([agent_step("a"), asks, agent_step("b")], timeout=0.4))
    paused = await ran(agent, plan)
    await asyncio.sleep(0.45)
    result = await ran(agent, answer(paused, {"g.ask": True}))
    assert result["outcomes"]["g"].error.code == "timeout"
    assert ledger.started == ["g.a"]


async def test_several_agents_do_the_same_work_at_the_same_time() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, "ann", seconds=0.01), worker(ledger, "bob b.", seconds=0.01, fails=["both.bob_b_"]))
    step = {
        "id": "both",
        "agents": ["ann", "bob b."],
        "task": "look at {{ input.x }}",
        "input": {"of": "{{ input.x }}"},
    }
    result = await ran(agent, goal(agent_step("a", agent="ann"), {**step, "depends_on": ["a"]}, inputs={"x": 5}))
    assert statuses(result) == {
        "a": "succeeded",
        "both.ann": "succeeded",
        "both.bob_b_": "failed",
        "both": "succeeded",
    }
    assert result["outcomes"]["both"].output == {"ann": 5}
    assert result["outcomes"]["both.ann"].specialist == "ann"
    assert ledger.tasks["both.ann"].instruction == "look at 5"
    assert ledger.most() == 2


async def test_a_group_goes_on_in_another_process_where_it_was(sqlite: SqliteSaver) -> None:
    first, second = Ledger(), Ledger()
    branches = [[agent_step(f"{letter}{number}") for number in range(2)] for letter in "abcd"]
    plan = goal(group(*branches, concurrency=2, output="{{ steps.g.d1.output }}"))
    slow = worker(first, seconds={"g.b1": 5, "g.c0": 5})
    await stopped_after(agent_of(slow, checkpointer=sqlite), plan, lambda: {"g.b1", "g.c0"} <= set(first.started))
    assert set(first.of("end")) == {"g.a0", "g.a1", "g.b0"}
    result = await ran(agent_of(worker(second, seconds=0.002), checkpointer=sqlite), None)
    assert set(second.started) == {"g.b1", "g.c0", "g.c1", "g.d0", "g.d1"}
    assert second.most(branch_of) == 2
    assert result["outcomes"]["g"].output == "g.d1"
    assert all(first.keys[step] == second.keys[step] for step in ("g.b1", "g.c0"))


async def test_groups_that_share_branches_do_not_keep_each_other_waiting() -> None:
    """Each has given its only place to a branch whose second step needs the other's."""
    plan = goal(
        {"id": "g", "type": "parallel", "concurrency": 1, "branches": [["p", "q"], "s"]},
        {"id": "h", "type": "parallel", "concurrency": 1, "branches": [["r", "s"], "q"]},
        *(agent_step(name) for name in "pqrs"),
    )
    ledger = Ledger()
    result = await ran(agent_of(worker(ledger, seconds=0.002)), plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert set(ledger.started) == {"p", "q", "r", "s"}


async def test_a_place_that_a_human_leaves_free_is_taken_at_once() -> None:
    ledger = Ledger()
    asks: Result = {"id": "a", "type": "human_approval", "prompt": "Go on?"}
    agent = agent_of(worker(ledger, seconds={"beside": 0.05}))
    paused = await ran(agent, goal(group(asks, agent_step("b"), concurrency=1), agent_step("beside")))
    assert list(asked(paused)) == ["g.a"]
    assert ledger.before(("end", "g.b"), ("end", "beside"))
