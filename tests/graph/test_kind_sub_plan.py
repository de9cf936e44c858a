"""Sub-plans: a whole plan as one step, with names and inputs of its own."""

import asyncio
from pathlib import Path
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

from goalgraph import Plan
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import InMemoryLibrary


def sub(*steps: Any, step_id: str = "p", give: Any = None, **fields: Any) -> Result:
    about = {name: fields.pop(name) for name in ("output", "inputs", "coordinator") if name in fields}
    return {"id": step_id, "type": "sub_plan", "plan": {"steps": list(steps), **about}, "input": give or {}, **fields}


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_inside_and_outside_have_names_and_inputs_of_their_own(way: str, sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    plan = goal(
        agent_step("a", input={"of": "outer {{ input.x }}"}),
        sub(
            agent_step("a", input={"of": "inner {{ input.x }} {{ input.y }}"}),
            agent_step("b", input={"of": "b({{ steps.a.output }})"}),
            give={"x": "{{ steps.a.output }}"},
            inputs={"x": "unused", "y": "{{ default }}"},
        ),
        agent_step("b", input={"of": "{{ steps.p.output }} {{ steps.a.output }}"}),
        inputs={"x": 1},
    )
    result = await ran(agent, plan) if way == "async" else await asyncio.to_thread(agent.invoke, plan, CONFIG)
    assert result["outcomes"]["p.a"].output == "inner outer 1 {{ default }}"
    assert result["outcomes"]["p"].output == "b(inner outer 1 {{ default }})"
    assert result["outcomes"]["b"].output == "b(inner outer 1 {{ default }}) outer 1"


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (None, {"b": "p.b", "c": "p.c"}),
        ("{{ steps.a.output }} and {{ steps.c.output }}", "p.a and p.c"),
        ({"x": ["{{ steps.b.output }}", "{{ input.n }}"]}, {"x": ["p.b", 5]}),
    ],
)
async def test_the_output_is_what_the_plan_says_or_its_ends(output: Any, found: Any) -> None:
    plan = sub(agent_step("a"), agent_step("b", "a"), agent_step("c", "a"), output=output, give={"n": "{{ 2 + 3 }}"})
    result = await ran(agent_of(worker(Ledger())), goal(plan, agent_step("x", "p")))
    assert result["outcomes"]["p"].output == found
    assert set(statuses(result).values()) == {"succeeded"}


async def test_plans_in_plans_in_plans() -> None:
    innermost = sub(agent_step("a", input={"of": "{{ input.v + 1 }}"}), give={"v": "{{ input.v * 10 }}"}, step_id="p")
    middle = sub(
        agent_step("a"), innermost, give={"v": "{{ input.v + 2 }}"}, step_id="p", output="{{ steps.p.output }}"
    )
    result = await ran(
        agent_of(worker(Ledger())), goal(sub(middle, agent_step("a"), give={"v": 3}, output="{{ steps.p.output }}"))
    )
    assert result["outcomes"]["p"].output == 51
    assert {"p.a", "p.p.a", "p.p.p.a"} <= set(result["outcomes"])


async def test_a_failure_inside_is_the_steps_failure() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, fails=["p.a"]))
    plan = goal(sub(agent_step("a"), agent_step("b", "a"), agent_step("c")), agent_step("x", "p"))
    result = await ran(agent, plan)
    found = statuses(result)
    assert {step: found[step] for step in ("p.a", "p.b", "p.c", "p", "x")} == {
        "p.a": "failed",
        "p.b": "blocked",
        "p.c": "succeeded",
        "p": "failed",
        "x": "blocked",
    }
    assert "'p.b' blocked" in result["outcomes"]["p"].error.message


async def test_an_input_that_cannot_be_computed_stops_all_of_it() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger))
    either = agent_step("c", "a", "b", join="any_success", input={"of": "{{ input.x }}"})
    plan = goal(
        agent_step("a"),
        sub(agent_step("a"), agent_step("b"), either, give={"x": "{{ steps.a.output.x }}"}),
        agent_step("x", "p"),
    )
    result = await ran(agent, plan)
    found = statuses(result)
    assert (found["p"], found["x"], found["p.a"], found["p.c"]) == ("blocked", "blocked", "blocked", "blocked")
    assert ledger.started == ["a"]


@pytest.mark.parametrize("inner", ["any_success", "all_done"])
async def test_joins_inside_are_about_the_steps_inside(inner: str) -> None:
    """What makes the input is none of them: it is over before everything else."""
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"p.a": 0.01, "p.b": 0.05}, fails=["p.c"]))
    last = agent_step("last", "a", "b", "c", join=inner, input={"of": "{{ input.x }}"})
    result = await ran(agent, goal(sub(agent_step("a"), agent_step("b"), agent_step("c"), last, give={"x": 5})))
    assert result["outcomes"]["p.last"].output == 5
    assert ledger.before(("end", "p.a"), ("start", "p.last"))
    assert ledger.before(("start", "p.last"), ("end", "p.b")) == (inner == "any_success")


async def test_where_none_succeeds_a_step_that_needs_one_is_blocked() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, fails=["p.a", "p.b"]))
    last = agent_step("last", "a", "b", join="any_success", input={"of": "{{ input.x }}"})
    result = await ran(agent, goal(sub(agent_step("a"), agent_step("b"), last, give={"x": 5})))
    assert statuses(result)["p.last"] == "blocked"


