"""Finds which earlier clauses a clause needs the results of, from what its words say."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from goalgraph.planner.offline.clauses import Clause
from goalgraph.planner.offline.phrases import (
    CLOSING,
    CONDITION,
    PREPOSITION,
    SOURCE,
    has_object,
    has_source,
    has_topic,
    is_picture,
    is_report,
    results,
)
from goalgraph.planner.offline.vocabulary import SYNONYMS, content, stem, stemmed, stems

__all__ = ["Needs", "link_clauses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The earlier clauses, by position, that one clause waits for."""

    data: frozenset[int] = frozenset()
    """Those whose results it uses."""
    order: frozenset[int] = frozenset()
    """Those it is only told to come after."""


_PRONOUN = re.compile(
    r"(?:it|its|them|their|these|those|this|that|both|each(?=\s+(?:of\s+them|one))|(?:the\s+)?(?:two|above|former|latter)"
    r"|all\s+of\s+(?:it|them|this|these)|everything)(?!['’])\b",
    re.IGNORECASE,
)
_BACKREFERENCE = re.compile(
    r"\b(?:these|those|each\s+of\s+(?:them|these|those)|all\s+of\s+(?:it|them|this|these|that)|(?:the|that|this|its|their|your|each)"
    r"\s+(?:\w+\s+)?(?:results?|findings?|outputs?|outcomes?|answers?|insights?|conclusions?|above|same|latter|former))\b",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"\b(?:both|everything|all\s+of\s+(?:it|them|this|these|that)|(?:the|these|those|their)\s+(?:\w+\s+)?(?:results|findings"
    r"|outputs|outcomes|answers|insights|conclusions))\b",
    re.IGNORECASE,
)
_REACH = 20
"""How many earlier clauses that brought forth the same thing are looked at, the last first."""
_DEFINITE = re.compile(
    r"\b(?:the|this|that|these|those|its|their|both|each|every|all|resulting|said)\s+((?:[\w'’-]+\s+){0,3}[\w'’-]+)",
    re.IGNORECASE,
)
_PLURAL = re.compile(
    r"\b(?:them|these|those|their|both|two|results|findings|outputs|outcomes|insights|answers|everything|all)\b",
    re.IGNORECASE,
)

_ACQUIRE = stemmed("buy book reserve order purchase rent")
_SEARCH = stemmed("find search look locate discover")
_PREPARE = stemmed("load read open clean download import prepare parse normalize normalise deduplicate filter convert")
"""Work that is done for the sake of what comes next."""
_DELIVER = stemmed("save store export email mail send share publish upload present submit post deliver forward")
_COMBINE = stemmed(
    "compare contrast combine merge aggregate consolidate rank reconcile synthesize choose decide"
    " recommend pick select conclude summarize summarise prioritize"
)
_TRANSITIVE = stemmed(
    "analyze analyse translate convert summarize summarise visualize visualise plot chart classify"
    " rank sort filter clean format proofread edit validate compare interpret evaluate review save"
    " store export email publish upload share test deploy explain"
)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the clauses so far came to; filled from first to last."""

    results: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Stem of a noun to the clauses that bring such a thing forth."""
    mentions: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Stem of a word to the clauses that have it."""
    stems: list[frozenset[str]] = field(default_factory=list[frozenset[str]])
    """The words of each clause."""
    material: int | None = None
    """The last clause of the thread that is no picture."""
    thread: list[int] = field(default_factory=list[int])
    """Clauses since the last report, that report included."""
    open: list[int] = field(default_factory=list[int])
    """Clauses since the last "then" that nothing waits for yet."""
    sequenced: bool = False
    """Whether the clauses so far are told one after the other."""
    scope: tuple[int, frozenset[int]] | None = None
    """The sentence that a "then" stands in, and what that "then" waits for."""


def link_clauses(clauses: Sequence[Clause]) -> tuple[Needs, ...]:
    """Return what each clause waits for; all positions are smaller than the clause's own."""
    seen = _Seen()
    found: list[Needs] = []
    for number, clause in enumerate(clauses):
        needs = _needs(clauses, number, seen) if number else Needs()
        found.append(needs)
        _note(clause, number, needs, seen)
    return tuple(found)


