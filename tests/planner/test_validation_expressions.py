"""What expressions may name, checked before anything runs."""

import time
from typing import Any

import pytest

from goalgraph import Plan, PlanProblem, SpecialistCard
from goalgraph.planner.validation import PlanPolicy, validate_plan

TABLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
        "maybe": {"anyOf": [{"type": "object", "properties": {"x": {}}}, {"type": "null"}]},
    },
    "$defs": {"row": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
CARDS = (
    SpecialistCard(name="reader", output_schema=TABLE),
    SpecialistCard(name="writer"),
    SpecialistCard(name="other", output_schema={"type": "object", "properties": {"summary": {}}}),
)


def problems(*steps: Any, **fields: Any) -> tuple[PlanProblem, ...]:
    return validate_plan(Plan.model_validate({"steps": steps, **fields}), PlanPolicy(), CARDS)


def only(*steps: Any, **fields: Any) -> PlanProblem:
    (found,) = problems(*steps, **fields)
    return found


def asked(expression: str, *before: Any) -> tuple[PlanProblem, ...]:
    """Problems of a last step that uses an expression."""
    return problems(*before, {"id": "end", "agent": "writer", "input": {"x": f"{{{{ {expression} }}}}"}})


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("steps.raed.output", "did you mean 'read'?"),
        ("steps.Read.output", "did you mean 'read'? capital and small letters differ"),
        ("steps['réad'].output", "did you mean 'read'?"),
        ("steps.two.output", "write steps['two-words'], as '-' is a minus in expressions"),
        ("steps.two-words.output", "write steps['two-words'], as '-' is a minus in expressions"),
        ("steps.zzz.output", "name a step of this plan"),
    ],
)
def test_a_step_that_is_not_there_is_unknown(expression: str, hint: str) -> None:
    (found,) = asked(expression, {"id": "read", "agent": "reader"}, {"id": "two-words", "agent": "reader"})
    assert (found.code, found.step, found.field, found.hint) == ("unknown_reference", "end", "input", hint)


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("os.environ", "there are: input, steps, now, range; text stands in quotes"),
        ("inptu.x", "did you mean 'input'?"),
        ("read.output", "write steps.read.output"),
        ("item", "there are: input, steps, now, range; text stands in quotes"),
        ("words", "write steps['two-words'], as '-' is a minus in expressions"),
    ],
)
def test_a_name_that_is_nothing_is_unknown(expression: str, hint: str) -> None:
    (found,) = asked(expression, {"id": "read", "agent": "reader"}, {"id": "two-words", "agent": "reader"})
    assert (found.code, found.step, found.field, found.hint) == ("unknown_name", "end", "input", hint)


@pytest.mark.parametrize("name", ["input.x", "now()", "range(3)", "steps.read.status", "none", "true and false"])
def test_names_that_mean_something_are_known(name: str) -> None:
    assert not asked(name, {"id": "read", "agent": "reader"})


