"""Scores specialists against a piece of work, by the words of their cards."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.offline.vocabulary import SYNONYMS, stem, stemmed, stems

__all__ = ["CardIndex"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")
_GENERAL = stemmed("general generalist generic anything everything assistant versatile worker llm chatbot agent")
# Said of nearly every specialist, so that it tells none from another.
_BARE = stemmed("tool task use used specialist agent work step specific given user capability name type list")
_NAME, _CAPABILITY, _DESCRIPTION = 1.5, 2.0, 1.0
_VERB = 1.5
_SYNONYM = 0.5
_LENGTH = 0.4
"""How far a long card's words count less, from 0 to 1; BM25's ``b``."""


class CardIndex:
    """The cards' words, weighted by how few cards share each of them (inverse document frequency)."""

    def __init__(self, cards: Sequence[SpecialistCard]) -> None:
        self.cards = tuple(cards)
        words = [_card_words(card) for card in self.cards]
        mean = sum(map(len, words)) / max(1, len(words)) or 1.0
        shared = Counter(token for found in words for token in found)
        self._weights: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, found in enumerate(words):
            norm = 1 - _LENGTH + _LENGTH * len(found) / mean
            for token, weight in found.items():
                rarity = math.log(1 + (len(words) - shared[token] + 0.5) / (shared[token] + 0.5))
                self._weights[token].append((number, weight * rarity / norm))
        self.generalist: int | None = next(
            (number for number, card in enumerate(self.cards) if _is_general(card)), 0 if len(self.cards) == 1 else None
        )
        """Position of the card that takes what fits nobody; None where there is no such card."""

    def scores(self, text: str, verb: str = "") -> list[float]:
        """Return one score for each card, 0 where no word of the text is on it.

        Args:
            text: The work, in words.
            verb: The verb it opens with, which counts for more than other words.
        """
        found = [0.0] * len(self.cards)
        opening = stem(verb) if verb else ""
        wanted: dict[str, float] = {}
        for word in stems(text):
            if word in _BARE:
                continue
            weight = _VERB if word == opening else 1.0
            wanted[word] = max(weight, wanted.get(word, 0.0))
            if group := SYNONYMS.get(word):
                wanted[group] = max(_SYNONYM * weight, wanted.get(group, 0.0))
        for token, weight in wanted.items():
            for number, value in self._weights.get(token, ()):
                found[number] += weight * value
        return found

    def best(self, text: str, verb: str = "") -> int | None:
        """Return the position of the card that fits best; None where no card shares a word with the text."""
        found = self.scores(text, verb)
        top = max(range(len(found)), key=found.__getitem__)
        return top if found[top] > 0 else None


def _card_words(card: SpecialistCard) -> dict[str, float]:
    words: dict[str, float] = {}
    for weight, text in (
        (_DESCRIPTION, card.description),
        (_NAME, _CAMEL.sub(" ", card.name)),
        *((_CAPABILITY, _CAMEL.sub(" ", term)) for term in card.capabilities),
    ):
        for word in stems(text):
            if word in _BARE:
                continue
            words[word] = max(weight, words.get(word, 0.0))
            if group := SYNONYMS.get(word):
                words[group] = max(weight, words.get(group, 0.0))
    return words


def _is_general(card: SpecialistCard) -> bool:
    said = set(stems(f"{_CAMEL.sub(' ', card.name)} {card.description} {' '.join(card.capabilities)}"))
    return bool(said & _GENERAL)