@pytest.mark.parametrize("join", ["any_success", "all_done"])
async def test_a_step_inside_that_needs_nothing_runs_whatever_its_join(join: str) -> None:
    plan = sub(agent_step("a", join=join, input={"of": "{{ input.x }}"}), give={"x": 5})
    result = await ran(agent_of(worker(Ledger())), goal(agent_step("b"), {**plan, "depends_on": ["b"]}))
    assert result["outcomes"]["p"].output == 5


@pytest.mark.parametrize("value", ["true", "false"])
async def test_a_condition_holds_for_all_of_it(value: str) -> None:
    ledger = Ledger()
    inner = sub(agent_step("a"), agent_step("b", "a"), step_id="q")
    plan = goal(sub(agent_step("a"), inner, agent_step("c", "q", join="all_done"), when=value), agent_step("x", "p"))
    result = await ran(agent_of(worker(ledger)), plan)
    found = {step: status for step, status in statuses(result).items() if step != "p.when"}
    assert set(found.values()) == {"succeeded" if value == "true" else "skipped"}
    assert len(ledger.started) == (5 if value == "true" else 0)


async def test_in_branches_and_items() -> None:
    def double(step_id: str, value: str) -> Result:
        inner = {"id": "r", "type": "transform", "output": "{{ input.v * 2 }}"}
        return sub(inner, step_id=step_id, give={"v": value})

    result = await ran(
        agent_of(worker(Ledger())),
        goal(
            {
                "id": "g",
                "type": "parallel",
                "branches": [double("l", "{{ 1 }}"), [double("m", "{{ 2 }}"), double("r", "{{ steps.m.output }}")]],
            },
            {"id": "m", "type": "map", "over": "{{ [1, 2, 3] }}", "step": double("one", "{{ item + index }}")},
        ),
    )
    assert result["outcomes"]["g"].output == {"l": 2, "r": 8}
    assert result["outcomes"]["m"].output == [2, 6, 10]


@pytest.mark.parametrize("kind", ["memory", "folder"])
async def test_plans_of_the_library_by_alias(kind: str, tmp_path: Path) -> None:
    library = InMemoryLibrary() if kind == "memory" else FolderLibrary(tmp_path)
    first = Plan.model_validate(
        {"steps": [{"id": "a", "type": "transform", "output": "one {{ input.x }}"}], "inputs": {"x": 1}}
    )
    second = Plan.model_validate(
        {"steps": [{"id": "a", "type": "transform", "output": "two {{ input.x }}"}], "inputs": {"x": 1}}
    )
    wrapping = Plan.model_validate(
        {"steps": [{"id": "in", "type": "sub_plan", "plan": "intake", "input": {"x": "{{ input.y }}"}}]}
    )
    library.save("intake", first)
    library.save("intake", second)
    library.save("wrapping", wrapping)
    agent = agent_of(worker(Ledger()), library=library)
    result = await ran(
        agent,
        goal(
            {"id": "p", "type": "sub_plan", "plan": "intake@1"},
            {"id": "q", "type": "sub_plan", "plan": "wrapping", "input": {"y": "{{ steps.p.output }}"}},
            {
                "id": "m",
                "type": "map",
                "over": [7, 8],
                "step": {"id": "s", "type": "sub_plan", "plan": "intake", "input": {"x": "{{ item }}"}},
            },
        ),
    )
    assert result["outcomes"]["p"].output == "one 1"
    assert result["outcomes"]["q"].output == "two one 1"
    assert result["outcomes"]["m"].output == ["two 7", "two 8"]


@pytest.mark.parametrize(
    "field", [{"timeout": 0.05}, {"coordinator": {"guardrails": [{"type": "timeout", "max_seconds": 0.05}]}}]
)
async def test_a_sub_plan_whose_time_is_up_fails(field: Result) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds={"p.a": 5, "beside": 0.1}))
    result = await ran(
        agent, goal(sub(agent_step("a"), agent_step("b", "a"), **field), agent_step("beside"), agent_step("x", "p"))
    )
    found = statuses(result)
    assert (found["p.a"], found["p.b"], found["p"], found["x"], found["beside"]) == (
        "cancelled",
        "cancelled",
        "failed",
        "blocked",
        "succeeded",
    )
    assert result["outcomes"]["p"].error.code == "timeout"


async def test_it_goes_on_where_it_was_with_the_inputs_it_had(sqlite: SqliteSaver) -> None:
    """The input is computed once: what it was computed from may look different later."""
    first, second = Ledger(), Ledger()
    plan = goal(
        sub(
            agent_step("a", input={"of": "{{ input.at }}"}),
            {"id": "ok", "type": "human_approval", "prompt": "{{ input.at }}?", "depends_on": ["a"]},
            agent_step("b", "ok", input={"of": "{{ input.at }}"}),
            give={"at": "{{ now() }}"},
        ),
        agent_step("slow"),
    )
    agent = agent_of(worker(first, seconds={"slow": 30}), checkpointer=sqlite)
    await stopped_after(agent, plan, lambda: first.of("end") == ["p.a"])
    agent = agent_of(worker(second), checkpointer=sqlite)
    paused = await ran(agent, None)
    result = await ran(agent, answer(paused, dict.fromkeys(asked(paused), True)))
    assert second.started == ["slow", "p.b"]
    assert result["outcomes"]["p.a"].output == result["outcomes"]["p"].output
    assert asked(paused)["p.ok"].value["prompt"] == f"{result['outcomes']['p'].output}?"
