"""Approvals that a guardrail asks for: which steps are meant, where the question stands, and no way around it."""

from typing import Any

import pytest

from goalgraph import Plan, SpecialistCard
from goalgraph.planner import dag
from goalgraph.planner.approvals import approved_steps, members, names_step
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.plan import Step

CARDS = (
    SpecialistCard(name="writer", capabilities=("write",)),
    SpecialistCard(name="publisher", capabilities=("post", "publish")),
)


def work(step_id: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": "writer", "depends_on": needs, **fields}


def guarded(*steps: Any, ask: tuple[str, ...]) -> Plan:
    coordinator = {"guardrails": [{"type": "approval", "require_for": ask}]}
    return compile_plan(Plan.model_validate({"steps": steps, "coordinator": coordinator}), CARDS)


def approved(plan: Plan) -> frozenset[str]:
    graph = dag.graph(plan)
    return approved_steps(plan.steps, dict(graph), dag.order(graph))


def asked(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.type == "human_approval"]


@pytest.mark.parametrize("name", ["p", "publisher", "publish"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"depends_on": ["a", "b"], "join": "any_success"},
        {"depends_on": ["a"], "join": "all_done"},
        {"agent": None, "requires": ["post"]},
        {"agent": "writer", "fallback": ["publisher"]},
    ],
    ids=str,
)
def test_a_human_is_asked_before_a_step_runs(name: str, fields: dict[str, Any]) -> None:
    plan = guarded(work("a"), work("b"), {"id": "p", "agent": "publisher", **fields}, ask=(name,))
    assert [step.id for step in asked(plan)] == ["p.approval"]
    assert "p" in approved(plan)
    assert approved(plan) <= {"p", "p.approved"}


def test_one_question_is_enough_for_two_names_of_a_step() -> None:
    for join in ("all_success", "all_done"):
        plan = guarded(work("a"), work("p", "a", join=join), ask=("p", "writer", "write"))
        assert [step.id for step in asked(plan)] == ["a.approval", "p.approval"]


def test_an_approval_that_stands_there_is_not_asked_for_again() -> None:
    own = {"id": "ok", "type": "human_approval", "prompt": "Yes?"}
    assert [step.id for step in asked(guarded(own, work("p", "ok"), ask=("p",)))] == ["ok"]
    plan = guarded({**own, "optional": True}, work("p", "ok"), ask=("p",))
    assert [step.id for step in asked(plan)] == ["ok", "p.approval"]


def test_a_step_with_the_id_of_an_approval_does_not_stand_in_for_it() -> None:
    plan = guarded(work("p.approval"), work("p"), ask=("p",))
    assert [step.id for step in asked(plan)] == ["p.approval_2"]
    group = {"id": "g", "type": "parallel", "branches": [work("approval"), work("x")]}
    assert {"g.approval", "g.x", "g"} <= approved(guarded(group, ask=("g",)))


def test_a_group_is_asked_for_as_a_whole_wherever_its_branches_stand() -> None:
    group = {"id": "g", "type": "parallel", "branches": ["a", [work("b"), work("c")]]}
    plan = guarded(work("a"), group, ask=("g",))
    assert len(asked(plan)) == 1
    assert {"a", "g.b", "g.c", "g"} <= approved(plan)
    assert members({step.id: step for step in plan.steps}, "g") == ["g.approval", "a", "g.b", "g.c", "g"]


@pytest.mark.parametrize(
    "branches",
    [
        [work("b", optional=True), work("c", "b")],
        [work("b"), work("c", "b", join="all_done")],
        [work("b"), work("c", "b", "a", join="any_success")],
        [{"id": "h", "type": "parallel", "branches": [work("b", optional=True)]}, work("c", "h")],
    ],
)
def test_no_step_of_a_group_runs_because_another_did_not(branches: list[Any]) -> None:
    plan = guarded(work("a"), {"id": "g", "type": "parallel", "branches": branches}, ask=("g",))
    assert len(asked(plan)) == 1
    doing = {step.id for step in plan.steps if step.type == "agent" and step.id != "a"}
    assert doing <= approved(plan)
    assert compile_plan(plan, CARDS) == plan


def test_a_group_with_a_gate_is_asked_for_before_the_gate() -> None:
    group = {"id": "g", "type": "parallel", "when": "input.x", "branches": [work("b"), work("c")]}
    plan = guarded(group, ask=("g",))
    assert [step.id for step in asked(plan)] == ["g.approval"]
    assert plan.step("g.when").depends_on == ("g.approval",)


def test_nobody_is_asked_for_a_branch_that_is_not_taken() -> None:
    fork = {"id": "f", "type": "condition", "if": "input.x", "then": ["p"], "else": [work("q")]}
    plan = guarded(fork, work("p"), ask=("writer",))
    found = plan.step("f")
    assert found.type == "condition"
    assert (found.then, found.otherwise) == (("p", "p.approval"), ("f.q", "f.q.approval"))


@pytest.mark.parametrize(
    "step",
    [
        work("x", agent="publisher"),
        {"id": "x", "type": "parallel", "branches": [work("y", agent="publisher")]},
        {"id": "x", "type": "map", "over": [1], "step": work("y", agent="publisher")},
        {"id": "x", "type": "sub_plan", "plan": {"steps": [work("y", agent="publisher")]}},
        {"id": "x", "type": "condition", "if": "true", "then": [{"id": "y", "agents": ["writer", "publisher"]}]},
    ],
    ids=lambda step: str(step.get("type")),
)
def test_a_map_is_meant_where_anything_that_it_repeats_is(step: dict[str, Any]) -> None:
    each = Plan.model_validate({"steps": [{"id": "m", "type": "map", "over": [1], "step": step}]}).steps[0]
    assert names_step("publish", each, CARDS)
    assert names_step("m", each, CARDS)
    assert not names_step("x", each, CARDS)
    assert not names_step("fly", each, CARDS)


def test_a_plan_inside_of_another_names_its_own_steps() -> None:
    coordinator = {"guardrails": [{"type": "approval", "require_for": ["p"]}]}
    sub = {"id": "s", "type": "sub_plan", "plan": {"steps": [work("p")], "coordinator": coordinator}}
    plan = compile_plan(Plan.model_validate({"steps": [work("p"), sub]}), CARDS)
    assert [step.id for step in asked(plan)] == ["s.p.approval"]
    assert {"p", "s.p"} & approved(plan) == {"s.p"}
