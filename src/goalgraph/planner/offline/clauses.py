"""Cuts a goal into clauses that each ask for one piece of work."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from goalgraph.planner.offline.leads import Lead, Link, Verb, read_lead, read_verb
from goalgraph.planner.offline.protected import COVER, cleaned, cover
from goalgraph.planner.offline.sentences import Sentence, sentences
from goalgraph.planner.offline.vocabulary import AMBIGUOUS, CONSTRAINT_VERBS, SYNONYMS, VERBS, stem, stems

__all__ = ["Clause", "split_clauses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One piece of work, in the goal's own words."""

    text: str
    """The words from where the work begins; connectors and politeness before it are left out."""
    start: int
    """Offset in the goal of the first character of ``text``."""
    end: int
    """Offset after its last character."""
    verb: str = ""
    """Base form of the verb it opens with, lower case; empty where there is none."""
    body: str = ""
    """What follows the verb; the whole text where there is none."""
    link: Link = "none"
    sentence: int = 0
    """Which sentence it stands in; clauses of one sentence share the number."""
    question: bool = False
    """Whether it asks a question rather than gives an order."""
    shared: str = ""
    """What ``text`` has from the clause after it: the object of "analyze" in "analyze and plot the data"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    start: int
    end: int
    lead: Lead
    verb: Verb
    sentence: int
    role: str
    """``work``; ``soft``: a wish that a later request may spell out; ``before``, ``after``: belongs to a neighbour."""
    question: bool = False
    heading: bool = False


_JOINT = re.compile(
    r"(?<!\s)(?:\s*[;；]\s*|\s*→\s*|\s+->\s+|\s*[,，、](?:\s*(?:and|&|but|plus|or)(?=\s))?\s*"
    r"|\s+(?:and|&|but|plus)\s+|\s+(?=then\s)|\s+[–—]\s+|:\s+)",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|did|has|have|had|can|could|should|would|will"
    r"|do(?!\s+not\b|n['’]t))\b",
    re.IGNORECASE,
)
_NEXT_QUESTION = re.compile(
    r"(?:what|which|who|when|where|why|how)(?:['’]s|\s+(?:is|are|was|were|do|does|did|has|have|can|could|should|would"
    r"|will|many|much))\b",
    re.IGNORECASE,
)
_DEMAND = re.compile(r"(?:do\s+not|don['’]t|never|make\s+(?:sure|certain))\b", re.IGNORECASE)
_SUBORDINATE = re.compile(
    r"(?:if|when|once|after|before|while|since|because|as|given|using|for|in|on|at|with|from|based|by|to|provided|until"
    r"|unless|whenever|let|assuming|suppose|considering|regarding|through|during|under)\b",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(r"(?:once|after|when|as\s+soon\s+as)\b", re.IGNORECASE)
_INTRODUCES = re.compile(
    r"(?:(?:i|we)(?:['’](?:m|re|ve)|\s+(?:am|are|have|just|recently|currently|run|work))|there\s+(?:is|are)|here\s+(?:is|are)"
    r"|let\b|given|suppose|assume|for\b)",
    re.IGNORECASE,
)
# After these, "read the file and print it" is what the thing does, not work of its own.
_INSIDE = re.compile(
    r"\bhow\s+(?:to|do|does|can|i|we)\b"
    r"|\b(?:script|function|program|app|application|tool|class|guide|tutorial|query|bot|agent|way|ways|method|code|macro"
    r"|pipeline|workflow|system|service|command|ability)\s+(?:to|for|that|which)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:who|that|which|to)\s+([a-z]+)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,&]+")
_PURPOSE = re.compile(r"\bto\s+([a-z]+)", re.IGNORECASE)
_DEFINITE = re.compile(
    r"\b(?:the|this|these|those|that)\s+(?!following\b)\w+\b(?:\s+\w+\b)?(?!\s+" + COVER + ")", re.IGNORECASE
)
_REACH = 200
"""How far back, in characters, a clause is searched for what a verb may belong to."""
_EDGE = " \t\r\n\f\v,;:.!、，；。：-–—"


def split_clauses(goal: str) -> tuple[Clause, ...]:
    """Return a goal's clauses in order; a goal without any recognisable order or question is one clause.

    Every word of the goal lands in exactly one clause, save connectors ("and then"), politeness ("could you please")
    and list marks at a clause's edge.
    """
    text = cleaned(goal)
    mask = cover(text)
    pieces = [
        piece
        for number, sentence in enumerate(sentences(text, mask))
        for piece in _pieces(text, mask, sentence, number)
    ]
    found = [clause for group in _grouped(text, mask, pieces) if (clause := _clause(text, mask, group)) is not None]
    return _with_objects(found)


def _pieces(text: str, mask: str, sentence: Sentence, number: int) -> Iterator[_Piece]:
    lead = read_lead(mask, sentence.start, sentence.end)
    gerunds = lead.ask != "plain"
    verb = read_verb(mask, lead.at, sentence.end, gerunds=gerunds)
    question = lead.ask == "plain" and verb.strength < 2 and _QUESTION.match(mask, lead.at, sentence.end) is not None
    role = _role(text, mask, sentence, lead, verb, question=question)
    start = sentence.start
    settled = role in ("work", "soft") and lead.ask != "need"
    for joint, begun, found in _accepted(mask, sentence, lead.at, gerunds=gerunds):
        if not settled:
            if ":" in joint.group() or "," in joint.group() or begun.link == "then":
                opening = mask[lead.at : joint.start()]
                link = lead.link
                if link == "none" and _SUBORDINATE.match(opening):
                    link = (
                        "then" if _AFTERWARDS.match(opening) else "condition" if opening[:2].lower() == "if" else "none"
                    )
                lead, verb, settled = replace(lead, link=link, ask=begun.ask), found, True
                role = "soft" if begun.ask == "want" else "work"
            continue
        if not _divides(mask, start, lead.at, joint, begun, found, question=question):
            continue
        yield _Piece(
            start=start, end=joint.start(), lead=lead, verb=verb, sentence=number, role=role, question=question
        )
        start, lead, verb, role = joint.end(), begun, found, "work"
        if "→" in joint.group() or "->" in joint.group():
            lead = replace(lead, link="then")
        question = question and found.strength == 0
    yield _Piece(
        start=start,
        end=sentence.end,
        lead=lead,
        verb=verb,
        sentence=number,
        role=role,
        question=question,
        heading=sentence.heading,
    )


def _role(text: str, mask: str, sentence: Sentence, lead: Lead, verb: Verb, *, question: bool) -> str:
    strong = (
        verb.strength >= 2
        or (verb.strength == 1 and verb.word in VERBS)
        or (verb.word in AMBIGUOUS and text[verb.at : verb.at + 1].isupper())
    )
    if _DEMAND.match(mask, lead.at, sentence.end) or (
        verb.word in CONSTRAINT_VERBS and not _has_purpose(mask[verb.end : min(sentence.end, verb.end + _REACH)])
    ):
        return "after"
    if lead.ask == "request":
        return "work" if strong or verb.word or lead.link != "none" else "before" if sentence.heading else "soft"
    if lead.ask == "want":
        return "soft" if verb.word in VERBS or strong else "before"
    if lead.ask == "need":
        return "work" if lead.link != "none" else "soft"
    if question or strong:
        return "work"
    if sentence.heading or _INTRODUCES.match(mask, lead.at, sentence.end):
        return "before"
    return "item" if sentence.item else "after"


def _has_purpose(text: str) -> bool:
    """Whether the text names an end, as in "use pandas to load the file"."""
    return any(found[1].lower() in VERBS for found in _PURPOSE.finditer(text))


def _accepted(mask: str, sentence: Sentence, at: int, *, gerunds: bool) -> Sequence[tuple[re.Match[str], Lead, Verb]]:
    """Find the joints of a sentence that a clause may follow; doubtful verbs are judged by their neighbours."""
    joints = list(_JOINT.finditer(mask, at, sentence.end))
    leads = [read_lead(mask, joint.end(), sentence.end, after_and="and" in joint.group().lower()) for joint in joints]
    verbs = [read_verb(mask, lead.at, sentence.end, gerunds=gerunds) for lead in leads]
    # "Collect data, plan trips, and report results": where every item opens with a verb, none of them is a noun.
    parallel = len(joints) > 1 and all(verb.word for verb in verbs)
    kept: list[tuple[re.Match[str], Lead, Verb]] = []
    next_is_verb = False
    last = True
    for joint, begun, verb in zip(reversed(joints), reversed(leads), reversed(verbs), strict=True):
        asks = begun.ask != "plain" or _NEXT_QUESTION.match(mask, begun.at, sentence.end) is not None
        semicolon = joint.group().strip() in (";", "；", "→", "->")
        sure = verb.strength == 3 or parallel or asks or semicolon or (begun.link == "then" and verb.strength > 0)
        doubtful = verb.strength in (1, 2) and (next_is_verb or (last and "and" in joint.group().lower()))
        next_is_verb = sure or doubtful
        last = False
        if next_is_verb and "or" not in joint.group().lower().split():
            kept.append((joint, begun, verb))
    return kept[::-1]


def _divides(mask: str, start: int, at: int, joint: re.Match[str], lead: Lead, verb: Verb, *, question: bool) -> bool:
    """Whether a joint ends a clause that is already complete."""
    symbol = joint.group().strip().lower()
    if symbol in (";", "；", "→", "->"):
        return (
            any(map(str.isalnum, mask[joint.end() : joint.end() + _REACH]))
            or COVER in mask[joint.end() : joint.end() + _REACH]
        )
    if symbol in (":", "–", "—") or verb.word in CONSTRAINT_VERBS or _DEMAND.match(mask, lead.at):
        return False
    if not verb.word and lead.ask == "plain":
        return question
    left = mask[max(start, at, joint.start() - _REACH) : joint.start()]
    words = left.split()
    if _only_verbs(left):
        return _differs(words[-1:], verb)
    if lead.link != "none" or lead.ask != "plain":
        return True
    comma = symbol.startswith((",", "，", "、"))
    if _INSIDE.search(left):
        return False
    if not comma and words[-1].lower() in VERBS - AMBIGUOUS:
        return False
    shared = next((found for found in _RELATIVE.finditer(left) if found[1].lower() in VERBS), None)
    return comma or shared is None or shared.group().lower().startswith("to")


def _differs(before: Sequence[str], verb: Verb) -> bool:
    """Whether two verbs that share one object are work of two kinds, as in "analyze and visualize the data"."""
    kinds = SYNONYMS.get(stem(before[0].strip(","))) if before else None, SYNONYMS.get(stem(verb.word))
    return None not in kinds and kinds[0] != kinds[1]


def _only_verbs(text: str) -> bool:
    return len(text) < _REACH and all(word in VERBS or word == "and" for word in _BETWEEN.split(text.lower()) if word)


def _with_objects(clauses: list[Clause]) -> tuple[Clause, ...]:
    """Give verbs that share the object of the clause after them that object."""
    for number in range(len(clauses) - 2, -1, -1):
        clause, following = clauses[number], clauses[number + 1]
        if clause.sentence == following.sentence and clause.verb and _only_verbs(clause.text):
            shared = f" {following.body.strip()}"
            clauses[number] = replace(clause, text=clause.text + shared, body=clause.body + shared, shared=shared)
    return tuple(clauses)


def _grouped(text: str, mask: str, pieces: Sequence[_Piece]) -> Sequence[list[_Piece]]:
    """Put each piece that is no work of its own with the work it belongs to."""
    if not pieces:
        return []
    groups: list[list[_Piece]] = [[]]
    works = any(piece.role in ("work", "soft", "item") for piece in pieces)
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        group = groups[-1]
        has_work = any(held.role == "work" for held in group)
        role = piece.role
        if role == "item":
            role = "after" if any(held.heading and held.role == "work" for held in group) else "work"
        elif role == "soft":
            role = _soft_role(text, mask, piece, following, first=len(groups) == 1 and not has_work)
        elif not works:
            role = "after" if has_work else "work"
        if has_work and role != "after":
            group = list[_Piece]()
            groups.append(group)
        group.append(replace(piece, role=role))
    if len(groups) > 1 and not any(held.role == "work" for held in groups[-1]):
        rest = groups.pop()
        groups[-1] += rest
    return groups


def _soft_role(text: str, mask: str, piece: _Piece, following: _Piece | None, *, first: bool) -> str:
    """Judge a wish: an opening that the next request spells out, a demand on the work before it, or work."""
    if piece.lead.ask == "need" and not first:
        return "after"
    if following is None or not first or following.sentence == piece.sentence:
        return "work"
    if following.role != "work" or following.lead.link != "none" or COVER in mask[piece.start : piece.end]:
        return "work"
    shared = set(stems(text[piece.start : piece.end])) & set(stems(text[following.start : following.end]))
    named_again = any(
        shared & set(stems(found.group())) for found in _DEFINITE.finditer(mask, following.start, following.end)
    )
    wrap_up = SYNONYMS.get(stem(following.verb.word)) in ("~write", "~visualize")
    return "before" if shared and not named_again and not wrap_up else "work"


def _clause(text: str, mask: str, group: Sequence[_Piece]) -> Clause | None:
    main = next((piece for piece in group if piece.role == "work"), group[0])
    opening = next((piece for piece in group if any(map(str.isalnum, text[piece.lead.at : piece.end]))), group[0])
    begins = opening.lead.at if opening is main else read_lead(mask, opening.start, opening.end, marks_only=True).at
    start, end = begins, group[-1].end
    drop_mark = main.lead.ask != "plain" and group[-1] is main
    while end > start and (text[end - 1] in _EDGE or (drop_mark and text[end - 1] == "?")):
        end -= 1
    while start < end and text[start] in _EDGE:
        start += 1
    if not any(map(str.isalnum, text[start:end])):
        start, end = opening.start, group[-1].end
        while end > start and text[end - 1] in _EDGE:
            end -= 1
        while start < end and text[start] in _EDGE:
            start += 1
    if not any(map(str.isalnum, text[start:end])):
        return None
    body = text[main.verb.end : end] if main.verb.word and main.verb.at < end else text[start:end]
    return Clause(
        text=text[start:end],
        start=start,
        end=end,
        verb=main.verb.word,
        body=body,
        link=main.lead.link,
        sentence=main.sentence,
        question=main.question,
    )
