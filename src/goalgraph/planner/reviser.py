"""The Protocol of everything that changes a plan while it runs, and what it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from goalgraph.errors import PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan
from goalgraph.planner.validation import PlanPolicy

__all__ = ["Reviser", "RevisionRequest", "Trigger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Why a plan is to be changed."""

    step: str
    """Id of the step whose outcome calls for it."""
    reason: str
    """The condition that holds, as the caller wrote it, or what happened, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRequest:
    """All that a reviser is told."""

    goal: str
    """Of the run."""
    plan: Plan
    """As it runs: flat, with qualified ids."""
    outcomes: Mapping[str, Outcome]
    """What is recorded so far, by step; that of the trigger's step among it."""
    trigger: Trigger
    """The step that calls for it, and why."""
    cards: tuple[SpecialistCard, ...]
    """The specialists there are; a patch may name no other."""
    check: Callable[[PlanPatch], tuple[PlanProblem, ...]]
    """Says all that is wrong with a patch; none: it can be applied."""
    policy: PlanPolicy = field(default_factory=PlanPolicy)
    """What every plan must hold, the changed one too."""
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Of the run, by name."""
    at_work: frozenset[str] = frozenset()
    """Ids of steps that are being done meanwhile: they go on as they are."""
    history: tuple[Decision, ...] = ()
    """Earlier decisions of kind ``revision`` and ``escalation``, the last one last."""
    guidance: str = ""
    """What a human said is to be done."""
    on_decision: Callable[[Decision], None] = lambda _decision: None
    """Called with what is decided on the way to the patch, such as a repair."""


class Reviser(Protocol):
    """Changes a plan that does not work out."""

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Return what is to be different; an empty patch where nothing better is known.

        A step that failed, or never began, may be replaced or dropped; one that succeeded, was skipped or is at work
        stays as it is: what is to be done about its result, new steps do.

        Raises:
            PlannerError: No usable patch came out; the leaf says why. The run goes on as if there was no reviser.
        """
        ...
