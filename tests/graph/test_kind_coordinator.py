"""How a plan as a whole is run: one step at a time, limits of time and money, approvals before certain steps."""

import asyncio
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
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

from goalgraph import Limits, StepContext, StepTask, specialist
from goalgraph.testing import ScriptedChatModel


def guarded(*guardrails: Result, **more: Any) -> Result:
    return {"guardrails": list(guardrails), **more}


async def test_sequential_means_one_at_a_time_in_plan_order_as_far_as_dependencies_allow() -> None:
    ledger = Ledger()
    plan = goal(
        agent_step("z"),
        agent_step("late", "b"),
        agent_step("a"),
        {"id": "g", "type": "parallel", "branches": [agent_step("x"), [agent_step("y"), agent_step("yy")]]},
        {"id": "m", "type": "map", "over": [1, 2, 3], "step": agent_step("one")},
        agent_step("b"),
        agent_step("c"),
        coordinator={"strategy": "sequential"},
    )
    result = await ran(agent_of(worker(ledger, seconds=0.002)), plan)
    assert result["status"] == "complete"
    assert ledger.most() == 1
    assert ledger.started == ["z", "a", "g.x", "g.y", "g.yy", "m[0]", "m[1]", "m[2]", "b", "late", "c"]


async def test_a_time_limit_cancels_what_is_not_done_and_the_answer_says_why() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"slow": 30, "m[0]": 30}))
    plan = goal(
        agent_step("a"),
        agent_step("slow"),
        agent_step("b", "slow"),
        {"id": "w", "type": "wait", "duration": 30},
        {"id": "g", "type": "parallel", "branches": [agent_step("x"), [agent_step("y"), "w"]]},
        {"id": "m", "type": "map", "over": [1, 2], "step": agent_step("one"), "concurrency": 1},
        coordinator=guarded({"type": "timeout", "max_seconds": 0.2}),
    )
    begin = time.monotonic()
    result = await ran(agent, plan)
    assert time.monotonic() - begin < 3
    assert statuses(result) == {
        "a": "succeeded",
        "g.x": "succeeded",
        "g.y": "succeeded",
        **dict.fromkeys(("slow", "b", "w", "g", "m", "m[0]", "m[1]"), "cancelled"),
    }
    assert result["status"] == "degraded"
    assert "step 'slow' cancelled: the time limit of 0.2 s is over" in result["degraded"]
    assert sorted(ledger.of("cancel")) == ["m[0]", "slow"]


