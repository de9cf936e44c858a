"""What several results for the same work come to: ballots, what they weigh, and whether the rest can change it; pure.

How a vote is counted. A ballot is an output that is not null and has the value that is voted on; it weighs 1, or, by
confidence, what its voter is sure of, `UNSURE` where that is unknown. The value with the most weight wins, if it has
the quorum: a count of ballots, or a share of the weight of all voters, where whoever casts no ballot weighs 1. Where
several have the most weight it is a tie. Late ballots never change a decided vote: a ballot weighs at most what its
voter counted for while it was missing.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from pydantic import JsonValue

from goalgraph.graph.coordination.ballots import Ballot
from goalgraph.planner.outcome import text_of
from goalgraph.planner.votes import Vote

__all__ = ["UNSURE", "Tally", "counted", "decided", "shown", "value_of"]

UNSURE = 0.5
"""What a ballot weighs, by confidence, where nobody said how sure its voter is."""

_HALF = Fraction(1, 2)
_BEFORE = frozenset("\"'*`~¡¿")
_AFTER = frozenset("\"'*`~.,;:!?…。、")
_AROUND = ("Ps", "Pe", "Pi", "Pf")
_SHORT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A vote, counted."""

    result: Literal["won", "tie", "no_quorum"]
    weights: Mapping[str, Fraction]
    """By value as it is compared, the first one cast first."""
    ballots: Mapping[str, tuple[Ballot, ...]]
    """By value, in plan order."""
    spoiled: tuple[str, ...] = ()
    """Voters whose output has no such value."""
    value: str | None = None
    """The winner's."""
    chosen: Ballot | None = None
    """The most confident of the winner's ballots, the first of these in plan order."""
    total: Fraction = Fraction(0)
    """What all voters weigh."""

    @property
    def share(self) -> float:
        """What the winner has of all weight that was cast, from 0 to 1; 0 where none won."""
        cast = sum(self.weights.values(), Fraction(0))
        return float(self.weights[self.value] / cast) if self.value is not None else 0.0


def value_of(output: JsonValue, field: str | None) -> JsonValue:
    """Find what is voted on in an output; None where it is not there.

    Args:
        output: The voter's.
        field: Dotted path of names of fields and places in lists.
    """
    found = output
    for part in field.split(".") if field is not None else ():
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and len(part) < 10 and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def counted(
    vote: Vote, quorum: float | None, ballots: Sequence[Ballot], missing: int = 0, *, is_cut: bool = False
) -> Tally:
    """Count a vote that is over.

    Args:
        vote: How.
        quorum: See `goalgraph.planner.votes.Quorum`; None: more than half of the weight of all voters.
        ballots: In plan order.
        missing: How many voters cast none, and could have.
        is_cut: Whether some of them were stopped because the vote was decided: if nobody won, there was no quorum.
    """
    cast: dict[str, list[Ballot]] = {}
    weights: dict[str, Fraction] = {}
    spoiled: list[str] = []
    for one in ballots:
        value = value_of(one.output, vote.field)
        if value is None:
            spoiled.append(one.voter)
            continue
        key = _key(value)
        cast.setdefault(key, []).append(one)
        weights[key] = weights.get(key, Fraction(0)) + _weight(vote, one)
    total = sum(weights.values(), Fraction(missing + len(spoiled)))
    found: dict[str, tuple[Ballot, ...]] = {key: tuple(own) for key, own in cast.items()}
    most = max(weights.values(), default=Fraction(0))
    first = [key for key, weight in weights.items() if weight == most]
    tally = Tally(result="no_quorum", weights=weights, ballots=found, spoiled=tuple(spoiled), total=total)
    if not most:
        return tally
    if len(first) > 1:
        return tally if is_cut else replace(tally, result="tie")
    value = first[0]
    if not _has_quorum(quorum, len(cast[value]), most, total):
        return tally
    return replace(tally, result="won", value=value, chosen=max(found[value], key=_certainty))  # of equals the first


def decided(vote: Vote, quorum: float | None, ballots: Sequence[Ballot], missing: int, waiting: int) -> Tally | None:
    """Count a vote that is not over, if those who have not voted yet cannot change who wins, or that nobody does.

    That nobody can win is not told where a human is to choose: he is to see all ballots.

    Args:
        vote: How.
        quorum: See `counted`.
        ballots: Cast so far.
        missing: How many voters will cast none.
        waiting: How many may still vote.
    """
    tally = counted(vote, quorum, ballots, missing + waiting, is_cut=waiting > 0)
    if not waiting:
        return tally
    if tally.value is not None:
        others = (weight for key, weight in tally.weights.items() if key != tally.value)
        return tally if tally.weights[tally.value] > max(others, default=Fraction(0)) + waiting else None
    if vote.otherwise == "ask" or _can_win(tally, quorum, waiting):
        return None
    return tally


def shown(value: JsonValue) -> str:
    """Give a value in a line."""
    text = " ".join(text_of(value).split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."


def _can_win(tally: Tally, quorum: float | None, waiting: int) -> bool:
    """Whether any value wins if all who have not voted give it, as sure as can be."""
    most = max(tally.weights.values(), default=Fraction(0))
    values = [(len(own), tally.weights[key]) for key, own in tally.ballots.items()]
    return any(
        weight + waiting > most and _has_quorum(quorum, count + waiting, weight + waiting, tally.total)
        for count, weight in [*values, (0, Fraction(0))]
    )


def _has_quorum(quorum: float | None, count: int, weight: Fraction, total: Fraction) -> bool:
    if quorum is None:
        return weight > total * _HALF
    return count >= quorum if isinstance(quorum, int) else weight >= total * _exact(quorum)


def _weight(vote: Vote, ballot: Ballot) -> Fraction:
    return Fraction(1) if vote.by == "majority" else _exact(_certainty(ballot))


def _certainty(ballot: Ballot) -> float:
    return UNSURE if ballot.confidence is None else ballot.confidence


def _exact(number: float) -> Fraction:
    """Take a number as it is written, so that three times 0.1 is 0.3."""
    return Fraction(repr(float(number)))


def _key(value: JsonValue) -> str:
    return json.dumps(_alike(value), ensure_ascii=False, sort_keys=True)


def _alike(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_alike(item) for item in value]
    return {key: _alike(item) for key, item in value.items()} if isinstance(value, dict) else value


def _plain(text: str) -> str:
    """Write a text without what does not count; one that is nothing else stays."""
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
    begin, end = 0, len(folded)
    while begin < end and (folded[begin] in _BEFORE or _is_around(folded[begin])):
        begin += 1
    while end > begin and (folded[end - 1] in _AFTER or _is_around(folded[end - 1])):
        end -= 1
    return folded[begin:end].strip() or folded


def _is_around(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _AROUND
