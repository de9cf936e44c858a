import json
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage
from tests.planner.drafted import draft, fork, work

from goalgraph.errors import PlannerInvalid, PlannerRefused
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.model_decomposer import ModelDecomposer
from goalgraph.planner.plan import Step
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts
from goalgraph.testing import Reply, ScriptedChatModel

CARDS = (SpecialistCard(name="reader"), SpecialistCard(name="writer"))
GOOD = {"name": "n", "conditions": list[object](), "steps": [work("a"), work("b", "a")]}
CUT = AIMessage('{"name": "n", "conditions": [], "steps": [', response_metadata={"finish_reason": "length"})


async def heard(*replies: Reply, **fields: Any) -> tuple[list[tuple[str, int]], list[Decision]]:
    """Steps and decisions that are told on the way to a plan."""
    steps: list[tuple[str, int]] = []
    decisions: list[Decision] = []

    def on_step(step: Step, number: int) -> None:
        steps.append((step.id, number))

    request = PlanRequest(goal="g", cards=CARDS, on_step=on_step, on_decision=decisions.append, **fields)
    await ModelDecomposer(ScriptedChatModel(replies)).decompose(request)
    return steps, decisions


async def test_each_step_is_told_once_with_the_number_of_its_draft() -> None:
    steps, _ = await heard(draft([work("a"), work("b", "x")], conditions=[]), CUT, GOOD)
    assert steps == [("a", 1), ("b", 1), ("a", 3), ("b", 3)]


async def test_a_step_that_cannot_be_read_is_not_told() -> None:
    steps, _ = await heard(draft([work("a", task=3), work("b")], conditions=[]), GOOD)
    assert steps == [("b", 1), ("a", 2), ("b", 2)]


async def test_steps_of_all_kinds_are_told_and_those_of_a_branch_with_their_condition() -> None:
    told: list[Step] = []
    data = draft([work("a"), work("b")], conditions=[fork(["b"], []) | {"if": "input.x"}])
    request = PlanRequest(goal="g", cards=CARDS, inputs={"x": True}, on_step=lambda step, _number: told.append(step))
    plan = await ModelDecomposer(ScriptedChatModel([data])).decompose(request)
    assert {step.id: step.depends_on for step in told} == {"fork": (), "a": (), "b": ("fork",)}
    assert {step.id: step for step in told} == {step.id: step for step in plan.steps}


async def test_steps_of_a_simple_plan_are_told() -> None:
    steps, _ = await heard(draft([work("a")]), simple=True)
    assert steps == [("a", 1)]


async def test_steps_are_told_while_the_answer_is_still_written() -> None:
    begun = json.dumps(GOOD)[: json.dumps(GOOD).index('"id": "b"')]
    steps, _ = await heard(AIMessage(begun, response_metadata={"finish_reason": "length"}), GOOD)
    assert steps == [("a", 1), ("a", 2), ("b", 2)]


async def test_each_repair_is_a_decision_with_what_was_wrong_and_the_prompts_in_use() -> None:
    _, decisions = await heard(draft([work("a", "x", agent="wirter")]), CUT, GOOD)
    first, second = decisions
    assert {(one.kind, one.subject, one.chosen) for one in decisions} == {("planning", "", "repair")}
    assert first.rationale == "step 'a' depends_on: no step has the id 'x' (name a step of this plan); and 1 more"
    assert first.answer == {
        "attempt": 1,
        "problems": [
            "step 'a' depends_on: no step has the id 'x' (name a step of this plan)",
            "step 'a' agent: no specialist is called 'wirter' (did you mean 'writer'?)",
        ],
        "prompts": {name: DEFAULT_PROMPTS.digest(name) for name in ("plan_system", "plan", "repair")},
    }
    evidence = cast("dict[str, Any]", second.answer)
    assert (evidence["attempt"], len(evidence["problems"])) == (2, 1)
    assert "cut at its token limit" in second.rationale
    assert datetime.fromisoformat(first.at).utcoffset() == timedelta(0)


async def test_a_plan_at_once_and_a_last_failure_are_no_repairs() -> None:
    decisions: list[Decision] = []
    request = PlanRequest(goal="g", cards=CARDS, on_decision=decisions.append)
    await ModelDecomposer(ScriptedChatModel([GOOD])).decompose(request)
    assert decisions == []
    bad = draft([work(agent="x")])
    with pytest.raises(PlannerInvalid):
        await ModelDecomposer(ScriptedChatModel([bad, bad]), max_repairs=1).decompose(request)
    assert [cast("dict[str, Any]", one.answer)["attempt"] for one in decisions] == [1]


async def test_a_refusal_is_no_repair() -> None:
    decisions: list[Decision] = []
    request = PlanRequest(goal="g", cards=CARDS, on_decision=decisions.append)
    refused = AIMessage("", additional_kwargs={"refusal": "No."})
    with pytest.raises(PlannerRefused):
        await ModelDecomposer(ScriptedChatModel([refused])).decompose(request)
    assert decisions == []


async def test_the_digest_of_a_prompt_in_a_callers_own_words_is_told() -> None:
    decisions: list[Decision] = []
    prompts = Prompts({"plan_system": "Plan well."})
    request = PlanRequest(goal="g", cards=CARDS, on_decision=decisions.append)
    await ModelDecomposer(ScriptedChatModel([draft(), GOOD]), prompts=prompts).decompose(request)
    told = cast("dict[str, Any]", decisions[0].answer)["prompts"]
    assert told["plan_system"] == prompts.digest("plan_system") != DEFAULT_PROMPTS.digest("plan_system")
