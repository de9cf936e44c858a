from collections.abc import Mapping
from typing import Any, cast

import pytest
from tests.planner.drafted import approval, compiled, draft, each, fork, pause, question, team, value, work

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.draft import as_draft, compile_draft, problems_as_drafted
from goalgraph.planner.plan import (
    AgentStep,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    Retry,
    Step,
    SubPlanStep,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.validation import PlanPolicy, validate_plan

CARDS = (SpecialistCard(name="reader"), SpecialistCard(name="writer"))
FIELDS = [{"field": "who", "type": "text", "description": "Name"}]


def shown(step: Step) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", as_draft(Plan(name="n", steps=(step,))))


def test_a_plan_out_of_a_draft_is_that_draft_again() -> None:
    data = draft(
        [work("a"), work("b", "a", task="Explain {{ x }} and {{{ y }}."), work("c", "ok")],
        conditions=[fork(["v"], [], "a")],
        teams=[team(follows=["a"]), team(id="t2", agents=[], capabilities=["law"])],
        maps=[each(each="Read {{ item }} but not {{ x }} nor {{{ item.y }}."), each(id="m2", each="Read it.")],
        approvals=[approval("ok", "b", question="Send {{ it }}?")],
        questions=[question(), question(id="q2", fields=FIELDS)],
        waits=[pause(), pause(id="w2", value="paid") | {"for": "event"}],
        transforms=[value()],
    )
    plan = compile_draft(data)
    assert isinstance(plan, Plan)
    found = as_draft(plan)
    assert "others" not in found
    assert compile_draft(found) == plan
    assert found["steps"] == data["steps"]
    assert found["approvals"] == data["approvals"]


def test_lists_without_items_are_left_out() -> None:
    assert as_draft(Plan(name="n", steps=compiled([work()]))) == {"name": "n", "steps": [work()]}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (AgentStep(id="a", agent="x", task="t", timeout=3.0), "step 'a' has also {\"timeout\": 3.0}"),
        (
            AgentStep(id="a", agent="x", task="t", when="input.y", retry=Retry(max_attempts=2)),
            'step \'a\' has also {"when": "input.y", "retry": {"max_attempts": 2}}',
        ),
        (AgentStep(id="a", agent="x", task="t", requires=("law",)), 'step \'a\' has also {"requires": ["law"]}'),
        (HumanApprovalStep(id="a", prompt="p", deadline="2h"), 'step \'a\' has also {"deadline": "2h"}'),
        (WaitStep(id="a", event="paid", timeout=9.0), "step 'a' has also {\"timeout\": 9.0}"),
        (
            HumanInputStep(id="a", prompt="p", answer_schema={"enum": ["x"]}),
            'step \'a\' has also {"schema": {"enum": ["x"]}}',
        ),
        (
            MapStep(id="a", over="{{ input.x }}", step=AgentStep(id="e", agent="x", task="t"), concurrency=2),
            "step 'a' has also {\"concurrency\": 2}",
        ),
    ],
    ids=["timeout", "when", "requires", "deadline", "wait", "schema", "map"],
)
def test_what_a_step_has_beside_the_form_is_told_as_text(step: Step, said: str) -> None:
    found = shown(step)
    assert found["others"] == [said]
    assert [one["id"] for name, items in found.items() if name not in ("name", "others") for one in items] == ["a"]


@pytest.mark.parametrize(
    "step",
    [
        ParallelStep(id="a", branches=("x", "y")),
        SubPlanStep(id="a", plan="intake"),
        TransformStep(id="a", output={"x": 1}),
        MapStep(id="a", over=[1, 2], step=AgentStep(id="e", agent="x", task="t")),
        MapStep(id="a", over="{{ input.x }}", step=AgentStep(id="e", agent="x", task="t", input={"x": 1})),
        MapStep(id="a", over="{{ input.x }}", step=TransformStep(id="e", output="{{ item }}")),
        ConditionStep(id="a", test="input.x", then=(AgentStep(id="b", agent="x", task="t"),)),
    ],
    ids=lambda step: step.type,
)
def test_a_step_without_a_form_is_told_whole(step: Step) -> None:
    found = shown(step)
    assert set(found) == {"name", "others"}
    (said,) = found["others"]
    assert said.startswith("step 'a' is {")
    assert f'"type": "{step.type}"' in said


def test_what_the_plan_says_of_itself_is_told_as_text() -> None:
    plan = Plan(name="n", inputs={"x": 1}, output="{{ steps.a.output }}", steps=compiled([work()]))
    assert as_draft(plan)["others"] == [
        'the plan has {"inputs": {"x": 1}}',
        'the plan has {"output": "{{ steps.a.output }}"}',
    ]


def test_a_step_without_a_task_is_shown_with_the_words_of_its_id() -> None:
    assert shown(AgentStep(id="read_it", agent="reader"))["steps"][0]["task"] == "read it"


def told(*problems: PlanProblem, steps: tuple[Step, ...]) -> list[tuple[str | None, str | None]]:
    return [(one.step, one.field) for one in problems_as_drafted(problems, steps)]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"steps": [work(agent="x")]}, ("a", "agent")),
        ({"steps": [work("a", "x")]}, ("a", "depends_on")),
        ({"teams": [team(agents=["x", "reader"])]}, ("t", "agents")),
        ({"teams": [team(agents=["x"])]}, ("t", "agent")),
        ({"teams": [team(agents=[], capabilities=["x"])]}, ("t", "capabilities")),
        ({"teams": [team(follows=["x"])]}, ("t", "follows")),
        ({"maps": [each(agent="x")]}, ("m[*]", "agent")),
        ({"maps": [each(over="input.x +")]}, ("m", "over")),
        ({"maps": [each(each="{{ item }} {{ index['x'] }}"), each(follows=["x"], id="n")]}, ("n", "follows")),
        ({"conditions": [fork(["x"], [])]}, ("fork", "then")),
        ({"approvals": [approval("ok", "x")]}, ("ok", "follows")),
        ({"waits": [pause(value="steps.x.output") | {"for": "until"}]}, ("w", "value")),
        ({"transforms": [value(output="nothing")]}, ("v", "output")),
    ],
)
def test_problems_of_the_plan_are_told_with_the_fields_of_the_form(
    lists: dict[str, Any], expected: tuple[str, str]
) -> None:
    plan = Plan(steps=compiled(**lists))
    found = validate_plan(plan, PlanPolicy(), CARDS)
    assert told(*found, steps=plan.steps) == [expected]


def test_what_can_be_done_is_told_in_the_words_of_the_form() -> None:
    steps = compiled([work("a", "b"), work("b")], conditions=[fork(["a"], ["b"])])
    found = validate_plan(Plan(steps=steps), PlanPolicy(require_approval=frozenset(["reader"])), CARDS)
    (one,) = problems_as_drafted(found, steps)
    assert (one.code, "join" in found[0].hint, "join" in one.hint) == ("never_together", True, False)
