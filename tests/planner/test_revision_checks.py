"""Changes to a running plan: what each rule refuses, what it leaves alone, and that all problems come at once."""

import pytest
from tests.planner.small_revisions import (
    APPROVED,
    ASK_AGAIN,
    CARDS,
    DRAFTED,
    FAILED,
    PUBLISH,
    REJECTED,
    Data,
    agent,
    approval,
    changed,
    codes,
    flat,
    fork,
    outcomes,
)

from goalgraph import Outcome
from goalgraph.planner.validation import PlanPolicy, validate_plan


def named(given: Data | dict[str, Outcome] | set[tuple[str, str]] | str) -> str:
    """Name a case by what is changed, by the step that is over last, and by what is wrong."""
    if isinstance(given, str):
        return given
    if isinstance(given, set):
        return "+".join(sorted(code for code, _ in given))
    words = list[str]()
    for field, value in given.items():
        if isinstance(value, Outcome):
            words = [field, value.status]
        else:
            words += [field, *(one if isinstance(one, str) else str(one["id"]) for one in value)]
    return " ".join(words) or "nothing"


@pytest.mark.parametrize(
    ("patch", "done", "expected"),
    [
        ({"replace": [agent("draft", "read", task="Better.")]}, DRAFTED, {("finished_step", "draft")}),
        ({"rewire": {"draft": []}}, DRAFTED, {("finished_step", "draft"), ("gate_reordered", "ok")}),
        (
            {"drop": ["draft"], "rewire": {"ok": []}},
            DRAFTED,
            {("finished_step", "draft"), ("gate_reordered", "ok")},
        ),
        ({"drop": ["draft"]}, DRAFTED, {("finished_step", "draft"), ("still_needed", "draft")}),
        (
            {"replace": [agent("draft", "read", task="Better.")]},
            outcomes(draft="skipped"),
            {("finished_step", "draft")},
        ),
        ({"add": [fork("f", then=("draft",))]}, DRAFTED, {("finished_step", "draft")}),
        ({"drop": ["ok"], "rewire": {"post": []}}, DRAFTED, {("gate_dropped", "ok")}),
        ({"drop": ["ok"], "rewire": {"post": []}}, APPROVED, {("gate_dropped", "ok")}),
        ({"drop": ["ok"], "rewire": {"post": []}}, REJECTED, {("gate_dropped", "ok")}),
        (
            {"drop": ["ok"], "add": [approval("okay", "draft")], "rewire": {"post": ["okay"]}},
            DRAFTED,
            {("gate_dropped", "ok")},
        ),
        ({"replace": [approval("ok", "draft", prompt="Fine?")]}, DRAFTED, {("gate_changed", "ok")}),
        ({"replace": [approval("ok", "draft", when="false")]}, DRAFTED, {("gate_changed", "ok")}),
        ({"replace": [approval("ok", "draft", assignee="me")]}, DRAFTED, {("gate_changed", "ok")}),
        (
            {"replace": [approval("ok", "draft", optional=True)]},
            DRAFTED,
            {("gate_changed", "ok"), ("gate_bypassed", "post"), ("gate_bypassed", "tell")},
        ),
        ({"add": [fork("f", then=("ok",))]}, DRAFTED, {("gate_changed", "ok")}),
        ({"replace": [approval("ok", "draft", "read")]}, REJECTED, {("gate_changed", "ok")}),
        ({"rewire": {"ok": []}}, {}, {("gate_reordered", "ok")}),
        ({"rewire": {"draft": []}}, {}, {("gate_reordered", "ok")}),
        ({"rewire": {"post": ["draft"]}}, DRAFTED, "around"),
        ({"rewire": {"post": ["draft"]}}, REJECTED, "around"),
        ({"replace": [agent("tell", "read")]}, DRAFTED, {("gate_bypassed", "tell"), ("gated_step_changed", "tell")}),
        (
            {"replace": [agent("post", "ok", by="publisher", task="Post it.", join="all_done")]},
            DRAFTED,
            {("gate_bypassed", "post"), ("gate_bypassed", "tell"), ("gated_step_changed", "post")},
        ),
        (
            {"add": [agent("n", "read")], "replace": [agent("tell", "post", "n", join="any_success")]},
            DRAFTED,
            {("gate_bypassed", "tell"), ("gated_step_changed", "tell")},
        ),
        (
            {"replace": [agent("post", "ok", by="publisher", task="Post it.", optional=True)]},
            DRAFTED,
            {("gate_bypassed", "tell"), ("gated_step_changed", "post")},
        ),
        ({"replace": [agent("post", "ok", by="backup", task="Post it.")]}, DRAFTED, "swapped"),
        ({"replace": [agent("post", "ok", by="publisher", task="Post all.")]}, APPROVED, "swapped"),
        ({"replace": [agent("post", "ok", by="publisher", task="Post it.", input={"to": "all"})]}, DRAFTED, "swapped"),
        ({"replace": [agent("post", "ok", by="publisher", task="Post it.", fallback=["backup"])]}, DRAFTED, "swapped"),
        ({"replace": [agent("post", "ok", by="publisher", task="Post it.", when="true")]}, DRAFTED, "swapped"),
        ({"replace": [agent("post", "ok", by="publisher", task="Post better.")]}, FAILED, {("approval_used", "post")}),
        ({"replace": [agent("post", "ok", by="writer", task="Post it.")]}, FAILED, {("approval_used", "post")}),
        (
            {"add": [approval("soon", optional=True)], "rewire": {"post": ["ok", "soon"]}},
            FAILED,
            {("approval_used", "post")},
        ),
        ({"add": [agent("n", "draft", by="publisher")]}, DRAFTED, {("ungated_specialist", "n")}),
        ({"add": [agent("n", "ok", by="publisher")]}, APPROVED, {("ungated_specialist", "n")}),
        ({"add": [agent("n", "ok", by="publisher")]}, REJECTED, {("ungated_specialist", "n")}),
        ({"add": [agent("n", fallback=["publisher"])]}, DRAFTED, {("ungated_specialist", "n")}),
        ({"add": [{"id": "n", "requires": ["publish"]}]}, DRAFTED, {("ungated_specialist", "n")}),
        ({"add": [{"id": "n", "agents": ["writer", "publisher"]}]}, DRAFTED, {("ungated_specialist", "n.publisher")}),
        (
            {"add": [{"id": "n", "type": "map", "over": [1], "step": agent("x", by="publisher")}]},
            DRAFTED,
            {("ungated_specialist", "n")},
        ),
        (
            {"add": [{"id": "n", "type": "parallel", "branches": [agent("x", by="publisher")]}]},
            DRAFTED,
            {("ungated_specialist", "n.x")},
        ),
        (
            {"add": [{"id": "n", "type": "sub_plan", "plan": {"steps": [agent("x", by="publisher")]}}]},
            DRAFTED,
            {("ungated_specialist", "n.x")},
        ),
        (
            {"add": [fork("n") | {"then": [agent("x", by="publisher")]}]},
            DRAFTED,
            {("ungated_specialist", "n.x")},
        ),
        (
            {"add": [approval("soon", deadline="1s", on_timeout="approve"), agent("n", "soon", by="publisher")]},
            DRAFTED,
            {("ungated_specialist", "n")},
        ),
        (
            {"add": [ASK_AGAIN, agent("n", "again", "draft", by="publisher", join="any_success")]},
            DRAFTED,
            {("ungated_specialist", "n")},
        ),
        ({"add": [agent("n", by="stranger")]}, DRAFTED, {("unknown_specialist", "n")}),
        (
            {"replace": [agent("tell", "post", by="stranger")]},
            DRAFTED,
            {("unknown_specialist", "tell"), ("gated_step_changed", "tell")},
        ),
        ({"add": [agent("a", "b"), agent("b", "a")]}, DRAFTED, {("cycle", "a")}),
        ({"drop": ["nothing"]}, DRAFTED, {("unknown_step", "nothing")}),
        ({"add": [agent("n", task="{{ input.missing }}")]}, DRAFTED, {("missing_input", "n")}),
    ],
    ids=named,
)
def test_what_a_patch_may_not_do(patch: Data, done: dict[str, Outcome], expected: object) -> None:
    short = {
        "around": {("gate_bypassed", "post"), ("gate_bypassed", "tell"), ("gated_step_changed", "post")},
        "swapped": {("gated_step_changed", "post")},
    }
    assert codes(PUBLISH, patch, done) == (short[expected] if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("patch", "done"),
    [
        ({}, FAILED),
        ({"add": [agent("n", "draft", by="helper")]}, DRAFTED),
        ({"replace": [agent("read", by="helper")]}, outcomes(read="failed", draft="blocked", ok="blocked")),
        ({"drop": ["tell"]}, FAILED),
        ({"drop": ["tell", "post"]}, FAILED),
        ({"add": [ASK_AGAIN], "rewire": {"post": ["ok", "again"]}}, FAILED),
        (
            {"add": [ASK_AGAIN], "replace": [agent("post", "ok", "again", by="backup", task="Post it by hand.")]},
            FAILED,
        ),
        ({"add": [agent("n", "draft")], "rewire": {"post": ["ok", "n"]}}, APPROVED),
        ({"replace": [agent("post", "ok", by="publisher", task="Post it.", timeout=5.0)]}, DRAFTED),
        ({"add": [ASK_AGAIN, agent("n", "again", by="publisher")]}, REJECTED),
        ({"add": [agent("n", "ok", by="publisher")]}, DRAFTED),
        ({"add": [{"id": "each", "type": "map", "over": [1], "step": {"id": "x", "type": "sub_plan", "plan": {"steps": [
            approval("sure"), agent("go", "sure", by="publisher")]}}}]}, DRAFTED),
        ({"add": [agent("check", "draft")], "rewire": {"ok": ["draft", "check"]}}, DRAFTED),
    ],
    ids=named,
)  # fmt: skip
def test_what_a_patch_may_do(patch: Data, done: dict[str, Outcome]) -> None:
    found = changed(PUBLISH, patch, done)
    assert not validate_plan(found, PlanPolicy(), CARDS)
    assert all(
        step == found.step(step.id) for step in PUBLISH.steps if step.id in done and done[step.id].status == "succeeded"
    )


