"""The node of every specialist: waits for a step's turn, has the step done, records its outcome."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.graph import events
from goalgraph.graph.board import Board
from goalgraph.graph.execution import idempotency_key, perform
from goalgraph.graph.policies import ExecutionPolicy
from goalgraph.graph.run import Run, Work, run_of
from goalgraph.graph.scope import scope_of
from goalgraph.graph.state import StepSend
from goalgraph.graph.usage import count_usage
from goalgraph.planner.expressions import ExpressionError, evaluate, is_template, resolve
from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.plan import Step
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask

__all__ = ["StepNode"]

StepEnd = dict[str, Any] | Command[Literal["gather"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNode:
    """Serves as every specialist's node.

    Nodes are callable objects because LangGraph takes plain functions apart to look for subgraphs, for half the time of
    building an agent.
    """

    registry: SpecialistRegistry
    execution: ExecutionPolicy

    async def __call__(self, state: StepSend, config: RunnableConfig, runtime: Runtime[Any]) -> StepEnd:
        """Wait for the step's turn, do it, and end with its outcome."""
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
            scope = scope_of(work.inputs, board.outcomes)
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
        thread = str(config.get("configurable", {}).get("thread_id") or run.id)
        outcome = await perform(
            StepTask(step=step.id, instruction=instruction, input=arguments),
            StepContext(
                goal=work.goal,
                dependencies={
                    need: board.outcomes[need] for need in board.index.needs[step.id] if need in board.outcomes
                },
                idempotency_key=idempotency_key(thread, step.id, instruction, arguments),
                report=partial(_tell_progress, runtime, run, step.id),
            ),
            [self.registry.get(name) for name in chain],
            started_at=started_at,
            timeout=step.timeout if step.timeout is not None else self.execution.step_timeout,
            retry=step.retry if step.retry is not None else self.execution.retry,
            handed_over=partial(_hand_over, board.move, step.id),
        )
        return outcome.model_copy(update={"usage": meter.usage}) if meter.calls else outcome


def _ended(board: Board, outcome: Outcome, run: Run, runtime: Runtime[Any]) -> StepEnd:
    """Record an outcome; the superstep's last one also leads on to gather.

    An edge from every specialist to gather would do the same with a second write for each step, which LangGraph's
    handling of pending writes, quadratic in their number, makes dear.
    """
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
    update = {"outcomes": {outcome.step: outcome}}
    return Command(update=update, goto="gather") if board.close(outcome.step) else update


async def _hand_over(move: Callable[[str, str], Awaitable[None]], step_id: str, to: Specialist) -> None:
    await move(step_id, to.card.name)


def _instruction(step: Step) -> str:
    if not step.constraints:
        return step.task
    return step.task + "\n\nConstraints:\n" + "\n".join(f"- {constraint}" for constraint in step.constraints)


def _tell_progress(runtime: Runtime[Any], run: Run, step_id: str, said: Mapping[str, JsonValue]) -> None:
    runtime.stream_writer({"type": "step_progress", "run": run.id, "step": step_id, **said})
