"""Patches: what they change, where new steps go, what does not go together; and the digest of a plan."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.plan_strategies import examples
from tests.planner.plan_strategies import plans as any_plans
from tests.planner.small_plans import plans as small_plans
from tests.planner.small_plans import sound_plans

from goalgraph import AgentStep, InvalidPlan, Plan, PlanProblem, diff_plans, dump_plan
from goalgraph.planner.documents import parse_plan, read_document
from goalgraph.planner.patch import PlanPatch, apply_patch, digest_of

Data = dict[str, Any]


def plan_of(*steps: Data, **fields: Any) -> Plan:
    return read_document({"steps": list(steps), **fields}).plan


def agent(step_id: str, *needs: str, **fields: Any) -> Data:
    return {"id": step_id, "agent": "writer", "depends_on": list(needs), **fields}


def patch_of(**fields: Any) -> PlanPatch:
    return PlanPatch.model_validate(fields)


def problems(plan: Plan, patch: PlanPatch) -> list[PlanProblem]:
    with pytest.raises(InvalidPlan, match="the patch is not valid") as caught:
        apply_patch(plan, patch)
    return list(caught.value.problems)


def codes(plan: Plan, patch: PlanPatch) -> list[tuple[str, str | None, str | None]]:
    return [(one.code, one.step, one.field) for one in problems(plan, patch)]


CHAIN = plan_of(agent("read"), agent("sum", "read"), agent("report", "sum"))
GROUPS = plan_of(
    {"id": "both", "type": "parallel", "branches": [agent("web"), [agent("ask"), agent("check")]]},
    {"id": "fork", "type": "condition", "if": "input.x", "then": [agent("yes")], "else": [agent("no")]},
    {"id": "inner", "type": "sub_plan", "plan": {"steps": [agent("a"), agent("b", "a")]}},
    {"id": "each", "type": "map", "over": [1], "step": agent("one")},
    {"id": "several", "agents": ["ann", "bob"]},
    agent("last", "both", "fork", "inner", "each", "several"),
)


def test_steps_are_added_replaced_dropped_and_rewired_at_once() -> None:
    patch = patch_of(
        add=[agent("read_again")],
        replace=[agent("report", "sum", task="Better")],
        drop=["read"],
        rewire={"sum": ["read_again"]},
    )
    found = apply_patch(CHAIN, patch)
    assert found == plan_of(agent("read_again"), agent("sum", "read_again"), agent("report", "sum", task="Better"))
    assert [step.id for step in CHAIN.steps] == ["read", "sum", "report"]


def test_a_patch_that_names_nothing_is_false_and_changes_nothing() -> None:
    assert not PlanPatch()
    assert apply_patch(GROUPS, PlanPatch()) == GROUPS
    several: list[Data] = [{"add": [agent("a")]}, {"replace": [agent("a")]}, {"drop": ["a"]}, {"rewire": {"a": []}}]
    assert all(patch_of(**fields) for fields in several)


@pytest.mark.parametrize(
    ("add", "rewire", "order"),
    [
        ([agent("x")], {}, ["read", "sum", "report", "x"]),
        ([agent("x", "read")], {}, ["read", "sum", "report", "x"]),
        ([agent("x")], {"read": ["x"]}, ["x", "read", "sum", "report"]),
        ([agent("x", "read")], {"report": ["x"]}, ["read", "sum", "x", "report"]),
        ([agent("x", "y"), agent("y")], {"report": ["x"]}, ["read", "sum", "y", "x", "report"]),
        ([agent("x", "y"), agent("y", "z"), agent("z")], {}, ["read", "sum", "report", "z", "y", "x"]),
        ([agent("x", "y"), agent("y", "x")], {"report": ["x"]}, ["read", "sum", "x", "report", "y"]),
        ([agent("x"), agent("y")], {"sum": ["y"], "report": ["x"]}, ["read", "y", "sum", "x", "report"]),
        (
            [
                agent("x"),
                {"id": "g", "type": "parallel", "branches": [agent("h", input={"v": "{{ steps.x.output }}"})]},
            ],
            {"sum": ["g"]},
            ["read", "x", "g", "sum", "report"],
        ),
        ([{"id": "q", "type": "condition", "if": "true", "then": ["sum"]}], {}, ["read", "q", "sum", "report"]),
        ([agent("x", when="1 +")], {"sum": ["x"]}, ["read", "x", "sum", "report"]),
    ],
)
def test_a_new_step_stands_before_the_first_that_waits_for_it(
    add: list[Data], rewire: dict[str, list[str]], order: list[str]
) -> None:
    assert [step.id for step in apply_patch(CHAIN, patch_of(add=add, rewire=rewire)).steps] == order


def test_a_step_that_waits_by_an_expression_alone_keeps_new_ones_before_it() -> None:
    plan = plan_of(agent("a"), agent("b", input={"x": "{{ steps.a.output }}"}))
    found = apply_patch(plan, patch_of(add=[agent("c")], replace=[agent("b", input={"x": "{{ steps.c.output }}"})]))
    assert [step.id for step in found.steps] == ["a", "c", "b"]


def test_new_steps_of_a_plan_without_steps_stand_as_they_are_given() -> None:
    found = apply_patch(Plan(), patch_of(add=[agent("b", "a"), agent("a")]))
    assert [step.id for step in found.steps] == ["b", "a"]


def test_a_step_inside_of_another_is_named_by_its_qualified_id_and_keeps_its_own() -> None:
    patch = patch_of(
        replace=[agent("both.web", task="Else"), agent("fork.no", task="Other")],
        drop=["both.check", "fork.yes", "inner.b"],
        rewire={"inner.a": [], "both.ask": ["inner"], "last": ["each"]},
    )
    found = apply_patch(GROUPS, patch)
    assert found == plan_of(
        {"id": "both", "type": "parallel", "branches": [agent("web", task="Else"), [agent("ask", "inner")]]},
        {"id": "fork", "type": "condition", "if": "input.x", "else": [agent("no", task="Other")]},
        {"id": "inner", "type": "sub_plan", "plan": {"steps": [agent("a")]}},
        {"id": "each", "type": "map", "over": [1], "step": agent("one")},
        {"id": "several", "agents": ["ann", "bob"]},
        agent("last", "each"),
    )


def test_a_whole_branch_can_be_dropped_but_not_all_of_them() -> None:
    found = apply_patch(GROUPS, patch_of(drop=["both.ask", "both.check"]))
    assert found.step("both") == plan_of({"id": "both", "type": "parallel", "branches": [agent("web")]}).steps[0]
    assert codes(GROUPS, patch_of(drop=["both.web", "both.ask", "both.check"])) == [("empty_group", "both", "drop")]


def test_an_id_with_a_dot_of_its_own_is_a_step_of_the_plan() -> None:
    plan = plan_of({"id": "a.b", "type": "parallel", "branches": [agent("c.d"), agent("e")]}, agent("a"))
    found = apply_patch(plan, patch_of(drop=["a.b.c.d"], replace=[agent("a", task="New")]))
    assert found == plan_of({"id": "a.b", "type": "parallel", "branches": [agent("e")]}, agent("a", task="New"))


def test_what_stands_for_a_group_may_be_rewired_while_a_step_in_it_is_replaced() -> None:
    plan = plan_of(agent("first"), {"id": "g", "type": "parallel", "branches": [agent("a")]})
    found = apply_patch(plan, patch_of(rewire={"g": ["first"]}, replace=[agent("g.a", task="New")]))
    group: Data = {"id": "g", "type": "parallel", "branches": [agent("a", task="New")], "depends_on": ["first"]}
    assert found == plan_of(agent("first"), group)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"drop": ["raed"]}, ("unknown_step", "raed", "drop")),
        ({"replace": [agent("x")]}, ("unknown_step", "x", "replace")),
        ({"rewire": {"x": []}}, ("unknown_step", "x", "rewire")),
        ({"drop": ["several.ann"]}, ("unknown_step", "several.ann", "drop")),
        ({"drop": ["each.one"]}, ("unknown_step", "each.one", "drop")),
        ({"add": [agent("read")]}, ("duplicate_id", "read", "add")),
        ({"add": [agent("both.web")]}, ("duplicate_id", "both.web", "add")),
        ({"add": [agent("x"), agent("x")]}, ("duplicate_id", "x", "add")),
        ({"replace": [agent("read"), agent("read")]}, ("conflicting_changes", "read", "replace")),
        ({"drop": ["last", "last"]}, ("conflicting_changes", "last", "drop")),
        ({"drop": ["last"], "rewire": {"last": []}}, ("conflicting_changes", "last", "rewire")),
        ({"add": [agent("last")], "drop": ["last"]}, ("conflicting_changes", "last", "drop")),
        ({"add": [agent("x")], "rewire": {"x": []}}, ("conflicting_changes", "x", "rewire")),
        ({"replace": [agent("both")], "drop": ["both.web"]}, ("conflicting_changes", "both.web", "drop")),
        ({"drop": ["fork"], "rewire": {"fork.no": [], "last": []}}, ("conflicting_changes", "fork.no", "rewire")),
        ({"drop": ["read"]}, ("still_needed", "read", "drop")),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_a_problem(fields: Data, expected: tuple[str, str, str]) -> None:
    plan = GROUPS.model_copy(update={"steps": (*GROUPS.steps, *CHAIN.steps)})
    assert codes(plan, patch_of(**fields)) == [expected]


def test_all_problems_come_at_once_and_say_what_to_do() -> None:
    found = problems(
        CHAIN,
        patch_of(
            add=[agent("sum")], replace=[agent("repotr")], drop=["read", "report"], rewire={"report": [], "Read": []}
        ),
    )
    assert {(one.code, one.step) for one in found} == {
        ("duplicate_id", "sum"),
        ("unknown_step", "repotr"),
        ("unknown_step", "Read"),
        ("conflicting_changes", "report"),
        ("still_needed", "read"),
    }
    hints = {(one.code, one.step): one.hint for one in found}
    assert hints["unknown_step", "repotr"] == "did you mean 'report'?"
    assert hints["unknown_step", "Read"].startswith("did you mean 'read'?")
    assert all(one.message and one.hint for one in found)


def test_a_close_name_inside_of_a_group_is_suggested() -> None:
    (found,) = problems(GROUPS, patch_of(drop=["both.wbe"]))
    assert found.hint == "did you mean 'both.web'?"


@pytest.mark.parametrize(
    "user",
    [
        agent("user", "gone"),
        agent("user", when="steps.gone.output"),
        agent("user", input={"x": ["{{ steps.gone.output }}"]}),
        {"id": "user", "type": "map", "over": [1], "step": agent("one", input={"x": "{{ steps.gone.output }}"})},
        {"id": "user", "type": "parallel", "branches": ["gone", agent("b")]},
        {"id": "user", "type": "condition", "if": "true", "then": ["gone"]},
        {"id": "user", "type": "condition", "if": "true", "else": ["gone"]},
        {"id": "user", "type": "sub_plan", "plan": {"steps": [agent("a")]}, "input": {"x": "{{ steps.gone.output }}"}},
        {"id": "user", "agents": ["ann", "bob"], "depends_on": ["gone"]},
    ],
    ids=lambda user: str(user.get("type", "agent")),
)
def test_a_step_that_another_needs_cannot_be_dropped_alone(user: Data) -> None:
    plan = plan_of(agent("gone"), user, agent("end"))
    found = problems(plan, patch_of(drop=["gone"]))
    assert [(one.code, one.step) for one in found] == [("still_needed", "gone")]
    assert found[0].message == "it is still needed by: user"
    assert apply_patch(plan, patch_of(drop=["gone", "user"])) == plan_of(agent("end"))


def test_a_step_that_the_plan_s_output_needs_cannot_be_dropped() -> None:
    plan = plan_of(agent("a"), agent("b"), output="{{ steps.b.output }}")
    (found,) = problems(plan, patch_of(drop=["b"]))
    assert (found.code, found.step, found.message) == ("still_needed", "b", "it is still needed by: the plan's output")


def test_a_dropped_group_is_needed_by_those_who_name_what_is_in_it() -> None:
    plan = plan_of(
        {"id": "g", "type": "parallel", "branches": [agent("a")]},
        agent("user", input={"x": "{{ steps['g.a'].output }}"}),
    )
    assert codes(plan, patch_of(drop=["g"])) == [("still_needed", "g", "drop")]
    sub: Data = {"id": "s", "type": "sub_plan", "plan": {"steps": [agent("a"), agent("b", "a")]}}
    assert codes(plan_of(sub), patch_of(drop=["s.a"])) == [("still_needed", "s.a", "drop")]


def test_an_approval_that_a_guardrail_asks_for_is_no_user_of_what_is_dropped() -> None:
    guarded = {"guardrails": [{"type": "approval", "require_for": ["writer"]}]}
    plan = plan_of(agent("a"), agent("b"), coordinator=guarded)
    assert apply_patch(plan, patch_of(drop=["a"])) == plan_of(agent("b"), coordinator=guarded)
    (found,) = problems(plan_of(agent("a"), agent("b", "a"), coordinator=guarded), patch_of(drop=["a"]))
    assert found.message == "it is still needed by: b"


def test_a_qualified_id_of_two_steps_is_not_guessed() -> None:
    plan = plan_of(
        {"id": "a", "type": "parallel", "branches": [agent("b.c")]},
        {"id": "a.b", "type": "parallel", "branches": [agent("c")]},
    )
    assert codes(plan, patch_of(replace=[agent("a.b.c")])) == [("ambiguous_step", "a.b.c", "replace")]
    twice = plan_of(agent("a"), agent("a"), agent("b"))
    assert codes(twice, patch_of(rewire={"a": ["b"]})) == [("ambiguous_step", "a", "rewire")]
    groups = plan_of({"id": "g", "type": "parallel", "branches": [agent("a"), agent("b")]}, agent("g"))
    assert codes(groups, patch_of(drop=["g.a"])) == [("ambiguous_step", "g.a", "drop")]


def test_what_a_plan_is_patched_with_stays_the_caller_s() -> None:
    data: Data = {"x": [1]}
    step = AgentStep(id="new", agent="writer", input=data)
    found = apply_patch(CHAIN, PlanPatch(add=(step,)))
    data["x"].append(2)
    step.input["x"] = 3
    assert found.step("new") == AgentStep(id="new", agent="writer", input={"x": [1]})


_ids = st.sampled_from(("a", "b", "c", "a.b", "b.c", "d-1", "z"))
_steps = st.fixed_dictionaries({"id": _ids, "agent": st.just("writer"), "depends_on": st.lists(_ids, max_size=2)})
_patches = st.builds(
    patch_of,
    add=st.lists(_steps, max_size=2),
    replace=st.lists(_steps, max_size=2),
    drop=st.lists(_ids, max_size=2),
    rewire=st.dictionaries(_ids, st.lists(_ids, max_size=2), max_size=2),
)


@examples(300)
@given(small_plans, _patches)
def test_a_patch_is_applied_as_it_says_or_refused(plan: Plan, patch: PlanPatch) -> None:
    before = digest_of(plan)
    try:
        found = apply_patch(plan, patch)
    except InvalidPlan:
        return
    finally:
        assert digest_of(plan) == before
    own = [step.id for step in plan.steps]
    new = {step.id for step in patch.add}
    after = [step.id for step in found.steps]
    assert [one for one in after if one not in new] == [one for one in own if one not in patch.drop]
    assert sorted(one for one in after if one in new) == sorted(new)
    for step in patch.add:
        assert found.step(step.id) == step
    for step in patch.replace:
        assert step.id not in own or found.step(step.id) == step
    for step_id, needs in patch.rewire.items():
        assert step_id not in own or found.step(step_id).depends_on == needs
    changed = {*new, *patch.drop, *patch.rewire, *(step.id for step in patch.replace)}
    for step in plan.steps:
        if not any(one == step.id or one.startswith(f"{step.id}.") for one in changed):
            assert step in found.steps


@examples(100)
@given(sound_plans())
def test_steps_replaced_by_themselves_leave_the_same_plan(plan: Plan) -> None:
    needs = {step.id: step.depends_on for step in plan.steps}
    assert apply_patch(plan, PlanPatch(replace=plan.steps)) == plan
    assert digest_of(apply_patch(plan, PlanPatch(rewire=needs))) == digest_of(plan)


@examples(100)
@given(_patches)
def test_a_patch_can_be_stored(patch: PlanPatch) -> None:
    assert PlanPatch.model_validate_json(patch.model_dump_json()) == patch


@examples(200)
@given(any_plans)
def test_equal_plans_have_one_digest_however_they_were_made(plan: Plan) -> None:
    digest = digest_of(plan)
    assert len(digest) == 64
    assert int(digest, 16) >= 0
    assert digest_of(Plan.model_validate(plan.model_dump())) == digest
    assert digest_of(Plan.model_validate_json(plan.model_dump_json())) == digest
    assert digest_of(parse_plan(dump_plan(plan))) == digest


@examples(200)
@given(small_plans, small_plans)
def test_plans_with_a_difference_have_different_digests(one: Plan, other: Plan) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)
    if diff_plans(one, other):
        assert digest_of(one) != digest_of(other)


def test_the_order_of_keys_makes_no_other_plan_and_that_of_steps_does() -> None:
    one = plan_of(agent("a", input={"x": 1, "y": 2}), agent("b"))
    assert digest_of(one) == digest_of(plan_of(agent("a", input={"y": 2, "x": 1}), agent("b")))
    assert digest_of(one) != digest_of(plan_of(agent("b"), agent("a", input={"x": 1, "y": 2})))
    assert digest_of(one) != digest_of(plan_of(agent("a", input={"x": 1.0, "y": 2}), agent("b")))
    assert digest_of(one) != digest_of(plan_of(agent("a", input={"x": True, "y": 2}), agent("b")))


def test_a_patch_of_a_large_plan_keeps_every_step_in_its_place() -> None:
    ids = [f"s{number}" for number in range(5_000)]
    chain = [agent(ids[0]), *(agent(one, before) for before, one in pairwise(ids))]
    plan = plan_of(*chain)
    new = [agent("n0"), *(agent(f"n{number}", f"n{number - 1}") for number in range(1, 2_000))]
    patch = patch_of(add=new, rewire={"s4999": ["n1999"]}, drop=["s4998"])
    found = apply_patch(plan, patch)
    assert [step.id for step in found.steps][-3:] == ["n1998", "n1999", "s4999"]
