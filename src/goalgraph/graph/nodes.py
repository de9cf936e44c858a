"""The nodes around the specialists', once there is a plan: thin I/O around the pure decisions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from goalgraph.errors import UnknownSpecialist
from goalgraph.graph import events
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.board.transitions import decide, degradations, run_status
from goalgraph.graph.coordination.assigner import Before
from goalgraph.graph.coordination.completing import completed, halted_by, signalled
from goalgraph.graph.coordination.consequences import all_signals
from goalgraph.graph.coordination.hooks import Completion
from goalgraph.graph.coordination.plan_routing import routed
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.graph.ledger.telling import limits_met, new_decisions, uncounted
from goalgraph.graph.revision.rules import Rules, stand_of, unrevised
from goalgraph.graph.run import run_of
from goalgraph.graph.state import PlanState, StepSend
from goalgraph.graph.steps.scope import scope_of
from goalgraph.logs import run_over
from goalgraph.planner import dag
from goalgraph.planner.degrading import simplifications
from goalgraph.planner.expressions import ExpressionError, resolve
from goalgraph.planner.outcome import Outcome, Usage, text_of
from goalgraph.planner.plan import Plan
from goalgraph.planner.run_metrics import metrics_of
from goalgraph.specialists.results import as_json
from goalgraph.synthesis import StructuredSynthesizer, Synthesis, SynthesisRequest, Synthesizer, named_by, synthesized

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
        before, asked, goal = Before.of(state), dict[str, Any](), state.get("goal", "")
        if run.coordination is not None and run.coordination.plan_router is not None:
            used = state.get("usage") or Usage()
            before, asked = await routed(run.coordination, _plan(state), run.cards, goal, before, used, run.accounts)
        is_revised = run.rules is not None and not run.accounts.is_met
        due = run.rules.pressing(stand_of(state, run.judged)) if run.rules is not None and is_revised else ()
        work = run.begin(
            _plan(state),
            recorded,
            goal,
            state.get("inputs") or {},
            state.get("started_at"),
            state.get("decisions") or (),
            withheld=due,
            usage=state.get("usage"),
            before=before,
        )
        board = work.board
        made = events.PlanMade(
            type="plan_made",
            run=run.id,
            steps=[step.id for step in board.index.plan.steps],
            done=list(board.outcomes),
        )
        if (planning := state.get("usage")) is not None and planning.calls:
            made["usage"] = events.used(planning)
        runtime.stream_writer(made)
        sends: list[Send] = []
        for step_id in board.index.order:
            if step_id not in recorded:
                chain = work.chains.get(step_id)
                node = board.index.steps[step_id].type if chain is None else self._node(chain[0])
                sends.append(Send(node, StepSend(step=step_id)))
        onward = sends or "gather"  # a plan that was put in place of another may have nothing left to do
        return Command(goto=onward, update=asked) if asked else Command(goto=onward)

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
        run = run_of(config)
        is_open = not run.accounts.is_met or bool(run.calls)
        if self.rules is not None and is_open and self.rules.due(stand_of(state, run.judged)):
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
    rules: Rules | None = None
    """When the plan is changed, where it ever is."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> dict[str, Any]:
        """Write answer, status, what is degraded, and what the whole run used."""
        run, plan, unordered = run_of(config), _plan(state), state.get("outcomes") or {}
        before = state.get("usage") or Usage()
        run.accounts.take_in(run.id, plan, unordered, before)
        meter = count_usage(run.accounts.ledgers, is_last=True)
        outcomes = {step.id: unordered[step.id] for step in plan.steps if step.id in unordered}
        written = await self._written(plan, outcomes, state)
        answer = str(as_json(written.answer))
        spent = [outcome.usage for outcome in unordered.values() if outcome.usage.calls]
        limits = new_decisions(run.accounts.ledgers, state.get("decisions") or (), datetime.now(UTC))
        decisions = (*(state.get("decisions") or ()), *limits)
        used = sum((*spent, meter.usage), before)
        halted = halted_by(plan, unordered, self.rules, state.get("inputs") or {})
        reasons = (
            *simplifications(decisions),
            *limits_met(decisions),
            *degradations(plan, outcomes, min_confidence=self.min_confidence),
            *signalled(unordered, halted, self.rules),
            *unrevised(decisions),
            *uncounted(run.accounts.own, used),
            *written.degraded,
        )
        status = run_status(plan, outcomes, reasons, strict=self.strict, is_halted=bool(halted))
        made = [*(one for outcome in unordered.values() for one in outcome.decisions), *limits]
        metrics = metrics_of(
            (*outcomes.values(), *(one for step_id, one in unordered.items() if step_id not in outcomes)),
            started_at=state.get("started_at"),
            waiting=run.peaks,
        )
        if run.hooks is not None and run.hooks.has("all_complete"):
            told = Completion(
                run=run.id,
                goal=state.get("goal", ""),
                plan=plan,
                outcomes=outcomes,
                answer=answer,
                status=status,
                degraded=reasons,
                metrics=metrics,
            )
            if (last := await completed(run, told)) is not None:
                answer, decision = last
                made.append(decision)
                runtime.stream_writer(events.decision_made(decision, run.id))
        run_over(run.id, status)
        finished = events.RunFinished(type="run_finished", run=run.id, status=status)
        if used.calls:
            finished["usage"] = events.used(used)
        runtime.stream_writer(finished)
        return {
            "answer": answer,
            "structured_response": as_json(written.structured),
            "sources": list(written.sources),
            "status": status,
            "degraded": list(reasons),
            "decisions": made,
            "signals": list(all_signals({**outcomes, **unordered}, decisions, _needs(plan, unordered))),
            "usage": used,
            "spent": used + spent_before if (spent_before := state.get("spent")) is not None else used,
            "metrics": metrics,
            "messages": [AIMessage(answer, id=written.message_id)],
        }

    async def _written(self, plan: Plan, outcomes: Mapping[str, Outcome], state: PlanState) -> Synthesis:
        request = SynthesisRequest(
            goal=state.get("goal", ""), plan=plan, outcomes=outcomes, min_confidence=self.min_confidence
        )
        if plan.output is None:
            return await synthesized(self.synthesizer, request)
        try:
            value = resolve(
                plan.output,
                scope_of({**plan.inputs, **(state.get("inputs") or {})}, outcomes, RunClock(outcomes.values())),
            )
        except ExpressionError as error:
            written = await synthesized(self.synthesizer, request)
            return replace(written, degraded=(f"the plan's output: {error}", *written.degraded))
        taken = Synthesis(answer=text_of(value), sources=named_by(plan.output, request))
        if isinstance(self.synthesizer, StructuredSynthesizer):
            return await self.synthesizer.of_output(value, taken, request)
        return taken


def _needs(plan: Plan, outcomes: Mapping[str, Outcome]) -> Mapping[str, Collection[str]]:
    """What each step waits for; nothing where that is of no interest, since nobody has signalled anything."""
    return dag.graph(plan) if any(outcome.signals for outcome in outcomes.values()) else {}


def _plan(state: PlanState) -> Plan:
    plan = state.get("plan")
    if plan is None:
        raise AssertionError("no plan in the state after decompose")
    return plan
