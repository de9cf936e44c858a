"""Confidence and signals from specialists and assessors to outcomes, answers and revisions."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from tests.graph.one_step import outcome_of
from tests.graph.revisers import ScriptedReviser

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    Plan,
    PlanPatch,
    Retry,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    answer,
    as_specialist,
    create_plan_agent,
    pending,
    specialist,
)
from goalgraph.specialists import Assessment, ModelGrader
from goalgraph.testing import ScriptedChatModel, ScriptedSpecialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
ONE = Plan(steps=(AgentStep(id="a", agent="writer", task="Write."),))


def doubting(task: StepTask, result: StepResult) -> Assessment:
    return Assessment(confidence=0.3, reason="no\nsource") if result.output == "thin" else Assessment(confidence=0.9)


def writer(output: object = "thin", **options: Any) -> Any:
    return as_specialist(ScriptedSpecialist("writer", default=output), **options)


@pytest.mark.parametrize(
    ("agent_wide", "own"), [(doubting, None), (None, doubting)], ids=["of the agent", "of the specialist"]
)
@pytest.mark.parametrize(("step_wants", "policy_wants"), [(0.6, None), (None, 0.6)], ids=["step's", "policy's"])
async def test_an_assessed_doubt_degrades_the_answer(
    agent_wide: Any, own: Any, step_wants: float | None, policy_wants: float | None
) -> None:
    execution = ExecutionPolicy(min_confidence=policy_wants)
    agent = create_plan_agent(None, [writer(assess=own)], assess=agent_wide, execution=execution)
    step = ONE.steps[0].model_copy(update={"min_confidence": step_wants})
    done = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(step,))})
    outcome = done["outcomes"]["a"]
    assert (outcome.confidence, outcome.confidence_reason) == (0.3, "no\nsource")
    assert done["status"] == "degraded"
    assert done["degraded"] == ["step 'a' has confidence 0.3, below the 0.6 asked for: no source"]


async def test_an_assessed_doubt_calls_for_a_revision() -> None:
    second = PlanPatch(add=(AgentStep(id="b", agent="expert", task="Look again.", depends_on=("a",)),))
    reviser = ScriptedReviser([second])
    agent = create_plan_agent(
        None,
        [writer(), ScriptedSpecialist("expert", default="thorough")],
        assess=doubting,
        execution=ExecutionPolicy(min_confidence=0.6),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    done = await agent.ainvoke({"goal": "g", "plan": ONE})
    (request,) = reviser.requests
    assert request.outcomes["a"].confidence_reason == "no\nsource"
    outcome = done["outcomes"]["b"]
    assert (outcome.specialist, outcome.confidence) == ("expert", 0.9)
    assert done["degraded"] == ["step 'a' has confidence 0.3, below the 0.6 asked for: no source"], (
        "the doubt stays said"
    )


async def test_without_a_doubt_there_is_no_revision() -> None:
    reviser = ScriptedReviser([PlanPatch()])
    agent = create_plan_agent(
        None,
        [writer("thorough")],
        assess=doubting,
        execution=ExecutionPolicy(min_confidence=0.6),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    done = await agent.ainvoke({"goal": "g", "plan": ONE})
    assert reviser.requests == []
    assert (done["status"], done["degraded"]) == ("complete", [])


async def test_a_step_may_ask_for_no_confidence_where_the_policy_does() -> None:
    reviser = ScriptedReviser([PlanPatch()])
    agent = create_plan_agent(
        None,
        [writer()],
        assess=doubting,
        execution=ExecutionPolicy(min_confidence=0.6),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    step = ONE.steps[0].model_copy(update={"min_confidence": 0.0})
    done = await agent.ainvoke({"goal": "g", "plan": Plan(steps=(step,))})
    assert reviser.requests == []
    assert done["status"] == "complete"


@pytest.mark.parametrize("given", [math.nan, "high", 1.5, True], ids=["nan", "text", "above 1", "boolean"])
async def test_an_unknown_confidence_neither_fails_nor_revises_and_is_said(given: Any) -> None:
    reviser = ScriptedReviser([PlanPatch()])
    agent = create_plan_agent(
        None,
        [writer(StepResult(output="x", confidence=given))],
        execution=ExecutionPolicy(min_confidence=0.6),
        revision=RevisionPolicy(),
        reviser=reviser,
    )
    done = await agent.ainvoke({"goal": "g", "plan": ONE})
    outcome = done["outcomes"]["a"]
    assert (outcome.status, outcome.output, outcome.confidence) == ("succeeded", "x", None)
    assert done["degraded"] == [
        f"step 'a': its own confidence is unknown: expected a number from 0 to 1, found {given!r}"
    ]
    assert reviser.requests == []


async def test_the_specialists_own_assessor_stands_before_the_agents() -> None:
    def sure(task: StepTask, result: StepResult) -> float:
        return 1.0

    agent = create_plan_agent(None, [writer(assess=sure)], assess=doubting)
    assert (await agent.ainvoke({"goal": "g", "plan": ONE}))["outcomes"]["a"].confidence == 1.0


def _graded() -> Any:
    grade = AIMessage('{"reason": "Thin.", "confidence": 0.2}', response_metadata={"finish_reason": "stop"})
    grader = ModelGrader(ScriptedChatModel([grade]), "Be thorough.")
    return as_specialist(ScriptedChatModel(["bees fly"]), name="writer", assess=grader)


def test_a_graders_words_are_not_streamed() -> None:
    agent = create_plan_agent(None, [_graded()])
    heard = [part[0].text for part in agent.stream({"goal": "g", "plan": ONE}, stream_mode="messages")]
    assert "bees fly" in "".join(heard)
    assert "Thin" not in "".join(heard)


def test_a_graders_calls_are_the_steps() -> None:
    outcome = outcome_of(_graded())
    assert (outcome.confidence, outcome.confidence_reason) == (0.2, "Thin.")
    assert outcome.usage.calls == 2


async def _endless(task: StepTask, result: StepResult) -> float:
    await asyncio.sleep(30)
    return 1.0


@pytest.mark.parametrize(
    "make", [lambda: writer(assess=_endless), lambda: _function(_endless)], ids=["object", "function"]
)
def test_an_assessment_is_within_the_steps_time(make: Callable[[], Any]) -> None:
    began = time.perf_counter()
    outcome = outcome_of(make(), step_timeout=0.2)
    assert (outcome.status, outcome.error and outcome.error.code) == ("failed", "timeout")
    assert time.perf_counter() - began < 10


def _function(assess: Any) -> Any:
    @specialist(assess=assess)
    async def writer(text: str) -> str:
        return "thin"

    return writer


@pytest.mark.parametrize(
    "make", [lambda: writer(assess=_endless), lambda: _function(_endless)], ids=["object", "function"]
)
async def test_an_assessment_is_cancelled_with_its_run(make: Callable[[], Any]) -> None:
    agent = create_plan_agent(None, [make()])
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": {"steps": [{"id": "a", "agent": "writer"}]}}))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_an_assessor_may_ask_a_human() -> None:
    async def ask(task: StepTask, result: StepResult, context: StepContext) -> float:
        found = context.ask(f"How good is {result.output}?", {"type": "number"})
        assert isinstance(found, float)
        return found

    agent = create_plan_agent(None, [writer(assess=ask)], checkpointer=InMemorySaver())
    agent.invoke({"goal": "g", "plan": ONE}, CONFIG)
    (request,) = pending(agent, CONFIG)
    assert request.prompt == "How good is thin?"
    done = answer(agent, CONFIG, {request.id: 0.4})
    assert done["outcomes"]["a"].confidence == 0.4


async def test_a_group_of_failures_with_a_question_in_it_is_no_failed_assessment() -> None:
    async def ask(task: StepTask, result: StepResult) -> float:
        raise ExceptionGroup("all", [GraphInterrupt(())])

    with pytest.raises(ExceptionGroup):
        await writer(assess=ask).run(StepTask(step="a", instruction="i"), StepContext(goal="g"))


def test_signals_are_in_the_outcome() -> None:
    @specialist
    async def talker(task: StepTask, context: StepContext) -> StepResult:
        context.signal("handoff.ready")
        return StepResult(output="x", signals=("thin", "handoff.ready"))

    assert outcome_of(talker).signals == ("handoff.ready", "thin")


def test_a_failed_step_has_the_signals_of_its_last_attempt() -> None:
    @specialist
    async def talker(task: StepTask, context: StepContext) -> str:
        context.signal(f"attempt-{context.attempt}")
        raise ConnectionError("down")

    outcome = outcome_of(talker, retry=Retry(max_attempts=2, initial_seconds=0.01))
    assert (outcome.status, outcome.attempts, outcome.signals) == ("failed", 2, ("attempt-2",))


def test_only_who_did_the_step_has_signalled() -> None:
    @specialist
    async def talker(task: StepTask, context: StepContext) -> str:
        context.signal("conflict.active")
        raise ValueError("no")

    agent = create_plan_agent(None, [talker, writer()])
    step = AgentStep(id="a", agent="talker", task="t", fallback=("writer",))
    assert agent.invoke({"goal": "g", "plan": Plan(steps=(step,))})["outcomes"]["a"].signals == ()


def test_a_bad_signal_fails_the_step() -> None:
    @specialist
    async def talker(task: StepTask, context: StepContext) -> str:
        context.signal("two words")
        return "x"

    outcome = outcome_of(talker)
    assert outcome.error is not None
    assert "'two words'" in outcome.error.message


@pytest.mark.parametrize(
    ("trigger", "revised"),
    [
        ("'handoff.ready' in step.signals", True),
        ("'conflict.active' in step.signals", False),
        ("step.output.confidence < 0.7", True),
        ("step.output.confidence < 0.2", False),
    ],
)
async def test_signals_and_outputs_call_for_revisions(trigger: str, revised: bool) -> None:
    @specialist(name="writer")
    async def talker(task: StepTask, context: StepContext) -> dict[str, float]:
        context.signal("handoff.ready")
        return {"confidence": 0.5}

    reviser = ScriptedReviser([PlanPatch()])
    agent = create_plan_agent(None, [talker], revision=RevisionPolicy(triggers=(trigger,)), reviser=reviser)
    done = await agent.ainvoke({"goal": "g", "plan": ONE})
    assert done["outcomes"]["a"].confidence is None, "a field is no confidence unless that is said"
    assert bool(reviser.requests) is revised
