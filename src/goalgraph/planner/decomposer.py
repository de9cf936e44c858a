"""The Protocol of everything that turns a goal into a plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.reviewed import RejectedPlan
from goalgraph.planner.validation import PlanPolicy

__all__ = ["Decomposer", "PlanRequest"]


def _dropped(_decision: Decision) -> None:
    """Forget a decision that nobody keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """All that a planner is told."""

    goal: str
    """In words, as the caller gave it."""
    cards: tuple[SpecialistCard, ...]
    """The specialists there are; a plan may name no other."""
    policy: PlanPolicy = field(default_factory=PlanPolicy)
    """What the plan must hold."""
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Of the run, by name; expressions of the plan may use them."""
    rejected: tuple[RejectedPlan, ...] = ()
    """Plans for this goal that a human did not want, the last one last; the next is to be better, not the same."""
    constraints: tuple[str, ...] = ()
    """What the plan must heed beside the policy, in free words of the caller's."""
    simple: bool = False
    """Whether a plan of a few specialists' steps is wanted, because a better one could not be made."""
    on_step: Callable[[Step, int], None] | None = None
    """Called with each step as soon as it is drafted, and the number of the draft, from 1. Nothing is checked then: the
    plan that it belongs to may never be."""
    on_decision: Callable[[Decision], None] = _dropped
    """Called with what is decided on the way to the plan, such as a repair."""


class Decomposer(Protocol):
    """Turns a goal into a plan."""

    async def decompose(self, request: PlanRequest) -> Plan:
        """Return a plan that `validate_plan` finds no problem in.

        Raises:
            PlannerError: No valid plan came out; the leaf says why.
            InvalidGoal: The goal itself cannot be planned.
        """
        ...
