"""What a caller wants to be asked about before it is done: the plan, and steps by name or by what they are given."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from pydantic import JsonValue

from goalgraph.planner.approvals import members, names_step
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import with_items
from goalgraph.planner.durations import seconds_of
from goalgraph.planner.plan import Plan, Step

if TYPE_CHECKING:
    from goalgraph.planner.estimate import Estimate

__all__ = ["ApprovalPolicy", "Gates", "Proposal", "asking_steps", "gate_names"]

_ITEM = re.compile(r"\[[0-9]+\]")
_ANY_ITEM = re.compile(r"\[\*\]")
_ASKING = frozenset(("human_approval", "human_input"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a step is about to do, its expressions resolved."""

    step: str
    """Id; the items of a map are numbered, as in ``each[0]``."""
    specialists: tuple[str, ...]
    """Who would do it, then those who would take over where it fails."""
    capabilities: frozenset[str]
    """Of the first of them."""
    instruction: str
    """What is to be done, in words."""
    input: Mapping[str, JsonValue]
    """The arguments."""


PlanPredicate = Callable[[Plan, "Estimate"], bool]
StepPredicate = Callable[[Proposal], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """When a run stops and asks a human. A plan cannot change it."""

    plan: bool | PlanPredicate = False
    """Whether the plan is shown before anything runs: always, or where a function of plan and estimate says so."""
    steps: tuple[str | StepPredicate, ...] = ()
    """Steps in front of which a human is asked: ids, names of specialists, capabilities, or functions of the proposal.
    A group stands for the steps in it, a map for itself, the name of its specialist for each of its items."""
    assignee: str | None = None
    """Who is asked."""
    deadline: float | str | None = None
    """How long the answer for a step may take: seconds, or text such as ``"2h"``."""
    on_timeout: Literal["reject", "approve", "escalate"] = "reject"
    """What a passed deadline means; ``escalate`` asks once more, marked as such and without a deadline."""
    max_rejections: int = 3
    """How many plans for a goal may be rejected before the run gives up."""

    def __post_init__(self) -> None:
        if isinstance(self.steps, str):
            raise ValueError(f"ApprovalPolicy.steps is a list, found the text {self.steps!r}; write [{self.steps!r}]")
        object.__setattr__(self, "steps", tuple(self.steps))
        if blank := [one for one in self.steps if isinstance(one, str) and not one.strip()]:
            raise ValueError(f"ApprovalPolicy.steps has an empty name: {blank[0]!r}")
        if self.deadline is not None:
            seconds_of(self.deadline)
        if self.max_rejections < 1:
            raise ValueError(f"ApprovalPolicy.max_rejections must be at least 1, found {self.max_rejections!r}")

    def asks_about(self, plan: Plan, estimate: "Estimate") -> bool:
        """Whether a plan is shown before it runs, by what is known of it beforehand."""
        return self.plan if isinstance(self.plan, bool) else bool(self.plan(plan, estimate))


@dataclass(slots=True)
class Gates:
    """The steps of a flat plan that a policy asks about."""

    policy: ApprovalPolicy
    cards: tuple[SpecialistCard, ...]
    _named: frozenset[str] = frozenset()
    _names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, policy: ApprovalPolicy, steps: Mapping[str, Step], cards: Iterable[SpecialistCard]) -> "Gates":
        """Find the steps that the policy names by id, in groups too."""
        names = tuple(one for one in policy.steps if isinstance(one, str))
        work = {step_id for step_id, step in steps.items() if step.type in ("agent", "map")}
        found = {one for name in names if name in steps for one in members(steps, name) if one == name or one in work}
        return cls(policy, tuple(cards), frozenset(found), names)

    def asks_any(self, step: Step, proposal: Proposal) -> bool:
        """Whether a step is asked about, whoever of those that are to try it comes to do it in the end."""
        return any(self.asks(step, one) for one in _led_by_each(proposal, self.cards))

    def names(self, step: Step) -> bool:
        """Whether a step is meant by a name: of its own, or of who may do it, or of what that one is able to do."""
        if step.id in self._named:
            return True
        if step.type == "agent" and any(names_step(name, step, self.cards) for name in self._names):
            return True
        return "[" in step.id and "." in (plain := _ITEM.sub("", step.id)) and plain in self._names

    def asks(self, step: Step, proposal: Proposal) -> bool:
        """Whether a step that is about to run is asked about."""
        if self.names(step):
            return True
        predicates = [one for one in self.policy.steps if not isinstance(one, str)] if step.type == "agent" else []
        return any(predicate(proposal) for predicate in predicates)


def asking_steps(plan: Plan, policy: ApprovalPolicy | None, cards: Iterable[SpecialistCard]) -> tuple[str, ...]:
    """Return the ids of the steps that ask a human, as far as that can be told before they run.

    Args:
        plan: Flat.
        policy: The caller's, where there is one.
        cards: The specialists.
    """
    gates = Gates.of(policy, {step.id: step for step in plan.steps}, cards) if policy and policy.steps else None
    return tuple(
        step.id
        for step in plan.steps
        if (step.step.type if step.type == "map" else step.type) in _ASKING or (gates is not None and gates.names(step))
    )


def gate_names(plan: Plan | None, cards: Sequence[SpecialistCard]) -> tuple[str, ...]:
    """Return what a gate may be called by: ids of steps, those in maps without a number, specialists, capabilities.

    Args:
        plan: Flat; None: it is not known.
        cards: The specialists.
    """
    steps = with_items(plan.steps if plan is not None else (), cards)
    able = sorted({capability for card in cards for capability in card.capabilities})
    return tuple(
        dict.fromkeys([*(_ANY_ITEM.sub("", step.id) for step in steps), *(card.name for card in cards), *able])
    )


def _led_by_each(proposal: Proposal, cards: Iterable[SpecialistCard]) -> Iterator[Proposal]:
    able = {card.name: frozenset(card.capabilities) for card in cards}
    for name in proposal.specialists or ("",):
        first = (name,) if name else ()
        rest = tuple(one for one in proposal.specialists if one != name)
        yield replace(proposal, specialists=first + rest, capabilities=able.get(name, frozenset()))
