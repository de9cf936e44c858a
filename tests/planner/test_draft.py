import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.draft import MOST_SIMPLE, compile_draft, draft_schema, read_draft, steps_schema
from goalgraph.planner.drafts.form import FIELDS
from goalgraph.planner.expressions import resolve
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.planner.validation import PlanPolicy, validate_plan


def step(**changes: object) -> dict[str, object]:
    return {"id": "a", "agent": "writer", "task": "Write it.", "depends_on": list[str]()} | changes


def without(field: str) -> dict[str, object]:
    return {key: value for key, value in step().items() if key != field}


def problems(*steps: object) -> list[tuple[str, str | None, str | None]]:
    found = compile_draft({"name": "n", "steps": list(steps)})
    assert not isinstance(found, Plan)
    return [(problem.code, problem.step, problem.field) for problem in found]


def test_a_sound_draft_becomes_a_plan() -> None:
    draft = {"name": "Report", "steps": [step(), step(id="b", depends_on=["a", "a"])]}
    assert compile_draft(draft) == Plan(
        name="Report",
        steps=(
            AgentStep(id="a", agent="writer", task="Write it."),
            AgentStep(id="b", agent="writer", task="Write it.", depends_on=("a",)),
        ),
    )


def test_numbers_as_ids_become_text_on_both_sides() -> None:
    plan = compile_draft({"name": "n", "steps": [step(id=1), step(id=2, depends_on=[1])]})
    assert isinstance(plan, Plan)
    assert [(item.id, item.depends_on) for item in plan.steps] == [("1", ()), ("2", ("1",))]


def test_braces_in_a_task_are_data() -> None:
    plan = compile_draft({"name": "n", "steps": [step(task="Explain {{ steps.x.output }} and {% raw %}")]})
    assert isinstance(plan, Plan)
    (made,) = plan.steps
    assert made.type == "agent"
    assert resolve(made.task, {}) == "Explain {{ steps.x.output }} and {% raw %}"


def test_characters_that_no_store_keeps_are_replaced() -> None:
    plan = compile_draft({"name": "n\x00", "steps": [step(task="a\x00b\ud800c")]})
    assert isinstance(plan, Plan)
    (made,) = plan.steps
    assert made.type == "agent"
    assert (plan.name, made.task) == ("n\ufffd", "a\ufffdb\ufffdc")


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (None, ("wrong_type", "steps")),
        ([], ("wrong_type", "steps")),
        ("text", ("wrong_type", "steps")),
        ({}, ("missing_field", "steps")),
        ({"steps": "a"}, ("wrong_type", "steps")),
        ({"steps": [step()], "name": 3}, ("wrong_type", "name")),
        ({"steps": [step()], "notes": "x"}, ("unknown_field", "notes")),
    ],
    ids=["null", "list", "text", "empty", "steps are text", "name is a number", "surplus"],
)
def test_what_is_wrong_with_the_whole_is_one_problem(draft: object, expected: tuple[str, str]) -> None:
    found = compile_draft(draft)
    assert not isinstance(found, Plan)
    assert [(problem.code, problem.field) for problem in found] == [expected]


def test_an_absent_name_is_no_problem() -> None:
    assert isinstance(compile_draft({"steps": [step()]}), Plan)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (7, ("wrong_type", None, "steps[0]")),
        (None, ("wrong_type", None, "steps[0]")),
        (without("id"), ("missing_field", None, "steps[0].id")),
        (without("agent"), ("missing_field", "a", "agent")),
        (without("task"), ("missing_field", "a", "task")),
        (without("depends_on"), ("missing_field", "a", "depends_on")),
        (step(id="two words"), ("invalid_id", "two words", "id")),
        (step(id=True), ("invalid_id", None, "steps[0].id")),
        (step(id={"x": 1}), ("invalid_id", None, "steps[0].id")),
        (step(id="-a"), ("invalid_id", "-a", "id")),
        (step(agent=3), ("wrong_type", "a", "agent")),
        (step(task=" "), ("wrong_type", "a", "task")),
        (step(task=["do", "it"]), ("wrong_type", "a", "task")),
        (step(task="x" * 20_001), ("invalid_field", "a", "task")),
        (step(agent="x" * 200), ("invalid_field", "a", "agent")),
        (step(depends_on="b"), ("wrong_type", "a", "depends_on")),
        (step(depends_on=["b c"]), ("invalid_id", "a", "depends_on")),
        (step(depends_on=[None]), ("invalid_id", "a", "depends_on")),
        (step(when="x > 1"), ("unknown_field", "a", "when")),
    ],
    ids=lambda value: "-".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_with_a_step_is_told_with_step_and_field(
    item: object, expected: tuple[str, str | None, str]
) -> None:
    assert problems(item) == [expected]


