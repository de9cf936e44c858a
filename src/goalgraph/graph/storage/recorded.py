"""Outcomes that are stored, wherever in a checkpoint they stand."""

from collections.abc import Iterable
from typing import cast

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import Overwrite, StateSnapshot

from goalgraph.planner.outcome import Outcome

__all__ = ["parked_steps", "recorded_items", "recorded_outcomes"]

_RETURNED = "__return__"
"""What LangGraph calls the result of a call of its functional API, among the writes of a checkpoint."""


def recorded_outcomes(snapshot: StateSnapshot) -> dict[str, Outcome]:
    """Return the outcomes that are stored: of finished supersteps, and of the one that was under way."""
    found = dict(cast("dict[str, dict[str, Outcome] | None]", snapshot.values).get("outcomes") or {})
    for task in snapshot.tasks:
        written = cast("dict[str, object] | None", task.result) or {}
        outcomes = written.get("outcomes")
        if isinstance(outcomes, Overwrite):  # decompose has made a new plan, and the old one's outcomes are gone
            found = dict(cast("dict[str, Outcome]", outcomes.value))
        else:
            for step_id, outcome in cast("dict[str, Outcome | None]", outcomes or {}).items():
                if outcome is None:
                    found.pop(step_id, None)
                else:
                    found[step_id] = outcome
    return found


def parked_steps(snapshot: StateSnapshot) -> frozenset[str]:
    """Return the steps whose tasks, of the superstep that was under way, have ended without an outcome."""
    written = [cast("dict[str, object] | None", task.result) or {} for task in snapshot.tasks]
    listed = [cast("dict[str, object]", one["outcomes"]) for one in written if isinstance(one.get("outcomes"), dict)]
    return frozenset(step_id for one in listed for step_id, outcome in one.items() if outcome is None)


def recorded_items(stored: CheckpointTuple | None) -> dict[str, Outcome]:
    """Return the outcomes of items of maps that are not over: each is the result of a call."""
    writes = (stored.pending_writes or []) if stored is not None else []
    returned = [cast("object", value) for _, channel, value in writes if channel == _RETURNED]
    listed = [cast("Iterable[object]", value) for value in returned if isinstance(value, (list, tuple))]
    outcomes = [one for value in listed for one in value if isinstance(one, Outcome)]
    return {outcome.step: outcome for outcome in outcomes}
