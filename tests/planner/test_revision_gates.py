"""Gates of all kinds and in all places, and what stands behind them, under changes to a running plan."""

import pytest
from tests.planner.small_revisions import (
    APPROVED,
    ASK_AGAIN,
    CARDS,
    FAILED,
    PUBLISH,
    Data,
    agent,
    approval,
    changed,
    codes,
    flat,
    fork,
    outcomes,
)

from goalgraph.planner import dag
from goalgraph.planner.approvals import approved_steps
from goalgraph.planner.gates import Layout
from goalgraph.planner.patch import digest_of
from goalgraph.planner.revision import guarded_specialists, no_progress
from goalgraph.planner.validation import PlanPolicy


@pytest.mark.parametrize(
    "gate",
    [
        {"type": "human_input", "prompt": "Which?", "schema": {"type": "string"}},
        {"type": "wait", "event": "paid"},
        {"type": "human_approval", "prompt": "Yes?", "deadline": "1h", "on_timeout": "approve"},
    ],
    ids=lambda gate: gate["type"],
)
def test_every_kind_of_gate_is_kept(gate: Data) -> None:
    plan = flat(agent("a"), {"id": "g", "depends_on": ["a"], **gate}, agent("z", "g"))
    assert ("gate_dropped", "g") in codes(plan, {"drop": ["g"], "rewire": {"z": ["a"]}})
    assert ("gate_bypassed", "z") in codes(plan, {"rewire": {"z": ["a"]}})
    assert ("gate_changed", "g") in codes(
        plan, {"replace": [{"id": "g", "depends_on": ["a"], **gate, "optional": True}]}
    )


def test_a_wait_for_a_time_is_no_gate() -> None:
    plan = flat({"id": "pause", "type": "wait", "duration": "1s"}, agent("z", "pause"))
    assert changed(plan, {"drop": ["pause"], "rewire": {"z": []}}).steps[0].depends_on == ()


def test_a_gate_that_any_of_several_leads_to_gets_no_other_way_to_it() -> None:
    plan = flat(agent("a"), agent("b"), approval("ok", "a", "b", join="any_success"), agent("p", "ok", by="publisher"))
    patch = {"add": [{"id": "n", "type": "transform", "output": 1}], "rewire": {"ok": ["a", "b", "n"]}}
    assert codes(plan, patch) == {("gate_reordered", "ok")}


def test_a_gate_in_a_map_is_kept_with_what_it_repeats() -> None:
    inner = {"id": "x", "type": "sub_plan", "plan": {"steps": [approval("sure"), agent("go", "sure", by="publisher")]}}
    each: Data = {"id": "each", "type": "map", "over": [1], "step": inner}
    plan = flat(agent("a"), each)
    assert codes(plan, {"drop": ["each"]}) == {("gate_dropped", "each")}
    bare = {**each, "step": agent("x", by="publisher")}
    assert ("gate_changed", "each") in codes(plan, {"replace": [bare]})
    assert ("gated_step_changed", "each") in codes(plan, {"replace": [bare]})
    assert ("gate_changed", "each") in codes(plan, {"replace": [{**each, "over": [1, 2]}]})
    assert codes(plan, {"add": [agent("n", by="publisher")]}) == {("ungated_specialist", "n")}


FORKED = flat(
    agent("a"),
    fork("f", "a", then=("ok", "p")) | {"else": ["q"]},
    approval("ok"),
    agent("p", "ok", by="publisher"),
    agent("q"),
)


@pytest.mark.parametrize(
    "fields", [{"if": "false"}, {"then": ["ok"]}, {"when": "false"}, {"join": "all_done"}, {"depends_on": []}], ids=str
)
def test_a_condition_above_a_gate_is_kept(fields: Data) -> None:
    found = codes(FORKED, {"replace": [fork("f", "a", then=("ok", "p")) | {"else": ["q"]} | fields]})
    assert ("condition_changed", "f") in found


def test_a_condition_above_a_gate_is_not_dropped_but_steps_may_join_its_branches() -> None:
    assert ("condition_changed", "f") in codes(FORKED, {"drop": ["f"]})
    more = fork("f", "a", then=("ok", "p", "n")) | {"else": ["q"]}
    assert changed(FORKED, {"replace": [more], "add": [agent("n")]})
    plain = flat(agent("a"), fork("f", "a", then=("b",)), agent("b"))
    assert changed(plain, {"replace": [fork("f", "a", then=("b",)) | {"if": "false"}]})


def test_a_step_that_was_judged_is_not_swapped_after_the_approval() -> None:
    plan = flat(
        agent("draft", optional=True),
        approval("ok", "draft"),
        agent("post", "ok", by="publisher", input={"text": "{{ steps.draft.output | default('none') }}"}),
    )
    done = outcomes(draft="failed", ok="succeeded")
    assert codes(plan, {"replace": [agent("draft", by="helper", optional=True)]}, done) == {
        ("judged_step_changed", "draft")
    }
    assert changed(plan, {"replace": [agent("draft", by="helper", optional=True)]}, outcomes(draft="failed"))


