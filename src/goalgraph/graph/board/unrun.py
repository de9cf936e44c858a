"""Outcomes of steps that end without being done."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from goalgraph.planner.outcome import Outcome, StepError

__all__ = ["DECIDED", "cancelled", "unrun"]

DECIDED = "decided without it"
"""Why a voter is stopped whose ballot can change nothing any more: nothing is missing then."""


def unrun(
    step_id: str, fate: Literal["skip", "block"], needs: Iterable[str], outcomes: Mapping[str, Outcome], at: datetime
) -> Outcome:
    """Make the outcome of a step that may never run, because of what became of those it waits for."""
    if fate == "skip":
        return Outcome(step=step_id, status="skipped", started_at=at.isoformat())
    culprits = [need for need in needs if need in outcomes and outcomes[need].status not in ("succeeded", "skipped")]
    message = "needs " + ", ".join(f"{need!r} ({outcomes[need].status})" for need in culprits[:5])
    error = StepError(code="dependency", message=message)
    return Outcome(step=step_id, status="blocked", error=error, started_at=at.isoformat())


def cancelled(step_id: str, reason: str, at: datetime) -> Outcome:
    """Make the outcome of a step that was stopped on purpose."""
    error = StepError(code="decided" if reason == DECIDED else "cancelled", message=reason)
    return Outcome(step=step_id, status="cancelled", error=error, started_at=at.isoformat())
