"""Which outcomes of which types of steps make up an answer."""

from typing import Any

import pytest
from pydantic import JsonValue

from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.plan import Plan
from goalgraph.synthesis import Concatenate, LastWins, ModelSynthesizer, Synthesis, SynthesisRequest
from goalgraph.synthesis.parts import ends, gaps, parts
from goalgraph.testing import ScriptedChatModel


def plan(*steps: dict[str, Any]) -> Plan:
    return compile_plan(Plan.model_validate({"steps": steps}))


def agent(step_id: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "agent": "x", "task": f"Do {step_id}", "depends_on": list(needs), **fields}


def ran(made: Plan, **outputs: JsonValue | Status | Outcome) -> SynthesisRequest:
    """A run in which every step named gave that output, and every other one its own id."""
    outcomes: dict[str, Outcome] = {}
    for step in made.steps:
        output = outputs.get(step.id, f"out {step.id}")
        outcome = output if isinstance(output, Outcome) else Outcome(step=step.id, status="succeeded", output=output)
        outcomes[step.id] = outcome
    return SynthesisRequest(goal="The goal", plan=made, outcomes=outcomes)


def ended(status: Status, message: str = "no") -> Outcome:
    return Outcome(step="any", status=status, error=StepError(code="raised", message=message))


def used(request: SynthesisRequest) -> list[str]:
    return [part.step for part in parts(request)]


EVERY = plan(
    agent("read"),
    {"id": "ask", "type": "human_input", "prompt": "How long?"},
    {
        "id": "fork",
        "type": "condition",
        "if": "steps.ask.output > 3",
        "then": [agent("long")],
        "else": [agent("short")],
    },
    {"id": "both", "type": "parallel", "branches": [agent("web"), [agent("a"), agent("b")]]},
    {"id": "each", "type": "map", "over": "{{ steps.read.output }}", "step": agent("one")},
    {"id": "total", "type": "transform", "output": "{{ steps.each.output | length }}"},
    {"id": "pause", "type": "wait", "duration": 1, "depends_on": ["total"]},
    {"id": "sign", "type": "human_approval", "prompt": "Good?", "depends_on": ["pause", "both"]},
)


def test_the_work_of_specialists_is_in_the_answer_and_decisions_are_not() -> None:
    assert used(ran(EVERY)) == ["read", "fork.long", "fork.short", "both.web", "both.a", "both.b", "each", "total"]


def test_a_plan_leads_to_content_behind_what_has_none() -> None:
    assert ends(EVERY) == {"fork.long", "fork.short", "both.web", "both.b", "total"}


@pytest.mark.parametrize(
    ("step", "counts"),
    [
        ({"id": "t", "type": "transform", "output": {"text": "x"}}, True),
        ({"id": "t", "type": "human_input", "prompt": "?"}, True),
        ({"id": "t", "type": "parallel", "branches": ["read"], "output": "{{ steps.read.output }}!"}, True),
        ({"id": "t", "type": "parallel", "branches": ["read"]}, False),
        ({"id": "t", "type": "condition", "if": "true"}, False),
        ({"id": "t", "type": "wait", "event": "paid"}, False),
        ({"id": "t", "type": "human_approval", "prompt": "?"}, False),
    ],
    ids=["transform", "input", "group with output", "group", "condition", "wait", "approval"],
)
def test_what_is_not_a_specialist_s_counts_at_the_end_only(step: dict[str, Any], counts: bool) -> None:
    assert ("t" in used(ran(plan(agent("read"), step)))) is counts
    assert "t" not in used(ran(plan(agent("read"), step, agent("later", "t"))))


def test_what_a_group_only_repeats_is_not_said_twice() -> None:
    inner = {"steps": [agent("a"), agent("b", "a")]}
    made = plan({"id": "sub", "type": "sub_plan", "plan": inner})
    assert used(ran(made)) == ["sub.a", "sub.b"]
    several = plan({"id": "sub", "type": "sub_plan", "plan": {"steps": [{"id": "a", "agents": ["x", "y"]}]}})
    assert used(ran(several)) == ["sub.a.x", "sub.a.y"]
    chosen = {"id": "chosen", "type": "transform", "output": "{{ steps.a.output or steps.b.output }}"}
    request = ran(plan(agent("a"), agent("b"), chosen), chosen="out b")
    assert used(request) == ["a", "b"]
    assert gaps(request) == ()


async def test_several_who_did_the_same_are_told_apart_by_their_ids() -> None:
    made = plan({"id": "check", "agents": ["x", "y"], "task": "Check it"})
    written = await Concatenate().synthesize(ran(made))
    assert written.answer == "## check.x\n\nout check.x\n\n## check.y\n\nout check.y"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (["one", {"text": "two"}, 3], "- one\n- two\n- 3"),
        (["one", None, "three"], "- one\n- three"),
        (["one\nline", None, "three"], "### 1\n\none\nline\n\n### 3\n\nthree"),
        (["x" * 201], f"### 1\n\n{'x' * 201}"),
        ({"answer": "not a list"}, "not a list"),
    ],
    ids=["points", "without a failed item", "sections", "long", "no list"],
)
async def test_a_map_gives_the_texts_of_its_items(output: JsonValue, text: str) -> None:
    made = plan({"id": "each", "type": "map", "over": [1, 2, 3], "step": agent("one")})
    assert (await Concatenate().synthesize(ran(made, each=output))).answer == text