async def test_a_time_limit_counts_from_the_start_in_whatever_process(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(
        agent_step("a"),
        agent_step("slow"),
        agent_step("b", "a"),
        {"id": "ask", "type": "human_approval", "prompt": "?"},
        coordinator=guarded({"type": "timeout", "max_seconds": 0.3}, {"type": "timeout", "max_seconds": 100}),
    )
    agent = agent_of(worker(ledger, seconds={"slow": 30, "b": 30}), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: {"slow", "b"} <= set(ledger.started))
    await asyncio.sleep(0.3)
    again = Ledger()
    result = await ran(agent_of(worker(again), checkpointer=sqlite), None)
    assert statuses(result) == {"a": "succeeded", "slow": "cancelled", "b": "cancelled", "ask": "cancelled"}
    assert again.started == [], "past its time nothing begins"
    assert "the time limit of 0.3 s is over" in str(result["degraded"])


async def test_an_answer_that_comes_after_the_time_limit_finds_the_plan_over(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    plan = goal(
        agent_step("a"),
        {"id": "ask", "type": "human_approval", "prompt": "?", "depends_on": ["a"]},
        agent_step("b", "ask"),
        coordinator=guarded({"type": "timeout", "max_seconds": 0.2}),
    )
    paused = await ran(agent, plan)
    await asyncio.sleep(0.2)
    result = await ran(agent, answer(paused, {"ask": True}))
    assert statuses(result) == {"a": "succeeded", "ask": "cancelled", "b": "cancelled"}


def model_of(name: str) -> ScriptedChatModel:
    """Each call takes a million tokens; those cost 0.15 USD for gpt-4o-mini."""
    usage = UsageMetadata(input_tokens=1_000_000, output_tokens=0, total_tokens=1_000_000)
    return ScriptedChatModel(lambda _: AIMessage("said", usage_metadata=usage, response_metadata={"model_name": name}))


def spender(model_name: str) -> Any:
    """Does each step with one call of a model."""
    model = model_of(model_name)

    @specialist(name="spender")
    async def spends(text: str) -> str:
        return (await model.ainvoke(text)).text

    return spends


def spend(step_id: str, *needs: str) -> Result:
    return agent_step(step_id, *needs, agent="spender")


async def test_a_budget_that_is_used_up_stops_new_steps_and_lets_those_at_work_end() -> None:
    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> None:
        while len(model.received) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    model = model_of("gpt-4o-mini")

    @specialist(name="spender")
    async def spends(text: str) -> str:
        return (await model.ainvoke(text)).text

    agent = agent_of(spends, works)
    plan = goal(
        spend("a"),
        spend("b", "a"),
        spend("c", "b"),
        spend("d", "c"),
        agent_step("long"),
        agent_step("after", "long"),
        {"id": "g", "type": "parallel", "branches": [[agent_step("x"), agent_step("y")]]},
        coordinator=guarded({"type": "budget", "max_cost_usd": 0.4}),
    )
    result = await ran(agent, plan)
    found = statuses(result)
    assert {step: found[step] for step in ("a", "b", "c", "d", "long", "after", "g.x", "g.y", "g")} == {
        **dict.fromkeys(("a", "b", "c", "long", "g.x"), "succeeded"),
        **dict.fromkeys(("d", "after", "g.y", "g"), "cancelled"),
    }
    assert "the plan's budget of 0.4 USD is used up (0.45 spent)" in str(result["degraded"])
    assert abs(result["usage"].cost_usd - 0.45) < 0.001
    assert result["outcomes"]["a"].usage.cost_usd == pytest.approx(0.15)


async def test_a_budget_stops_items_too() -> None:
    plan = goal(
        {"id": "t", "type": "transform", "output": 1},
        {"id": "m", "type": "map", "over": "{{ range(8) }}", "step": spend("one"), "concurrency": 1},
        coordinator=guarded({"type": "budget", "max_cost_usd": 0.4}),
    )
    result = await ran(agent_of(spender("gpt-4o-mini")), plan)
    found = statuses(result)
    assert [found[f"m[{number}]"] for number in range(8)] == ["succeeded"] * 3 + ["cancelled"] * 5
    assert found["m"] == "cancelled"
    assert result["status"] == "degraded"


async def test_what_was_spent_before_a_pause_counts(sqlite: SqliteSaver) -> None:
    asks: Result = {"id": "ask", "type": "human_approval", "prompt": "?"}
    plan = goal(
        spend("a"),
        {"id": "m", "type": "map", "over": [1, 2], "step": {**spend("one"), "when": "index == 0"}},
        asks,
        spend("b", "ask", "a", "m"),
        spend("c", "b"),
        coordinator=guarded({"type": "budget", "max_cost_usd": 0.4}),
    )
    paused = await ran(agent_of(spender("gpt-4o-mini"), checkpointer=sqlite), plan)
    result = await ran(agent_of(spender("gpt-4o-mini"), checkpointer=sqlite), answer(paused, {"ask": True}))
    assert (statuses(result)["b"], statuses(result)["c"]) == ("succeeded", "cancelled")


async def test_a_budget_counts_what_threads_spend() -> None:
    model = model_of("gpt-4o-mini")

    @specialist(name="spender")
    def spends(text: str) -> str:
        return model.invoke(text).text

    plan = goal(
        *(spend(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(5)),
        coordinator=guarded({"type": "budget", "max_cost_usd": 0.4}),
    )
    result = await ran(agent_of(spends), plan)
    assert list(statuses(result).values()) == ["succeeded"] * 3 + ["cancelled"] * 2


async def test_what_items_spent_in_another_process_counts(sqlite: SqliteSaver) -> None:
    def spends(hangs: bool) -> Any:
        model = model_of("gpt-4o-mini")

        @specialist(name="spender")
        async def spender(task: StepTask, context: StepContext) -> str:
            if hangs and task.step == "m[2]":
                await asyncio.sleep(30)
            done.append(task.step)
            return (await model.ainvoke(task.instruction)).text

        return spender

    done: list[str] = []
    plan = goal(
        {"id": "m", "type": "map", "over": [1, 2, 3], "step": spend("one")},
        spend("after", "m"),
        coordinator=guarded({"type": "budget", "max_cost_usd": 0.4}),
    )

    def two_are_recorded() -> bool:
        kept = sqlite.get_tuple(CONFIG)
        return kept is not None and [one[1] for one in kept.pending_writes or ()].count("__return__") == 2

    await stopped_after(agent_of(spends(True), checkpointer=sqlite), plan, two_are_recorded)
    result = await ran(agent_of(spends(False), checkpointer=sqlite), None)
    assert done == ["m[0]", "m[1]", "m[2]"]
    assert statuses(result) == dict.fromkeys(("m[0]", "m[1]", "m[2]", "m"), "succeeded") | {"after": "cancelled"}


async def test_calls_without_a_known_price_are_said() -> None:
    plan = goal(spend("a"), spend("b", "a"), coordinator=guarded({"type": "budget", "max_cost_usd": 0.01}))
    result = await ran(agent_of(spender("my-own-model")), plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert result["degraded"] == ["the price of 2 model calls is not known; the budget does not count them"]
    assert result["status"] == "degraded"


@pytest.mark.parametrize("name", ["publish", "publisher", "publishing"])
@pytest.mark.parametrize("yes", [True, False])
async def test_an_approval_is_asked_before_a_step_an_agent_or_a_capability(name: str, yes: bool) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), worker(ledger, "publisher", capabilities=["publishing"]))
    plan = goal(
        agent_step("draft"),
        agent_step("publish", "draft", agent="publisher", task="Put {{ steps.draft.output }} online"),
        agent_step("after", "publish"),
        agent_step("beside"),
        coordinator=guarded({"type": "approval", "require_for": [name]}),
    )
    paused = await ran(agent, plan)
    assert set(ledger.started) == {"draft", "beside"}
    (asking, request), *rest = asked(paused).items()
    assert not rest
    assert "publish" in request.value["prompt"]
    assert "Put draft online" in request.value["prompt"]
    result = await ran(agent, answer(paused, {asking: yes}))
    assert statuses(result) == {
        "draft": "succeeded",
        "beside": "succeeded",
        asking: "succeeded" if yes else "failed",
        "publish": "succeeded" if yes else "blocked",
        "after": "succeeded" if yes else "blocked",
    }


async def test_a_step_that_comes_right_after_an_approval_is_not_asked_for_twice() -> None:
    agent = agent_of(worker(Ledger()))
    plan = goal(
        {"id": "ok", "type": "human_approval", "prompt": "Publish?"},
        agent_step("publish", "ok"),
        coordinator=guarded({"type": "approval", "require_for": ["publish"]}),
    )
    paused = await ran(agent, plan)
    assert list(asked(paused)) == ["ok"]
    result = await ran(agent, answer(paused, {"ok": True}))
    assert result["status"] == "complete"
    assert set(result["outcomes"]) == {"ok", "publish"}


GROUP: Result = {"id": "g", "type": "parallel", "branches": [agent_step("x"), [agent_step("y"), agent_step("z")]]}
MAP: Result = {"id": "g", "type": "map", "over": [1, 2], "step": agent_step("one")}
PLAN: Result = {"id": "g", "type": "sub_plan", "plan": {"steps": [agent_step("a"), agent_step("b", "a")]}}
SEVERAL: Result = {"id": "g", "agents": ["worker", "other"]}
JOINED: Result = {**PLAN, "plan": {"steps": [agent_step("a"), agent_step("b", "a", join="any_success")]}}


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize(
    "whole", [GROUP, MAP, PLAN, SEVERAL, JOINED], ids=["group", "map", "plan", "several", "joined"]
)
async def test_for_a_whole_a_human_is_asked_once_before_any_of_it_begins(whole: Result, yes: bool) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), worker(ledger, "other"))
    plan = goal(
        agent_step("before"),
        {**whole, "depends_on": ["before"]},
        agent_step("after", "g"),
        coordinator=guarded({"type": "approval", "require_for": ["g"]}),
    )
    paused = await ran(agent, plan)
    assert len(asked(paused)) == 1
    assert ledger.started == ["before"]
    result = await ran(agent, answer(paused, dict.fromkeys(asked(paused), yes)))
    assert (statuses(result)["g"], statuses(result)["after"]) == (("succeeded",) * 2 if yes else ("blocked",) * 2)
    if not yes:
        assert ledger.started == ["before"]


