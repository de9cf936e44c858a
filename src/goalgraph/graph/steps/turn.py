"""A step whose turn has come, with everything around it that doing it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from pydantic import JsonValue

from goalgraph.errors.codes import StepErrorCode
from goalgraph.graph.board.board import Board
from goalgraph.graph.board.run_clock import end_of
from goalgraph.graph.ledger.telling import remaining
from goalgraph.graph.run import Run
from goalgraph.graph.steps.scope import scope_of
from goalgraph.graph.work import Work
from goalgraph.planner.decision import Decision
from goalgraph.planner.durations import seconds_of
from goalgraph.planner.expressions import ExpressionError, evaluate, resolve
from goalgraph.planner.outcome import Outcome, Status, StepError, text_of
from goalgraph.planner.plan import Step
from goalgraph.specialists.remaining import Remaining
from goalgraph.specialists.results import as_json

__all__ = ["Turn"]


@dataclass(slots=True, kw_only=True)
class Turn:
    """What the code of every kind of step is given."""

    step: Step
    run: Run
    work: Work
    config: RunnableConfig
    runtime: Runtime[Any]
    started_at: str
    """ISO 8601, UTC."""
    decisions: list[Decision] = field(default_factory=list[Decision])
    """What people have decided in it so far."""
    asked: list[tuple[object, JsonValue]] = field(default_factory=list[tuple[object, JsonValue]])
    """What its specialist has asked so far, with the answers."""

    @property
    def board(self) -> Board:
        """Where the tasks of the superstep meet."""
        return self.work.board

    def remaining(self) -> Callable[[], Remaining] | None:
        """Return what tells how much is left of the run's limits; None where there are none."""
        ledgers, until = self.run.accounts.ledgers, self.work.until
        return None if until is None and not ledgers else lambda: remaining(ledgers, until, self.board.now())

    def tell(self, event: Mapping[str, object]) -> None:
        """Send an event to whoever watches."""
        self.runtime.stream_writer(event)

    def resolve(self, value: JsonValue) -> JsonValue:
        """Replace the expressions in a value.

        Raises:
            ExpressionError: One cannot be evaluated.
        """
        return resolve(value, self._scope())

    def text(self, value: str) -> str:
        """Replace the expressions in a text; the result is text whatever they give, and can be stored.

        Raises:
            ExpressionError: One cannot be evaluated.
        """
        if "{{" not in value:
            return value
        found = self.resolve(value)
        return str(as_json(found if isinstance(found, str) else text_of(found)))

    def holds(self, condition: str) -> bool:
        """Evaluate a condition.

        Raises:
            ExpressionError: It cannot be evaluated.
        """
        return bool(evaluate(condition, self._scope()))

    def timed(self, outcome: Outcome) -> Outcome:
        """Return an outcome of this step with when its turn came, how long it took, and what was decided in it."""
        seconds = (self.board.now() - datetime.fromisoformat(self.started_at)).total_seconds()
        return outcome.model_copy(
            update={"started_at": self.started_at, "seconds": max(seconds, 0.0), "decisions": tuple(self.decisions)}
        )

    def ended(self, status: Status, *, output: JsonValue = None, error: StepError | None = None) -> Outcome:
        """Make an outcome of this step."""
        return self.timed(Outcome(step=self.step.id, status=status, output=output, error=error))

    def failed(self, code: StepErrorCode, message: str) -> Outcome:
        """Make a failed outcome of this step."""
        return self.ended("failed", error=StepError(code=code, message=message))

    def decided(self, decision: Decision) -> Decision:
        """Keep a decision, for the step's outcome."""
        self.decisions.append(decision)
        return decision

    def due(self, duration: float | str | None) -> datetime | None:
        """When a duration is over that counts from the moment this step's turn came, in whatever process that was.

        Raises:
            ExpressionError: The duration's expression cannot be evaluated, or gives none.
        """
        if duration is None:
            return None
        found = self.resolve(duration) if isinstance(duration, str) else duration
        try:
            return self.turned_at() + timedelta(seconds=seconds_of(found))
        except ValueError as error:
            raise ExpressionError(str(error)) from error

    def turned_at(self) -> datetime:
        """When the last of what this step waits for was over; for a step that waits for nothing, the run's start."""
        index, outcomes, step_id = self.board.index, self.board.outcomes, self.step.id
        while True:
            waited = index.awaited(step_id)
            if index.steps[step_id].join == "any_success":  # the first success was enough, whatever came later
                needs = index.needs[step_id]
                succeeded = [need for need in needs if need in outcomes and outcomes[need].status == "succeeded"]
                first = min(succeeded, key=lambda need: end_of(outcomes[need]), default=None)
                waited = tuple(need for need in waited if need not in needs or need == first)
            ends = [end_of(outcomes[need]) for need in waited if need in outcomes]
            if ends:
                return max(ends)
            if step_id not in index.parents:
                return self.work.started_at
            step_id = index.parents[step_id]

    def _scope(self) -> dict[str, object]:
        index = self.board.index
        seen = {need: self.board.outcomes[need] for need in index.awaited(self.step.id) if need in self.board.outcomes}
        # Not the present: what a step is given is the same whenever its turn is taken anew.
        return scope_of(self.work.inputs, seen, self.turned_at, index.bindings.get(self.step.id))
