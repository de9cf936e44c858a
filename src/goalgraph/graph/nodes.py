"""The nodes around the specialists', once there is a plan: thin I/O around the pure decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from goalgraph.errors import UnknownSpecialist
from goalgraph.graph import events
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.board.transitions import decide, degradations, run_status
from goalgraph.graph.coordination.assigning import Before
from goalgraph.graph.coordination.plan_routing import routed
from goalgraph.graph.revision.rules import Rules, stand_of, unrevised
from goalgraph.graph.run import run_of
from goalgraph.graph.state import PlanState, StepSend
from goalgraph.graph.steps.scope import scope_of
from goalgraph.graph.steps.usage import count_usage
from goalgraph.planner.degrading import simplifications
from goalgraph.planner.expressions import ExpressionError, resolve
from goalgraph.planner.outcome import Outcome, Usage, text_of
from goalgraph.planner.plan import BudgetGuardrail, Plan
from goalgraph.specialists.results import as_json
from goalgraph.synthesis import Concatenate, Synthesis, SynthesisRequest, Synthesizer

__all__ = ["Dispatch", "Gather", "Synthesize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Sends every unfinished step to its specialist, all at once; each waits there for its turn."""

    node_names: Mapping[str, str]
    """The node of each specialist, by the specialist's name; other steps have the node of their type's name."""
    roles: str | None = None
    """The node of all roles that plans propose, where they may."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> Command[str]:
        """Set the board and send the steps, in topological order."""
        run, recorded = run_of(config), state.get("outcomes") or {}
        run.control = runtime.control
        before, asked, goal, used = Before.of(state), dict[str, Any](), state.get("goal", ""), state.get("usage")
        if run.coordination is not None and run.coordination.plan_router is not None:
            before, asked = await routed(
                run.coordination, _plan(state), run.cards, goal, before, used or Usage(), run.prices
            )
        due = run.rules.pressing(stand_of(state, run.judged)) if run.rules is not None else ()
        work = run.begin(
            _plan(state),
            recorded,
            goal,
            state.get("inputs") or {},
            state.get("started_at"),
            state.get("decisions") or (),
            withheld=due,
            before=before,
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
                node = board.index.steps[step_id].type if chain is None else self._node(chain[0])
                sends.append(Send(node, StepSend(step=step_id)))
        return Command(goto=sends, update=asked) if asked else Command(goto=sends)

    def _node(self, specialist: str) -> str:
        node = self.node_names.get(specialist, self.roles)
        if node is None:
            raise UnknownSpecialist(
                f"the plan names {specialist!r}, who is no specialist of this agent",
                hint="give it the specialists, and the roles=Roles(...), that the plan was made with",
            )
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Meets what all steps have come to, and decides where the run goes from there."""

    rules: Rules | None = None
    """When the plan is changed, where it ever is."""

    async def __call__(
        self, state: PlanState, config: RunnableConfig
    ) -> Command[Literal["dispatch", "revise", "synthesize"]]:
        """Go on with what is not done yet, change the plan, or write the answer."""
        if self.rules is not None and self.rules.due(stand_of(state, run_of(config).judged)):
            return Command(goto="revise")
        return Command(goto=decide(_plan(state), state.get("outcomes") or {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesize:
    """Writes the one answer, and says how good it is."""

    synthesizer: Synthesizer
    strict: bool = False
    """Whether one failed step is enough for a failed run."""
    min_confidence: float | None = None
    """For steps that set none of their own."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> dict[str, Any]:
        """Write answer, status, what is degraded, and what the whole run used."""
        meter = count_usage()
        plan, unordered = _plan(state), state.get("outcomes") or {}
        outcomes = {step.id: unordered[step.id] for step in plan.steps if step.id in unordered}
        written = await self._written(plan, outcomes, state)
        answer = str(as_json(written.answer))
        spent = [outcome.usage for outcome in unordered.values() if outcome.usage.calls]
        decisions = state.get("decisions") or ()
        reasons = (
            *simplifications(decisions),
            *degradations(plan, outcomes, min_confidence=self.min_confidence),
            *unrevised(decisions),
            *(_unpriced(spent) if _has_budget(plan) else ()),
            *written.degraded,
        )
        usage = sum((*spent, meter.usage), state.get("usage") or Usage())
        status = run_status(plan, outcomes, reasons, strict=self.strict)
        runtime.stream_writer(events.RunFinished(type="run_finished", run=run_of(config).id, status=status))
        return {
            "answer": answer,
            "status": status,
            "degraded": list(reasons),
            "decisions": [decision for outcome in unordered.values() for decision in outcome.decisions],
            "usage": usage,
            "spent": usage + before if (before := state.get("spent")) is not None else usage,
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


def _has_budget(plan: Plan) -> bool:
    """Whether it sets one itself: what counts for a run around this one, that one tells."""
    return any(isinstance(one, BudgetGuardrail) for one in plan.coordinator.guardrails)


def _unpriced(spent: Iterable[Usage]) -> tuple[str, ...]:
    """Say how much of what a budget should have counted it could not."""
    calls = sum(usage.unpriced_calls for usage in spent)
    return (f"the price of {calls} model calls is not known; the budget does not count them",) if calls else ()


def _plan(state: PlanState) -> Plan:
    plan = state.get("plan")
    if plan is None:
        raise AssertionError("no plan in the state after decompose")
    return plan