@pytest.mark.parametrize("output", [[], [None, "  "]], ids=["no items", "empty items"])
def test_a_map_without_text_is_a_gap(output: JsonValue) -> None:
    made = plan({"id": "each", "type": "map", "over": [], "step": agent("one")})
    assert [(gap.step, gap.reason) for gap in gaps(ran(made, each=output))] == [("each", "gave no output")]


@pytest.mark.parametrize(
    ("step_id", "status", "missed"),
    [
        ("read", "failed", True),
        ("read", "blocked", True),
        ("read", "cancelled", True),
        ("read", "skipped", False),
        ("each", "blocked", True),
        ("total", "blocked", True),
        ("sign", "failed", True),
        ("sign", "blocked", False),
        ("fork", "skipped", False),
        ("both", "blocked", False),
        ("both", "failed", True),
        ("ask", "failed", True),
        ("ask", "blocked", False),
        ("pause", "cancelled", False),
    ],
)
def test_a_step_without_content_is_missed_only_where_it_failed(step_id: str, status: Status, missed: bool) -> None:
    assert [gap.step for gap in gaps(ran(EVERY, **{step_id: ended(status)}))] == ([step_id] if missed else [])


def test_of_steps_that_never_ran_those_with_content_are_missed() -> None:
    request = SynthesisRequest(goal="g", plan=EVERY, outcomes={})
    assert [gap.step for gap in gaps(request)] == used(ran(EVERY))


async def test_the_last_end_with_content_wins() -> None:
    draft = plan(agent("draft"), {"id": "sign", "type": "human_approval", "prompt": "?", "depends_on": ["draft"]})
    assert await LastWins().synthesize(ran(draft)) == Synthesis(answer="out draft")
    group = plan({"id": "g", "type": "parallel", "branches": [[agent("a"), agent("b")], agent("c")]})
    assert await LastWins().synthesize(ran(group)) == Synthesis(answer="out g.c")
    assert await LastWins().synthesize(ran(group, **{"g.c": ended("failed")})) == Synthesis(answer="out g.b")
    nested = plan(
        {"id": "g", "type": "parallel", "branches": [{"id": "h", "type": "parallel", "branches": [agent("a")]}]}
    )
    assert await LastWins().synthesize(ran(nested)) == Synthesis(answer="out g.h.a")
    own = plan({"id": "g", "type": "parallel", "branches": [agent("a")], "output": "{{ steps.a.output }}!"})
    assert await LastWins().synthesize(ran(own)) == Synthesis(answer="out g")


async def test_a_branch_that_was_not_taken_is_not_the_answer() -> None:
    fork = {"id": "fork", "type": "condition", "if": "input.x", "then": [agent("yes")], "else": [agent("no")]}
    request = ran(plan(fork), **{"fork.no": ended("skipped")})
    assert await LastWins().synthesize(request) == Synthesis(answer="out fork.yes")
    assert await Concatenate().synthesize(request) == Synthesis(answer="out fork.yes")
    assert gaps(request) == ()


async def test_a_step_without_a_task_has_its_id_as_heading_and_one_to_be_filled_in_too() -> None:
    made = plan({"id": "sum_up", "agent": "x"}, agent("b", task="Use {{ input.x }}"), agent("c", task="Say {{ '{{' }}"))
    written = await Concatenate().synthesize(ran(made))
    assert written.answer == "## sum up\n\nout sum_up\n\n## b\n\nout b\n\n## c\n\nout c"


async def test_the_model_is_told_what_each_step_did_and_what_failed() -> None:
    made = plan(
        agent("a", task="Explain {{ '{{' }}"),
        {"id": "sign_off", "type": "human_approval", "prompt": "Good?", "depends_on": ["a"]},
        {"id": "each", "type": "map", "over": [1], "step": agent("one")},
        {"id": "total", "type": "transform", "output": {"rows": 1}, "depends_on": ["sign_off"]},
    )
    model = ScriptedChatModel(["Written."])
    written = await ModelSynthesizer(model).synthesize(
        ran(made, sign_off=ended("failed", "rejected by anna"), total=ended("blocked"), each=["one", "two"])
    )
    assert written.answer == "Written."
    prompt = str(model.received[0][-1].content)
    assert "Explain {{\n" in prompt
    assert "for each item of a list of 1: Do one" in prompt
    assert "- one\n- two" in prompt
    assert "- [sign_off] failed: rejected by anna" in prompt
    assert "- [total] blocked" in prompt