def test_all_problems_come_at_once_and_in_order() -> None:
    assert problems(step(id="x y", task=None), step(id="b", agent=1, depends_on=3, extra=0)) == [
        ("invalid_id", "x y", "id"),
        ("missing_field", "x y", "task"),
        ("unknown_field", "b", "extra"),
        ("wrong_type", "b", "agent"),
        ("wrong_type", "b", "depends_on"),
    ]


def test_a_problem_says_what_was_expected_and_found() -> None:
    found = compile_draft({"name": "n", "steps": [step(depends_on="b")]})
    assert [str(problem) for problem in found if isinstance(problem, PlanProblem)] == [
        "step 'a' depends_on: expected a list of step ids, found 'b' (write it as the schema says)"
    ]


def test_a_step_with_an_unreadable_field_still_stands_in_the_graph() -> None:
    draft = read_draft({"name": "n", "steps": [step(task=3, depends_on=["b"]), step(id="b", depends_on=["a"])]})
    assert [(item.id, item.depends_on) for item in draft.plan.steps] == [("a", ("b",)), ("b", ("a",))]
    assert len(draft.problems) == 1


KEYS = sorted({"name", *FIELDS, *(field for fields in FIELDS.values() for field in fields), "depends_on", "x"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["a", "{{ a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
LISTS = {
    name: st.lists(JSON | st.fixed_dictionaries(dict.fromkeys(fields, JSON)), max_size=4)
    for name, fields in FIELDS.items()
}


@settings(max_examples=300, deadline=None)
@given(st.one_of(JSON, st.fixed_dictionaries({"name": JSON}, optional=LISTS)))
def test_nothing_a_model_may_write_raises(data: object) -> None:
    found = compile_draft(data)
    assert isinstance(found, Plan) or (found and all(problem.message for problem in found))
    validate_plan(read_draft(data).plan, PlanPolicy(), ())


def objects(schema: object) -> list[Mapping[str, Any]]:
    if isinstance(schema, list):
        return [found for item in cast("list[object]", schema) for found in objects(item)]
    if not isinstance(schema, Mapping):
        return []
    item = cast("Mapping[str, Any]", schema)
    own = [item] if item.get("type") == "object" else []
    return own + [found for value in item.values() for found in objects(value)]


def agents(schema: object) -> list[Mapping[str, Any]]:
    """Schemas of all fields that name a specialist."""
    items = [item["properties"] for item in objects(schema)]
    single = [item["agent"] for item in items if "agent" in item]
    return single + [item["agents"]["items"] for item in items if "agents" in item]


@pytest.mark.parametrize("simple", [False, True], ids=["all kinds", "simple"])
def test_the_schema_is_what_strict_modes_take(simple: bool) -> None:
    schema = draft_schema([SpecialistCard(name="writer"), SpecialistCard(name="reader")], simple=simple)
    assert len(objects(schema)) == (2 if simple else 10)
    for item in objects(schema):
        assert item["additionalProperties"] is False
        assert list(item["required"]) == list(item["properties"])
    assert not {"anyOf", "oneOf", "$ref", "default", "pattern"} & set(json.dumps(schema).replace('"', " ").split())
    assert [one["enum"] for one in agents(schema)] == [["reader", "writer"]] * (1 if simple else 3)


def test_the_schema_has_the_lists_and_fields_that_are_read_in_their_order() -> None:
    lists = dict(cast("Mapping[str, Any]", draft_schema([])["properties"]))
    assert lists.pop("name")["type"] == "string"
    assert {name: tuple(one["items"]["properties"]) for name, one in lists.items()} == FIELDS
    assert list(lists) == list(FIELDS)
    assert list(lists)[:2] == ["conditions", "steps"]


def test_a_simple_draft_has_few_steps_and_approvals_only_where_they_are_needed() -> None:
    assert list(steps_schema([], simple=True)) == ["steps"]
    assert list(steps_schema([], simple=True, approvals=True)) == ["steps", "approvals"]
    assert cast("Mapping[str, Any]", steps_schema([], simple=True)["steps"])["maxItems"] == MOST_SIMPLE


@pytest.mark.parametrize(("count", "enums"), [(0, 0), (166, 3), (167, 1), (250, 1), (251, 0)])
def test_no_names_or_too_many_for_an_enum_leave_the_agent_free(count: int, enums: int) -> None:
    schema = draft_schema(SpecialistCard(name=f"s{number}") for number in range(count))
    assert sum("enum" in one for one in agents(schema)) == enums
