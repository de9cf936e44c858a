"""What can be wrong with each type of step, with who does it, and with the size of a plan."""

import time
from typing import Any

import pytest

from goalgraph import Plan, PlanProblem, SpecialistCard
from goalgraph.planner.validation import PlanPolicy, missing_inputs, validate_plan

CARDS = (
    SpecialistCard(name="reader", capabilities=("read", "fetch")),
    SpecialistCard(name="writer", capabilities=("write",)),
)


def problems(*steps: Any, policy: PlanPolicy | None = None, **fields: Any) -> tuple[PlanProblem, ...]:
    return validate_plan(Plan.model_validate({"steps": steps, **fields}), policy or PlanPolicy(), CARDS)


def only(*steps: Any, **fields: Any) -> PlanProblem:
    (found,) = problems(*steps, **fields)
    return found


def where(found: tuple[PlanProblem, ...]) -> list[tuple[str, str | None, str | None]]:
    return [(one.code, one.step, one.field) for one in found]


def nested(levels: int) -> dict[str, Any]:
    step: dict[str, Any] = {"id": "s", "agent": "writer"}
    for _ in range(levels - 1):
        step = {"id": "s", "type": "parallel", "branches": [step]}
    return step


def test_a_plan_of_all_types_has_no_problems() -> None:
    assert not problems(
        {"id": "a", "agents": ["reader", "writer"]},
        {"id": "b", "type": "human_approval", "prompt": "{{ steps.a.output.reader }}?", "assignee": "{{ input.who }}"},
        {
            "id": "c",
            "type": "human_input",
            "prompt": "What?",
            "schema": {"properties": {"name": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "string"}}},
        },
        {"id": "d", "type": "condition", "if": "steps.b.output.approved", "then": ["a2"], "else": []},
        {"id": "a2", "requires": ["write"], "task": "for {{ steps.c.output.name }}"},
        {"id": "e", "type": "map", "over": "{{ input.rows }}", "as": "row", "step": nested(2)},
        {"id": "f", "type": "wait", "event": "paid", "timeout": 60},
        {"id": "g", "type": "sub_plan", "plan": {"steps": [nested(1)], "output": "{{ steps.s.output }}"}},
        {"id": "h", "type": "transform", "output": ["{{ steps.e.output[0].s }}", "{{ range(3) }}", "{{ now() }}"]},
    )


@pytest.mark.parametrize("levels", [16, 17, 400])
def test_steps_may_stand_inside_of_each_other_so_far_and_no_further(levels: int) -> None:
    step: Any = Plan.model_validate({"steps": [nested(2)]}).steps[0]
    for _ in range(levels - 2):
        step = step.model_copy(update={"branches": (step,)})
    found = validate_plan(Plan.model_construct(steps=(step,)), PlanPolicy(max_steps=1000), CARDS)
    assert where(found) == ([] if levels == 16 else [("too_deep", ".".join(["s"] * 17), None)])


def test_steps_inside_of_steps_count() -> None:
    inner = {"id": "p", "type": "parallel", "branches": ["a", {"id": "b", "agent": "writer"}]}
    steps = [
        {"id": "a", "agent": "writer"},
        inner,
        {"id": "s", "type": "sub_plan", "plan": {"steps": [{"id": "x", "agent": "writer"}]}},
        {"id": "m", "type": "map", "over": [1], "step": {"id": "y", "agent": "writer"}},
    ]
    assert not problems(*steps, policy=PlanPolicy(max_steps=6))
    found = only(*steps, policy=PlanPolicy(max_steps=5))
    assert (found.code, found.message) == ("too_many_steps", "at most 5 steps are allowed, found 6")


def test_a_small_plan_that_multiplies_into_a_huge_one_is_refused_at_once() -> None:
    plan = Plan.model_validate({"steps": [{"id": "a", "agent": "writer"}]})
    for _ in range(14):
        (step,) = Plan.model_validate({"steps": [{"id": "a", "type": "sub_plan", "plan": "x"}]}).steps
        step = step.model_copy(update={"plan": plan})
        plan = Plan(steps=tuple(step.model_copy(update={"id": f"s{number}"}) for number in range(10)))
    began = time.perf_counter()
    (found,) = validate_plan(plan, PlanPolicy(), CARDS)
    assert (found.code, found.message) == ("too_many_steps", "at most 200 steps are allowed, found far more")
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Writer", "did you mean 'writer'? capital and small letters differ"),
        ("wrіter", "looks like 'writer' but differs in character U+0456"),
        ("ｗriter", "looks like 'writer' but differs in character U+FF57"),
        ("writer\u200b", "looks like 'writer' but differs in character U+200B"),
        ("writre", "did you mean 'writer'?"),
        ("painter of pictures", "there are: reader, writer"),
    ],
)
@pytest.mark.parametrize("field", ["agent", "agents", "fallback"])
def test_a_specialist_that_is_almost_there_is_named(name: str, hint: str, field: str) -> None:
    forms: dict[str, dict[str, Any]] = {
        "agent": {"agent": name},
        "agents": {"agents": ["reader", name]},
        "fallback": {"agent": "reader", "fallback": [name]},
    }
    found = only({"id": "a", **forms[field]})
    assert (found.code, found.step, found.field, found.hint) == ("unknown_specialist", "a", field, hint)


