"""Changing a run's state from outside: it is checked, and what was recorded since the last checkpoint is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

from langgraph.graph import END, START
from langgraph.types import Command, StateUpdate

from goalgraph.errors import InvalidState
from goalgraph.graph.humans.thread import Thread
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["TAKE_IN", "has_ended", "kept"]

_SPECIAL = ("__copy__", "__input__", END)
"""Nodes that are none: LangGraph's own operations."""

_BEFORE_WORK = ("decompose", "review")

TAKE_IN = StateUpdate(None, END)
"""Has LangGraph take in what the tasks of a checkpoint have written, and go on from there."""


class Checked(Protocol):
    """Checks values that are written into a state."""

    def __call__(self, values: Mapping[str, Any], state: Mapping[str, Any], *, as_input: bool) -> dict[str, Any]:
        """Return them as they are to be stored; ``as_input``: as what a run begins with."""
        ...


def has_ended(thread: Thread, supersteps: Sequence[Sequence[StateUpdate]]) -> bool:
    """Whether a superstep is over that no checkpoint has taken in yet: that is to be done before a change of the state.

    Args:
        thread: As it is stored.
        supersteps: What is to be changed.
    """
    return bool(thread.snapshot.tasks) and not thread.snapshot.next and supersteps[0][0].as_node not in _SPECIAL


def kept(thread: Thread, supersteps: Sequence[Sequence[StateUpdate]], checked: Checked) -> list[list[StateUpdate]]:
    """Return updates that fit, and lose nothing.

    LangGraph begins a new checkpoint with an update, and drops what the tasks of the old one have written; so the
    outcomes among that are made part of the update, and so are the answers to steps that are not over: a process that
    ends at any moment leaves both behind, or neither. Where the caller does not say as which node it is made, the run
    goes on with its unfinished steps; a plan that was not approved yet is still to be, and one that is taken away is
    made anew.

    Args:
        thread: As it is stored.
        supersteps: What is to be changed.
        checked: Checks it.

    Raises:
        InvalidPlan: A plan has problems.
        InvalidState: Something else does not fit.
    """
    if thread.snapshot.tasks and any(one.as_node == "__input__" for updates in supersteps for one in updates):
        raise InvalidState(
            "the run is not over, and its steps would be done beside those of another",
            hint="give a new goal to invoke, or use another thread_id",
        )
    state = dict(cast("Mapping[str, Any]", thread.snapshot.values))
    changed: list[list[StateUpdate]] = []
    for updates in supersteps:
        fitting = [_checked(update, state, checked) for update in updates]
        changed.append(fitting if changed else [_kept(thread, fitting[0]), *fitting[1:]])
    return changed


def _checked(update: StateUpdate, state: dict[str, Any], checked: Checked) -> StateUpdate:
    """Check an update, and take it into the state that those after it are checked against."""
    given: object = update.values
    if isinstance(given, list):  # a checkpoint is copied, and changed in one go
        copied = cast("Sequence[Sequence[Any]]", given)
        found = [_checked(StateUpdate(*one), state, checked) for one in copied]
        return update._replace(values=cast("Any", found))
    values = _values(given)
    if not isinstance(values, Mapping):
        return update
    fitting = checked(cast("Mapping[str, Any]", values), state, as_input=update.as_node == "__input__")
    state |= fitting
    as_node = update.as_node
    if fitting.get("plan") is not None and fitting.get("review") is not None:
        as_node = "decompose"  # whatever the caller says: the review comes next
    elif as_node is None and "plan" in fitting:
        as_node = START if fitting["plan"] is None else "decompose"
    written: Any = replace(given, update=fitting) if isinstance(given, Command) else fitting
    return StateUpdate(written, as_node, update.task_id)


def _values(given: object) -> object:
    return cast("object", given.update) if isinstance(given, Command) else given


def _kept(thread: Thread, update: StateUpdate) -> StateUpdate:
    given: object = update.values
    if update.as_node in _SPECIAL or not isinstance(_values(given), dict):
        return update
    values: dict[str, Any] = {**cast("dict[str, Any]", _values(given))}
    as_node = update.as_node
    following = set(thread.snapshot.next)
    if as_node is None and following & {*_BEFORE_WORK}:
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
    goto: Any = cast("Any", given).goto if isinstance(given, Command) else ()
    onward = goto or ("gather" if as_node == "gather" else ())
    written: Any = Command(update=values, goto=onward) if onward else values
    return StateUpdate(written, as_node, update.task_id)


def _of_plan(outcomes: Mapping[str, Outcome], plan: object) -> dict[str, Outcome]:
    """Leave out what belongs to steps that a new plan does not have."""
    if not isinstance(plan, Plan):
        return dict(outcomes)
    steps = {step.id for step in plan.steps}
    return {step_id: outcome for step_id, outcome in outcomes.items() if step_id.partition("[")[0] in steps}
