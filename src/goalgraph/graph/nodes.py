"""The nodes around the specialists': thin I/O around the pure decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, Send

from goalgraph.errors import InvalidPlan
from goalgraph.graph import events
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.board.transitions import decide, degradations, run_status
from goalgraph.graph.run import run_of
from goalgraph.graph.state import PlanState, StepSend
from goalgraph.graph.steps.scope import scope_of
from goalgraph.graph.steps.usage import count_usage
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.expressions import ExpressionError, resolve
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.outcome import Outcome, Usage, text_of
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.validation import PlanPolicy, checked, missing_inputs
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.results import as_json
from goalgraph.synthesis import Concatenate, Synthesis, SynthesisRequest, Synthesizer

__all__ = ["Decompose", "Dispatch", "Gather", "Synthesize", "leads_on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decompose:
    """Makes the plan, or takes the caller's; either way only a valid one passes."""

    decomposer: Decomposer
    registry: SpecialistRegistry
    policy: PlanPolicy
    library: PlanLibrary | None
    is_reviewed: bool = False
    """Whether the plan goes to a review next."""

    async def __call__(self, state: PlanState, config: RunnableConfig) -> dict[str, Any]:
        """Write the plan, and clear what an earlier goal of the thread has left."""
        meter = count_usage()
        plan, cards, goal = state.get("plan"), self.registry.cards, state.get("goal", "")
        before = state.get("review")
        rejected = before.rejected if before is not None and before.goal == goal and plan is None else ()
        is_given = plan is not None
        if plan is None:
            request = PlanRequest(
                goal=goal,
                cards=cards,
                policy=self.policy,
                inputs=state.get("inputs") or {},
                rejected=rejected,
            )
            plan = await self.decomposer.decompose(request)
        if plan is not run_of(config).checked:
            if self.library is not None:
                plan = expand_plans(plan, self.library)
            checked(plan, self.policy, cards)
            if problems := missing_inputs(plan, state.get("inputs") or {}):
                raise InvalidPlan(problems)
        review = PlanInReview(goal=goal, plan=plan, is_given=is_given, rejected=rejected) if self.is_reviewed else None
        return {
            "plan": compile_plan(plan, cards),
            "started_at": datetime.now(UTC).isoformat(),
            "outcomes": Overwrite(value={}),
            "usage": (state.get("usage") or Usage()) + meter.usage if rejected else meter.usage,
            "answer": None,
            "status": None,
            "degraded": [],
            **({} if rejected else {"decisions": Overwrite(value=[])}),
            **({"review": review} if review is not None else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Sends every unfinished step to its specialist, all at once; each waits there for its turn."""

    node_names: Mapping[str, str]
    """The node of each specialist, by the specialist's name; other steps have the node of their type's name."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> Command[str]:
        """Set the board and send the steps, in topological order."""
        run, recorded = run_of(config), state.get("outcomes") or {}
        run.control = runtime.control
        work = run.begin(
            _plan(state),
            recorded,
            state.get("goal", ""),
            state.get("inputs") or {},
            state.get("started_at"),
        )
        board = work.board
        runtime.stream_writer(
            events.PlanMade(
                type="plan_made",
                run=run.id,
                steps=[step.id for step in board.index.plan.steps],
                done=list(board.outcomes),
            )
        )
        sends: list[Send] = []
        for step_id in board.index.order:
            if step_id not in recorded:
                chain = work.chains.get(step_id)
                node = self.node_names[chain[0]] if chain is not None else board.index.steps[step_id].type
                sends.append(Send(node, StepSend(step=step_id)))
        return Command(goto=sends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Meets what all steps have come to; `leads_on` decides where the run goes from there."""

    async def __call__(self, state: PlanState) -> dict[str, Any]:
        """Change nothing: the outcomes are there already."""
        return {}


async def leads_on(state: PlanState) -> Literal["dispatch", "synthesize"]:
    """Decide where the run goes once its steps are over; async, because LangGraph calls sync functions in a thread."""
    return decide(_plan(state), state.get("outcomes") or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesize:
    """Writes the one answer, and says how good it is."""

    synthesizer: Synthesizer
    strict: bool = False
    """Whether one failed step is enough for a failed run."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> dict[str, Any]:
        """Write answer, status, what is degraded, and what the whole run used."""
        meter = count_usage()
        plan, unordered = _plan(state), state.get("outcomes") or {}
        outcomes = {step.id: unordered[step.id] for step in plan.steps if step.id in unordered}
        written = await self._written(plan, outcomes, state)
        answer = str(as_json(written.answer))
        spent = [outcome.usage for outcome in unordered.values() if outcome.usage.calls]
        reasons = (*degradations(plan, outcomes), *_unpriced(spent), *written.degraded)
        status = run_status(plan, outcomes, reasons, strict=self.strict)
        runtime.stream_writer(events.RunFinished(type="run_finished", run=run_of(config).id, status=status))
        return {
            "answer": answer,
            "status": status,
            "degraded": list(reasons),
            "decisions": [decision for outcome in unordered.values() for decision in outcome.decisions],
            "usage": sum((*spent, meter.usage), state.get("usage") or Usage()),
            "messages": [AIMessage(answer, id=written.message_id)],
        }

    async def _written(self, plan: Plan, outcomes: Mapping[str, Outcome], state: PlanState) -> Synthesis:
        request = SynthesisRequest(goal=state.get("goal", ""), plan=plan, outcomes=outcomes)
        if plan.output is None:
            return await self._synthesized(request)
        try:
            value = resolve(
                plan.output,
                scope_of({**plan.inputs, **(state.get("inputs") or {})}, outcomes, RunClock(outcomes.values())),
            )
        except ExpressionError as error:
            written = await self._synthesized(request)
            return Synthesis(answer=written.answer, degraded=(f"the plan's output: {error}", *written.degraded))
        return Synthesis(answer=text_of(value))

    async def _synthesized(self, request: SynthesisRequest) -> Synthesis:
        """Have the answer written; a synthesizer that fails loses none of the finished work."""
        try:
            return await self.synthesizer.synthesize(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            plain = await Concatenate().synthesize(request)
            reason = f"the synthesis failed ({type(error).__name__}: {' '.join(str(error).split())}); parts are joined"
            return Synthesis(answer=plain.answer, degraded=(reason, *plain.degraded))


def _unpriced(spent: Iterable[Usage]) -> tuple[str, ...]:
    """Say how much of what a budget should have counted it could not."""
    calls = sum(usage.unpriced_calls for usage in spent)
    return (f"the price of {calls} model calls is not known; the budget does not count them",) if calls else ()


def _plan(state: PlanState) -> Plan:
    plan = state.get("plan")
    if plan is None:
        raise AssertionError("no plan in the state after decompose")
    return plan
