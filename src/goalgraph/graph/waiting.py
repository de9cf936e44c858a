"""Steps that wait for a time."""

from datetime import UTC, datetime

from langgraph.errors import GraphInterrupt

from goalgraph.graph.asking import happened
from goalgraph.graph.turn import Turn
from goalgraph.planner.durations import time_of
from goalgraph.planner.expressions import ExpressionError
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import WaitStep

__all__ = ["waited"]

_LONGEST_NAP = 86_400.0
"""Seconds; longer sleeps are made of several, so that a clock that is set does not matter for long."""


async def waited(turn: Turn, step: WaitStep) -> Outcome:
    """Wait as the step says, without taking anybody's place.

    The time is reckoned from what is stored, so that it is the same in a process that goes on with the run.

    Raises:
        GraphInterrupt: The event has not come, or the run has to end before because it waits for a human too.
        ExpressionError: The time's expression cannot be evaluated, or gives none.
    """
    if step.event is not None:
        return happened(turn, step, step.event)
    due = turn.due(step.duration) if step.duration is not None else _until(turn, step)
    if due is None:
        raise AssertionError("a wait without a duration, a time or an event")
    while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
        verdict = await turn.board.sleep(step.id, min(left, _LONGEST_NAP))
        if isinstance(verdict, Outcome):
            return verdict
        if verdict == "park":
            raise GraphInterrupt(())
    return turn.ended("succeeded", output=due.isoformat())


def _until(turn: Turn, step: WaitStep) -> datetime | None:
    if step.until is None:
        return None
    try:
        return time_of(turn.resolve(step.until))
    except ValueError as error:
        raise ExpressionError(str(error)) from error
