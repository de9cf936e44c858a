"""From plans with steps inside of steps to flat ones: ids, names, dependencies, gates, and what stays the same."""

from typing import Any

import pytest
from hypothesis import given
from tests.planner.small_plans import plans, sound_plans

from goalgraph import Plan, SpecialistCard
from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan, compiled, items_of
from goalgraph.planner.plan import HumanApprovalStep, MapStep
from goalgraph.planner.validation import PlanPolicy, validate_plan

CARDS = (SpecialistCard(name="reader", capabilities=("read",)), SpecialistCard(name="writer", capabilities=("write",)))


def flat(*steps: Any, **fields: Any) -> Plan:
    return compile_plan(Plan.model_validate({"steps": steps, **fields}), CARDS)


def ids(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps]


def data(plan: Plan, step_id: str) -> dict[str, Any]:
    return plan.step(step_id).model_dump(exclude_unset=True, exclude_defaults=True)


def work(step_id: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": "writer", "depends_on": needs, **fields}


def test_a_flat_plan_is_the_same_object() -> None:
    steps: list[dict[str, Any]] = [
        work("a"),
        {"id": "w", "type": "wait", "duration": 1},
        {"id": "c", "type": "condition", "if": "input.x", "then": ["a"]},
        {"id": "p", "type": "parallel", "branches": ["a", "w"]},
        {"id": "m", "type": "map", "over": [1], "step": work("x", task="{{ steps.a.output }} {{ item }}")},
    ]
    for some in (steps[:2], steps):
        plan = Plan.model_validate({"steps": some})
        assert compile_plan(plan) is plan
        assert not compiled(plan).origins


def test_branches_get_qualified_ids_and_run_one_after_the_other_in_a_list() -> None:
    plan = flat(
        work("z"),
        {
            "id": "r",
            "type": "parallel",
            "depends_on": ["z"],
            "branches": [work("web"), [work("a"), work("b", "web")]],
            "concurrency": 2,
            "on_failure": "fail_fast",
        },
        work("end", "r.web", task="{{ steps.r.a.output.text }} {{ steps.r.output.web }}"),
    )
    assert ids(plan) == ["z", "r.web", "r.a", "r.b", "r", "end"]
    needs = {step.id: step.depends_on for step in plan.steps}
    assert needs == {
        "z": (),
        "r.web": ("z",),
        "r.a": ("z",),
        "r.b": ("z", "r.a", "r.web"),
        "r": (),
        "end": ("r.web",),
    }
    assert data(plan, "r")["branches"] == ("r.web", ("r.a", "r.b"))
    assert (data(plan, "r")["concurrency"], data(plan, "r")["on_failure"]) == (2, "fail_fast")
    assert data(plan, "end")["task"] == "{{ steps['r.a'].output.text }} {{ steps.r.output.web }}"


def test_a_group_that_runs_only_sometimes_has_a_gate() -> None:
    plan = compiled(
        Plan.model_validate(
            {"steps": [work("a"), {"id": "g", "type": "parallel", "when": "steps.a.output", "branches": [work("b")]}]}
        )
    )
    assert ids(plan.plan) == ["a", "g.when", "g.b", "g"]
    gate = plan.plan.step("g.when")
    assert gate.type == "condition"
    assert (gate.test, gate.then) == ("steps.a.output", ("g.b",))
    assert (plan.origins["g.when"].step, plan.origins["g.when"].field) == ("g", "when")


def test_inline_branches_of_a_condition_are_steps_of_their_own() -> None:
    group = {"id": "g", "type": "parallel", "branches": [work("x")]}
    plan = flat({"id": "c", "type": "condition", "if": "true", "then": [group], "else": [work("b"), "d"]}, work("d"))
    assert ids(plan) == ["c", "c.g.x", "c.g", "c.b", "d"]
    assert (data(plan, "c")["then"], data(plan, "c")["else"]) == (("c.g", "c.g.x"), ("c.b", "d"))


def test_several_specialists_become_a_step_each() -> None:
    plan = flat(
        work("a"), {"id": "r", "agents": ["reader", "writer"], "task": "{{ steps.a.output }}", "when": "input.x"}
    )
    assert ids(plan) == ["a", "r.when", "r.reader", "r.writer", "r"]
    assert data(plan, "r.reader")["agent"] == "reader"
    assert data(plan, "r")["on_failure"] == "continue"


def test_a_plan_inside_of_a_plan_has_its_own_names_and_inputs() -> None:
    inner = {
        "inputs": {"lang": "en {{ }}", "who": "x"},
        "steps": [work("a", task="{{ input.who }}"), work("b", "a", task="{{ steps.a.output }}")],
        "coordinator": {"guardrails": [{"type": "timeout", "max_seconds": 5}]},
    }
    plan = flat(work("a"), {"id": "s", "type": "sub_plan", "plan": inner, "input": {"who": "{{ steps.a.output }}"}})
    assert ids(plan) == ["a", "s.input", "s.a", "s.b", "s"]
    source = plan.step("s.input")
    assert source.type == "transform"
    assert source.output == {"lang": "en {{ '{{' }} }}", "who": "{{ steps.a.output }}"}
    assert data(plan, "s.a")["task"] == "{{ steps['s.input'].output.who }}"
    assert data(plan, "s.b")["task"] == "{{ steps['s.a'].output }}"
    end = plan.step("s")
    assert end.type == "parallel"
    assert (end.branches, end.output, end.timeout) == (("s.b",), "{{ steps['s.b'].output }}", 5)


def test_a_plan_inside_of_a_plan_is_over_when_all_of_its_branches_are() -> None:
    fork = {
        "id": "c",
        "type": "condition",
        "if": "true",
        "then": [work("x", task="{{ steps.a.output }}")],
        "else": ["y"],
    }
    plan = flat({"id": "s", "type": "sub_plan", "plan": {"steps": [work("a"), fork, work("y")]}})
    end = plan.step("s")
    assert end.type == "parallel"
    assert (end.branches, end.output) == (("s.c.x", "s.y"), None)


def test_a_map_keeps_its_step_with_names_that_mean_the_same() -> None:
    template = {"id": "x", "type": "parallel", "branches": [work("a"), [work("b", "a", task="{{ steps.a.output }}")]]}
    nested = {"id": "n", "type": "map", "over": "{{ steps.a.output }}", "step": template}
    group = {
        "id": "g",
        "type": "parallel",
        "branches": [work("a"), nested, {**nested, "id": "o", "step": work("i", "a")}],
    }
    plan = flat(group)
    each, other = plan.step("g.n"), plan.step("g.o")
    assert isinstance(each, MapStep)
    assert isinstance(other, MapStep)
    assert each.over == "{{ steps['g.a'].output }}"
    assert each.step.model_dump() == MapStep.model_validate({**nested, "step": template}).step.model_dump()
    assert dag.needs(each) == {"g.a"}
    assert (other.step.depends_on, dag.needs(other)) == (("g.a",), frozenset(("g.a",)))
    assert [(one.id, one.depends_on) for one in items_of(each, 3)] == [
        ("g.n[3].a", ()),
        ("g.n[3].b", ("g.n[3].a",)),
        ("g.n[3]", ()),
    ]


def test_a_map_inside_of_a_map_sees_the_names_around_both() -> None:
    innermost = {"id": "k", "type": "parallel", "branches": [work("x"), [work("y", "x", "a", "side")]]}
    middle = {
        "id": "j",
        "type": "parallel",
        "branches": [work("side"), {"id": "q", "type": "map", "over": [1], "step": innermost}],
    }
    outer = {"id": "m", "type": "map", "over": [1], "step": middle}
    plan = flat({"id": "s", "type": "sub_plan", "plan": {"steps": [work("a"), work("x"), outer]}})
    each = plan.step("s.m")
    assert isinstance(each, MapStep)
    assert dag.needs(each) == {"s.input", "s.a"}
    inner = next(one for one in items_of(each, 0) if one.type == "map")
    assert (inner.id, dag.needs(inner)) == ("s.m[0].q", frozenset(("s.a", "s.m[0].side")))
    last = next(one for one in items_of(inner, 1) if one.id.endswith("y"))
    assert (last.id, last.depends_on) == ("s.m[0].q[1].y", ("s.m[0].q[1].x", "s.a", "s.m[0].side"))


def test_the_own_id_of_a_map_s_step_is_no_name_inside_of_it() -> None:
    plan = flat(work("x"), {"id": "m", "type": "map", "over": [1], "step": work("x", task="{{ steps.x.output }}")})
    assert dag.needs(plan.step("m")) == {"x"}


def test_ids_with_dots_are_found_inside_of_a_map_s_step() -> None:
    group = {"id": "g", "type": "parallel", "branches": [work("a.b"), work("c", task="{{ steps.a.b.output.x }}")]}
    plan = flat({"id": "m", "type": "map", "over": [1], "step": group})
    each = plan.step("m")
    assert isinstance(each, MapStep)
    assert dag.needs(each) == frozenset()
    found = {one.id: one for one in items_of(each, 0)}["m[0].c"]
    assert dag.needs(found) == frozenset(("m[0].a.b",))


def test_guardrails_hold_inside_of_maps() -> None:
    coordinator = {"guardrails": [{"type": "approval", "require_for": ["write"]}]}
    sub = {"id": "s", "type": "sub_plan", "plan": {"steps": [work("a")], "coordinator": coordinator}}
    plan = flat({"id": "m", "type": "map", "over": [1], "step": sub})
    each = plan.step("m")
    assert isinstance(each, MapStep)
    found = {one.id: one for one in items_of(each, 0, CARDS)}
    assert isinstance(found["m[0].a.approval"], HumanApprovalStep)
    assert "m[0].a.approval" in found["m[0].a"].depends_on


def test_a_broken_expression_leaves_the_others_as_they_should_be() -> None:
    broken = work("b", when="1 +", task="{{ steps.a.output }}")
    plan = flat({"id": "g", "type": "parallel", "branches": [work("a"), broken]})
    assert data(plan, "g.b")["task"] == "{{ steps['g.a'].output }}"


@pytest.mark.parametrize("step", [work("g.when"), work("s.input")], ids=lambda step: step["id"])
def test_ids_that_are_taken_already_stay_with_their_steps(step: dict[str, Any]) -> None:
    plan = flat(
        step,
        {"id": "g", "type": "parallel", "when": "true", "branches": [work("when")]},
        {"id": "s", "type": "sub_plan", "plan": {"steps": [work("input")]}},
    )
    found = [one for one in ids(plan) if one != step["id"]]
    assert len(set(found)) == len(found)


@given(sound_plans())
def test_a_compiled_plan_is_flat_unique_valid_and_compiles_to_itself(plan: Plan) -> None:
    once = compile_plan(plan, CARDS)
    found = ids(once)
    assert len(set(found)) == len(found)
    assert compile_plan(once, CARDS) == once
    assert sorted(step_id for layer in dag.layers(once) for step_id in layer) == sorted(found)
    told = validate_plan(once, PlanPolicy(), CARDS)
    assert all((one.field or "").endswith("coordinator.guardrails") for one in told)
    for step in once.steps:
        if step.type == "map":
            made = [one.id for one in items_of(step, 0)]
            assert len(set(made)) == len(made)
            assert f"{step.id}[0]" in made


@given(plans)
def test_no_plan_at_all_makes_the_compiler_raise(plan: Plan) -> None:
    origins = compiled(plan, CARDS).origins
    written = set(ids(compile_plan(plan, CARDS)))
    assert {one for one in origins if one not in written} == set()
