"""Specialists that stand in for another one: what they must hold, and who may do a step because of them."""

from collections.abc import Sequence

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.plan import AgentStep

__all__ = ["able", "as_able", "check_replica"]


def check_replica(card: SpecialistCard, cards: Sequence[SpecialistCard]) -> None:
    """Check that a replica is one of a specialist that is there; any other card passes.

    Raises:
        InvalidSpecialist: Its original is not there, is a replica itself, or gives another output.
    """
    if card.replica_of is None:
        return
    original = next((one for one in cards if one.name == card.replica_of), None)
    if original is None or original.name == card.name:
        raise InvalidSpecialist(
            f"specialist {card.name!r} is a replica of {card.replica_of!r}, who is not there",
            hint="register the original too",
        )
    if original.replica_of is not None:
        raise InvalidSpecialist(
            f"specialist {card.name!r} is a replica of {original.name!r}, which is a replica itself",
            hint=f"write replica_of={original.replica_of!r}",
        )
    if original.output_schema != card.output_schema:
        raise InvalidSpecialist(
            f"specialist {card.name!r} gives another output than {original.name!r}, whose replica it is",
            hint="declare the same output for both: steps name its fields",
        )


def as_able(cards: Sequence[SpecialistCard]) -> tuple[SpecialistCard, ...]:
    """Give replicas the capabilities of their originals, before their own."""
    if all(card.replica_of is None for card in cards):
        return tuple(cards)
    by_name = {card.name: card.capabilities for card in cards}
    return tuple(
        card
        if card.replica_of is None
        else card.model_copy(
            update={
                "capabilities": tuple(dict.fromkeys((*by_name.get(card.replica_of, ()), *card.capabilities))),
            }
        )
        for card in cards
    )


def able(step: AgentStep, cards: Sequence[SpecialistCard]) -> tuple[SpecialistCard, ...]:
    """Return who may do a step, in the order of registration; whom it names comes first.

    Args:
        step: Of a flat plan.
        cards: The specialists that plans may use.
    """
    if step.agent is not None:
        named = [card for card in cards if card.name == step.agent]
        return (*named, *(card for card in cards if card.replica_of == step.agent))
    wanted = set(step.requires)
    return tuple(card for card in cards if wanted and wanted <= set(card.capabilities))