def _needs(clauses: Sequence[Clause], number: int, seen: _Seen) -> Needs:
    clause = clauses[number]
    previous = clauses[number - 1]
    same_sentence = previous.sentence == clause.sentence
    verb = stem(clause.verb)
    named = _named(clause, seen)
    data = set(named)
    order: set[int] = set()
    apart = clause.link == "also"
    if _points_back(clause):
        plural = _PLURAL.search(clause.body) is not None
        data |= set(seen.open) if plural and (verb in _COMBINE or _WHOLE.search(clause.body)) else {number - 1}
    own = has_object(clause)
    reports = is_report(clause)
    if reports and not (apart and own) and not (verb in CLOSING and not data and has_source(clause, seen.mentions)):
        data |= named if named and has_topic(clause) else _material(clauses, seen)
    elif is_picture(clause) and not apart and seen.thread:
        data |= set() if data else {number - 1 if seen.material is None else seen.material}
    elif not data and not apart:
        if verb in _TRANSITIVE and not own:
            data |= set(seen.open) if verb in _COMBINE else {number - 1}
        elif same_sentence and _continues(previous, clause, own=own):
            data.add(number - 1)
    if clause.link == "then" or (clause.link == "last" and seen.sequenced):
        order |= set(seen.open) or {number - 1}
        seen.scope = (clause.sentence, frozenset(order))
    elif seen.scope is not None and seen.scope[0] == clause.sentence and not apart and not data:
        order |= seen.scope[1]
    return Needs(data=frozenset(data - {number}), order=frozenset(order - data - {number}))


def _continues(previous: Clause, clause: Clause, *, own: bool) -> bool:
    """Whether two clauses of one sentence are like "load X and plot", "find X and book Y", "write X and send"."""
    verb, before = stem(clause.verb), stem(previous.verb)
    if verb in _DELIVER and not own:
        return True
    if before in _PREPARE and not SOURCE.search(clause.body):
        return True
    return verb in _ACQUIRE and before in _SEARCH


def _note(clause: Clause, number: int, needs: Needs, seen: _Seen) -> None:
    waited = needs.data | needs.order
    if clause.link == "then":
        seen.sequenced = True
        inside = seen.scope is not None and seen.scope[0] == clause.sentence
        seen.open = [] if inside else seen.open
    if clause.link == "also":
        seen.sequenced = False
    if waited:
        seen.open = [held for held in seen.open if held not in waited]
    seen.open.append(number)
    if is_report(clause):
        seen.thread, seen.material = [], number
    seen.thread.append(number)
    if not is_picture(clause):
        seen.material = number
    for word in results(clause):
        seen.results[word].append(number)
    seen.stems.append(frozenset(stems(clause.text)))
    for word in seen.stems[-1]:
        seen.mentions[word].append(number)


def _points_back(clause: Clause) -> bool:
    """Whether a pronoun stands where the clause's object would, or it speaks of "the results"."""
    if _BACKREFERENCE.search(clause.text):
        return True
    for found in islice(_PRONOUN.finditer(clause.body), _REACH):
        before = sum(1 for word in content(clause.body[: found.start()]) if not word.endswith("ly"))
        if before <= (1 if found.group().lower() in ("it", "its", "them", "their") else 0):
            return True
    return False


def _named(clause: Clause, seen: _Seen) -> set[int]:
    """Find the earlier clauses that brought forth what this one calls "the ..."."""
    found: set[int] = set()
    if opening := CONDITION.match(clause.text):
        for word in set(stems(opening.group())):
            found.update(seen.mentions.get(word, [])[-1:])
    for phrase in _DEFINITE.finditer(clause.text):
        cut = PREPOSITION.search(phrase[1])
        words = list(content(phrase[1][: cut.start()] if cut else phrase[1]))
        if not words:
            continue
        holders = seen.results.get(stem(words[-1]), [])
        if not holders and len(words) > 1 and SYNONYMS.get(stem(words[-1])) is None:
            holders = seen.results.get(stem(words[-2]), [])
        modifiers = [stem(word) for word in words[:-1] if not word.endswith(("ed", "ing"))]
        fitting = (held for held in reversed(holders[-_REACH:]) if seen.stems[held].issuperset(modifiers))
        found.update(islice(fitting, 1))
    return found


def _material(clauses: Sequence[Clause], seen: _Seen) -> set[int]:
    """Give what a report would draw on: all work since the last report, bare preparation left out."""
    ready = {held for held in seen.thread if stem(clauses[held].verb) not in _PREPARE or held in seen.open}
    return ready or set(seen.thread[-1:])
