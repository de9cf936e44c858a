"""What is known of a plan before it runs: layers, the longest way, who works, and where people are asked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.planner.plan_strategies import examples
from tests.planner.small_plans import sound_plans

from goalgraph import Plan, SpecialistCard
from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.documents import read_document
from goalgraph.planner.estimate import Estimate, Range, estimate_plan

Data = dict[str, Any]
CARDS = (
    SpecialistCard(name="writer", capabilities=("write",)),
    SpecialistCard(name="reader", capabilities=("read",)),
    SpecialistCard(name="other", capabilities=("read", "check")),
)


def estimate(*steps: Data, **fields: Any) -> Estimate:
    return estimate_plan(read_document({"steps": list(steps), **fields}).plan, CARDS)


def agent(step_id: str, *needs: str, agent: str | None = "writer", **fields: Any) -> Data:
    return {"id": step_id, "agent": agent, "depends_on": list(needs), **fields}


def test_layers_and_the_longest_way_are_those_of_the_graph() -> None:
    found = estimate(
        agent("a"), agent("b"), agent("c", "a"), agent("d", input={"x": "{{ steps.c.output }}"}), agent("e", "b", "d")
    )
    assert found.steps == 5
    assert found.layers == (("a", "b"), ("c",), ("d",), ("e",))
    assert found.critical_path == ("a", "c", "d", "e")
    assert estimate(agent("a"), agent("b")).critical_path == ("a",)


def test_ends_of_groups_are_no_work_of_their_own() -> None:
    found = estimate(
        {"id": "g", "type": "parallel", "branches": [[agent("a"), agent("b")], agent("c")]}, agent("after", "g")
    )
    assert found.steps == 4
    assert found.layers == (("g.a", "g.c"), ("g.b",), ("g",), ("after",))
    assert found.critical_path == ("g.a", "g.b", "after")
    inner: Data = {"id": "h", "type": "parallel", "branches": [agent("a")]}
    found = estimate(
        {"id": "g", "type": "parallel", "branches": [inner]}, agent("b"), agent("c", "b"), agent("d", "c", "g")
    )
    assert found.critical_path == ("b", "c", "d")


def test_everything_that_waits_for_people_is_named_however_deep() -> None:
    ask: Data = {"id": "ask", "type": "human_approval", "prompt": "?"}
    found = estimate(
        {"id": "g", "type": "parallel", "branches": [ask, agent("a")]},
        {"id": "each", "type": "map", "over": [1], "step": {"id": "s", "type": "parallel", "branches": [ask]}},
        {"id": "s", "type": "sub_plan", "plan": {"steps": [ask, {"id": "who", "type": "human_input", "prompt": "?"}]}},
        {"id": "paid", "type": "wait", "event": "paid"},
        {"id": "pause", "type": "wait", "duration": "1s"},
        agent("guarded", agent="other"),
        coordinator={"guardrails": [{"type": "approval", "require_for": ["check"]}]},
    )
    assert found.approvals == ("g.ask", "each[*].ask", "s.ask", "guarded.approval")
    assert found.inputs == ("s.who",)
    assert found.events == ("paid",)


def test_specialists_are_counted_as_far_as_it_is_known_who_does_what() -> None:
    found = estimate(
        agent("a"),
        {"id": "b", "agents": ["writer", "reader"]},
        agent("c", agent=None, requires=["check"]),
        agent("d", agent=None, requires=["read"]),
        {"id": "e", "type": "map", "over": [1, 2, 3], "step": agent("x", agent="reader")},
        {"id": "f", "type": "transform", "output": 1},
    )
    assert found.specialists == {"writer": 2, "reader": 2, "other": 1, "anyone with read": 1}
    assert found.steps == 7
    plan = read_document({"steps": [agent("d", agent=None, requires=["read"])]}).plan
    assert estimate_plan(plan, CARDS, doers={"d": "reader"}).specialists == {"reader": 1}


def test_maps_over_what_is_not_yet_known_are_named() -> None:
    found = estimate(
        {"id": "known", "type": "map", "over": [1], "step": agent("x")},
        {
            "id": "open",
            "type": "map",
            "over": "{{ input.rows }}",
            "step": {"id": "x", "type": "map", "over": "{{ item }}", "step": agent("y")},
        },
    )
    assert found.open_maps == ("open", "open[*]")


def test_what_is_not_known_is_none_not_zero() -> None:
    found = estimate(agent("a"))
    assert (found.tokens, found.cost_usd, found.seconds) == (None, None, None)


def test_an_estimate_is_plain_json_for_a_request() -> None:
    found = replace(estimate(agent("a"), agent("b", "a")), seconds=Range(low=1, high=2.5))
    data = found.as_json()
    assert json.loads(json.dumps(data)) == data
    assert (data["layers"], data["specialists"], data["cost_usd"]) == ([["a"], ["b"]], {"writer": 2}, None)
    assert data["seconds"] == {"low": 1, "high": 2.5}


def test_a_plan_without_steps_has_nothing_to_tell() -> None:
    found = estimate_plan(Plan(), CARDS)
    assert (found.steps, found.layers, found.critical_path) == (0, (), ())


@examples(100)
@given(sound_plans())
def test_the_longest_way_is_one_and_no_layer_is_missing(plan: Plan) -> None:
    found = estimate_plan(plan, CARDS)
    flat = compile_plan(plan, CARDS)
    graph = dag.graph(flat)
    ends = {step.id for step in flat.steps if step.type == "parallel"}
    assert sorted(step for layer in found.layers for step in layer) == sorted(graph)
    length: dict[str, int] = {}
    for step_id in dag.order(graph):
        length[step_id] = max((length[need] for need in graph[step_id]), default=0) + (step_id not in ends)
    assert len(found.critical_path) == max(length.values())
    assert not ends.intersection(found.critical_path)
    order = {step_id: number for number, step_id in enumerate(dag.order(graph))}
    assert [order[step] for step in found.critical_path] == sorted(order[step] for step in found.critical_path)
    assert estimate_plan(flat, CARDS) == found


@pytest.mark.parametrize("count", [10_000])
def test_a_large_plan_is_looked_through(count: int) -> None:
    plan = read_document(
        {"steps": [agent(f"s{number}", *([f"s{number - 1}"] if number % 100 else [])) for number in range(count)]}
    ).plan
    found = estimate_plan(plan, CARDS)
    assert (found.steps, len(found.layers), len(found.critical_path)) == (count, 100, 100)
