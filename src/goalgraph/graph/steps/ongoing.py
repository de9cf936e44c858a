"""Work that goes on while the plan around it is changed: begun in one task of the graph, and ended in another."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from langgraph.errors import GraphBubbleUp, GraphInterrupt

from goalgraph.graph.board.suspending import RevisableBoard
from goalgraph.graph.steps.turn import Turn
from goalgraph.graph.work import Ongoing
from goalgraph.planner.outcome import Outcome
from goalgraph.specialists.function import FunctionSpecialist
from goalgraph.specialists.specialist import Specialist

__all__ = ["can_go_on", "carried_on", "taken_over"]


def can_go_on(turn: Turn, chain: Sequence[Specialist]) -> bool:
    """Whether a step's work may outlive the superstep that it was begun in.

    Functions without effects may. Graphs keep what they have done under the name of the task they run in; an effect is
    to be on record as soon as it is made; a fallback takes a place at the board.
    """
    return (
        isinstance(turn.board, RevisableBoard)
        and turn.step.id not in turn.board.index.parents
        and len(chain) == 1
        and isinstance(chain[0], FunctionSpecialist)
        and not chain[0].card.effects
    )


async def carried_on(turn: Turn, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Do a step, in a task of its own that is left to go on by itself where the plan is about to be changed.

    Raises:
        GraphInterrupt: It goes on, and this task of the graph's is to end; or the specialist asks a human.
        asyncio.CancelledError: The run, or the step, was cancelled.
    """
    task = asyncio.get_running_loop().create_task(work)
    await _followed(turn, Ongoing(step=turn.step, task=task))
    return task.result()


async def taken_over(turn: Turn, begun: Ongoing) -> Outcome | None:
    """Go on with what was begun before the plan was changed; None where it has to ask, and so is to be done anew."""
    await _followed(turn, begun)
    try:
        outcome = begun.task.result()
    except GraphBubbleUp:
        return None
    if turn.work.assigner is not None:
        turn.work.assigner.take_in(outcome)
    return outcome


async def _followed(turn: Turn, begun: Ongoing) -> None:
    """Wait for the end of a task, and pass cancellation on to it.

    Raises:
        GraphInterrupt: It is left to itself.
    """
    here, change = asyncio.current_task(), turn.board.change() if isinstance(turn.board, RevisableBoard) else None
    cancelling = here.cancelling() if here is not None else 0
    while not begun.task.done():
        ends: list[asyncio.Future[Any]] = [begun.task, *([change] if change is not None else [])]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            begun.task.cancel(*error.args)
            change = None
            continue
        if change is not None and change.done() and not begun.task.done():
            turn.run.ongoing[turn.step.id] = begun
            raise GraphInterrupt(())
    if not begun.task.cancelled() and begun.task.exception() is None:
        while here is not None and here.cancelling() > cancelling:  # it has come to its end all the same
            here.uncancel()
