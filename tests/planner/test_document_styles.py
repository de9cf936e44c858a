"""The two styles in which people write plans mean the same."""

from typing import cast

import pytest

from goalgraph import AgentStep, InvalidPlan, Plan
from goalgraph.planner.documents import load_plan, parse_plan
from goalgraph.planner.plan import (
    ApprovalGuardrail,
    BudgetGuardrail,
    ConditionStep,
    Coordinator,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    SubPlanStep,
    TimeoutGuardrail,
)

LIST = """
name: contract-intake
steps:
  - {id: read, type: agent, agent: reader, input: {file: "{{ input.file }}"}}
  - {id: brief, type: agent, agent: writer, depends_on: [read], input: {text: "{{ steps.read.output.text }}"}}
  - {id: sign_off, type: human_approval, depends_on: [brief], prompt: "Is the brief right?",
     assignee: "{{ input.owner }}"}
  - {id: publish, type: agent, agent: publisher, depends_on: [sign_off],
     input: {brief: "{{ steps.brief.output.summary }}"}}
"""
MAPPING = """
info: {name: "Reviewed article"}
coordinator:
  id: desk
  strategy: sequential
  guardrails:
    - {type: budget, max_cost_usd: 10.0}
    - {type: timeout, max_seconds: 600}
    - {type: approval, require_for: [publish]}
workflow:
  draft: {title: "Draft it", assign: writer, constraints: ["Formal tone", "Under 1000 words"]}
  review: {title: "Review it", assign: [reviewer_a, reviewer_b], depends_on: [draft]}
  publish: {title: "Publish it", assign: publisher, depends_on: [review]}
"""


def test_a_list_of_steps_is_a_plan() -> None:
    assert parse_plan(LIST) == Plan(
        name="contract-intake",
        steps=(
            AgentStep(id="read", agent="reader", input={"file": "{{ input.file }}"}),
            AgentStep(id="brief", agent="writer", depends_on=("read",), input={"text": "{{ steps.read.output.text }}"}),
            HumanApprovalStep(
                id="sign_off", depends_on=("brief",), prompt="Is the brief right?", assignee="{{ input.owner }}"
            ),
            AgentStep(
                id="publish",
                agent="publisher",
                depends_on=("sign_off",),
                input={"brief": "{{ steps.brief.output.summary }}"},
            ),
        ),
    )


def test_a_workflow_by_id_is_a_plan() -> None:
    assert parse_plan(MAPPING) == Plan(
        name="Reviewed article",
        coordinator=Coordinator(
            id="desk",
            strategy="sequential",
            guardrails=(
                BudgetGuardrail(max_cost_usd=10),
                TimeoutGuardrail(max_seconds=600),
                ApprovalGuardrail(require_for=("publish",)),
            ),
        ),
        steps=(
            AgentStep(id="draft", task="Draft it", agent="writer", constraints=("Formal tone", "Under 1000 words")),
            AgentStep(id="review", task="Review it", agents=("reviewer_a", "reviewer_b"), depends_on=("draft",)),
            AgentStep(id="publish", task="Publish it", agent="publisher", depends_on=("review",)),
        ),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("steps: {a: {task: x}}", Plan(steps=(AgentStep(id="a", task="x"),))),
        ("workflow: [{id: a, title: x}]", Plan(steps=(AgentStep(id="a", task="x"),))),
        ("steps: {1: {id: '1'}}", Plan(steps=(AgentStep(id="1"),))),
        ("info: {description: d}\nname: n", Plan(name="n", description="d")),
        ("steps: {a: {assign: [x]}}", Plan(steps=(AgentStep(id="a", agent="x"),))),
        ("steps: {a: {depends_on: b}}", Plan(steps=(AgentStep(id="a", depends_on=("b",)),))),
        (
            "steps: {a: {type: human_approval, title: x, assign: [me]}}",
            Plan(steps=(HumanApprovalStep(id="a", prompt="x", assignee="me"),)),
        ),
        (
            "steps: {a: {type: human_input, title: x, assign: me, schema: {type: string}}}",
            Plan(steps=(HumanInputStep(id="a", prompt="x", assignee="me", answer_schema={"type": "string"}),)),
        ),
        (
            "steps: {a: {type: condition, if: x, then: b, else: [{id: c, assign: d}]}}",
            Plan(steps=(ConditionStep(id="a", test="x", then=("b",), otherwise=(AgentStep(id="c", agent="d"),)),)),
        ),
        (
            "steps: {a: {type: parallel, branches: [b, {id: c, title: d}, [e, {id: f, assign: [g, h]}]]}}",
            Plan(
                steps=(
                    ParallelStep(
                        id="a",
                        branches=("b", AgentStep(id="c", task="d"), ("e", AgentStep(id="f", agents=("g", "h")))),
                    ),
                )
            ),
        ),
        (
            "steps: {a: {type: map, over: [1], as: row, step: {id: b, title: c}}}",
            Plan(steps=(MapStep(id="a", over=[1], variable="row", step=AgentStep(id="b", task="c")),)),
        ),
        (
            "steps: {a: {type: sub_plan, plan: {info: {name: n}, workflow: {b: {assign: c}}}}}",
            Plan(steps=(SubPlanStep(id="a", plan=Plan(name="n", steps=(AgentStep(id="b", agent="c"),))),)),
        ),
    ],
    ids=str,
)
def test_every_way_of_writing_has_its_meaning(written: str, meant: Plan) -> None:
    assert parse_plan(written) == meant


