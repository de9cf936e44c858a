"""The nodes of the graph: thin I/O around the pure decisions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, Send
from pydantic import JsonValue

from goalgraph.graph import events
from goalgraph.graph.board import Board
from goalgraph.graph.execution import Assignment, idempotency_key, perform
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.run import Run, Work, run_of
from goalgraph.graph.state import PlanState, StepSend
from goalgraph.graph.transitions import decide, degradations, run_status
from goalgraph.graph.usage import count_usage
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.expressions import ExpressionError, evaluate, is_template, resolve
from goalgraph.planner.outcome import Outcome, StepError, Usage, text_of
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.validation import PlanPolicy, checked
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask
from goalgraph.synthesis import Concatenate, Synthesis, SynthesisRequest, Synthesizer

__all__ = ["Nodes"]

StepEnd = dict[str, Any] | Command[Literal["gather"]]
SpecialistNode = Callable[[StepSend, RunnableConfig, Runtime[Any]], Awaitable[StepEnd]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes, with what was given when the agent was built."""

    registry: SpecialistRegistry
    decomposer: Decomposer
    synthesizer: Synthesizer
    execution: ExecutionPolicy
    plan_policy: PlanPolicy
    node_names: Mapping[str, str]
    """The node of each specialist, by the specialist's name."""

    async def decompose(self, state: PlanState) -> dict[str, Any]:
        """Make the plan, or take the caller's; either way only a valid one passes."""
        meter = count_usage()
        plan, cards = state.get("plan"), self.registry.cards
        if plan is None:
            request = PlanRequest(
                goal=state.get("goal", ""), cards=cards, policy=self.plan_policy, inputs=state.get("inputs") or {}
            )
            plan = await self.decomposer.decompose(request)
        return {
            "plan": checked(plan, self.plan_policy, cards),
            "outcomes": Overwrite(value={}),
            "usage": meter.usage,
            "answer": None,
            "status": None,
            "degraded": [],
        }

    async def dispatch(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> Command[str]:
        """Send every unfinished step to its specialist, all at once; each waits there for its turn."""
        run = run_of(config)
        work = run.begin(_plan(state), state.get("outcomes") or {}, state.get("goal", ""), state.get("inputs") or {})
        runtime.stream_writer(
            events.PlanMade(
                type="plan_made",
                run=run.id,
                steps=[step.id for step in work.board.index.plan.steps],
                done=[step_id for step_id in work.board.outcomes if step_id not in work.chains],
            )
        )
        return Command(
            goto=[Send(self.node_names[chain[0]], StepSend(step=step_id)) for step_id, chain in work.chains.items()]
        )

    def specialist(self) -> SpecialistNode:
        """Return the function that serves as every specialist's node."""

        async def run_step(state: StepSend, config: RunnableConfig, runtime: Runtime[Any]) -> StepEnd:
            run = run_of(config)
            work = run.work or await run.resumed(config)
            step_id, board = state["step"], work.board
            verdict = await board.enter(step_id)
            if verdict == "park":
                raise GraphInterrupt(())
            if isinstance(verdict, Outcome):
                return _ended(board, verdict, run, runtime)
            try:
                outcome = await self._outcome(work, board.index.steps[step_id], run, config, runtime)
            except GraphBubbleUp:
                board.leave(step_id, None)
                raise
            except BaseException:
                if not board.stopped:
                    raise
                outcome = board.cancelled(step_id)
            board.leave(step_id, outcome)
            if outcome.status == "failed" and self.execution.on_failure == "fail_fast":
                board.stop(f"cancelled because step {step_id!r} failed")
            return _ended(board, outcome, run, runtime)

        return run_step

    async def gather(self, state: PlanState) -> Command[Literal["dispatch", "synthesize"]]:
        """Look at all outcomes and decide where the run goes."""
        return Command(goto=decide(_plan(state), state.get("outcomes") or {}))

    async def synthesize(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> dict[str, Any]:
        """Write the one answer, and say how good it is."""
        meter = count_usage()
        plan, outcomes = _plan(state), _in_plan_order(_plan(state), state.get("outcomes") or {})
        reasons = degradations(plan, outcomes)
        written = await self._written(plan, outcomes, state)
        reasons = (*reasons, *written.degraded)
        status = run_status(plan, outcomes, reasons)
        spent = [outcome.usage for outcome in outcomes.values() if outcome.usage.calls]
        usage = sum((*spent, meter.usage), state.get("usage") or Usage())
        runtime.stream_writer(events.RunFinished(type="run_finished", run=run_of(config).id, status=status))
        return {
            "answer": written.answer,
            "status": status,
            "degraded": list(reasons),
            "usage": usage,
            "messages": [AIMessage(written.answer, id=written.message_id)],
        }

    async def _written(self, plan: Plan, outcomes: Mapping[str, Outcome], state: PlanState) -> Synthesis:
        if plan.output is not None:
            try:
                value = resolve(plan.output, _scope({**plan.inputs, **(state.get("inputs") or {})}, outcomes))
                return Synthesis(answer=text_of(value), degraded=())
            except ExpressionError as error:
                written = await self._synthesized(plan, outcomes, state)
                return Synthesis(answer=written.answer, degraded=(f"the plan's output: {error}", *written.degraded))
        return await self._synthesized(plan, outcomes, state)

    async def _synthesized(self, plan: Plan, outcomes: Mapping[str, Outcome], state: PlanState) -> Synthesis:
        request = SynthesisRequest(goal=state.get("goal", ""), plan=plan, outcomes=outcomes)
        try:
            return await self.synthesizer.synthesize(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            plain = await Concatenate().synthesize(request)
            reason = f"the synthesis failed ({type(error).__name__}: {' '.join(str(error).split())}); parts are joined"
            return Synthesis(answer=plain.answer, degraded=(reason, *plain.degraded))

    async def _outcome(
        self, work: Work, step: Step, run: Run, config: RunnableConfig, runtime: Runtime[Any]
    ) -> Outcome:
        """Do a step whose turn has come."""
        started_at = datetime.now(UTC).isoformat()
        board, chain = work.board, work.chains[step.id]
        runtime.stream_writer(
            events.StepStarted(type="step_started", run=run.id, step=step.id, specialist=chain[0], at=started_at)
        )
        arguments: dict[str, JsonValue] = step.input
        if step.when is not None or (step.input and is_template(step.input)):
            scope = _scope(work.inputs, board.outcomes)
            try:
                if step.when is not None and not evaluate(step.when, scope):
                    return Outcome(step=step.id, status="skipped", started_at=started_at)
                arguments = cast("dict[str, JsonValue]", resolve(step.input, scope))
            except ExpressionError as error:
                return Outcome(
                    step=step.id,
                    status="failed",
                    error=StepError(code="invalid_input", message=str(error)),
                    started_at=started_at,
                )
        instruction = _instruction(step)
        meter = count_usage()
        outcome = await perform(
            Assignment(
                step=step,
                task=StepTask(step=step.id, instruction=instruction, input=arguments),
                context=StepContext(
                    goal=work.goal,
                    dependencies={
                        need: board.outcomes[need] for need in board.index.needs[step.id] if need in board.outcomes
                    },
                    idempotency_key=idempotency_key(
                        str(config.get("configurable", {}).get("thread_id") or run.id), step.id, instruction, arguments
                    ),
                    report=partial(_tell_progress, runtime, run, step.id),
                ),
                chain=[self.registry.get(name) for name in chain],
                timeout=step.timeout if step.timeout is not None else self.execution.step_timeout,
                retry=step.retry if step.retry is not None else self.execution.retry,
                handed_over=partial(_hand_over, board.move, step.id),
            ),
            started_at,
        )
        return outcome.model_copy(update={"usage": meter.usage}) if meter.calls else outcome


def _ended(board: Board, outcome: Outcome, run: Run, runtime: Runtime[Any]) -> StepEnd:
    """Record an outcome; the superstep's last one also leads on to gather.

    An edge from every specialist to gather would do the same with a second write for each step, which LangGraph's
    handling of pending writes, quadratic in their number, makes dear.
    """
    _tell_finished(runtime, run, outcome)
    update = {"outcomes": {outcome.step: outcome}}
    return Command(update=update, goto="gather") if board.close(outcome.step) else update


async def _hand_over(move: Callable[[str, str], Awaitable[None]], step_id: str, to: Specialist) -> None:
    await move(step_id, to.card.name)


def _plan(state: PlanState) -> Plan:
    plan = state.get("plan")
    if plan is None:
        raise AssertionError("no plan in the state after decompose")
    return plan


def _in_plan_order(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {step.id: outcomes[step.id] for step in plan.steps if step.id in outcomes}


def _instruction(step: Step) -> str:
    if not step.constraints:
        return step.task
    return step.task + "\n\nConstraints:\n" + "\n".join(f"- {constraint}" for constraint in step.constraints)


def _scope(inputs: Mapping[str, JsonValue], outcomes: Mapping[str, Outcome]) -> dict[str, object]:
    """What expressions see."""
    return {
        "input": dict(inputs),
        "steps": {
            step_id: {
                "output": outcome.output,
                "status": outcome.status,
                "confidence": outcome.confidence,
                "error": outcome.error.message if outcome.error else None,
            }
            for step_id, outcome in outcomes.items()
        },
        "now": lambda: datetime.now(UTC).isoformat(),
    }


def _tell_progress(runtime: Runtime[Any], run: Run, step_id: str, said: Mapping[str, JsonValue]) -> None:
    runtime.stream_writer({"type": "step_progress", "run": run.id, "step": step_id, **said})


def _tell_finished(runtime: Runtime[Any], run: Run, outcome: Outcome) -> None:
    event = events.StepFinished(
        type="step_finished",
        run=run.id,
        step=outcome.step,
        status=outcome.status,
        specialist=outcome.specialist,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
    )
    if outcome.error is not None:
        event["error"] = outcome.error.message
    runtime.stream_writer(event)