def test_a_gated_step_that_was_cancelled_needs_another_approval_too() -> None:
    plan = flat(agent("a"), approval("ok"), agent("post", "a", "ok", by="publisher"))
    done = outcomes(a="failed", ok="succeeded", post="cancelled")
    assert codes(plan, {"replace": [agent("a", by="helper")]}, done) == {("approval_used", "post")}
    done = outcomes(a="failed", ok="succeeded", post="blocked")
    assert changed(plan, {"replace": [agent("a", by="helper")]}, done)


@pytest.mark.parametrize("name", ["publisher", "publish", "post"])
def test_what_the_policy_asks_about_may_be_done_again_since_it_asks_again(name: str) -> None:
    plan = flat(agent("a"), agent("post", "a", by="publisher"))
    patch = {"replace": [agent("post", "a", by="publisher", task="Again.")]}
    assert changed(plan, patch, outcomes(a="succeeded", post="failed"), asked=(name,))
    assert codes(plan, patch, asked=(name,)) == {("gated_step_changed", "post")}
    swap = {"replace": [agent("post", "a", by="writer")]}
    found = codes(plan, swap, outcomes(post="failed"), asked=(name,)) if name != "post" else {("gate_bypassed", "post")}
    assert ("gate_bypassed", "post") in found
    loose = {"add": [agent("n", by="publisher")]}
    if name == "post":
        assert codes(plan, loose, asked=(name,)) == {("ungated_specialist", "n")}
    else:
        assert changed(plan, loose, asked=(name,))


def test_a_step_does_not_leave_a_group_that_the_policy_asks_about() -> None:
    plan = flat(agent("a"), {"id": "g", "type": "parallel", "branches": ["a", agent("b")]})
    alone = {"replace": [{"id": "g", "type": "parallel", "branches": ["g.b"]}]}
    assert ("gate_bypassed", "a") in codes(plan, alone, asked=("g",))
    assert changed(plan, alone)


def test_what_is_guarded_once_stays_guarded_when_its_step_is_dropped() -> None:
    guarded = guarded_specialists(PUBLISH, CARDS)
    assert guarded == {"publisher"}
    after = changed(PUBLISH, {"drop": ["post", "tell"]}, FAILED)
    assert guarded_specialists(after, CARDS) == frozenset()
    loose = {"add": [agent("post", "draft", by="publisher")]}
    assert codes(after, loose, APPROVED, guarded=guarded) == {("ungated_specialist", "post")}
    asking = {"add": [ASK_AGAIN, agent("post", "again", by="publisher")]}
    assert changed(after, asking, APPROVED, guarded=guarded)


def test_a_specialist_that_works_without_approval_too_is_not_guarded() -> None:
    plan = flat(approval("ok"), agent("p", "ok"), agent("q"))
    assert guarded_specialists(plan, CARDS) == frozenset()
    assert guarded_specialists(plan, CARDS, ("q",)) == {"writer"}
    assert changed(plan, {"add": [agent("n")]})


LIMITED = flat(
    agent("a", timeout=30.0, retry={"max_attempts": 2}),
    {"id": "each", "type": "map", "over": [1], "step": agent("x"), "concurrency": 2},
    {"id": "g", "type": "parallel", "branches": [agent("b"), agent("c")], "timeout": 60.0},
)


@pytest.mark.parametrize(
    ("patch", "step"),
    [
        ({"replace": [agent("a", timeout=31.0)]}, "a"),
        ({"replace": [agent("a")]}, "a"),
        ({"replace": [agent("a", timeout=30.0, retry={"max_attempts": 3})]}, "a"),
        ({"replace": [{"id": "each", "type": "map", "over": [1], "step": agent("x"), "concurrency": 3}]}, "each"),
        ({"replace": [{"id": "g", "type": "parallel", "branches": ["g.b"], "timeout": 60.0}]}, None),
        ({"drop": ["g"]}, "g"),
    ],
    ids=["longer", "none", "attempts", "concurrency", "branches", "group"],
)
def test_no_limit_is_raised(patch: Data, step: str | None) -> None:
    if step is None:  # what stands inside of a group by its id stays under its limits
        assert changed(LIMITED, patch)
    else:
        assert codes(LIMITED, patch) == {("limit_raised", step)}
    assert changed(LIMITED, {"replace": [agent("a", timeout=20.0, retry={"max_attempts": 1})]})


def test_a_plan_does_not_grow_past_its_limit_but_a_flat_one_may_be_larger_already() -> None:
    plan = flat(agent("a"), agent("b"))
    few = PlanPolicy(max_steps=2)
    assert codes(plan, {"add": [agent("n")]}, policy=few) == {("too_many_steps", None)}
    tight = PlanPolicy(max_steps=1)
    assert changed(plan, {"replace": [agent("a", by="helper")]}, policy=tight)