def test_several_specialists_are_named_once_and_alone() -> None:
    found = problems(
        {"id": "a", "agents": ["writer", "writer"]},
        {"id": "b", "agents": ["writer"], "agent": "reader", "requires": ["write"], "fallback": ["reader"]},
    )
    assert where(found) == [
        ("duplicate_agent", "a", "agents"),
        ("conflicting_fields", "b", "agents"),
        ("conflicting_fields", "b", "requires"),
        ("conflicting_fields", "b", "fallback"),
    ]


def test_a_specialist_that_the_policy_leaves_out_is_not_available() -> None:
    policy = PlanPolicy(available=frozenset(("reader",)))
    found = problems({"id": "a", "agent": "writer"}, {"id": "b", "requires": ["write"]}, policy=policy)
    assert where(found) == [("unknown_specialist", "a", "agent"), ("missing_capability", "b", "requires")]
    assert found[0].message == "the specialist 'writer' is not available here"
    assert not problems({"id": "a", "agent": "reader"}, policy=policy)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({}, "missing_field", "duration"),
        ({"duration": 1, "event": "paid"}, "conflicting_fields", "event"),
        ({"duration": 1, "until": "2030-01-01"}, "conflicting_fields", "until"),
        ({"duration": 1, "timeout": 2}, "conflicting_fields", "timeout"),
    ],
)
def test_a_wait_is_for_one_thing(fields: dict[str, Any], code: str, field: str) -> None:
    assert where(problems({"id": "w", "type": "wait", **fields})) == [(code, "w", field)]


@pytest.mark.parametrize("name", ["input", "steps", "index", "now", "range", "true", "False", "and", "else"])
def test_an_item_is_not_called_what_expressions_call_something_else(name: str) -> None:
    found = only({"id": "m", "type": "map", "over": [1], "as": name, "step": {"id": "x", "agent": "writer"}})
    assert (found.code, found.step, found.field) == ("invalid_value", "m", "as")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"properties": []},
        {"properties": {"a": {"pattern": "("}}},
        {"$ref": "https://example.com/schema.json"},
        {"items": [{"$ref": "file:///etc/passwd"}]},
        {"properties": {"a": {"$ref": "#/$defs/gone"}}},
        {"allOf": [{"$dynamicRef": "other.json#x"}]},
    ],
    ids=repr,
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any]) -> None:
    found = only({"id": "h", "type": "human_input", "prompt": "What?", "schema": schema})
    assert (found.code, found.step, found.field) == ("invalid_schema", "h", "schema")
    assert "\n" not in found.message


def test_what_only_looks_like_a_reference_in_a_schema_is_none() -> None:
    schema = {"properties": {"$ref": {"const": {"$ref": "x"}}, "a": {"$ref": "#/properties/$ref"}, "b": {"$ref": "#"}}}
    assert not problems({"id": "h", "type": "human_input", "prompt": "What?", "schema": schema})


def test_a_schema_as_deep_as_a_plan_can_hold_is_checked() -> None:
    schema: dict[str, Any] = {}
    for _ in range(180):
        schema = {"not": schema}
    found = problems({"id": "h", "type": "human_input", "prompt": "What?", "schema": schema})
    assert {one.code for one in found} <= {"invalid_schema"}


def test_plans_inside_of_plans_are_looked_up_whole_and_leave_the_run_alone() -> None:
    coordinator = {"strategy": "sequential", "guardrails": [{"type": "budget", "max_cost_usd": 1.0}]}
    steps = [{"id": "x", "agent": "writer"}]
    found = problems(
        {"id": "a", "type": "sub_plan", "plan": "intake@2"},
        {"id": "b", "type": "sub_plan", "plan": {"steps": []}},
        {"id": "c", "type": "sub_plan", "plan": {"steps": steps, "coordinator": coordinator}},
        {"id": "m", "type": "map", "over": [1], "step": {"id": "s", "type": "sub_plan", "plan": "gone"}},
    )
    assert where(found) == [
        ("unknown_plan", "a", "plan"),
        ("no_steps", "b", "plan.steps"),
        ("nested_coordinator", "c", "plan.coordinator.strategy"),
        ("nested_coordinator", "c", "plan.coordinator.guardrails"),
        ("unknown_plan", "m[*]", "plan"),
    ]


