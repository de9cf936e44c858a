"""A plan in any case: a simpler one where a good one cannot be made, and at last one step with the whole goal."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from goalgraph.errors import GoalgraphError, ModelFailed, PlannerError, PlannerRefused
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.planner.plan_prompt import available_cards
from goalgraph.planner.templates import literal
from goalgraph.planner.validation import run_problems

__all__ = ["Degrading", "simplifications"]

_MOST_OF_GOAL = 15_000
"""Characters of a goal that one step's task is given; all of it goes to the specialist as the run's goal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrading:
    """Asks another decomposer for a plan, and for less where it has none; a refusal of the model's stays one."""

    decomposer: Decomposer
    least: Literal["simple", "single"]
    """How far it goes: to a plan of a few specialists' steps, or on to a single step with the whole goal."""

    async def decompose(self, request: PlanRequest) -> Plan:
        """Return the best plan that can be had; `Decision` records say where it is less than was asked for.

        Raises:
            PlannerError: Not even the least plan is valid under the policy; the first reason.
            ModelFailed: The model could not be called, and a single step is not allowed, or not valid.
            InvalidGoal: The goal itself cannot be planned.
        """
        try:
            return await self.decomposer.decompose(request)
        except PlannerRefused:
            raise
        except (PlannerError, ModelFailed) as error:
            first = error
        last: GoalgraphError = first
        if not isinstance(first, ModelFailed):
            request.on_decision(_decision(first, "a simpler plan is asked for"))
            try:
                return await self.decomposer.decompose(replace(request, simple=True, on_step=None))
            except PlannerRefused:
                raise
            except (PlannerError, ModelFailed) as error:
                last = error
        if self.least == "single" and (plan := _single(request)) is not None:
            request.on_decision(_decision(last, "one specialist is given the whole goal"))
            return plan
        raise first


def simplifications(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Say what makes the plan less than it could be: it is simpler, or its model has not seen everything.

    Of several simpler plans the last counts, which is the least.
    """
    known = tuple(decisions)
    simpler = [one.rationale for one in known if one.kind == "planning" and one.chosen == "simplify"]
    shorter = dict.fromkeys((one.kind, one.rationale) for one in known if one.chosen == "shorten")
    return (
        *(f"the plan is simpler than it should be: {reason}" for reason in simpler[-1:]),
        *(f"in the prompt of the {kind}, {lost}" for kind, lost in shorter),
    )


def _decision(error: GoalgraphError, instead: str) -> Decision:
    reason = " ".join(str(error).split())
    at = datetime.now(UTC).isoformat()
    return Decision(kind="planning", subject="", chosen="simplify", rationale=f"{instead}, because {reason}", at=at)


def _single(request: PlanRequest) -> Plan | None:
    """Give the goal as it is to whoever fits it best; None where the policy does not allow such a plan."""
    cards = available_cards(request.cards, request.policy)
    if not cards:
        return None
    goal = request.goal if len(request.goal) <= _MOST_OF_GOAL else f"{request.goal[:_MOST_OF_GOAL]}..."
    step = AgentStep(id="goal", agent=_best(cards, request.goal).name, task=literal(goal))
    plan = Plan(name=request.goal.strip()[:80], steps=(step,))
    return None if run_problems(plan, request.policy, request.cards, request.inputs) else plan


def _best(cards: tuple[SpecialistCard, ...], goal: str) -> SpecialistCard:
    from goalgraph.planner.offline.matching import CardIndex  # here, because its vocabulary takes a while to load

    index = CardIndex(cards)
    found = index.best(goal)
    return cards[found if found is not None else index.generalist or 0]