def test_what_was_wrong_before_is_not_held_against_a_patch() -> None:
    plan = flat(agent("a", by="gone"), agent("b"))
    assert changed(plan, {"add": [agent("n")]})
    asking = flat(agent("p", by="publisher"), coordinator={"guardrails": [{"type": "approval", "require_for": ["p"]}]})
    done = outcomes(p__approval="succeeded", p="failed")
    assert [step.id for step in changed(asking, {"add": [agent("n")], "drop": ["p"]}, done).steps] == [
        "p.approval",
        "n",
    ]


def test_an_approval_that_a_guardrail_adds_is_one_that_is_still_to_be_answered() -> None:
    plan = flat(
        agent("p", by="publisher"), coordinator={"guardrails": [{"type": "approval", "require_for": ["publisher"]}]}
    )
    found = changed(plan, {"add": [agent("n", by="publisher")]}, outcomes(p__approval="succeeded", p="succeeded"))
    assert found.step("n").depends_on == ("n.approval",)
    assert codes(plan, {"add": [agent("n", "p.approval", by="publisher")]}, outcomes(p__approval="succeeded")) == {
        ("ungated_specialist", "n")
    }


def test_a_plan_that_the_run_has_had_is_no_progress() -> None:
    after = changed(PUBLISH, {"add": [agent("n")]})
    assert no_progress(changed(after, {"drop": ["n"]}), {digest_of(PUBLISH)})
    assert not no_progress(after, {digest_of(PUBLISH)})


@pytest.mark.parametrize(
    ("fields", "optional", "holds"),
    [
        ({}, False, {"ok"}),
        ({"on_failure": "continue"}, False, set[str]()),
        ({}, True, set[str]()),
    ],
    ids=["all", "any", "optional"],
)
def test_a_group_passes_on_the_gates_of_branches_that_must_succeed(
    fields: Data, optional: bool, holds: set[str]
) -> None:
    branches = [agent("b"), [approval("ok"), agent("c", optional=optional)]]
    plan = flat({"id": "g", "type": "parallel", "branches": branches, **fields}, agent("z", "g"))
    layout = Layout.of(plan.steps, CARDS)
    assert layout is not None
    assert {one.removeprefix("g.") for one in layout.before["z"]} == holds
    assert "z" not in layout.approved


@pytest.mark.parametrize("optional", ["b", "c"])
def test_a_group_with_an_optional_branch_does_not_count_as_approved(optional: str) -> None:
    branches = [agent("b", optional=optional == "b"), [approval("ok"), agent("c", optional=optional == "c")]]
    group = {"id": "g", "type": "parallel", "on_failure": "continue", "branches": branches[(optional == "c") :]}
    plan = flat(group, agent("z", "g"))
    graph = dag.graph(plan)
    assert not approved_steps(plan.steps, dict(graph), dag.order(graph)) & {"g", "z"}


def test_a_step_in_a_branch_stands_behind_the_gates_of_its_condition_too() -> None:
    steps = approval("ok"), approval("fine"), fork("f", "ok", then=("p", "q")), agent("p")
    plan = flat(*steps, agent("q", "fine", join="any_success"))
    layout = Layout.of(plan.steps, CARDS)
    assert layout is not None
    assert layout.before["p"] == {"ok"}
    assert layout.before["q"] == {"ok", "fine"}


def test_a_group_passes_on_no_gate_of_a_branch_that_may_be_skipped() -> None:
    group = {"id": "g", "type": "parallel", "branches": [agent("b"), [approval("ok"), agent("c", when="input.x")]]}
    plan = flat(group, agent("z", "g"))
    layout = Layout.of(plan.steps, CARDS)
    assert layout is not None
    assert layout.before["z"] == set()


def test_a_gate_keeps_each_of_the_steps_that_it_waits_for() -> None:
    plan = flat(agent("a"), agent("b", "a", join="all_done"), approval("ok", "a", "b"))
    assert codes(plan, {"rewire": {"ok": ["b"]}}) == {("gate_reordered", "ok")}


def test_a_step_behind_either_of_two_approvals_gets_no_third_way() -> None:
    plan = flat(
        *(approval("ok"), approval("fine"), agent("a", "ok"), agent("b", "fine")),
        agent("p", "a", "b", by="publisher", join="any_success"),
    )
    patch = {"add": [agent("n", by="backup")], "rewire": {"p": ["a", "b", "n"]}}
    assert codes(plan, patch) == {("gate_bypassed", "p")}


def test_an_approval_that_was_there_before_is_none_for_doing_a_step_again() -> None:
    plan = flat(approval("ok"), agent("post", "ok", by="publisher"), approval("other"), agent("z", "other"))
    done = outcomes(ok="succeeded", post="failed")
    assert codes(plan, {"rewire": {"post": ["ok", "other"]}}, done) == {("approval_used", "post")}
