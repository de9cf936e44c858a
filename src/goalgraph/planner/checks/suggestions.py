"""What somebody who wrote an unknown name may have meant."""

import difflib
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

__all__ = ["Suggestions", "listed", "lookalike"]

_MOST_COMPARISONS = 20_000
_LONGEST = 128
_LATIN = str.maketrans(
    # Small letters after case folding: Cyrillic, then Greek, then others.
    "авекмнорстухѕіјһԁԛԝӏьɡɑαβγεζηικμνορτυχıⅼ",
    "abekmhopctyxsijhdqwlbgaabyeznikmnoptuxil",
)


@dataclass(slots=True)
class Suggestions:
    """Finds close names; gives up after many comparisons, as a plan full of unknown names would take minutes."""

    left: int = _MOST_COMPARISONS
    """Comparisons that may still be made."""

    @property
    def are_left(self) -> bool:
        """Whether candidates are worth collecting."""
        return self.left > 0

    def hint(self, name: str, candidates: Collection[str], otherwise: str) -> str:
        """Say what was meant.

        Args:
            name: As it was written.
            candidates: All that there are.
            otherwise: The hint where none of them comes close.
        """
        if not self.are_left or len(name) > _LONGEST:
            return otherwise
        compared = list(candidates)[: self.left]
        self.left -= len(compared)
        if alike := lookalike(name, compared):
            return alike
        close = difflib.get_close_matches(name, compared, n=1)
        return f"did you mean {close[0]!r}?" if close else otherwise


def lookalike(name: str, candidates: Iterable[str]) -> str:
    """Say which candidate a name looks like without being it, and where they differ; empty where there is none."""
    if len(name) > _LONGEST:
        return ""
    seen = _seen(name)
    for candidate in candidates:
        if candidate != name and _seen(candidate) == seen:
            if candidate.casefold() == name.casefold():
                return f"did you mean {candidate!r}? capital and small letters differ"
            place = next(
                (at for at, letter in enumerate(name) if candidate[at : at + 1] != letter),
                min(len(name), len(candidate)),
            )
            letter = (name[place:] or candidate[place:])[0]
            return f"looks like {candidate!r} but differs in character U+{ord(letter):04X}"
    return ""


def listed(names: Iterable[str]) -> str:
    """Name the first twenty, or say that there are none."""
    found = list(islice(names, 21))
    return ", ".join(found[:20]) + (", ..." if len(found) > 20 else "") or "none"


def _seen(name: str) -> str:
    """Fold a name to what a reader sees: no case, no invisible characters, letters of other alphabets as Latin ones."""
    if name.isascii():
        return name.casefold()
    plain = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return plain.casefold().translate(_LATIN)
