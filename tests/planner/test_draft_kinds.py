import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.planner.drafted import Item, approval, compiled, draft, each, fork, pause, question, team, value, work

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.draft import compile_draft, read_draft, read_steps
from goalgraph.planner.expressions import resolve
from goalgraph.planner.plan import (
    AgentStep,
    ConditionStep,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    Step,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.validation import PlanPolicy, validate_plan

CARDS = (SpecialistCard(name="reader"), SpecialistCard(name="writer"))
ASKED: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "description": "Name"},
        "copies": {"type": "number", "description": "How many"},
        "now": {"type": "boolean", "description": "At once?"},
    },
    "required": ["who", "copies", "now"],
    "additionalProperties": False,
}
FIELDS = [
    {"field": "who", "type": "text", "description": "Name"},
    {"field": "copies", "type": "number", "description": "How many"},
    {"field": "now", "type": "yes_no", "description": "At once?"},
]


def problems(**lists: list[Item]) -> list[tuple[str, str | None, str | None]]:
    found = compile_draft(draft(**lists))
    assert not isinstance(found, Plan)
    return [(problem.code, problem.step, problem.field) for problem in found]


@pytest.mark.parametrize(
    ("name", "item", "step"),
    [
        ("teams", team(), AgentStep(id="t", agents=("reader", "writer"), task="Judge it.")),
        ("teams", team(agents=["reader"]), AgentStep(id="t", agent="reader", task="Judge it.")),
        ("teams", team(agents=[], capabilities=["law"]), AgentStep(id="t", requires=("law",), task="Judge it.")),
        (
            "maps",
            each(),
            MapStep(
                id="m",
                over="{{ input.files }}",
                step=AgentStep(id="each", agent="reader", task="Read {{ item }}."),
            ),
        ),
        (
            "maps",
            each(over="{{ input.files }}", each="Read it."),
            MapStep(
                id="m",
                over="{{ input.files }}",
                step=AgentStep(id="each", agent="reader", task="Read it.", input={"item": "{{ item }}"}),
            ),
        ),
        ("approvals", approval(), HumanApprovalStep(id="ok", prompt="Send it?")),
        ("questions", question(), HumanInputStep(id="q", prompt="For whom?")),
        ("questions", question(fields=FIELDS), HumanInputStep(id="q", prompt="For whom?", answer_schema=ASKED)),
        (
            "conditions",
            fork([], []),
            ConditionStep(id="fork", test="input.urgent"),
        ),
        ("waits", pause(), WaitStep(id="w", duration="15m")),
        ("waits", pause(value=" 2d "), WaitStep(id="w", duration="2d")),
        ("waits", {"id": "w", "for": "event", "value": "paid", "follows": []}, WaitStep(id="w", event="paid")),
        (
            "waits",
            {"id": "w", "for": "until", "value": "2026-03-01T09:00:00Z", "follows": []},
            WaitStep(id="w", until="2026-03-01T09:00:00Z"),
        ),
        (
            "waits",
            {"id": "w", "for": "until", "value": "input.due", "follows": []},
            WaitStep(id="w", until="{{ input.due }}"),
        ),
        ("transforms", value(), TransformStep(id="v", output="{{ input.rows | length }}")),
        (
            "transforms",
            value(output="{{ input.a }} and {{ input.b }}"),
            TransformStep(id="v", output="{{ input.a }} and {{ input.b }}"),
        ),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_each_kind_of_item_becomes_its_step(name: str, item: Item, step: Step) -> None:
    assert compiled(**{name: [item]}) == (step,)


@pytest.mark.parametrize(
    ("name", "item", "expected"),
    [
        ("teams", team(agents=[], capabilities=[]), ("missing_field", "t", "agents")),
        ("teams", team(capabilities=["law"]), ("conflicting_fields", "t", "capabilities")),
        ("teams", team(agents="reader"), ("wrong_type", "t", "agents")),
        ("teams", team(agents=["reader", 3]), ("wrong_type", "t", "agents")),
        ("teams", team(agents=["reader", "x" * 200]), ("invalid_field", "t", "agents")),
        ("teams", team(agents=[], capabilities=["x" * 200]), ("invalid_field", "t", "capabilities")),
        ("maps", each(over=3), ("wrong_type", "m", "over")),
        ("maps", each(each=None), ("missing_field", "m", "each")),
        ("maps", each(each="x" * 20_001), ("invalid_field", "m", "each")),
        ("maps", each(agent="x" * 200), ("invalid_field", "m", "agent")),
        ("maps", each(task="Read."), ("unknown_field", "m", "task")),
        ("approvals", approval(question=" "), ("wrong_type", "ok", "question")),
        ("approvals", approval(question="x" * 20_001), ("invalid_field", "ok", "question")),
        ("approvals", approval(follows="a"), ("wrong_type", "ok", "follows")),
        ("approvals", {"id": "ok", "question": "Send it?"}, ("missing_field", "ok", "follows")),
        ("approvals", approval("two words"), ("invalid_id", "two words", "id")),
        ("approvals", {"question": "Send it?", "follows": []}, ("missing_field", None, "approvals[0].id")),
        ("approvals", "ok", ("wrong_type", None, "approvals[0]")),
        ("questions", question(fields=["who"]), ("wrong_type", "q", "fields")),
        ("questions", question(fields=[{"field": "who"}]), ("wrong_type", "q", "fields")),
        ("questions", question(fields=[FIELDS[0] | {"x": "y"}]), ("wrong_type", "q", "fields")),
        ("questions", question(fields=[FIELDS[0] | {"type": "date"}]), ("invalid_field", "q", "fields")),
        ("questions", question(fields=[FIELDS[0] | {"field": "two words"}]), ("invalid_field", "q", "fields")),
        ("questions", question(fields=[FIELDS[0], FIELDS[0]]), ("invalid_field", "q", "fields")),
        ("conditions", fork([], []) | {"if": ""}, ("wrong_type", "fork", "if")),
        ("conditions", fork([], []) | {"then": "a"}, ("wrong_type", "fork", "then")),
        ("conditions", fork(["a b"], []), ("invalid_id", "fork", "then")),
        ("waits", pause(value="soon"), ("invalid_field", "w", "value")),
        ("waits", pause(value=None), ("missing_field", "w", "value")),
        ("waits", pause(value="x" * 200) | {"for": "event"}, ("invalid_field", "w", "value")),
        ("waits", pause() | {"for": "ever"}, ("wrong_type", "w", "for")),
        ("transforms", value(output={"a": 1}), ("wrong_type", "v", "output")),
    ],
    ids=lambda item: "-".join(map(str, cast("tuple[object, ...]", item))) if isinstance(item, tuple) else "",
)
def test_what_is_wrong_with_an_item_is_one_problem_with_step_and_field(
    name: str, item: Any, expected: tuple[str, str | None, str]
) -> None:
    assert problems(**{name: [item]}) == [expected]


def test_a_stand_in_has_no_problems_of_its_own_but_for_who_does_it() -> None:
    lists: dict[str, Any] = {
        "maps": [each(each="x" * 20_001), each(id="m2", over=1)],
        "approvals": [approval(question=1)],
        "questions": [question(question=1, fields=[1])],
        "conditions": [fork([], []) | {"if": 1}],
        "waits": [pause(value="soon"), pause(id="w2", value=1), pause(id="w3") | {"for": "ever"}],
        "transforms": [value(output=1)],
    }
    plan = read_draft(draft(**lists)).plan
    assert [step.type for step in plan.steps] == [
        "condition",
        "map",
        "map",
        "human_approval",
        "human_input",
        "wait",
        "wait",
        "wait",
        "transform",
    ]
    assert validate_plan(plan, PlanPolicy(require_approval=frozenset("*")), CARDS) == ()


def test_problems_of_all_lists_come_at_once() -> None:
    assert problems(steps=[work(task=1)], approvals=[approval(question=1)], waits=3) == [  # type: ignore[arg-type]
        ("wrong_type", "a", "task"),
        ("wrong_type", "ok", "question"),
        ("wrong_type", None, "waits"),
    ]


def test_the_word_of_the_list_of_steps_is_understood_in_the_others_too() -> None:
    item: Item = {"id": "ok", "question": "Send it?", "depends_on": ["a"]}
    assert [step.depends_on for step in compiled([work()], approvals=[item])] == [(), ("a",)]


def test_braces_in_a_question_are_data() -> None:
    (step,) = compiled(approvals=[approval(question="Send {{ steps.x.output }}?")])
    assert step.type == "human_approval"
    assert resolve(step.prompt, {}) == "Send {{ steps.x.output }}?"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Read {{ item }} now.", "Read FILE now."),
        ("Read {{item}}{{ index }}.", "Read FILE3."),
        ("Read {{ item }} and {{ steps.x.output }}.", "Read FILE and {{ steps.x.output }}."),
        ("Put it in {{{ item }}}.", "Put it in {FILE}."),
        ("Fill in {{ items }} and {{ item | upper }}.", "Fill in {{ items }} and {{ item | upper }}."),
        ("{% for %} {{ item", "{% for %} {{ item"),
    ],
)
def test_what_a_map_repeats_may_name_the_item_and_nothing_else(text: str, read: str) -> None:
    (step,) = compiled(maps=[each(each=text)])
    assert step.type == "map"
    assert step.step.type == "agent"
    assert resolve(step.step.task, {"item": "FILE", "index": 3}) == read


