"""The Protocol of everything that turns a goal into a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import RejectedPlan
from goalgraph.planner.validation import PlanPolicy

__all__ = ["Decomposer", "PlanRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """All that a planner is told."""

    goal: str
    cards: tuple[SpecialistCard, ...]
    """The specialists there are; a plan may name no other."""
    policy: PlanPolicy = field(default_factory=PlanPolicy)
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    rejected: tuple[RejectedPlan, ...] = ()
    """Plans for this goal that a human did not want, the last one last; the next is to be better, not the same."""


class Decomposer(Protocol):
    """Turns a goal into a plan."""

    async def decompose(self, request: PlanRequest) -> Plan:
        """Return a plan that `validate_plan` finds no problem in.

        Raises:
            PlannerError: No valid plan came out; the leaf says why.
            InvalidGoal: The goal itself cannot be planned.
        """
        ...