async def test_what_a_map_repeats_needs_one_approval_for_all_items() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger))
    plan = goal({**MAP, "over": [1, 2, 3]}, coordinator=guarded({"type": "approval", "require_for": ["worker"]}))
    paused = await ran(agent, plan)
    assert len(asked(paused)) == 1
    result = await ran(agent, answer(paused, dict.fromkeys(asked(paused), True)))
    assert result["outcomes"]["g"].output == ["g[0]", "g[1]", "g[2]"]


@pytest.mark.parametrize("taken", [True, False])
async def test_nobody_is_asked_for_a_branch_that_is_not_taken(taken: bool) -> None:
    agent = agent_of(worker(Ledger()))
    plan = goal(
        {"id": "c", "type": "condition", "if": "input.x", "then": [agent_step("publish")]},
        agent_step("after", "c.publish"),
        coordinator=guarded({"type": "approval", "require_for": ["c.publish"]}),
        inputs={"x": taken},
    )
    result = await ran(agent, plan)
    assert len(asked(result)) == (1 if taken else 0)


async def test_a_caller_s_limit_of_time_cancels_what_is_not_done(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    limits = Limits(max_seconds=0.4)
    agent = agent_of(worker(ledger, seconds={"a": 0, "b": 30}), checkpointer=sqlite, limits=limits)
    result = await ran(agent, goal(agent_step("a"), agent_step("b"), agent_step("c", "b")))
    assert statuses(result) == {"a": "succeeded", "b": "cancelled", "c": "cancelled"}
    assert result["outcomes"]["b"].error.message == "the time limit of 0.4 s is over"


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_limit_of_time_is_seconds_above_0(seconds: float) -> None:
    with pytest.raises(ValueError, match="max_seconds"):
        Limits(max_seconds=seconds)