def test_problems_are_in_the_order_of_the_plan_and_of_the_fields() -> None:
    found = problems(
        {
            "id": "p",
            "type": "parallel",
            "depends_on": ["gone"],
            "branches": [
                {"id": "b", "agent": "nobody", "when": "1 +", "input": {"x": "{{ y }}"}, "depends_on": ["no"]},
                [{"id": "a", "type": "map", "over": "{{", "step": {"id": "i", "agent": "none"}}],
            ],
        },
        {"id": "q", "type": "sub_plan", "plan": {"steps": [{"id": "r"}], "output": "{{ steps.z.output }}"}},
        output="{{ z }}",
    )
    assert where(found) == [
        ("unknown_name", None, "output"),
        ("unknown_dependency", "p", "depends_on"),
        ("unknown_dependency", "p.b", "depends_on"),
        ("bad_expression", "p.b", "when"),
        ("unknown_specialist", "p.b", "agent"),
        ("unknown_name", "p.b", "input"),
        ("bad_expression", "p.a", "over"),
        ("unknown_specialist", "p.a[*]", "agent"),
        ("unknown_reference", "q", "plan.output"),
        ("no_specialist", "q.r", "agent"),
    ]
    assert found[8].message == "an expression names a step 'z' that the plan does not have"


def test_ten_thousand_unknown_names_are_told_at_once() -> None:
    steps = [{"id": f"s{number}", "agent": "writer", "depends_on": [f"t{number}"]} for number in range(10_000)]
    began = time.perf_counter()
    assert len(problems(*steps, policy=PlanPolicy(max_steps=20_000))) == 10_000
    assert time.perf_counter() - began < 20


def test_inputs_without_value_or_default_are_missing_at_their_first_use() -> None:
    template = {"id": "x", "agent": "writer", "input": {"a": "{{ input.each }} {{ item }}"}}
    plan = Plan.model_validate(
        {
            "inputs": {"there": 1},
            "steps": [
                {"id": "a", "agent": "writer", "when": "input.first", "input": {"x": "{{ input.there }}"}},
                {"id": "b", "agent": "writer", "input": {"x": "{{ input.first }} {{ input.given | default(0) }}"}},
                {"id": "m", "type": "map", "over": "{{ input.rows }}", "step": template},
                {
                    "id": "s",
                    "type": "sub_plan",
                    "input": {"own": "{{ input.outer }}"},
                    "plan": {"steps": [{"id": "t", "agent": "writer", "task": "{{ input.own }}"}]},
                },
                {"id": "p", "type": "parallel", "when": "input.gate", "branches": ["a"]},
            ],
            "output": "{{ input.first }} {{ input.last }}",
        }
    )
    found = missing_inputs(plan, {"rows": [1]})
    assert [(one.step, one.field, one.message.split("'")[1]) for one in found] == [
        ("a", "when", "first"),
        ("m[*]", "input", "each"),
        ("s", "input", "outer"),
        ("p", "when", "gate"),
        (None, "output", "last"),
    ]
    assert {one.code for one in found} == {"missing_input"}
    assert not missing_inputs(plan, dict.fromkeys(("first", "each", "outer", "gate", "last", "rows")))


def test_what_the_caller_changes_later_does_not_change_the_plan() -> None:
    data: dict[str, Any] = {"a": {"b": [1]}}
    fields: tuple[dict[str, Any], ...] = (
        {"id": "a", "agent": "writer", "input": data},
        {"id": "h", "type": "human_input", "prompt": "?", "schema": data},
        {"id": "m", "type": "map", "over": data["a"]["b"], "step": {"id": "x", "agent": "writer", "input": data}},
        {"id": "p", "type": "parallel", "branches": ["a"], "output": data},
        {"id": "s", "type": "sub_plan", "plan": {"inputs": data, "steps": []}, "input": data},
        {"id": "t", "type": "transform", "output": data},
    )
    plan = Plan.model_validate({"inputs": data, "steps": fields, "output": data})
    before = plan.model_dump_json()
    data["a"]["b"].append(2)
    data["new"] = True
    assert plan.model_dump_json() == before
