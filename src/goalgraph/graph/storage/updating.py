"""Changing a run's state from outside: what was recorded since its last checkpoint is kept, plans are checked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langgraph.graph import END, START
from langgraph.types import Command, StateUpdate

from goalgraph.graph.humans.thread import Thread
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["TAKE_IN", "has_ended", "kept"]

_SPECIAL = ("__copy__", "__input__", END)
"""Nodes that are none: LangGraph's own operations."""

_BEFORE_WORK = ("decompose", "review")

TAKE_IN = StateUpdate(None, END)
"""Has LangGraph take in what the tasks of a checkpoint have written, and go on from there."""


def has_ended(thread: Thread, supersteps: Sequence[Sequence[StateUpdate]]) -> bool:
    """Whether a superstep is over that no checkpoint has taken in yet: that is to be done before a change of the state.

    Args:
        thread: As it is stored.
        supersteps: What is to be changed.
    """
    return bool(thread.snapshot.tasks) and not thread.snapshot.next and supersteps[0][0].as_node not in _SPECIAL


def kept(
    thread: Thread, supersteps: Sequence[Sequence[StateUpdate]], checked: Callable[[object], Mapping[str, object]]
) -> list[list[StateUpdate]]:
    """Return updates that lose nothing.

    LangGraph begins a new checkpoint with an update, and drops what the tasks of the old one have written; so the
    outcomes among that are made part of the update, and so are the answers to steps that are not over: a process that
    ends at any moment leaves both behind, or neither. Where the caller does not say as which node it is made, the run
    goes on with its unfinished steps; a plan that was not approved yet is still to be.

    Args:
        thread: As it is stored.
        supersteps: What is to be changed.
        checked: Returns what to write for a plan, which it has checked.

    Raises:
        InvalidPlan: A plan has problems.
    """
    first, *others = [list(updates) for updates in supersteps]
    changed = [_kept(thread, update, checked) if at == 0 else update for at, update in enumerate(first)]
    return [changed, *others]


def _kept(thread: Thread, update: StateUpdate, checked: Callable[[object], Mapping[str, object]]) -> StateUpdate:
    if update.as_node in _SPECIAL or not isinstance(update.values, Mapping):
        return update
    values = dict(cast("Mapping[str, Any]", update.values))
    as_node = update.as_node
    following = set(thread.snapshot.next)
    if values.get("plan") is not None:
        values |= checked(values["plan"])
        as_node = as_node or "decompose"
    elif as_node is None and following & {*_BEFORE_WORK}:
        as_node = "decompose" if "review" in following else None
    elif as_node is None and following - {START}:
        as_node = "gather"
    recorded: dict[str, Outcome] = {**thread.recorded(), **(values.get("outcomes") or {})}
    if recorded and following:
        plan: object = values.get("plan") or cast("Mapping[str, Any]", thread.snapshot.values).get("plan")
        values["outcomes"] = _of_plan(recorded, plan)
    if following:
        carried = thread.unspent()
        if carried or cast("Mapping[str, Any]", thread.snapshot.values).get("carried"):
            values["carried"] = [one.decision() for one in carried]
        # What was answered to specialists' own questions, and to runs inside; that to our own steps is in the outcomes.
        placed = {one.request for one in carried} | {one.request for one in thread.decisions()}
        if answers := [one.decision() for one in thread.entries if one.request not in placed]:
            values["decisions"] = [*(values.get("decisions") or []), *answers]
    # No edge leads on from there: where the run goes is decided when it goes on.
    written: Any = Command(update=values, goto="gather") if as_node == "gather" else values
    return StateUpdate(written, as_node, update.task_id)


def _of_plan(outcomes: Mapping[str, Outcome], plan: object) -> dict[str, Outcome]:
    """Leave out what belongs to steps that a new plan does not have."""
    if not isinstance(plan, Plan):
        return dict(outcomes)
    steps = {step.id for step in plan.steps}
    return {step_id: outcome for step_id, outcome in outcomes.items() if step_id.partition("[")[0] in steps}
