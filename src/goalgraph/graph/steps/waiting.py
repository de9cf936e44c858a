"""Steps that wait for a time."""

from datetime import datetime

from langgraph.errors import GraphInterrupt

from goalgraph.graph.humans.asking import happened
from goalgraph.graph.steps.turn import Turn
from goalgraph.planner.durations import time_of
from goalgraph.planner.expressions import ExpressionError
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import WaitStep

__all__ = ["waited"]

_NAP = 0.5
"""Seconds after which a step that sleeps looks up: the process may be about to end."""


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
    while (left := (due - turn.board.now()).total_seconds()) > 0:
        if turn.run.is_draining():
            turn.board.has_drained = True
            raise GraphInterrupt(())
        verdict = await turn.board.sleep(step.id, min(left, _NAP))
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
