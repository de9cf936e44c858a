"""The one check of every plan: each problem by its code, all at once, and never an exception."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.small_plans import plans, sound_plans

from goalgraph import AgentStep, InvalidPlan, Plan, PlanProblem, SpecialistCard
from goalgraph.planner.validation import PlanPolicy, checked, missing_inputs, validate_plan

CARDS = (
    SpecialistCard(name="reader", capabilities=("read", "fetch")),
    SpecialistCard(name="writer", capabilities=("write",)),
)


def step(step_id: str, **fields: Any) -> AgentStep:
    given_agent = {} if "requires" in fields or "agent" in fields else {"agent": "writer"}
    return AgentStep.model_validate({"id": step_id, "task": "do it", **given_agent, **fields})


def problems(*steps: AgentStep, policy: PlanPolicy | None = None, **fields: Any) -> tuple[PlanProblem, ...]:
    return validate_plan(Plan(steps=steps, **fields), policy or PlanPolicy(), CARDS)


def only(*steps: AgentStep, **fields: Any) -> PlanProblem:
    (found,) = problems(*steps, **fields)
    return found


def test_a_good_plan_has_no_problems() -> None:
    assert not problems(
        step("a", agent="reader", input={"path": "{{ input.path }}"}),
        step("b", depends_on=["a"], when="steps.a.output is defined"),
        step("c", requires=["read", "fetch"]),
        output="{{ steps.b.output }} at {{ now() }}",
    )


def test_a_plan_without_steps_is_refused() -> None:
    assert only().code == "no_steps"


def test_more_steps_than_allowed_are_refused() -> None:
    steps = [step(f"s{number}") for number in range(4)]
    assert not problems(*steps, policy=PlanPolicy(max_steps=4))
    found = only(*steps, policy=PlanPolicy(max_steps=3))
    assert (found.code, found.message) == ("too_many_steps", "at most 3 steps are allowed, found 4")


def test_an_id_used_twice_is_reported_once() -> None:
    found = only(step("a"), step("b"), step("a"))
    assert (found.code, found.step, found.message) == ("duplicate_id", "a", "2 steps have this id")


def test_a_dependency_that_is_not_there_is_reported_with_what_was_meant() -> None:
    found = only(step("read_file"), step("b", depends_on=["read_fil"]))
    assert (found.code, found.step, found.field) == ("unknown_dependency", "b", "depends_on")
    assert found.hint == "did you mean 'read_file'?"


def test_a_step_that_depends_on_itself_is_reported() -> None:
    assert only(step("a", depends_on=["a"])).code == "self_dependency"


@pytest.mark.parametrize(
    "fields", [{"input": {"x": "{{ steps.a.output }}"}}, {"when": "steps.a.output"}], ids=["input", "when"]
)
def test_a_step_whose_expression_names_itself_is_reported(fields: dict[str, Any]) -> None:
    found = only(step("a", **fields))
    assert (found.code, found.field) == ("self_dependency", next(iter(fields)))


def test_a_cycle_is_reported_with_its_path() -> None:
    found = only(step("a", depends_on=["c"]), step("b", depends_on=["a"]), step("c", depends_on=["b"]), step("d"))
    assert found.code == "cycle"
    path = found.message.removeprefix("steps wait for each other: ").split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[1:]) == ["a", "b", "c"]


def test_a_cycle_through_expressions_is_reported() -> None:
    found = only(step("a", input={"x": "{{ steps.b.output }}"}), step("b", when="steps.a.output"))
    assert found.code == "cycle"


def test_a_specialist_that_is_not_there_is_reported_with_what_was_meant() -> None:
    found = only(step("a", agent="wrter"))
    assert (found.code, found.field, found.hint) == ("unknown_specialist", "agent", "did you mean 'writer'?")
    assert only(step("a", agent="zzz")).hint == "there are: reader, writer"


def test_a_fallback_that_is_not_there_is_reported() -> None:
    assert only(step("a", fallback=["reader", "nobody"])).field == "fallback"


def test_a_step_for_nobody_is_reported() -> None:
    assert only(step("a", agent=None)).code == "no_specialist"


def test_capabilities_that_nobody_has_together_are_reported() -> None:
    found = only(step("a", requires=["read", "write"]))
    assert (found.code, found.hint) == ("missing_capability", "known capabilities: fetch, read, write")


def test_capabilities_that_the_named_specialist_lacks_are_reported() -> None:
    assert only(step("a", agent="writer", requires=["read"])).code == "missing_capability"


@pytest.mark.parametrize(
    "fields",
    [
        {"input": {"x": ["{{ nope"]}},
        {"input": {"x": "{{ 1 + }}"}},
        {"input": {"x": "{{ steps }}"}},
        {"when": ""},
        {"when": "1 +"},
        {"when": "{{ true }} and {{ true }}"},
        {"when": "true }} {{ true"},
        {"when": "a) or (b"},
        {"when": "not " * 20_000 + "true"},
    ],
    ids=lambda fields: repr(fields)[:40],
)
def test_an_expression_that_cannot_be_read_is_reported(fields: dict[str, Any]) -> None:
    found = only(step("a", **fields))
    assert (found.code, found.step, found.field) == ("bad_expression", "a", next(iter(fields)))
    assert "\n" not in found.message
    assert len(found.message) < 300


def test_an_expression_that_names_no_step_is_reported_wherever_it_stands() -> None:
    found = problems(
        step("read", input={"x": "{{ steps.raed.output }}"}),
        step("b", when="steps.gone.output"),
        output="{{ steps.no }}",
    )
    assert [(one.code, one.step, one.field) for one in found] == [
        ("unknown_reference", None, "output"),
        ("unknown_reference", "read", "input"),
        ("unknown_reference", "b", "when"),
    ]
    assert found[1].hint == "did you mean 'read'?"


def test_all_problems_come_at_once() -> None:
    found = problems(
        step("a", agent="nobody", depends_on=["gone"]),
        step("a", fallback=["none"], when="{{"),
        step("c", requires=["fly"], input={"x": "{{ steps.zzz.output }}"}),
    )
    assert {one.code for one in found} == {
        "duplicate_id",
        "unknown_specialist",
        "unknown_dependency",
        "bad_expression",
        "missing_capability",
        "unknown_reference",
    }


def test_a_checked_plan_is_the_plan_itself_or_an_error_with_all_problems() -> None:
    good = Plan(steps=(step("a"),))
    assert checked(good, PlanPolicy(), CARDS) is good
    bad = Plan(steps=(step("a", agent="x"), step("b", agent="y")))
    with pytest.raises(InvalidPlan, match=r"^plan\.yaml is not valid: ") as caught:
        checked(bad, PlanPolicy(), CARDS, source="plan.yaml")
    assert caught.value.problems == validate_plan(bad, PlanPolicy(), CARDS)


IDS = st.sampled_from(["a", "b", "c", "d-1", "1"])
PIECES = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "steps",
            ".a",
            ".b",
            "['1']",
            "[",
            "]",
            "(",
            ")",
            "input",
            ".x",
            "|",
            "map",
            "*",
        ),
        *("'", '"', "\\", "-", "not ", "1", " ", "\n", "\0", "\u2028", "é", "item", "now()", ",", "}", "{", "steps['"),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
VALUES = st.recursive(TEXTS | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@st.composite
def any_plan(draw: st.DrawFn) -> Plan:
    fields = st.fixed_dictionaries(
        {
            "id": IDS,
            "task": st.just("x"),
            "agent": st.sampled_from([None, "writer", "nobody", "{{"]),
            "depends_on": st.lists(IDS, max_size=3),
            "requires": st.lists(st.sampled_from(["read", "fly"]), max_size=2),
            "fallback": st.lists(st.sampled_from(["reader", "gone"]), max_size=2),
            "when": st.none() | TEXTS,
            "input": st.dictionaries(TEXTS, VALUES, max_size=2),
        }
    )
    return Plan.model_validate({"steps": draw(st.lists(fields, max_size=5)), "output": draw(VALUES)})


@given(any_plan())
def test_no_plan_at_all_makes_the_check_raise(plan: Plan) -> None:
    for found in validate_plan(plan, PlanPolicy(), CARDS):
        assert found.code
        assert found.message
        assert "\n" not in str(found).replace("\\n", "")


@given(plans)
def test_no_plan_with_steps_inside_of_steps_makes_the_check_raise(plan: Plan) -> None:
    for found in validate_plan(plan, PlanPolicy(require_approval=frozenset(("write", "a"))), CARDS):
        assert found.code
        assert "\n" not in str(found)
    missing_inputs(plan, {})


@given(sound_plans())
def test_plans_whose_steps_name_what_stands_before_them_are_valid(plan: Plan) -> None:
    found = validate_plan(plan, PlanPolicy(), CARDS)
    assert {(one.code, (one.field or "").rpartition(".")[2]) for one in found} <= {("unknown_reference", "guardrails")}


def test_the_deepest_plan_there_can_be_is_checked() -> None:
    deep: Any = "{{ steps.gone.output }}"
    for _ in range(200):
        deep = [deep]
    assert only(step("a", input={"x": deep})).code == "unknown_reference"