def test_names_of_python_are_understood_in_mappings() -> None:
    step = {"id": "a", "type": "condition", "test": "x", "otherwise": "b"}
    assert load_plan({"steps": [step]}).steps[0] == ConditionStep(id="a", test="x", otherwise=("b",))


@pytest.mark.parametrize(
    ("text", "step", "field"),
    [
        ("info: {name: a}\nname: b", None, "info.name"),
        ("steps: []\nworkflow: {}", None, "workflow"),
        ("workflow: {}\nsteps: []", None, "steps"),
        ("steps: {a: {task: x, title: y}}", "a", "title"),
        ("steps: {a: {title: y, task: x}}", "a", "title"),
        ("steps: {a: {agent: x, assign: y}}", "a", "assign"),
        ("steps: {a: {agent: x, assign: [y, z]}}", "a", "assign"),
        ("steps: {a: {agents: [x], assign: y}}", "a", "assign"),
        ("steps: {a: {type: human_input, prompt: x, title: y}}", "a", "title"),
        ("steps: {a: {type: human_approval, prompt: x, assignee: y, assign: z}}", "a", "assign"),
        ("steps: {a: {type: sub_plan, plan: {steps: {b: {task: x, title: y}}}}}", "a.b", "title"),
    ],
)
def test_the_same_thing_said_in_two_styles_is_refused(text: str, step: str | None, field: str) -> None:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(text)
    (found,) = caught.value.problems
    assert (found.code, found.step, found.field) == ("conflicting_fields", step, field)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workflow:\n  a:\n    title: 3", ("wrong_type", "a", "title", 3, 5)),
        ("workflow:\n  a:\n    assign: 3", ("wrong_type", "a", "assign", 3, 5)),
        ("workflow:\n  a:\n    assign: [b, 3]", ("wrong_type", "a", "assign.1", 3, 17)),
        ("workflow:\n  a:\n    assign: []", ("invalid_value", "a", "assign", 3, 5)),
        ("workflow:\n  a:\n    id: b", ("invalid_id", "a", "id", 3, 5)),
        ("workflow:\n  a b: {}", ("invalid_id", "a b", "id", 2, 3)),
        ("workflow:\n  a:\n", ("wrong_type", "a", None, 2, 3)),
        ("info:\n  name: 3", ("wrong_type", None, "info.name", 2, 3)),
        ("info: x", ("wrong_type", None, "info", 1, 1)),
        ("workflow:\n  a: {type: wait, title: x}", ("unknown_field", "a", "title", 2, 19)),
        ("workflow:\n  a: {type: human_input, assign: [b, c], title: x}", ("wrong_type", "a", "assign", 2, 26)),
    ],
)
def test_problems_name_fields_as_they_are_written(text: str, expected: tuple[object, ...]) -> None:
    with pytest.raises(InvalidPlan) as caught:
        parse_plan(text)
    (found,) = caught.value.problems
    assert (found.code, found.step, found.field, found.line, found.column) == expected


def test_the_data_of_the_caller_stays_as_it_was() -> None:
    data = {"workflow": {"a": {"title": "x", "assign": ["b", "c"], "depends_on": "d"}}}
    before = repr(data)
    assert cast("AgentStep", load_plan(data).steps[0]).agents == ("b", "c")
    assert repr(data) == before
