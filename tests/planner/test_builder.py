"""Plans written in Python: the same as those written out, with references that the expression language reads."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from goalgraph.planner.builder import PlanBuilder, Reference, StepRef, expr, index, item, now, steps
from goalgraph.planner.expressions import evaluate, references, resolve
from goalgraph.planner.plan import (
    AgentStep,
    Coordinator,
    HumanApprovalStep,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    Retry,
    SubPlanStep,
    TransformStep,
    WaitStep,
)
from goalgraph.planner.references import Value, plain


def test_a_plan_in_python_is_the_plan_written_out() -> None:
    plan = PlanBuilder("contract-intake", "What comes in", inputs={"owner": "legal"})
    read = plan.agent("read", agent="reader", input={"file": plan.input.file})
    brief = plan.agent("brief", agent="writer", input={"text": read.output.text, "all": [read.output["a b"], 1]})
    sign_off = plan.approval("sign_off", f"Right? {brief.output}", assignee=plan.input.owner, depends_on=brief)
    plan.agent("publish", agent="publisher", depends_on=[sign_off, "read"], input={"brief": brief.output.summary})
    assert plan.build(output={"text": brief.output}) == Plan.model_validate(
        {
            "name": "contract-intake",
            "description": "What comes in",
            "inputs": {"owner": "legal"},
            "steps": [
                {"id": "read", "agent": "reader", "input": {"file": "{{ input.file }}"}},
                {
                    "id": "brief",
                    "agent": "writer",
                    "input": {
                        "text": "{{ steps.read.output.text }}",
                        "all": ["{{ steps.read.output['a b'] }}", 1],
                    },
                },
                {
                    "id": "sign_off",
                    "type": "human_approval",
                    "prompt": "Right? {{ steps.brief.output }}",
                    "assignee": "{{ input.owner }}",
                    "depends_on": ["brief"],
                },
                {
                    "id": "publish",
                    "agent": "publisher",
                    "depends_on": ["sign_off", "read"],
                    "input": {"brief": "{{ steps.brief.output.summary }}"},
                },
            ],
            "output": {"text": "{{ steps.brief.output }}"},
        }
    )


def test_every_type_of_step_takes_all_its_fields() -> None:
    plan = PlanBuilder(coordinator=Coordinator(strategy="sequential"))
    a = plan.agent(
        "a",
        "do",
        agents=["x", "y"],
        requires=["law"],
        timeout=3.0,
        retry=Retry(max_attempts=2),
        fallback=["z"],
        constraints=["short"],
        min_confidence=0.5,
        when=f"{expr(plan.input.n)} > 3",
        join="all_done",
        optional=True,
    )
    plan.approval("b", "right?", deadline="2d", on_timeout="escalate", depends_on=(a,))
    plan.ask("c", "how much?", schema={"type": "number"}, assignee="eve", deadline=plan.input.days)
    plan.condition("d", a.output.good, then=[a, steps.agent("yes")], otherwise="b", join="any_success")
    plan.parallel(
        "e",
        [a, steps.agent("one"), ["b", steps.agent("two")], iter([steps.agent("three")])],
        concurrency=2,
        on_failure="continue",
        timeout=9.0,
        output={"n": StepRef("e.one").output},
    )
    plan.map("f", [1, plan.input.n], steps.agent("each", input={"it": Reference("page"), "at": index}), variable="page")
    plan.map("g", a.output, steps.transform("each", item), concurrency=1, on_failure="fail_fast", timeout=1.0)
    plan.wait("h", "1h30m", when=True and "input.n")
    plan.wait("i", until=plan.input.date)
    plan.wait("j", event="paid", timeout=60.0)
    plan.sub_plan("k", "intake@2", input={"x": [a.output]}, timeout=60.0)
    plan.sub_plan("l", Plan())
    plan.transform("m", {"at": now, "of": [a.error]}, depends_on="a")
    each: list[object] = list(plan.build().steps)
    assert plan.build().coordinator == Coordinator(strategy="sequential")
    assert each[:3] == [
        AgentStep(
            id="a",
            task="do",
            agents=("x", "y"),
            requires=("law",),
            timeout=3.0,
            retry=Retry(max_attempts=2),
            fallback=("z",),
            constraints=("short",),
            min_confidence=0.5,
            when="input.n > 3",
            join="all_done",
            optional=True,
        ),
        HumanApprovalStep(id="b", prompt="right?", deadline="2d", on_timeout="escalate", depends_on=("a",)),
        HumanInputStep.model_validate(
            {
                "id": "c",
                "prompt": "how much?",
                "schema": {"type": "number"},
                "assignee": "eve",
                "deadline": "{{ input.days }}",
            }
        ),
    ]
    assert plan.build().step("d").model_dump(exclude_defaults=True) == {
        "id": "d",
        "if": "{{ steps.a.output.good }}",
        "then": ("a", {"id": "yes"}),
        "else": ("b",),
        "join": "any_success",
    }
    assert each[4] == ParallelStep(
        id="e",
        branches=("a", AgentStep(id="one"), ("b", AgentStep(id="two")), (AgentStep(id="three"),)),
        concurrency=2,
        on_failure="continue",
        timeout=9.0,
        output={"n": "{{ steps['e.one'].output }}"},
    )
    assert each[5] == MapStep.model_validate(
        {
            "id": "f",
            "over": [1, "{{ input.n }}"],
            "as": "page",
            "step": {"id": "each", "input": {"it": "{{ page }}", "at": "{{ index }}"}},
        }
    )
    assert each[6] == MapStep(
        id="g",
        over="{{ steps.a.output }}",
        step=TransformStep(id="each", output="{{ item }}"),
        concurrency=1,
        on_failure="fail_fast",
        timeout=1.0,
    )
    assert each[7:] == [
        WaitStep(id="h", duration="1h30m", when="input.n"),
        WaitStep(id="i", until="{{ input.date }}"),
        WaitStep(id="j", event="paid", timeout=60.0),
        SubPlanStep(id="k", plan="intake@2", input={"x": ["{{ steps.a.output }}"]}, timeout=60.0),
        SubPlanStep(id="l", plan=Plan()),
        TransformStep(id="m", output={"at": "{{ now() }}", "of": ["{{ steps.a.error }}"]}, depends_on=("a",)),
    ]


def test_functions_make_the_steps_that_methods_add() -> None:
    plan = PlanBuilder()
    assert plan.agent("a", "do", agent="x") == StepRef("a") == plan.add(steps.agent("a", "do", agent="x"))
    one, two = plan.build().steps
    assert one == two


def test_a_plan_once_built_is_not_changed_by_what_comes_later() -> None:
    given: dict[str, Value] = {"x": [1]}
    plan = PlanBuilder(inputs=given)
    plan.agent("a", input=given)
    first = plan.build()
    given["y"] = 2
    plan.agent("b")
    assert [step.id for step in first.steps] == ["a"]
    assert first.inputs == {"x": [1]}
    assert first == plan.build().model_copy(update={"steps": first.steps})


def test_a_value_that_a_step_cannot_have_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="timeout"):
        PlanBuilder().agent("a", timeout=-1.0)
    with pytest.raises(ValidationError, match="id"):
        PlanBuilder().wait("a/b", "3s")


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (StepRef("read").output, "{{ steps.read.output }}"),
        (StepRef("a-b").status, "{{ steps['a-b'].status }}"),
        (StepRef("a.b").confidence, "{{ steps['a.b'].confidence }}"),
        (StepRef("2nd").error, "{{ steps['2nd'].error }}"),
        (StepRef("_a").output, "{{ steps['_a'].output }}"),
        (StepRef("a").output.rows[0].name, "{{ steps.a.output.rows[0].name }}"),
        (StepRef("a").output.items.count.index, "{{ steps.a.output.items.count.index }}"),
        (StepRef("a").output["it's\n"], "{{ steps.a.output['it\\'s\\n'] }}"),
        (item.title, "{{ item.title }}"),
        (now, "{{ now() }}"),
    ],
)
def test_a_reference_prints_as_its_expression(reference: Reference, text: str) -> None:
    assert str(reference) == f"{reference}" == text
    assert f"{expr(reference)} > 3" == f"{text[3:-3]} > 3"
    assert str(copy.deepcopy(reference)) == str(pickle.loads(pickle.dumps(reference))) == text


def test_a_reference_is_no_list_and_has_no_private_fields() -> None:
    with pytest.raises(TypeError):
        [*StepRef("a").output]  # type: ignore[misc]  # pyright: ignore
    with pytest.raises(TypeError):
        "x" in StepRef("a").output  # type: ignore[misc]  # noqa: B015  # pyright: ignore
    with pytest.raises(AttributeError, match=r"\['_x'\]"):
        _ = StepRef("a").output._x


IDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,8}", fullmatch=True) | st.sampled_from(
    ["in", "not", "true", "none", "if"]
)
KEYS = st.text(max_size=6) | st.text("'\"\\{}|nrtu0", max_size=6) | IDS


@given(IDS, st.lists(KEYS, max_size=3), st.integers() | st.text(max_size=3))
def test_what_a_reference_names_is_what_its_expression_finds(step: str, keys: list[str], value: JsonValue) -> None:
    reference, output = StepRef(step).output, value
    for key in reversed(keys):
        output = {key: output}
    for key in keys:
        reference = reference[key]
    scope = {"input": {}, "steps": {step: {"output": output}, "other": {"output": None}}}
    assert references(str(reference)).steps == {step}
    assert resolve(str(reference), scope) == value
    assert evaluate(f"{expr(reference)} == 'no such value'", scope) is False


def test_references_are_found_anywhere_in_a_value() -> None:
    a = StepRef("a").output
    assert plain({"x": (a, {"y": [a, None, True, 1.5, "text"]})}) == {
        "x": [str(a), {"y": [str(a), None, True, 1.5, "text"]}]
    }
