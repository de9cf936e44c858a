"""What can be wrong between steps: ids, dependencies, cycles, branches that exclude each other, approvals."""

from typing import Any

import pytest

from goalgraph import Plan, PlanProblem, SpecialistCard
from goalgraph.planner.validation import PlanPolicy, validate_plan

CARDS = (
    SpecialistCard(name="writer", capabilities=("write",)),
    SpecialistCard(name="publisher", capabilities=("post", "publish")),
)


def problems(*steps: Any, approve: tuple[str, ...] = (), **fields: Any) -> tuple[PlanProblem, ...]:
    policy = PlanPolicy(require_approval=frozenset(approve))
    return validate_plan(Plan.model_validate({"steps": steps, **fields}), policy, CARDS)


def only(*steps: Any, **fields: Any) -> PlanProblem:
    (found,) = problems(*steps, **fields)
    return found


def where(found: tuple[PlanProblem, ...]) -> list[tuple[str, str | None, str | None]]:
    return [(one.code, one.step, one.field) for one in found]


def work(step_id: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": "writer", "depends_on": needs, **fields}


def group(step_id: str, *branches: Any, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "parallel", "branches": branches, **fields}


def fork(step_id: str, then: list[Any], otherwise: list[Any], **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "condition", "if": "input.x", "then": then, "else": otherwise, **fields}


def repeated(step_id: str, step: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "map", "over": [1, 2], "step": step, **fields}


def inside(step_id: str, *steps: Any, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "sub_plan", "plan": {"steps": steps}, **fields}


def approval(step_id: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "human_approval", "prompt": "Yes?", "depends_on": needs, **fields}


@pytest.mark.parametrize(
    ("steps", "step"),
    [
        ([group("g", work("a"), work("a"))], "g.a"),
        ([group("g", work("a")), work("g.a")], "g.a"),
        ([inside("s", work("a"), work("a"))], "s.a"),
        ([repeated("m", group("g", work("a"), [work("a")]))], "m[*].a"),
        ([{"id": "r", "agents": ["writer"]}, work("r.writer")], "r.writer"),
        ([work("s.a"), inside("s", work("a"))], "s.a"),
    ],
)
def test_an_id_is_used_once_wherever_the_step_stands(steps: list[Any], step: str) -> None:
    assert where(problems(*steps)) == [("duplicate_id", step, "id")]


def test_an_id_may_be_used_again_inside_of_another_step() -> None:
    assert not problems(work("a"), group("g", work("a")), inside("s", work("a")), repeated("m", work("a")))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([work("a"), group("g", work("b", "a", "c"))], ("unknown_dependency", "g.b", "depends_on")),
        ([work("a"), group("g", work("b"), depends_on=["aa"])], ("unknown_dependency", "g", "depends_on")),
        ([work("a"), inside("s", work("b", "a"))], ("unknown_dependency", "s.b", "depends_on")),
        ([work("a"), inside("s", work("b")), work("c", "b")], ("unknown_dependency", "c", "depends_on")),
        ([work("a"), inside("s", work("b")), work("c", "s.b")], ("unknown_dependency", "c", "depends_on")),
        ([repeated("m", work("a", "z"))], ("unknown_dependency", "m[*]", "depends_on")),
        ([repeated("m", work("a", "m"))], ("self_dependency", "m[*]", "depends_on")),
        ([group("g", work("b", when="true")), work("c", "g.when")], ("unknown_dependency", "c", "depends_on")),
        ([group("g", "z")], ("unknown_dependency", "g", "branches")),
        ([group("g", "g")], ("self_dependency", "g", "branches")),
        ([fork("f", ["z"], [])], ("unknown_dependency", "f", "then")),
        ([fork("f", [], ["z"])], ("unknown_dependency", "f", "else")),
        ([fork("f", [], ["f"])], ("self_dependency", "f", "else")),
        ([work("a"), repeated("m", fork("f", ["a"], []))], ("unknown_dependency", "m[*]", "then")),
    ],
)
def test_a_step_that_cannot_be_named_from_there_is_told(steps: list[Any], expected: tuple[str, str, str]) -> None:
    assert where(problems(*steps)) == [expected]


def test_a_dependency_inside_of_a_plan_is_told_as_it_is_written() -> None:
    found = only(inside("s", work("draft"), work("check", "drafts")))
    assert (found.message, found.hint) == ("no step has the id 'drafts'", "did you mean 'draft'?")


