"""Who does a step: the one it names, or the best of those able to do it; then its fallbacks."""

from collections.abc import Iterable, Sequence

from goalgraph.errors import UnknownSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import AgentStep, Plan, Step
from goalgraph.planner.wording import doer_of

__all__ = ["doers", "route"]


def route(step: AgentStep, cards: Iterable[SpecialistCard]) -> tuple[str, ...]:
    """Return names in the order in which to try them; the first is the choice.

    Where the step names nobody, the candidates have all required capabilities; the best match, the one with the fewest
    others, comes first, then the one registered first.

    Args:
        step: Of a flat plan: several specialists for one work are steps of their own there.
        cards: The specialists.

    Raises:
        UnknownSpecialist: Nobody can do it (a validated plan has no such step).
    """
    if step.agent is not None:
        first = step.agent
    else:
        wanted = set(step.requires)
        able = [card for card in cards if wanted and wanted <= set(card.capabilities)]
        if not able:
            raise UnknownSpecialist(f"step {step.id!r}: no specialist has all of {sorted(wanted)}")
        first = min(able, key=lambda card: len(set(card.capabilities) - wanted)).name
    return (first, *(name for name in step.fallback if name != first))


def doers(plan: Plan, cards: Sequence[SpecialistCard]) -> dict[str, str]:
    """Return who does each step, by its id in plan order: a specialist's name, or words.

    Args:
        plan: Flat and valid.
        cards: The specialists.

    Raises:
        UnknownSpecialist: Nobody can do one of them.
    """
    return {step.id: _doer(step, cards) for step in plan.steps}


def _doer(step: Step, cards: Sequence[SpecialistCard]) -> str:
    if step.type == "map":
        return _doer(step.step, cards)
    if step.type == "agent" and not step.agents:
        return route(step, cards)[0]
    return doer_of(step)