def test_an_item_has_a_name_inside_of_its_map_alone() -> None:
    inner = {"id": "y", "agent": "writer", "task": "{{ row }} {{ cell }} {{ index }} {{ steps.a.output }}"}
    middle = {"id": "x", "type": "map", "over": "{{ row.cells }}", "as": "cell", "step": inner}
    outer = {"id": "m", "type": "map", "over": "{{ steps.a.output.rows }}", "as": "row", "step": middle}
    read = {"id": "a", "agent": "reader"}
    assert not problems(read, outer)
    found = problems(read, outer, {"id": "z", "agent": "writer", "when": "row and index"})
    assert [(one.code, one.step) for one in found] == [("unknown_name", "z")] * 2
    found = problems(
        read, {**outer, "over": "{{ row }}"}, {**outer, "id": "n", "step": {**middle, "over": "{{ cell }}"}}
    )
    assert [(one.code, one.step, one.field) for one in found] == [
        ("unknown_name", "m", "over"),
        ("unknown_name", "n[*]", "over"),
    ]


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("steps.read.outptu", "found steps.read.outptu", "did you mean 'output'?"),
        ("steps.read.text", "found steps.read.text", "write steps.read.output.text"),
        ("steps.read['a b']", "found steps.read['a b']", "write steps.read.output['a b']"),
        ("steps.read.status.x", "steps.read.status has no field 'x'", "end the reference at steps.read.status"),
        ("steps.read.output.txt", "steps.read.output has no field 'txt'", "did you mean 'text'?"),
        ("steps.read.output.zzz", "steps.read.output has no field 'zzz'", "there are: text, rows, maybe"),
        ("steps.read.output.rows[0].nmae", "steps.read.output.rows[0] has no field 'nmae'", "did you mean 'name'?"),
        ("steps.read.output.rows.name", "steps.read.output.rows has no field 'name'", "end the reference"),
        ("steps.read.output.maybe.y", "steps.read.output.maybe has no field 'y'", "there are: x"),
        ("steps.read.output[0]", "steps.read.output has no field 0", "there are: text, rows, maybe"),
        ("steps.yes.output.aproved", "steps.yes.output has no field 'aproved'", "did you mean 'approved'?"),
        ("steps.fork.output.x", "steps.fork.output has no field 'x'", "end the reference"),
        ("steps.form.output.nam", "steps.form.output has no field 'nam'", "did you mean 'name'?"),
        ("steps.sum.output.totl", "steps.sum.output has no field 'totl'", "did you mean 'total'?"),
        ("steps.sum.output.list[2]", "steps.sum.output.list has no place 2", "end the reference"),
        ("steps.both.output.one", "steps.both.output has no field 'one'", "there are: read, b"),
        ("steps.both.output.read.txt", "steps.both.output.read has no field 'txt'", "did you mean 'text'?"),
        ("steps.own.output.x", "steps.own.output has no field 'x'", "there are: all"),
        ("steps.team.output.redaer", "steps.team.output has no field 'redaer'", "did you mean 'reader'?"),
        ("steps.each.output.length", "steps.each.output has no field 'length'", "end the reference"),
        ("steps.each.output[3].sumary", "steps.each.output[3] has no field 'sumary'", "did you mean 'summary'?"),
        ("steps.nap.output.x", "steps.nap.output has no field 'x'", "end the reference"),
        ("steps.sub.output.reslt", "steps.sub.output has no field 'reslt'", "did you mean 'result'?"),
        ("steps.sub.inside.output", "found steps.sub.inside", "write steps.sub.output.inside"),
        ("steps.tries.output.zzz", "steps.tries.output has no field 'zzz'", "there are: summary"),
    ],
)
def test_a_field_that_cannot_be_there_is_unknown(expression: str, message: str, hint: str) -> None:
    steps: tuple[dict[str, Any], ...] = (
        {"id": "read", "agent": "reader"},
        {"id": "yes", "type": "human_approval", "prompt": "Yes?"},
        {"id": "fork", "type": "condition", "if": "true"},
        {"id": "form", "type": "human_input", "prompt": "Who?", "schema": {"properties": {"name": {}}}},
        {"id": "sum", "type": "transform", "output": {"total": "{{ 1 }}", "list": [1, "a {{ 1 }}"]}},
        {"id": "both", "type": "parallel", "branches": ["read", {"id": "b", "agent": "writer"}]},
        {"id": "own", "type": "parallel", "branches": ["read"], "output": {"all": "{{ steps.read.output }}"}},
        {"id": "team", "agents": ["reader", "writer"]},
        {"id": "each", "type": "map", "over": [1], "step": {"id": "x", "agent": "other"}},
        {"id": "nap", "type": "wait", "duration": 1},
        {
            "id": "sub",
            "type": "sub_plan",
            "plan": {"steps": [{"id": "inside", "agent": "writer"}], "output": {"result": 1}},
        },
        {"id": "tries", "agent": "other", "fallback": ["other"]},
    )
    (found,) = asked(expression, *steps)
    assert (found.code, found.step, found.field) == ("unknown_field", "end", "input")
    assert message in found.message
    assert found.hint.startswith(hint)


@pytest.mark.parametrize(
    "expression",
    [
        "steps.read.output.rows[0].name",
        "steps.read.output.rows | length",
        "steps.read.output.text[0]",
        "steps.read.output.zzz | default('none')",
        "steps.read.output.zzz is defined",
        "steps.write.output.anything[0].at.all",
        "steps.tries.output.text",
        "steps.tries.output.summary",
        "steps.sum.output.any.thing",
        "steps.each.output[3].x",
        "steps.event.output.x",
        "steps['read']['output']['text']",
        "steps.read.error",
        "steps.read",
    ],
)
def test_a_field_that_may_be_there_is_let_pass(expression: str) -> None:
    assert not asked(
        expression,
        {"id": "read", "agent": "reader"},
        {"id": "write", "agent": "writer"},
        {"id": "tries", "agent": "reader", "fallback": ["other"]},
        {"id": "sum", "type": "transform", "output": {"any": "{{ steps.write.output }}"}},
        {"id": "each", "type": "map", "over": [1], "step": {"id": "x", "agent": "writer"}},
        {"id": "event", "type": "wait", "event": "paid"},
    )


