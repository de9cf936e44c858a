"""Who does a step: the one it names, or the best of those able to do it; then its fallbacks."""

from collections.abc import Iterable

from goalgraph.errors import UnknownSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import AgentStep

__all__ = ["route"]


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
