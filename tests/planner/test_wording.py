"""What steps do and who does them, in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.expressions import resolve
from goalgraph.planner.plan import AgentStep, Plan, Step
from goalgraph.planner.templates import literal
from goalgraph.planner.wording import doer_of, kind_of, task_of, title_of, words_of


def step(**fields: Any) -> Step:
    return Plan.model_validate({"steps": [{"id": "s", **fields}]}).steps[0]


TITLES: list[tuple[dict[str, Any], str]] = [
    ({"task": "Read\n  it"}, "Read it"),
    ({"task": "Sum up {{ steps.read.output }}"}, "Sum up {{ steps.read.output }}"),
    ({"id": "sign_off-now", "agent": "x"}, "sign off now"),
    ({"id": "research.web", "agent": "x"}, "research: web"),
    ({"id": "review.reviewer_a", "agent": "reviewer a"}, "review"),
    ({"id": "reviewer_a", "agent": "reviewer_a"}, "reviewer a"),
    ({"type": "human_approval", "prompt": "Is {{ input.x }} right?"}, "Is {{ input.x }} right?"),
    ({"type": "human_input", "prompt": "How many?"}, "How many?"),
    ({"type": "condition", "if": "{{ steps.a.output > 3 }}"}, "if steps.a.output > 3"),
    ({"type": "condition", "if": "input.x"}, "if input.x"),
    ({"type": "parallel", "branches": ["a", ["b", {"id": "c"}], {"id": "d"}]}, "all of a, b then c, d"),
    (
        {"type": "parallel", "branches": [f"b{n}" for n in range(10)]},
        "all of b0, b1, b2, b3, b4, b5, b6, b7 and 2 more",
    ),
    (
        {"type": "map", "over": "{{ input.files }}", "as": "file", "step": {"id": "read_it", "agent": "reader"}},
        "for each file of input.files: read it",
    ),
    ({"type": "map", "over": [1, 2], "step": {"task": "Do it", "id": "x"}}, "for each item of a list of 2: Do it"),
    ({"type": "wait", "duration": 5_400}, "wait 1h30m"),
    ({"type": "wait", "duration": "36h"}, "wait 1d12h"),
    ({"type": "wait", "duration": 0.25}, "wait 0.25s"),
    ({"type": "wait", "duration": 0}, "wait 0s"),
    ({"type": "wait", "duration": "{{ input.pause }}"}, "wait input.pause"),
    ({"type": "wait", "until": "2030-01-01T09:00:00Z"}, "wait until 2030-01-01T09:00:00Z"),
    ({"type": "wait", "event": "paid"}, "wait for the event paid"),
    ({"type": "sub_plan", "plan": "intake@2"}, "run the plan intake@2"),
    ({"type": "sub_plan", "plan": {"name": "intake", "steps": [{"id": "a"}]}}, "run the plan intake (1 step)"),
    ({"type": "sub_plan", "plan": {"steps": [{"id": "a"}, {"id": "b"}]}}, "run a plan of 2 steps"),
    ({"type": "transform", "output": {"rows": 1, "total": 2}}, "compute rows, total"),
    ({"type": "transform", "output": "{{ steps.a.output | length }}"}, "compute steps.a.output | length"),
    ({"type": "transform", "output": [1]}, "compute a value"),
]


@pytest.mark.parametrize(("fields", "title"), TITLES, ids=[title for _, title in TITLES])
def test_a_step_says_on_one_line_what_it_does(fields: dict[str, Any], title: str) -> None:
    assert title_of(step(**fields)) == title


@pytest.mark.parametrize(
    ("fields", "doer"),
    [
        ({"agent": "reader"}, "reader"),
        ({"agents": ["a", "b"]}, "a, b"),
        ({"requires": ["maths", "art"]}, "anyone with maths, art"),
        ({"id": "known", "requires": ["maths"]}, "adder"),
        ({"type": "human_approval", "prompt": "?"}, "a human"),
        ({"type": "human_input", "prompt": "?", "assignee": "anna"}, "a human (anna)"),
        ({"type": "human_input", "prompt": "?", "assignee": "{{ input.owner }}"}, "a human (input.owner)"),
        ({"type": "condition", "if": "true"}, "rules"),
        ({"type": "transform", "output": 1}, "rules"),
        ({"type": "parallel", "branches": ["a"]}, "group"),
        ({"type": "map", "over": [], "step": {"id": "x", "agent": "reader"}}, "reader"),
        ({"type": "wait", "event": "paid"}, "wait"),
        ({"type": "sub_plan", "plan": "intake"}, "plan"),
    ],
)
def test_a_step_says_who_does_it(fields: dict[str, Any], doer: str) -> None:
    assert doer_of(step(**fields), {"known": "adder"}) == doer


def test_every_type_has_a_word() -> None:
    kinds = {kind_of(step(**fields)) for fields, _ in TITLES}
    assert kinds == {"agent", "approval", "question", "condition", "group", "map", "wait", "plan", "transform"}


def test_several_specialists_for_one_work_all_do_that_work() -> None:
    plan = compile_plan(Plan(steps=(AgentStep(id="check_it", agents=("first one", "second")),)))
    assert [title_of(one) for one in plan.steps] == ["check it", "check it", "all of first_one, second"]


@given(st.text(max_size=40))
def test_a_task_that_is_data_is_shown_as_it_is_and_resolves_to_itself(text: str) -> None:
    text = f"x{text}{{{{{text}x"
    assert task_of(AgentStep.model_construct(id="a", task=literal(text))) == text
    assert resolve(literal(text), {}) == text


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,20}", fullmatch=True))
def test_every_id_has_words(step_id: str) -> None:
    assert words_of(step_id).strip()
    assert words_of("rows[3].sign_off") == "rows: sign off"