def test_a_dependency_may_be_named_twice() -> None:
    assert not problems(work("a"), work("b", "a", "a"))


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([work("a", "c"), work("b", "a"), work("c", "b")], {"a", "b", "c"}),
        ([group("g", work("a", "g"))], {"g", "g.a"}),
        ([group("g", work("a", "b")), work("b", "g")], {"g", "g.a", "b"}),
        ([fork("f", ["a"], [], depends_on=["a"]), work("a")], {"f", "a"}),
        ([work("a", when="steps.b.output"), work("b", when="steps.a.output")], {"a", "b"}),
        ([repeated("m", work("x", task="{{ steps.b.output }}")), work("b", "m")], {"m", "b"}),
        ([inside("s", work("a", "b"), work("b", "a"))], {"s.a", "s.b"}),
        ([repeated("m", group("g", work("a", "b"), work("b", "a")))], {"m[*].a", "m[*].b"}),
    ],
)
def test_a_cycle_is_told_with_its_path(steps: list[Any], path: set[str]) -> None:
    found = only(*steps)
    shown = found.message.removeprefix("steps wait for each other: ").split(" -> ")
    assert (found.code, set(shown), shown[0]) == ("cycle", path, shown[-1])


def test_a_cycle_is_told_beside_other_problems() -> None:
    found = problems(work("a", "b", when="1 +"), work("b", "a", "z"))
    assert {one.code for one in found} == {"bad_expression", "cycle", "unknown_dependency"}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([fork("f", ["a"], ["b"]), work("a"), work("b"), work("c", "a", "b")], ("c", "depends_on")),
        ([fork("f", ["a"], ["b"]), work("a"), work("b", task="{{ steps.a.output }}")], ("b", "task")),
        ([fork("f", ["a"], ["b"]), work("a"), work("b"), work("a2", "a"), work("c", "a2", "b")], ("c", "depends_on")),
        ([fork("f", ["a"], ["a"]), work("a")], ("a", "depends_on")),
        (
            [
                fork("f", ["g"], ["h"]),
                fork("g", ["a"], []),
                work("a"),
                work("h"),
                work("c", "a", when="steps.h.output"),
            ],
            ("c", "when"),
        ),
        ([fork("f", [work("a")], [work("b")]), work("c", "f.a", "f.b")], ("c", "depends_on")),
        ([fork("f", [group("g", work("a"))], ["b"]), work("b", "f.g.a")], ("b", "depends_on")),
        ([repeated("m", group("g", fork("f", ["a"], ["b"]), work("a"), work("b", "a")))], ("m[*].b", "depends_on")),
    ],
)
def test_a_step_that_needs_both_branches_can_never_run(steps: list[Any], expected: tuple[str, str]) -> None:
    found = only(*steps)
    assert (found.code, (found.step, found.field)) == ("never_together", expected)


def test_a_step_that_can_never_run_is_told_with_what_excludes_what() -> None:
    found = only(fork("f", ["a"], ["b"]), work("a"), work("b"), work("c", "a", "b"), work("d", "c"))
    assert (
        found.message == "the step can never run: 'a' runs only where 'f' is true, and 'b' runs only where 'f' is false"
    )


@pytest.mark.parametrize("fields", [{"join": "any_success"}, {"join": "all_done"}])
def test_branches_may_come_together_again(fields: dict[str, Any]) -> None:
    reference = "{{ steps.a.output }} {{ steps.b.output }}"
    assert not problems(
        fork("f", ["a"], ["b"]), work("a"), work("b"), work("c", "a", "b", task=reference, **fields), work("d", "c")
    )


def test_optional_steps_and_groups_keep_nobody_from_running() -> None:
    assert not problems(fork("f", ["a"], ["b"]), work("a", optional=True), work("b"), work("c", "a", "b"))
    assert not problems(fork("f", ["a"], ["b"]), work("a"), work("b"), group("c", "a", "b"), work("d", "c"))


def test_what_is_common_to_all_branches_still_holds_behind_them() -> None:
    steps = [fork("f", ["g", "a", "b"], ["c"]), fork("g", ["a"], ["b"]), work("a"), work("b")]
    joined = work("j", "a", "b", join="any_success")
    assert only(*steps, joined, work("c"), work("e", "j", "c")).code == "never_together"


def test_thousands_of_conditions_are_checked() -> None:
    steps: list[Any] = [fork("c0", ["c1"], [])]
    steps += [fork(f"c{number}", [f"c{number + 1}"], []) for number in range(1, 2_000)]
    steps += [work("c2000"), fork("d", ["x"], []), work("x", "c2000")]
    plan = Plan.model_validate({"steps": steps})
    assert not validate_plan(plan, PlanPolicy(max_steps=10_000), CARDS)


PUBLISH = {"id": "p", "agent": "publisher"}


