"""BM25 over passages: which of them bear on a query. Small enough to own; words are cut to rough stems first."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

__all__ = ["Index", "terms"]

_K1, _B = 1.2, 0.75
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
        a about above after again all also am an and any are as at be because been before being below between both
        but by can could did do does doing down during each few for from further had has have having he her here
        hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or
        other our out over own please same say says she should so some such than that the their them then there
        these they this those through to too under until up very was we were what when where which while who whom
        why will with would you your find search look read check give list tell show identify determine explain
        describe summarize summarise summary analyze analyse research report write answer question document
        documents file files text texts folder passage passages relevant information based given provided using use
        main key
        """,
    )
)


def terms(text: str) -> list[str]:
    """Cut a text into lower-case stems without the words that say nothing, such as ``the`` or ``find``."""
    return [_stem(word) for word in re.findall(r"[^\W_]+(?:[’'][^\W_]+)?", text.lower()) if word not in _STOP]


class Index:
    """Passages, ready to be asked. Robertson and Zaragoza (2009), with k1 = 1.2 and b = 0.75."""

    def __init__(self, passages: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(words) for words in passages]
        self._lengths = [len(words) for words in passages]
        self._mean = sum(self._lengths) / max(1, len(passages)) or 1.0
        self._having = Counter(term for counts in self._counts for term in counts)

    def weight(self, term: str) -> float:
        """Return a term's inverse document frequency: high for rare terms, and for unknown ones the same."""
        having = max(1, self._having[term])
        return math.log(1 + (len(self._counts) - having + 0.5) / (having + 0.5))

    def scores(self, query: Mapping[str, float]) -> list[float]:
        """Score every passage; 0 where no term occurs.

        Args:
            query: Terms with how much each matters, usually 1.
        """
        found: list[float] = []
        for counts, length in zip(self._counts, self._lengths, strict=True):
            damp = _K1 * (1 - _B + _B * length / self._mean)
            score = 0.0
            for term, matter in query.items():
                if times := counts[term]:
                    score += matter * self.weight(term) * times * (_K1 + 1) / (times + damp)
            found.append(score)
        return found

    def coverage(self, place: int, query: Mapping[str, float]) -> float:
        """Say what part of the query's weight one passage covers, from 0 to 1."""
        whole = sum(matter * self.weight(term) for term, matter in query.items())
        part = sum(matter * self.weight(term) for term, matter in query.items() if self._counts[place][term])
        return part / whole if whole else 0.0


def _stem(word: str) -> str:
    """Cut common English endings, so that ``terminate``, ``terminated`` and ``termination`` meet."""
    word = re.sub(r"[’'].*$", "", word)
    if len(word) <= 4 or not word.isascii():
        return word[:-1] if len(word) == 4 and word.endswith("s") and not word.endswith("ss") else word
    for ending, kept in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ations", ""),
        ("ation", ""),
        ("ating", ""),
        ("ated", ""),
        ("ates", ""),
        ("ate", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)] + kept
    for ending in ("ments", "ment", "ings", "ing", "ions", "ion", "ers", "er", "ed", "es", "s", "ly", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not (ending == "s" and word.endswith("ss")):
            return word[: -len(ending)]
    return word