def test_fields_of_an_item_can_be_named() -> None:
    (step,) = compiled(maps=[each(each="{{ item.name }}/{{ item['a b'] }}/{{ item.rows[0] }}")])
    assert step.type == "map"
    assert step.step.type == "agent"
    scope = {"item": {"name": "n", "a b": "x", "rows": [7]}, "index": 0}
    assert resolve(step.step.task, scope) == "n/x/7"


@given(st.lists(st.sampled_from(["{", "}", "%", "'", " y ", "{{ item }}", "{{item}}", "{{ y }}", "{{ '{{' }}"])))
def test_in_any_text_of_a_map_the_item_alone_is_replaced(pieces: list[str]) -> None:
    text = f"x{''.join(pieces)}x"
    (step,) = compiled(maps=[each(each=text)])
    assert step.type == "map"
    assert step.step.type == "agent"
    assert resolve(step.step.task, {"item": "FILE"}) == re.sub(r"\{\{ ?item ?\}\}", "FILE", text)


def test_each_step_stands_after_what_it_needs_and_else_as_drafted() -> None:
    steps = compiled(
        [work("send", "letter", "ok"), work("other"), work("letter", "rows"), work("last")],
        maps=[each(id="rows", over="steps.find.output.files")],
        approvals=[approval("ok", "letter")],
        transforms=[value(id="find", output="input.x")],
    )
    assert [step.id for step in steps] == ["find", "rows", "letter", "ok", "send", "other", "last"]