def test_a_list_that_changes_with_the_time_is_refused() -> None:
    step = {"id": "x", "agent": "writer"}
    found = only({"id": "m", "type": "map", "over": "{{ [now()] }}", "step": step})
    assert (found.code, found.step, found.field) == ("unstable_list", "m", "over")


def test_names_inside_of_groups_are_found_from_the_inside_out() -> None:
    plan = {
        "id": "g",
        "type": "parallel",
        "branches": [
            [{"id": "a", "agent": "reader"}, {"id": "b", "agent": "writer", "task": "{{ steps.a.output.text }}"}],
            {"id": "c", "agent": "writer", "task": "{{ steps.g.a.output.rows }} {{ steps.z.output }}"},
        ],
    }
    assert not problems(plan, {"id": "z", "agent": "writer"})
    found = only(plan, {"id": "z", "agent": "writer"}, {"id": "e", "agent": "writer", "when": "steps.a.output"})
    assert (found.code, found.step) == ("unknown_reference", "e")


def test_a_plan_inside_of_another_has_names_and_inputs_of_its_own() -> None:
    inner = {"id": "i", "agent": "writer", "task": "{{ input.a }} {{ input.b }} {{ input.c | default(0) }}"}
    sub = {"id": "s", "type": "sub_plan", "plan": {"steps": [inner], "inputs": {"a": 1}}}
    found = only({"id": "o", "agent": "writer"}, sub)
    assert (found.code, found.step, found.field) == ("missing_input", "s", "input")
    assert "'b'" in found.message
    assert not problems({"id": "o", "agent": "writer"}, {**sub, "input": {"b": "{{ steps.o.output }}"}})
    inner = {**inner, "task": "{{ steps.o.output }} {{ steps.I.output }}"}
    found_all = problems(
        {"id": "o", "agent": "writer"}, {**sub, "plan": {"steps": [inner]}}, output="{{ steps.i.output }}"
    )
    assert [(one.code, one.step, one.hint) for one in found_all] == [
        ("unknown_reference", None, "name a step of this plan"),
        ("unknown_reference", "s.i", "did you mean 'i'? capital and small letters differ"),
        ("unknown_reference", "s.i", "name a step of this plan"),
    ]
    assert only(sub | {"input": {"b": 1}}, output="{{ steps['s.i'].output }}").code == "unknown_reference"


@pytest.mark.parametrize(
    "steps",
    [
        [{"id": "a", "agents": ["reader", "writer"], "when": "steps.a.output"}],
        [{"id": "a", "type": "parallel", "when": "steps.a.output", "branches": [{"id": "b", "agent": "writer"}]}],
        [
            {
                "id": "a",
                "type": "map",
                "over": [1],
                "step": {"id": "b", "agent": "writer", "task": "{{ steps.a.output }}"},
            }
        ],
        [{"id": "a", "type": "transform", "output": "{{ steps.a.output }}"}],
    ],
    ids=lambda steps: str(steps[0].get("type")),
)
def test_a_step_cannot_use_its_own_outcome(steps: list[Any]) -> None:
    assert "self_dependency" in {one.code for one in problems(*steps)}


@pytest.mark.parametrize(
    "expression",
    [
        "x.__class__",
        "input.x.__class__",
        "9**9**9",
        "1 / 0",
        "'a'*10**9",
        "unclosed",
        "(" * 5_000 + "1" + ")" * 5_000,
        "range(10**9) | map('upper') | join",
        "[" * 300 + "]" * 300,
        "-" * 100_000 + "1",
    ],
    ids=lambda text: text[:20],
)
def test_harmful_expressions_are_refused_quickly_before_anything_runs(expression: str) -> None:
    text = "{{ unclosed" if expression == "unclosed" else f"{{{{ {expression} }}}}"
    began = time.perf_counter()
    (found,) = problems({"id": "a", "agent": "writer", "input": {"x": text}})
    assert time.perf_counter() - began < 0.5
    assert (found.step, found.field) == ("a", "input")
    assert found.code == "bad_expression"
