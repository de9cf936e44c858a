"""Problems that are found after a document was read are located in it."""

import json

import pytest
from hypothesis import given
from tests.planner.plan_strategies import examples, plans

from goalgraph import Plan, PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.documents import dump_plan, parse_document, read_document
from goalgraph.planner.naming import ids_of

TEXT = """\
info:
  name: x
coordinator: {strategy: sequential}
workflow:
  draft: {title: Draft it, assign: [writer, editor], depends_on: read}
  fork:
    type: condition
    if: input.big
    then: [{id: big, task: x}]
    else: draft
  research:
    type: parallel
    branches:
      - - draft
        - id: web
          type: map
          over: [1, 2]
          step: {id: any, input: {a.b: {c: [1, 2]}}}
      - {id: local.files, task: x}
  inner:
    type: sub_plan
    plan:
      steps:
        - {id: deep, task: x}
output: "{{ steps.draft.output }}"
"""


def place(text: str, step: str | None, field: str | None, code: ProblemCode = "cycle") -> tuple[int | None, int | None]:
    (found,) = parse_document(text).located([PlanProblem(code=code, message="m", step=step, field=field)])
    return found.line, found.column


@pytest.mark.parametrize(
    ("step", "field", "expected"),
    [
        (None, "name", (2, 3)),
        (None, "coordinator", (3, 1)),
        (None, "coordinator.strategy", (3, 15)),
        (None, "steps", (4, 1)),
        (None, "output", (25, 1)),
        (None, "gone", (1, 1)),
        (None, None, (1, 1)),
        ("draft", None, (5, 3)),
        ("draft", "task", (5, 11)),
        ("draft", "title", (5, 11)),
        ("draft", "agents", (5, 28)),
        ("draft", "agents.1", (5, 45)),
        ("draft", "agent", (5, 28)),
        ("draft", "depends_on", (5, 54)),
        ("draft", "depends_on.0", (5, 54)),
        ("draft", "timeout", (5, 3)),
        ("draft.writer", "agent", (5, 3)),
        ("draft.approval", None, (5, 3)),
        ("fork", "if", (8, 5)),
        ("fork", "test", (8, 5)),
        ("fork", "otherwise", (10, 5)),
        ("fork.big", "task", (9, 22)),
        ("fork.big.when", None, (9, 12)),
        ("research", "branches.0", (14, 9)),
        ("research.web", None, (15, 11)),
        ("research.web", "over.1", (17, 21)),
        ("research.web[*]", None, (18, 11)),
        ("research.web[*]", "input.a.b.c.1", (18, 48)),
        ("research.web[*].x", "task", (18, 11)),
        ("research.local.files", "task", (19, 27)),
        ("inner.deep", "task", (24, 22)),
        ("inner", "plan.steps", (23, 7)),
        ("nowhere", "task", (1, 1)),
    ],
)
def test_a_problem_is_located_at_its_field_or_the_nearest_thing_that_exists(
    step: str | None, field: str | None, expected: tuple[int, int]
) -> None:
    assert place(TEXT, step, field) == expected


def test_the_second_of_two_steps_of_one_id_is_the_interesting_one() -> None:
    text = "steps:\n  - {id: a, task: x}\n  - {id: a, task: y}\n  - {id: a, task: z}\n"
    problem = PlanProblem(code="duplicate_id", message="m", step="a", field="id")
    assert [one.line for one in parse_document(text).located([problem, problem])] == [3, 4]
    assert place(text, "a", "task") == (2, 13)


def test_json_is_located_too_even_where_yaml_could_not_read_it() -> None:
    text = '{"name": "\\ud83d\\ude00",\n\t"steps": [{"id": "a",\n\t\t"task": "x, {y}: [\\"z\\"]", "agent": "b"}]}'
    assert place(text, "a", "agent") == (3, 30)


def test_problems_without_a_text_and_problems_with_a_place_stay_as_they_are() -> None:
    problem = PlanProblem(code="invalid_value", message="m", step="a")
    assert read_document({"steps": [{"id": "a"}]}).located([problem]) == (problem,)
    known = PlanProblem(code="invalid_value", message="m", step="a", line=7, column=8)
    document = parse_document("steps: [{id: a}]")
    assert document.located([known]) == (known,)
    assert document.located([known, problem])[0] == known


@examples(40)
@given(plans)
def test_every_step_of_any_plan_has_its_place(plan: Plan) -> None:
    names = list(ids_of(plan.steps))
    problems = [PlanProblem(code="invalid_value", message="m", step=name) for name in names]
    for text in (dump_plan(plan), json.dumps(json.loads(plan.model_dump_json()), indent=1)):
        lines = text.split("\n")
        found = parse_document(text).located(problems)
        assert all(one.line is not None and one.column is not None and one.line <= len(lines) for one in found)
        assert not names or found[0].line != 1 or not text.startswith("{")
