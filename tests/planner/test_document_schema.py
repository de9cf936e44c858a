"""The JSON Schema of plans agrees with what is read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import jsonschema
import pytest
import yaml
from hypothesis import given
from pydantic import JsonValue
from tests.planner.plan_strategies import examples, plans

from goalgraph import InvalidPlan, Plan
from goalgraph.planner.documents import dump_plan, parse_plan
from goalgraph.planner.documents.form_errors import fields_of
from goalgraph.planner.documents.schema import plan_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "plan.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(plan_schema())


def faults(text: str) -> list[str]:
    """What the schema says of a document; typed here, because the package's types are incomplete."""
    errors = cast("Iterable[Exception]", VALIDATOR.iter_errors(yaml.safe_load(text)))  # pyright: ignore[reportUnknownMemberType]
    return [str(error) for error in errors]


LIST = """
name: contract-intake
description: Both a name and a description
inputs: {owner: me}
coordinator: {guardrails: [{type: budget, max_cost_usd: 1}]}
steps:
  - {id: read, agent: reader, input: {file: "{{ input.file }}"}, retry: {max_attempts: 2}, timeout: 3}
  - {id: sign_off, type: human_approval, depends_on: read, prompt: "Is the brief right?", deadline: 2d}
  - {id: ask, type: human_input, prompt: x, schema: {type: string}}
  - {id: fork, type: condition, if: x, then: read, else: [ask, {id: c, task: y}]}
  - {id: wide, type: parallel, branches: [read, {id: d}, [ask, {id: e, type: wait, event: f}]]}
  - {id: each, type: map, over: "{{ input.rows }}", as: row, step: {id: g, task: h}, concurrency: 3}
  - {id: inner, type: sub_plan, plan: {steps: [{id: i}]}}
  - {id: other, type: sub_plan, plan: intake@2}
  - {id: sum, type: transform, output: [1, {a: null}]}
output: x
"""
MAPPING = """
info: {name: Reviewed article, description: x}
coordinator: {strategy: sequential, guardrails: [{type: approval, require_for: [publish]}]}
workflow:
  draft: {title: Draft it, assign: writer, constraints: [Formal tone]}
  review: {title: Review it, assign: [reviewer_a, reviewer_b], depends_on: [draft]}
  sign: {type: human_approval, title: Is it right, assign: me}
  wide: {type: parallel, branches: [{id: a, assign: b, title: c}]}
"""


def test_the_published_schema_is_current() -> None:
    """Renew it with ``python -m goalgraph.planner.documents.schema > docs/plan.schema.json``."""
    assert json.loads(PUBLISHED.read_text("utf-8")) == plan_schema()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())


def test_what_the_caller_does_with_the_schema_does_not_change_it() -> None:
    plan_schema().clear()
    assert plan_schema()["title"] == "goalgraph plan"


@pytest.mark.parametrize(
    "text", [LIST, MAPPING, "{}", "steps: []", "steps: {a: {}}"], ids=["list", "mapping", "", "a", "b"]
)
def test_good_documents_of_both_styles_are_accepted(text: str) -> None:
    assert faults(text) == []
    assert parse_plan(text)


@examples(30)
@given(plans)
def test_any_plan_that_was_written_is_accepted(plan: Plan) -> None:
    assert faults(dump_plan(plan)) == []


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "stepps: []",
        "steps: 3",
        "steps: [a]",
        "steps: [{task: x}]",
        "steps: [{id: a b}]",
        "steps: {a b: {}}",
        "steps: {a: null}",
        "steps: [{id: a, tsk: x}]",
        "steps: [{id: a, task: 3}]",
        "steps: [{id: a, type: agnt}]",
        "steps: [{id: a, type: 3}]",
        "steps: [{id: a, join: never}]",
        "steps: [{id: a, timeout: -1}]",
        "steps: [{id: a, timeout: true}]",
        "steps: [{id: a, retry: {max_attempts: 0}}]",
        "steps: [{id: a, depends_on: [b c]}]",
        "steps: [{id: a, task: x, title: y}]",
        "steps: [{id: a, agent: x, assign: y}]",
        "steps: [{id: a, agents: [x], assign: y}]",
        "steps: [{id: a, assign: []}]",
        "steps: [{id: a, type: wait, title: x}]",
        "steps: [{id: a, type: human_approval}]",
        "steps: [{id: a, type: human_approval, prompt: x, title: y}]",
        "steps: [{id: a, type: human_input, title: x, assign: [b, c]}]",
        "steps: [{id: a, type: condition}]",
        "steps: [{id: a, type: condition, if: x, then: [3]}]",
        "steps: [{id: a, type: condition, if: x, then: [{task: no id}]}]",
        "steps: [{id: a, type: parallel, branches: []}]",
        "steps: [{id: a, type: parallel, branches: [[]]}]",
        "steps: [{id: a, type: map, over: 3, step: {id: b}}]",
        "steps: [{id: a, type: map, over: x, step: {task: no id}}]",
        "steps: [{id: a, type: sub_plan, plan: {steps: [{id: b, typ: wait}]}}]",
        "steps: [{id: a, type: transform}]",
        "steps: []\nworkflow: {}",
        "info: {name: x}\nname: y",
        "info: {title: x}",
        "coordinator: {strategy: fast}",
        "coordinator: {guardrails: [{}]}",
        "coordinator: {guardrails: [{type: budget}]}",
        "coordinator: {guardrails: [{type: budget, max_cost_usd: 0}]}",
        "coordinator: {guardrails: [{type: approval, require_for: []}]}",
    ],
)
def test_bad_documents_are_refused_by_the_schema_and_by_the_reader(text: str) -> None:
    assert faults(text)
    with pytest.raises(InvalidPlan):
        parse_plan(text)


def properties_of(name: str) -> dict[str, JsonValue]:
    definitions = plan_schema()["$defs"]
    assert isinstance(definitions, dict)
    definition = definitions[name]
    assert isinstance(definition, dict)
    properties = definition["properties"]
    assert isinstance(properties, dict)
    return properties


@pytest.mark.parametrize(
    ("name", "field", "said"),
    [
        ("AgentStep", "min_confidence", "Below this confidence"),
        ("AgentStep", "depends_on", "Steps whose outcomes"),
        ("ConditionStep", "if", "Expression that decides"),
        ("Plan", "inputs", "Default values"),
    ],
)
def test_fields_are_described(name: str, field: str, said: str) -> None:
    found = properties_of(name)[field]
    assert isinstance(found, dict)
    assert str(found["description"]).startswith(said)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("agent", "AgentStep"),
        ("human_input", "HumanInputStep"),
        ("condition", "ConditionStep"),
        ("map", "MapStep"),
        ("coordinator", "Coordinator"),
        ("plan", "Plan"),
    ],
)
def test_the_schema_knows_the_fields_that_messages_suggest(owner: str, name: str) -> None:
    assert set(properties_of(name)) == set(fields_of(owner))