def test_a_draft_in_order_stays_as_it_is() -> None:
    steps = compiled([work("b"), work("a"), work("d", "b"), work("c", "a")])
    assert [step.id for step in steps] == ["b", "a", "d", "c"]


def test_a_thousand_steps_in_a_row_are_put_in_order() -> None:
    steps = [work(f"s{number}", f"s{number + 1}") for number in range(3000)]
    assert [step.id for step in compiled([*steps, work("s3000")])][:2] == ["s3000", "s2999"]


def test_a_step_that_a_condition_names_waits_for_it() -> None:
    steps = compiled([work("call"), work("reply", "x"), work("x")], conditions=[fork(["call"], ["reply"])])
    assert {step.id: step.depends_on for step in steps} == {
        "fork": (),
        "call": ("fork",),
        "x": (),
        "reply": ("x", "fork"),
    }


def test_a_step_after_both_branches_goes_on_with_the_one_that_is_taken() -> None:
    steps = compiled(
        [work("call"), work("more", "call"), work("reply"), work("read"), work("end", "read", "more", "reply")],
        conditions=[fork(["call"], ["reply"])],
    )
    assert steps[-2:] == (
        ParallelStep(id="fork_end", branches=("more", "reply")),
        AgentStep(id="end", agent="writer", task="Write it.", depends_on=("fork_end", "read")),
    )
    assert validate_plan(Plan(steps=steps), PlanPolicy(), CARDS) == ()


def test_steps_after_the_same_branches_share_the_group_and_its_id_is_free() -> None:
    steps = compiled(
        [work("a"), work("b"), work("fork_end", "a", "b"), work("d", "a", "b")],
        conditions=[fork(["a"], ["b"])],
    )
    assert [(step.id, step.depends_on) for step in steps if step.id not in "ab"] == [
        ("fork", ()),
        ("fork_end_2", ()),
        ("fork_end", ("fork_end_2",)),
        ("d", ("fork_end_2",)),
    ]


def test_branches_of_a_condition_in_a_branch_come_together_too() -> None:
    steps = compiled(
        [work("a"), work("b"), work("c"), work("inner", "a", "b"), work("end", "inner", "c")],
        conditions=[fork(["deep"], ["c"]), fork(["a"], ["b"], id="deep")],
    )
    by_id = {step.id: step for step in steps}
    assert by_id["deep_end"] == ParallelStep(id="deep_end", branches=("a", "b"))
    assert by_id["fork_end"] == ParallelStep(id="fork_end", branches=("inner", "c"))
    assert validate_plan(Plan(steps=steps), PlanPolicy(), CARDS) == ()


def test_a_step_of_one_branch_that_needs_the_other_is_left_to_the_check_of_plans() -> None:
    steps = compiled([work("a", "b"), work("b")], conditions=[fork(["a"], ["b"])])
    assert [problem.code for problem in validate_plan(Plan(steps=steps), PlanPolicy(), CARDS)] == ["never_together"]


def test_lists_are_read_out_of_any_object() -> None:
    found = read_steps({"add": 3, "approvals": [approval()], "rationale": "why"})
    assert found.problems == ()
    assert [step.id for step in found.steps] == ["ok"]
    assert read_steps({}).steps == ()
