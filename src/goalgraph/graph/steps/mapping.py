"""Maps: one step for every item of a list, multiplied when the run comes to it.

Each step of an item is a call of LangGraph's functional API, made from the map's node in an order that depends on the
plan and the list alone: so each has a record of its own, a run that goes on takes what is recorded, and an interrupt
inside of an item is answered as itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.func import task
from pydantic import JsonValue

from goalgraph.graph import events
from goalgraph.graph.humans.gating import gated
from goalgraph.graph.run import run_of
from goalgraph.graph.steps.gathering import gathered_items
from goalgraph.graph.steps.turn import Turn
from goalgraph.graph.storage.stored import check_outcomes
from goalgraph.graph.work import Doing
from goalgraph.planner.compilation import items_of
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import MapStep

__all__ = ["mapped"]


async def _item(step: str) -> tuple[Outcome, ...]:
    work = run_of(get_config()).work
    if work is None:
        raise AssertionError("an item without a map")
    return await work.doing[step](step)


_call: Any = cast("Any", task)(_item, name="map_item")


async def mapped(turn: Turn, step: MapStep, do: Doing) -> tuple[Outcome, ...]:
    """Do a step for every item of a list.

    Returns:
        The map's own outcome first, then those of all steps of its items.

    Raises:
        GraphInterrupt: Items wait for a human; it carries the requests of all of them.
        ExpressionError: The list's expression cannot be evaluated.
    """
    values = turn.resolve(step.over)
    if not isinstance(values, list):
        return (turn.failed("invalid_input", f"'over' must give a list, found {_kind(values)}"),)
    most = turn.run.max_items
    if len(values) > most:
        return (
            turn.failed(
                "too_many_items", f"'over' gives {len(values)} items, at most {most} are allowed; see Limits.max_items"
            ),
        )
    found = gated(turn, (), "", {"over": values})
    if isinstance(found, Outcome):
        return (found,)
    edited = found[1]["over"]
    values = edited if isinstance(edited, list) else []
    board, work = turn.board, turn.work
    items = [items_of(step, number, work.cards) for number in range(len(values))]
    ids = board.multiply(step, items, values, work.route(one for steps in items for one in steps))
    turn.tell(
        events.StepProgress(
            type="step_progress",
            run=turn.run.id,
            step=step.id,
            message=f"{len(values)} items",
            fraction=None,
            items=len(values),
        )
    )
    work.doing.update(dict.fromkeys(ids, do))
    outcomes = _outcomes(await _all_taken(turn, ids))
    by_id = {outcome.step: outcome for outcome in outcomes}
    whole = gathered_items(
        step,
        [by_id[steps[-1].id] for steps in items],
        board.index.optional,
        board.expired.get(step.id),
    )
    if board.is_stopped(step.id):
        whole = board.cancelled(step.id)
    return (turn.timed(whole), *outcomes)


async def _all_taken(turn: Turn, ids: Sequence[str]) -> list[tuple[Outcome, ...] | GraphInterrupt]:
    """Take all items; those that wait for a human hold up no others, any other exception ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_taken_or_asked(turn, step_id)) for step_id in ids]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _taken_or_asked(turn: Turn, step_id: str) -> tuple[Outcome, ...] | GraphInterrupt:
    try:
        return await _taken(turn, step_id)
    except GraphInterrupt as asked:
        return asked


async def _called(turn: Turn, step_id: str) -> tuple[Outcome, ...]:
    found: object = await _call(step_id)
    if step_id in turn.board.outcomes:  # done here and now
        return cast("tuple[Outcome, ...]", found)
    return check_outcomes(found, step_id, thread=str(turn.config.get("configurable", {}).get("thread_id")))


async def _taken(turn: Turn, step_id: str) -> tuple[Outcome, ...]:
    """Call for a step of an item; what was recorded before comes back without being done."""
    known = turn.board.kept.get(step_id)
    outcomes = (known,) if known is not None else await _called(turn, step_id)
    for outcome in outcomes:
        if outcome.step not in turn.board.outcomes:  # recorded by a process that is gone
            turn.board.adopt(outcome)
            turn.run.accounts.recall(turn.run.id, outcome.step, outcome.usage)
            if turn.work.assigner is not None:
                turn.work.assigner.take_in(outcome)
    return outcomes


def _outcomes(found: Sequence[tuple[Outcome, ...] | GraphInterrupt]) -> list[Outcome]:
    asked: list[object] = []
    parked = False
    outcomes: list[Outcome] = []
    for one in found:
        if isinstance(one, GraphInterrupt):
            parked = True
            asked += one.args[0] if one.args else ()
        else:
            outcomes += one
    if parked:
        raise GraphInterrupt(tuple(asked))  # type: ignore[arg-type]
    return outcomes


def _kind(value: JsonValue) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, int, float)):
        return "a boolean" if isinstance(value, bool) else "a number"
    return "null" if value is None else "an object"
