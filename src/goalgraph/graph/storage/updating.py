"""Changing a run's state from outside: it is checked, and what was recorded since the last checkpoint is kept."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, cast

from langgraph.graph import END, START
from langgraph.types import Command, StateUpdate

from goalgraph.errors import InvalidState
from goalgraph.graph.humans.thread import Thread
from goalgraph.graph.storage.written import by_channel, update_of
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["TAKE_IN", "has_ended", "kept"]

_OPERATIONS = ("__input__", END)
"""Nodes that are none: LangGraph's own operations."""

_BEGINS = ("__input__", START)
"""As which a run is planned anew."""

_WAYS = (*_BEGINS, END, "synthesize")
"""As which a run does not go on where it is: it begins with other input, ends, or is planned anew."""

_Way = Literal["decompose", "review", "gather"]

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
    return bool(thread.snapshot.tasks) and not thread.snapshot.next and supersteps[0][0].as_node not in _OPERATIONS


def kept(thread: Thread, supersteps: Sequence[Sequence[StateUpdate]], checked: Checked) -> list[list[StateUpdate]]:
    """Return updates that fit, and lose nothing.

    LangGraph begins a new checkpoint with an update, and drops what the tasks of the old one have written; so the
    outcomes among that are made part of the update, and so are the answers to steps that are not over: a process that
    ends at any moment leaves both behind, or neither. Where the run goes on is its own matter, whichever step an update
    is made as: with its unfinished steps, with the review of a plan that was not approved yet, or with planning where
    the plan is taken away.

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
    is_over, is_planned = not thread.snapshot.next, "decompose" not in thread.snapshot.next
    changed: list[list[StateUpdate]] = []
    for updates in supersteps:
        fitting = [_checked(one, state, checked) for update in updates for one in _copied(update)]
        if fitting and not changed:
            fitting[0] = _kept(thread, fitting[0])
        given = [one.values["plan"] for one in fitting if one.values and "plan" in one.values]
        # One that is over is not begun again by the name of a node: what was rejected stays so.
        if any(one.as_node in _BEGINS for one in fitting):
            is_over, is_planned = False, False
        elif given:
            is_over, is_planned = False, given[-1] is not None
        changed.append(_led(fitting, None if is_over else _way(state) if is_planned else "decompose"))
    if START in thread.snapshot.next and not any(one.as_node in _WAYS for one in changed[0]):
        raise InvalidState("the run has not taken in its goal yet", hint="go on with it first: invoke(None, config)")
    return changed


def _copied(update: StateUpdate) -> list[StateUpdate]:
    """Read what a copy of the checkpoint is to hold: for LangGraph that is a copy without what its tasks have written.

    Raises:
        InvalidState: It is none.
    """
    if update.as_node != "__copy__":
        return [update]
    given: object = update.values
    if not given:
        return [StateUpdate({})]
    listed = cast("Sequence[object]", given) if isinstance(given, (list, tuple)) else (given,)
    items = [cast("Sequence[Any]", one) for one in listed if isinstance(one, (list, tuple))]
    if len(items) < len(listed) or any(len(one) not in (2, 3) for one in items):
        raise InvalidState("expected a list of values, each with a node, to be copied with", hint="nothing was changed")
    return [StateUpdate(*one) for one in items]


def _checked(update: StateUpdate, state: dict[str, Any], checked: Checked) -> StateUpdate:
    """Check an update, and take it into the state that those after it are checked against."""
    given: object = update.values
    if isinstance(given, Command):
        given = update_of(given)
    values = by_channel(given)
    if values is None and update.as_node in _OPERATIONS:
        return update
    fitting = checked(values or {}, state, as_input=update.as_node == "__input__")
    state |= fitting
    return update._replace(values=fitting)


def _kept(thread: Thread, update: StateUpdate) -> StateUpdate:
    """Add to an update what the run's tasks have recorded since the last checkpoint."""
    following = set(thread.snapshot.next)
    if update.as_node in _OPERATIONS or not following:
        return update
    values: dict[str, Any] = {**(update.values or {})}
    recorded: dict[str, Outcome] = {**thread.recorded(), **(values.get("outcomes") or {})}
    if recorded:
        plan: object = values.get("plan") or cast("Mapping[str, Any]", thread.snapshot.values).get("plan")
        values["outcomes"] = _of_plan(recorded, plan)
    carried = thread.unspent()
    if carried or cast("Mapping[str, Any]", thread.snapshot.values).get("carried"):
        values["carried"] = [one.decision() for one in carried]
    # What was answered to specialists' own questions, and to runs inside; that to our own steps is in the outcomes.
    placed = {one.request for one in carried} | {one.request for one in thread.decisions()}
    if answers := [one.decision() for one in thread.entries if one.request not in placed]:
        values["decisions"] = [*(values.get("decisions") or []), *answers]
    return update._replace(values=values)


def _way(state: Mapping[str, Any]) -> _Way:
    """Where a run that was planned goes on: with its review, or with what is left to do."""
    if state.get("plan") is None:
        return "decompose"
    return "review" if state.get("review") is not None else "gather"


def _led(updates: list[StateUpdate], way: _Way | None) -> list[StateUpdate]:
    """Have one of the updates of a superstep lead on to where the run is, where none of them says otherwise.

    Args:
        updates: That fit.
        way: Where the run is; None where it is over.
    """
    named = [one if one.as_node in (None, *_WAYS) else one._replace(as_node="gather") for one in updates]
    if way is None or not named or any(one.as_node in _WAYS for one in named):
        return named
    led = [one._replace(as_node="gather") for one in named]
    first = led[0]
    if way == "review":  # by the edge of an agent that has one
        led[0] = first._replace(as_node="decompose")
    else:
        led[0] = first._replace(values=cast("Any", Command(update=first.values, goto=way)))
    return led


def _of_plan(outcomes: Mapping[str, Outcome], plan: object) -> dict[str, Outcome]:
    """Leave out what belongs to steps that a new plan does not have."""
    if not isinstance(plan, Plan):
        return dict(outcomes)
    steps = {step.id for step in plan.steps}
    return {step_id: outcome for step_id, outcome in outcomes.items() if step_id.partition("[")[0] in steps}
