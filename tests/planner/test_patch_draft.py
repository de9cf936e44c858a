"""Changes as a model writes them: what becomes of them, and what is wrong with them."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.planner.plan_strategies import examples
from tests.planner.revising import plan_of
from tests.planner.small_plans import sound_plans

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.draft import as_draft
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.patch_draft import PATCH_NAME, compile_patch_draft, patch_schema, read_patch_draft
from goalgraph.planner.plan import AgentStep, HumanApprovalStep, Plan, Retry

PLAN = plan_of(
    {"id": "read", "agent": "ann", "task": "Read."},
    {
        "id": "sum",
        "agent": "ann",
        "task": "Sum up {{ steps.read.output }}",
        "depends_on": ["read"],
        "input": {"x": 1},
        "timeout": 9.0,
        "retry": {"max_attempts": 2},
        "min_confidence": 0.5,
        "when": "input.go",
        "optional": True,
        "join": "all_done",
        "fallback": ["bob"],
        "constraints": ["short"],
    },
    {"id": "any", "requires": ["write"], "task": "Write."},
    {"id": "ok", "type": "human_approval", "prompt": "Fine?", "assignee": "eve", "depends_on": ["sum"]},
    inputs={"go": True},
)


def change(**fields: Any) -> dict[str, object]:
    return {"rationale": "Why not.", **fields}


def step(step_id: str, agent: str = "ann", task: str = "Do it.", *needs: str) -> dict[str, object]:
    return {"id": step_id, "agent": agent, "task": task, "depends_on": list(needs)}


def made(**fields: Any) -> PlanPatch:
    found = compile_patch_draft(change(**fields), PLAN)
    assert isinstance(found, PlanPatch), found
    return found


def problems(data: object) -> list[PlanProblem]:
    found = compile_patch_draft(data, PLAN)
    assert isinstance(found, tuple)
    return list(found)


def test_an_empty_change_is_a_patch_with_a_reason() -> None:
    empty: list[object] = []
    assert made() == PlanPatch(rationale="Why not.")
    assert made(steps=empty, teams=empty, drop=empty, rewire=empty) == PlanPatch(rationale="Why not.")
    assert made(steps=None, drop=None, rewire=None) == PlanPatch(rationale="Why not.")


def test_ids_of_the_plan_are_replaced_and_others_added() -> None:
    patch = made(steps=[step("read", "bob"), step("new", "bob", "More.", "read")], drop=["any"])
    assert patch.replace == (AgentStep(id="read", agent="bob", task="Do it."),)
    assert patch.add == (AgentStep(id="new", agent="bob", task="More.", depends_on=("read",)),)
    assert patch.drop == ("any",)


def test_what_a_draft_cannot_say_is_kept_and_what_it_says_is_changed() -> None:
    (new,) = made(steps=[step("sum", "ann", "Sum up in a line.", "read")]).replace
    assert new == PLAN.step("sum").model_copy(update={"task": "Sum up in a line."})
    assert isinstance(new, AgentStep)
    assert new.retry == Retry(max_attempts=2)


def test_a_task_that_is_left_as_it_was_shown_keeps_its_expressions() -> None:
    (new,) = made(steps=[step("sum", "carl", "Sum up {{ steps.read.output }}", "read")]).replace
    assert new == PLAN.step("sum").model_copy(update={"agent": "carl", "fallback": ()})
    (new,) = made(steps=[step("sum", "carl", "Sum up {{ steps.any.output }}", "read")]).replace
    assert isinstance(new, AgentStep)
    assert new.task == "Sum up {{ '{{' }} steps.any.output }}"


def test_a_step_of_another_type_keeps_nothing() -> None:
    (new,) = made(approvals=[{"id": "sum", "question": "Fine?", "follows": ["read"]}]).replace
    assert new == HumanApprovalStep(id="sum", prompt="Fine?", depends_on=("read",))


def test_an_approval_keeps_its_assignee() -> None:
    (new,) = made(approvals=[{"id": "ok", "question": "Really?", "follows": ["sum"]}]).replace
    assert new == PLAN.step("ok").model_copy(update={"prompt": "Really?"})


def test_what_is_as_it_was_is_no_change() -> None:
    shown = as_draft(PLAN)
    lists = {name: value for name, value in shown.items() if name not in ("name", "others")}
    patch = made(**lists, rewire=[{"id": "ok", "depends_on": ["sum"]}])
    assert patch == PlanPatch(rationale="Why not.")


@examples(150)
@given(sound_plans())
def test_a_whole_plan_written_again_is_no_change(plan: Plan) -> None:
    flat = compile_plan(plan)
    shown = {name: value for name, value in as_draft(flat).items() if name not in ("name", "others")}
    patch = read_patch_draft(change(**shown), flat).patch
    assert not patch.replace
    assert not patch.drop
    assert not patch.rewire


def test_dependencies_are_rewired_and_numbers_are_ids() -> None:
    patch = made(rewire=[{"id": "ok", "depends_on": ["read", 7, "read"]}, {"id": 3, "depends_on": []}], drop=[4, 4])
    assert patch.rewire == {"ok": ("read", "7"), "3": ()}
    assert patch.drop == ("4",)


def test_the_rationale_is_one_line_of_bounded_length() -> None:
    assert made(rationale="a\n  b\x00").rationale == "a b\ufffd"
    assert len(made(rationale="x" * 5_000).rationale) == 2_000


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, [("wrong_type", None, "rationale")]),
        ([], [("wrong_type", None, "rationale")]),
        ({}, [("missing_field", None, "rationale")]),
        (change(rationale=" "), [("wrong_type", None, "rationale")]),
        (change(rationale=3), [("wrong_type", None, "rationale")]),
        (change(add=[]), [("unknown_field", None, "add")]),
        (change(steps="x"), [("wrong_type", None, "steps")]),
        (change(steps=[{"id": "a"}]), [("missing_field", "a", name) for name in ("agent", "task", "depends_on")]),
        (change(drop="read"), [("wrong_type", None, "drop")]),
        (change(drop=["a b", 3.5]), [("invalid_id", None, "drop")] * 2),
        (change(rewire={"a": ["b"]}), [("wrong_type", None, "rewire")]),
        (change(rewire=["a"]), [("wrong_type", None, "rewire[0]")]),
        (change(rewire=[{"depends_on": []}]), [("missing_field", None, "rewire[0].id")]),
        (change(rewire=[{"id": "a"}]), [("missing_field", "a", "depends_on")]),
        (change(rewire=[{"id": "a", "depends_on": "b"}]), [("wrong_type", "a", "depends_on")]),
        (change(rewire=[{"id": "a", "depends_on": [], "x": 1}]), [("unknown_field", "a", "x")]),
        (
            change(rewire=[{"id": "a", "depends_on": []}, {"id": "a", "depends_on": ["read"]}]),
            [("conflicting_changes", "a", "rewire")],
        ),
    ],
    ids=lambda value: repr(value)[:50] if not isinstance(value, list) else "",
)
def test_what_cannot_be_read_is_told(data: object, expected: list[tuple[str, str | None, str]]) -> None:
    assert [(one.code, one.step, one.field) for one in problems(data)] == expected


def test_all_problems_of_form_come_at_once() -> None:
    found = problems({"x": 1, "steps": [3], "drop": 3, "rewire": 3})
    assert [one.field for one in found] == ["x", "rationale", "steps[0]", "drop", "rewire"]


_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["read", "sum", "ok", "ann"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "agent", "task", "depends_on", "follows", "question"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)
_NAMES = ("rationale", "steps", "conditions", "teams", "maps", "approvals", "waits", "drop", "rewire", "x")


@examples(300)
@given(st.dictionaries(st.sampled_from(_NAMES), _json, max_size=6) | _json)
def test_anything_at_all_is_read_without_an_exception(data: object) -> None:
    found = compile_patch_draft(data, PLAN)
    assert found or isinstance(found, PlanPatch)
    if isinstance(found, PlanPatch):
        assert PlanPatch.model_validate_json(found.model_dump_json()) == found


def test_the_schema_begins_with_the_reason_and_names_the_specialists() -> None:
    schema: dict[str, Any] = patch_schema([SpecialistCard(name="bob"), SpecialistCard(name="ann")])
    assert schema["title"] == PATCH_NAME
    names = list(schema["properties"])
    assert (names[0], names[-2:]) == ("rationale", ["drop", "rewire"])
    assert schema["required"] == names
    assert schema["properties"]["steps"]["items"]["properties"]["agent"]["enum"] == ["ann", "bob"]


def test_the_schema_has_every_field_required_and_no_union() -> None:
    found = list(_nodes(patch_schema([SpecialistCard(name="bob")])))
    assert not [node for node in found if {"anyOf", "oneOf", "allOf", "$ref"} & node.keys()]
    objects = [node for node in found if node.get("type") == "object"]
    assert len(objects) > 2
    for node in objects:
        assert isinstance(node["properties"], dict)
        assert (node["required"], node["additionalProperties"]) == (list(node["properties"]), False)


def _nodes(value: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """All objects in a JSON value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _nodes(inner)
