"""Finds which earlier clauses a clause needs the results of, from what its words say."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from goalgraph.planner.clauses import Clause
from goalgraph.planner.vocabulary import FUNCTION_WORDS, SYNONYMS, content, stem, stems

__all__ = ["PREPOSITION", "Needs", "link_clauses"]


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
_SOURCE = re.compile(r"[\"“«`]|(?<!\w)'|\w\.[a-z]\w{0,7}\b|://|\w/(?!\w)")
"""A quotation, a file, an address: something to work on that no step before it made."""
_REACH = 20
"""How many earlier clauses that brought forth the same thing are looked at, the last first."""
_DEFINITE = re.compile(
    r"\b(?:the|this|that|these|those|its|their|both|each|every|all|resulting|said)\s+((?:[\w'’-]+\s+){0,3}[\w'’-]+)", re.IGNORECASE
)
_OPENING_CLAUSE = re.compile(r"(?:if|once|when|after|as\s+soon\s+as)\s+[^,]{1,300}", re.IGNORECASE)
PREPOSITION = re.compile(
    r"[,;:.!?()]|\b(?:of|in|on|at|for|from|to|with|about|by|into|as|using|that|which|who|whose|including|based|between|during"
    r"|related|called|named|so|and|or|is|are|was|were|has|have|can|should)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_PLURAL = re.compile(r"\b(?:them|these|those|their|both|two|results|findings|outputs|outcomes|insights|answers|everything|all)\b", re.I)

# What is read by these stays as it was, so that two clauses may read it side by side.
_READ_ONLY = frozenset(map(stem, "analyze analyse read review check examine explore inspect study open load summarize"
                               " summarise evaluate assess verify investigate use look see visualize plot chart compare".split()))
_ACQUIRE = frozenset(map(stem, "buy book reserve order purchase rent".split()))
_SEARCH = frozenset(map(stem, "find search look locate discover".split()))
_PREPARE = frozenset(map(stem, "load read open clean download import fetch prepare filter convert normalize deduplicate parse"
                               " extract collect gather".split()))
_READY = frozenset(map(stem, "load read open clean download import prepare parse normalize normalise deduplicate".split()))
_DELIVER = frozenset(map(stem, "save store export email mail send share publish upload present submit post deliver forward".split()))
_COMBINE = frozenset(map(stem, "compare contrast combine merge aggregate consolidate rank reconcile synthesize choose decide"
                               " recommend pick select conclude summarize summarise prioritize".split()))
_TRANSITIVE = frozenset(map(stem, "analyze analyse translate convert summarize summarise visualize visualise plot chart classify"
                                " rank sort filter clean format proofread edit validate compare interpret evaluate review save"
                                " store export email publish upload share test deploy explain".split()))
_CLOSE = frozenset(map(stem, "summarize summarise recap conclude report synthesize synthesise".split()))
_REPORTS = frozenset(map(stem, "report summary memo brief briefing presentation overview conclusion recommendation slides deck"
                             " newsletter digest recap article document paper essay write-up writeup note notes".split()))
_PICTURES = frozenset(map(stem, "visualization visualisation chart plot graph diagram dashboard figure histogram picture".split()))
_AUTHOR = frozenset(map(stem, "write draft prepare create produce compose generate compile make give provide deliver build"
                             " assemble present".split()))


_DONE = {
    group: frozenset(word for word, kind in SYNONYMS.items() if kind == group and word.endswith(("is", "ion", "i")))
    for group in set(SYNONYMS.values())
}
"""What the doing of a group's verbs is called: the analysis, the summary."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the clauses so far came to; filled from first to last."""

    results: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Stem of a noun to the clauses that bring such a thing forth."""
    mentions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    stems: list[frozenset[str]] = field(default_factory=list)
    """The words of each clause."""
    material: int | None = None
    """The last clause of the thread that is no picture."""
    thread: list[int] = field(default_factory=list)
    """Clauses since the last report, that report included."""
    open: list[int] = field(default_factory=list)
    """Clauses since the last "then" that nothing waits for yet."""
    sequenced: bool = False
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
    own = _own_object(clause)
    reports = _is_report(clause)
    if reports and not (apart and own) and not (verb in _CLOSE and not data and _has_own_source(clause, seen)):
        data |= named if named and _topic_is_definite(clause) else _material(clauses, seen)
    elif _is_picture(clause) and not apart and seen.thread:
        data |= set() if data else {number - 1 if seen.material is None else seen.material}
    elif not data and not apart:
        if verb in _TRANSITIVE and not own:
            data |= set(seen.open) if verb in _COMBINE else {number - 1}
        elif same_sentence and verb in _DELIVER and not own:
            data.add(number - 1)
        elif same_sentence and stem(previous.verb) in _READY and not _SOURCE.search(clause.body):
            data.add(number - 1)
        elif same_sentence and verb in _ACQUIRE and stem(previous.verb) in _SEARCH:
            data.add(number - 1)
    if clause.link == "then" or (clause.link == "last" and seen.sequenced):
        order |= set(seen.open) or {number - 1}
        seen.scope = (clause.sentence, frozenset(order))
    elif seen.scope is not None and seen.scope[0] == clause.sentence and not apart and not data:
        order |= seen.scope[1]
    return Needs(data=frozenset(data - {number}), order=frozenset(order - data - {number}))


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
    if _is_report(clause):
        seen.thread, seen.material = [], number
    seen.thread.append(number)
    if not _is_picture(clause):
        seen.material = number
    for word in _results(clause):
        seen.results[word].append(number)
    seen.stems.append(frozenset(stems(clause.text)))
    for word in seen.stems[-1]:
        seen.mentions[word].append(number)


def _points_back(clause: Clause) -> bool:
    """Whether a pronoun stands where the clause's object would, or it speaks of "the results"."""
    if _BACKREFERENCE.search(clause.text):
        return True
    found = next((found for found in _PRONOUN.finditer(clause.body)), None)
    if found is None:
        return False
    before = [word for word in content(clause.body[: found.start()]) if not word.endswith("ly")]
    follows = clause.body[found.end() :].lstrip()[:1]
    relative = found.group().lower() == "that" and bool(before)
    return not relative and len(before) <= (2 if found.group().lower() in ("it", "its", "them", "their") else 0) and (
        clause.question or found.group().lower() != "it" or not before or follows in ("", ".", ",", "?") or len(before) < 2
    )