def test_all_problems_come_at_once() -> None:
    patch = {
        "replace": [agent("draft", "read", task="Better."), approval("ok", "draft", prompt="Fine?")],
        "add": [agent("n", by="stranger"), agent("m", by="publisher")],
        "rewire": {"post": ["draft"]},
    }
    assert {code for code, _ in codes(PUBLISH, patch, DRAFTED)} == {
        *("finished_step", "gate_changed", "gate_bypassed", "gated_step_changed"),
        *("ungated_specialist", "unknown_specialist"),
    }


def test_what_is_being_done_stays_and_so_does_a_gate_that_is_asked_about() -> None:
    assert codes(PUBLISH, {"rewire": {"draft": []}}, at_work=("draft",)) >= {("step_at_work", "draft")}
    assert codes(PUBLISH, {"drop": ["tell"]}, APPROVED, at_work=("tell",)) == {("step_at_work", "tell")}
    loose = {"add": [agent("n", "ok", by="publisher")]}
    assert codes(PUBLISH, loose, DRAFTED, at_work=("ok",)) == {("ungated_specialist", "n")}


def test_a_map_is_at_work_while_its_items_are() -> None:
    plan = flat({"id": "each", "type": "map", "over": [1, 2], "step": agent("x")})
    patch = {"replace": [{"id": "each", "type": "map", "over": [1], "step": agent("x")}]}
    assert codes(plan, patch, at_work=("each[1]",)) == {("step_at_work", "each")}
    done = {"each[0]": Outcome(step="each[0]", status="succeeded")}
    assert codes(plan, patch, done) == {("step_at_work", "each")}
    assert changed(plan, patch, done | outcomes(each="failed")).step("each") != plan.step("each")


def test_the_steps_of_a_finished_group_stay_whatever_each_came_to() -> None:
    plan = flat({"id": "g", "type": "parallel", "on_failure": "continue", "branches": [agent("a"), agent("b")]})
    patch = {"replace": [agent("g.a", by="helper")]}
    assert codes(plan, patch, outcomes(g="succeeded", g__a="failed", g__b="succeeded")) == {("finished_step", "g.a")}
    assert changed(plan, patch, outcomes(g="failed", g__a="failed", g__b="succeeded"))
