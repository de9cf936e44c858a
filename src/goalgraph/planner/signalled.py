"""What the specialists of a run have signalled, to whom."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from goalgraph.planner.outcome import Outcome

__all__ = ["ALL", "DEPENDANTS", "Signal", "signals_of"]

ALL = "all"
DEPENDANTS = "dependants"
"""Audiences that are no names of specialists: every step, and those that wait for the one that signals."""


class Signal(BaseModel):
    """Something that a step has signalled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Such as ``"handoff.ready"``."""
    step: str
    """Id of the step that has signalled it; the items of a map are numbered, as in ``each[0]``."""
    to: str = ALL
    """``all``, ``dependants``, or the name of a specialist."""
    resolved: bool = False
    """Whether somebody has settled what it is about."""


def signals_of(outcomes: Iterable[Outcome]) -> tuple[Signal, ...]:
    """Return what steps have signalled that are over, in the order of the outcomes."""
    return tuple(
        Signal(name=name, step=outcome.step, to=outcome.audience.get(name, ALL))
        for outcome in outcomes
        for name in outcome.signals
    )
