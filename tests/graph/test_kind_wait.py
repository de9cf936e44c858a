"""Waits: for a duration, until a time, for an event; in this process or the next."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
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

from goalgraph import ExecutionPolicy, InvalidAnswer


def wait(*needs: str, step_id: str = "w", **fields: Any) -> Result:
    return {"id": step_id, "type": "wait", "depends_on": list(needs), **fields}


def end_of(result: Result, step: str) -> datetime:
    outcome = result["outcomes"][step]
    return datetime.fromisoformat(outcome.started_at) + timedelta(seconds=outcome.seconds)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("duration", [0.06, "60ms", "{{ input.pause }}", "{{ input.pause * 1000 }}ms"])
async def test_a_duration_counts_from_the_end_of_what_it_waits_for(
    duration: object, way: str, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"a": 0.03}), checkpointer=sqlite)
    plan = goal(agent_step("a"), wait("a", duration=duration), agent_step("b", "w"), inputs={"pause": 0.06})
    result = await ran(agent, plan) if way == "async" else await asyncio.to_thread(agent.invoke, plan, CONFIG)
    assert result["status"] == "complete"
    due = datetime.fromisoformat(result["outcomes"]["w"].output)
    assert abs((due - end_of(result, "a")).total_seconds() - 0.06) < 0.001
    assert due <= end_of(result, "w")
    assert ledger.started == ["a", "b"]


async def test_until_a_time_and_past_times_are_over_at_once() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.15)
    plan = goal(
        wait(until=soon.isoformat()),
        wait(step_id="past", until="2001-02-03T04:05:06+01:00"),
        wait(step_id="told", until="{{ input.when }}"),
        wait(step_id="nothing", duration=0),
        inputs={"when": "2001-02-03"},
    )
    result = await ran(agent_of(worker(Ledger())), plan)
    assert set(statuses(result).values()) == {"succeeded"}
    assert end_of(result, "w") >= soon
    assert all(end_of(result, step) < soon for step in ("past", "told", "nothing"))
    assert result["outcomes"]["past"].output == "2001-02-03T03:05:06+00:00"
    assert result["outcomes"]["told"].output == "2001-02-03T00:00:00+00:00"


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": "{{ input.x }}"},
        {"until": "{{ input.x }}"},
        {"duration": "{{ input.y }}"},
        {"until": "{{ input.y }}"},
    ],
)
async def test_an_expression_that_gives_no_time_fails_the_wait(fields: Result) -> None:
    plan = goal(wait(**fields), agent_step("a", "w"), inputs={"x": "some day", "y": [1]})
    result = await ran(agent_of(worker(Ledger())), plan)
    assert statuses(result) == {"w": "failed", "a": "blocked"}
    assert result["outcomes"]["w"].error.code == "invalid_input"


async def test_a_wait_takes_nobodys_place() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), execution=ExecutionPolicy(max_concurrency=1))
    plan = goal(
        *(wait(step_id=f"w{number}", duration=0.1) for number in range(5)),
        agent_step("a"),
        agent_step("b", "a"),
        agent_step("c", *(f"w{number}" for number in range(5))),
        coordinator={"strategy": "sequential"},
    )
    begin = time.monotonic()
    result = await ran(agent, plan)
    assert result["status"] == "complete"
    assert time.monotonic() - begin < 0.4
    assert all(end_of(result, "b") < end_of(result, f"w{number}") for number in range(5))


async def test_a_wait_goes_on_in_another_process_where_it_was(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(
        agent_step("a"), wait("a", duration=0.5), wait("a", step_id="short", duration=0.15), agent_step("b", "w")
    )
    await stopped_after(agent_of(worker(ledger), checkpointer=sqlite), plan, lambda: ledger.of("end") == ["a"])
    await asyncio.sleep(0.3)
    begin = datetime.now(UTC)
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert set(statuses(result).values()) == {"succeeded"}
    assert abs((end_of(result, "w") - end_of(result, "a")).total_seconds() - 0.5) < 0.15
    assert (end_of(result, "short") - begin).total_seconds() < 0.15, "past due: over at once"
    assert ledger.started == ["a", "b"]


async def test_a_first_step_waits_from_the_start_of_the_run(sqlite: SqliteSaver) -> None:
    plan = goal(wait(duration=0.4), agent_step("a"))
    ledger = Ledger()
    begin = datetime.now(UTC)
    await stopped_after(agent_of(worker(ledger), checkpointer=sqlite), plan, lambda: ledger.of("end") == ["a"])
    await asyncio.sleep(0.2)
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert 0.4 <= (end_of(result, "w") - begin).total_seconds() < 0.6


async def test_a_wait_that_any_of_several_lets_begin_counts_from_the_first(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(agent_step("a"), agent_step("b"), wait("a", "b", duration=0.4, join="any_success"), agent_step("c"))
    agent = agent_of(worker(ledger, seconds={"b": 0.15, "c": 30}), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: {"a", "b"} <= set(ledger.of("end")))
    result = await ran(agent_of(worker(Ledger()), checkpointer=sqlite), None)
    due = datetime.fromisoformat(result["outcomes"]["w"].output)
    first = min(end_of(result, "a"), end_of(result, "b"))
    assert abs((due - first).total_seconds() - 0.4) < 0.001


async def test_a_human_is_not_kept_waiting_by_a_wait_which_goes_on_after(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    plan = goal(
        agent_step("a"),
        wait("a", duration=0.5),
        {"id": "ask", "type": "human_approval", "prompt": "Go on?", "depends_on": ["a"]},
        agent_step("b", "ask", "w"),
    )
    begin = time.monotonic()
    paused = await ran(agent, plan)
    assert time.monotonic() - begin < 0.4
    assert list(asked(paused)) == ["ask"]
    result = await ran(agent, answer(paused, {"ask": True}))
    assert set(statuses(result).values()) == {"succeeded"}
    assert abs((end_of(result, "w") - end_of(result, "a")).total_seconds() - 0.5) < 0.2
    assert ledger.started == ["a", "b"]


async def test_work_in_progress_is_finished_before_a_human_is_asked_while_others_sleep() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds=0.05))
    plan = goal(
        wait(duration=20), {"id": "ask", "type": "human_approval", "prompt": "?"}, agent_step("a"), agent_step("b", "a")
    )
    paused = await ran(agent, plan)
    assert list(asked(paused)) == ["ask"]
    assert ledger.of("end") == ["a", "b"]


async def test_a_wait_for_an_event_ends_with_what_comes_with_it() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger))
    plan = goal(
        wait(event="paid"),
        wait(step_id="v", event="shipped"),
        agent_step("a", input={"of": "{{ steps.w.output.sum }}"}),
        agent_step("b"),
    )
    paused = await ran(agent, plan)
    assert {step: (one.value["kind"], one.value["event"]) for step, one in asked(paused).items()} == {
        "w": ("event", "paid"),
        "v": ("event", "shipped"),
    }
    assert ledger.started == ["b"]
    paused = await ran(agent, answer(paused, {"w": {"sum": 12}}))
    assert list(asked(paused)) == ["v"]
    result = await ran(agent, answer(paused, {"v": None}))
    assert (result["outcomes"]["a"].output, result["outcomes"]["v"].output) == (12, None)
    assert result["status"] == "complete"


async def test_an_event_that_comes_too_late_is_none(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    plan = goal(wait(event="paid", timeout=0.3), agent_step("a", "w"), wait(step_id="v", event="shipped"))
    paused = await ran(agent, plan)
    deadline = asked(paused)["w"].value["deadline"]
    assert datetime.fromisoformat(deadline) > datetime.now(UTC)
    await asyncio.sleep(0.32)
    result = await ran(agent, answer(paused, {"w": "late", "v": "in time"}))
    assert statuses(result) == {"w": "failed", "a": "blocked", "v": "succeeded"}
    assert result["outcomes"]["w"].error.code == "timeout"


async def test_what_cannot_be_kept_of_an_event_is_refused() -> None:
    agent = agent_of(worker(Ledger()))
    paused = await ran(agent, goal(wait(event="paid"), agent_step("a")))
    with pytest.raises(InvalidAnswer, match="cannot be kept"):
        await ran(agent, answer(paused, {"w": {(1, 2): "no key of JSON"}}))


async def test_items_wait_each_on_their_own(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    work: Result = {
        "id": "work",
        "type": "sub_plan",
        "input": {"x": "{{ item }}"},
        "plan": {
            "steps": [
                agent_step("a"),
                {"id": "w", "type": "wait", "duration": "{{ input.x }}", "depends_on": ["a"]},
                agent_step("b", "w"),
            ]
        },
    }
    plan = goal({"id": "m", "type": "map", "over": [0.4, 0.2, 0.0], "step": work})
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: "m[2].b" in ledger.of("end"))
    await asyncio.sleep(0.1)
    result = await ran(agent_of(worker(ledger), checkpointer=sqlite), None)
    assert [step for step in ledger.of("end") if step.endswith("b")] == ["m[2].b", "m[1].b", "m[0].b"]
    for number, seconds in enumerate((0.4, 0.2, 0.0)):
        passed = (end_of(result, f"m[{number}].w") - end_of(result, f"m[{number}].a")).total_seconds()
        assert seconds <= passed < seconds + 0.15
    assert len(ledger.started) == 6