def _named(clause: Clause, seen: _Seen) -> set[int]:
    """Find the earlier clauses that brought forth what this one calls "the ..."."""
    found: set[int] = set()
    if opening := _OPENING_CLAUSE.match(clause.text):
        for word in set(stems(opening.group())):
            found.update(seen.mentions.get(word, [])[-1:])
    for phrase in _DEFINITE.finditer(clause.text):
        cut = PREPOSITION.search(phrase[1])
        words = [word for word in content(phrase[1][: cut.start()] if cut else phrase[1])]
        if not words:
            continue
        holders = seen.results.get(stem(words[-1]), [])
        if not holders and len(words) > 1 and SYNONYMS.get(stem(words[-1])) is None:
            holders = seen.results.get(stem(words[-2]), [])
        modifiers = [stem(word) for word in words[:-1] if not word.endswith(("ed", "ing"))]
        fitting = (held for held in reversed(holders[-_REACH:]) if seen.stems[held].issuperset(modifiers))
        found.update(islice(fitting, 1))
    return found


def _results(clause: Clause) -> set[str]:
    """Give the stems of the nouns that the clause's result may be called by."""
    verb = stem(clause.verb)
    names = {verb} if verb else set()
    names |= _DONE.get(SYNONYMS.get(verb, ""), frozenset())
    if verb in _READ_ONLY:
        return names
    return names | set(_head_nouns(clause))


def _head_nouns(clause: Clause) -> list[str]:
    """Give the stems of the words of the clause's direct object."""
    body = _OPENING_CLAUSE.sub("", clause.body, count=1) if clause.link == "condition" else clause.body
    body = re.sub(r"^\W*(?:me|us|out|up)\b", "", body)
    phrases: list[str] = []
    at = 0
    for cut in PREPOSITION.finditer(body):
        phrases.append(body[at : cut.start()])
        at = cut.end()
        if cut.group().lower() not in (",", "and", "or", "of"):
            break
    else:
        phrases.append(body[at:])
    heads: list[str] = []
    for phrase in phrases:
        words = [word for word in _WORD.findall(phrase) if word.lower() not in FUNCTION_WORDS]
        if words:
            heads.append(stem(words[-1]))
    return heads


def _own_object(clause: Clause) -> bool:
    """Whether the clause says itself what it works on, rather than leaving it to what came before."""
    body = clause.body
    cut = next((found for found in PREPOSITION.finditer(body) if found.group().lower() in ("to", "into", "as", "in", "for", "by", "with")), None)
    said = [stem(word) for word in content(body[: cut.start()] if cut else body)]
    return any(word not in _REPORTS and word not in _PICTURES and word not in _PLAIN for word in said)


_PLAIN = frozenset(map(stem, "executive short brief concise final detailed clear result results finding findings insight insights"
                             " one-page page paragraph sentence word words markdown md pdf html png svg french german spanish"
                             " english line bar pie answer".split()))


def _has_own_source(clause: Clause, seen: _Seen) -> bool:
    """Whether it names a file, a quotation or a kind of document that no clause before it speaks of."""
    if _SOURCE.search(clause.body):
        return True
    kinds = (word for word in stems(clause.body) if SYNONYMS.get(word) in ("~document", "~data"))
    return any(word not in seen.mentions for word in kinds)


def _is_report(clause: Clause) -> bool:
    verb = stem(clause.verb)
    if verb in _CLOSE:
        return True
    heads = _head_nouns(clause)
    return bool(heads) and heads[0] in _REPORTS and (verb in _AUTHOR or not verb)


def _is_picture(clause: Clause) -> bool:
    verb = stem(clause.verb)
    if verb in _AUTHOR or verb == "draw":
        return any(word in _PICTURES for word in _head_nouns(clause)[:1])
    return SYNONYMS.get(verb) == "~visualize"


def _topic_is_definite(clause: Clause) -> bool:
    return re.search(r"\b(?:of|on|about|from|for|with)\s+(?:the|these|those|this|its|their)\s+", clause.body) is not None or (
        stem(clause.verb) in _CLOSE
    )


def _material(clauses: Sequence[Clause], seen: _Seen) -> set[int]:
    """Give what a report would draw on: all work since the last report, bare preparation left out."""
    ready = {held for held in seen.thread if stem(clauses[held].verb) not in _PREPARE or held in seen.open}
    return ready or set(seen.thread[-1:])
