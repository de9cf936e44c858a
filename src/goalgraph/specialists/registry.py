"""The specialists of an agent, by name."""

import unicodedata
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import cast

from goalgraph.errors import InvalidSpecialist, UnknownSpecialist
from goalgraph.planner.card import SpecialistCard
from goalgraph.specialists.adapters import as_specialist
from goalgraph.specialists.assessing import Assess, Assessed, Judge, as_assessor, has_assessor
from goalgraph.specialists.routing.replicas import as_able, check_replica
from goalgraph.specialists.specialist import Specialist

__all__ = ["SpecialistRegistry"]

_SEPARATORS = (":", "|")
_MAX_NAME = 128
_MOST_TOLD = 20
"""Specialists that the card of all of them names."""
_LOOK_ALIKES = str.maketrans("аеорсухіјѕοακν", "aeopcyxijsoakv")
"""Cyrillic and Greek letters that print like Latin ones."""


class SpecialistRegistry:
    """Specialists by unique name, in the order of their registration."""

    def __init__(self, specialists: Iterable[object] = ()) -> None:
        """Register each of them; see `as_specialist` for what is accepted. A replica may come before its original."""
        self._by_name: dict[str, Specialist] = {}
        for one in [self._added(one) for one in specialists]:
            check_replica(one.card, self._own_cards())

    def register(self, one: object) -> Specialist:
        """Add a specialist.

        Args:
            one: What `create_plan_agent` takes as a specialist.

        Raises:
            InvalidSpecialist: It has no card or no place for a step, or its name is blank, taken, looks like a taken
                one, or cannot name a node; or it is a replica of nobody who is here.
        """
        found = self._added(one)
        try:
            check_replica(found.card, self._own_cards())
        except InvalidSpecialist:
            del self._by_name[found.card.name]
            raise
        return found

    def _added(self, one: object) -> Specialist:
        found = as_specialist(one)
        card = cast("object", found.card)
        if not isinstance(card, SpecialistCard):
            raise InvalidSpecialist(
                f"the card of {type(one).__name__} is a {type(card).__name__}, not a SpecialistCard"
            )
        if card.max_concurrency is not None and card.max_concurrency < 1:
            raise InvalidSpecialist(
                f"specialist {card.name!r} has max_concurrency {card.max_concurrency}; 1 is the least"
            )
        name = cast("object", card.name)
        if not isinstance(name, str) or not name.strip():
            raise InvalidSpecialist(f"a specialist's name is blank: {name!r}", hint="give it a name")
        if name != name.strip() or len(name) > _MAX_NAME or not name.isprintable():
            raise InvalidSpecialist(
                f"specialist name {name[:_MAX_NAME]!r} has outer spaces, unprintable characters, or is too long",
                hint=f"use a plain name of at most {_MAX_NAME} characters",
            )
        if any(mark in name for mark in _SEPARATORS):
            raise InvalidSpecialist(f"specialist name {name!r} has ':' or '|'", hint="LangGraph reserves them")
        for taken in self._by_name:
            if _skeleton(taken) == _skeleton(name):
                problem = "is taken" if taken == name else f"looks like {taken!r}"
                raise InvalidSpecialist(f"specialist name {name!r} {problem}", hint="names must be unique")
        self._by_name[name] = found
        return found

    def unregister(self, name: str) -> Specialist:
        """Take the specialist called ``name`` out and return it.

        Raises:
            UnknownSpecialist: There is none of that name.
            InvalidSpecialist: Replicas of it are still here.
        """
        found = self.get(name)
        if left := [one.card.name for one in self if one.card.replica_of == name]:
            raise InvalidSpecialist(f"{name!r} has the replica {left[0]!r}", hint="take its replicas out first")
        del self._by_name[name]
        return found

    def get(self, name: str) -> Specialist:
        """Return the specialist called ``name``.

        Raises:
            UnknownSpecialist: There is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownSpecialist(
                f"no specialist is called {name!r}", hint=f"there are: {', '.join(self._by_name) or 'none'}"
            ) from None

    def copy(self) -> "SpecialistRegistry":
        """Return a registry that later changes to this one do not reach."""
        fresh = SpecialistRegistry()
        fresh._by_name = dict(self._by_name)
        return fresh

    def assessed(self, assess: Assess) -> "SpecialistRegistry":
        """Return a registry of the same specialists, of whom those without an assessor of their own have ``assess``.

        Raises:
            InvalidSpecialist: It is no assessor.
        """
        judge = Judge(assessor=as_assessor(assess))
        fresh = SpecialistRegistry()
        fresh._by_name = {
            name: one if has_assessor(one) else Assessed(one, judge) for name, one in self._by_name.items()
        }
        return fresh

    @property
    def cards(self) -> tuple[SpecialistCard, ...]:
        """What planners and routers know of the specialists; replicas are able to do what their originals are."""
        return as_able(self._own_cards())

    def card(self, name: str) -> SpecialistCard:
        """Return what is to be seen of all of them as one, such as an agent ``name``: it can do what they can."""
        cards = [card for card in self.cards if card.replica_of is None]
        able = [f" ({', '.join(card.capabilities)})" if card.capabilities else "" for card in cards[:_MOST_TOLD]]
        told = [f"{card.name}{also}" for card, also in zip(cards, able, strict=False)]
        more = len(cards) - len(told)
        return SpecialistCard(
            name=name,
            description="Plans a goal in several steps and does them, with: "
            + ", ".join(told)
            + (f" and {more} more" if more > 0 else ""),
            capabilities=tuple(dict.fromkeys(one for card in cards for one in card.capabilities)),
            effects=any(card.effects for card in cards),
        )

    def _own_cards(self) -> tuple[SpecialistCard, ...]:
        return tuple(_own(one.card) for one in self._by_name.values())

    def __iter__(self) -> Iterator[Specialist]:
        return iter(tuple(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name


def _own(card: SpecialistCard) -> SpecialistCard:
    if card.output_schema is None:
        return card
    return card.model_copy(update={"output_schema": deepcopy(card.output_schema)})


def _skeleton(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return folded.translate(_LOOK_ALIKES)