@pytest.mark.parametrize("name", ["p", "publisher", "publish", "post"])
@pytest.mark.parametrize(
    ("steps", "approved"),
    [
        ([PUBLISH], False),
        ([approval("ok"), PUBLISH], False),
        ([approval("ok"), {**PUBLISH, "depends_on": ["ok"]}], True),
        ([approval("ok"), work("a", "ok"), {**PUBLISH, "depends_on": ["a"]}], True),
        ([approval("ok"), work("a"), {**PUBLISH, "depends_on": ["a", "ok"], "join": "any_success"}], False),
        ([approval("ok"), {**PUBLISH, "depends_on": ["ok"], "join": "all_done"}], False),
        ([approval("ok", optional=True), {**PUBLISH, "depends_on": ["ok"]}], False),
        ([approval("ok", deadline="1h", on_timeout="approve"), {**PUBLISH, "depends_on": ["ok"]}], False),
        ([approval("ok", deadline="1h"), {**PUBLISH, "depends_on": ["ok"]}], True),
        ([approval("ok"), fork("f", ["p"], [], depends_on=["ok"]), PUBLISH], True),
    ],
)
def test_what_the_policy_wants_approved_runs_only_after_an_approval(
    name: str, steps: list[Any], approved: bool
) -> None:
    found = problems(*steps, approve=(name,))
    assert where(found) == ([] if approved else [("missing_approval", "p", "depends_on")])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([{"id": "x", "requires": ["post"]}], "x"),
        ([{"id": "x", "agent": "writer", "fallback": ["publisher"]}], "x"),
        ([{"id": "x", "agents": ["writer", "publisher"]}], "x"),
        ([group("g", [work("a"), PUBLISH])], "g.p"),
        ([repeated("m", PUBLISH)], "m[*]"),
        ([repeated("m", group("g", PUBLISH))], "m[*].p"),
        ([repeated("m", inside("s", PUBLISH))], "m[*].p"),
        ([repeated("m", repeated("n", PUBLISH))], "m[*][*]"),
        ([inside("s", PUBLISH)], "s.p"),
    ],
)
def test_no_form_of_a_step_gets_around_the_policy(steps: list[Any], told: str) -> None:
    assert where(problems(*steps, approve=("publisher",))) == [("missing_approval", told, "depends_on")]


@pytest.mark.parametrize(
    "steps",
    [
        [approval("ok"), repeated("m", PUBLISH, depends_on=["ok"])],
        [repeated("m", group("g", [approval("ok"), PUBLISH]))],
        [approval("ok"), group("g", work("a"), PUBLISH, depends_on=["ok"])],
        [inside("s", approval("ok"), {**PUBLISH, "depends_on": ["ok"]})],
    ],
)
def test_an_approval_may_stand_around_or_inside(steps: list[Any]) -> None:
    assert not problems(*steps, approve=("publisher", "*"))


def test_a_group_is_approved_where_all_that_it_does_is() -> None:
    late = group("g", [work("a"), approval("ok"), work("b")])
    assert where(problems(late, approve=("g",))) == [("missing_approval", "g", "depends_on")]
    assert not problems(approval("ok"), {**late, "depends_on": ["ok"]}, approve=("g",))


def test_a_plan_may_have_to_ask_at_all() -> None:
    assert where(problems(work("a"), approve=("*",))) == [("missing_approval", None, "steps")]
    assert not problems(work("a"), approval("ok", "a"), approve=("*",))


def test_the_approvals_of_a_guardrail_are_enough() -> None:
    coordinator = {"guardrails": [{"type": "approval", "require_for": ["publish"]}]}
    for steps in ([PUBLISH], [repeated("m", PUBLISH)], [group("g", PUBLISH)], [work("p.approval"), PUBLISH]):
        assert not problems(*steps, approve=("publisher", "*"), coordinator=coordinator)


def test_a_guardrail_names_something_that_is_done() -> None:
    guardrails = {"guardrails": [{"type": "approval", "require_for": ["publisher", "a", "wrtie"]}]}
    found = only({"id": "a", "requires": ["write"]}, {**PUBLISH}, coordinator=guardrails)
    assert (found.code, found.step, found.field) == ("unknown_reference", None, "coordinator.guardrails")
    assert found.hint == "did you mean 'write'?"
    plan = {"steps": [work("x")], "coordinator": {"guardrails": [{"type": "approval", "require_for": ["x", "o"]}]}}
    found = only(work("o"), {"id": "s", "type": "sub_plan", "plan": plan})
    assert (found.code, found.step, found.field) == ("unknown_reference", "s", "plan.coordinator.guardrails")
