"""What a clause works on, what it brings forth, and what kind of work it is, from its words."""

import re
from collections.abc import Container

from goalgraph.planner.offline.clauses import Clause
from goalgraph.planner.offline.vocabulary import FUNCTION_WORDS, SYNONYMS, content, stem, stemmed, stems

__all__ = [
    "CLOSING",
    "CONDITION",
    "PREPOSITION",
    "SOURCE",
    "has_object",
    "has_source",
    "has_topic",
    "head_nouns",
    "is_picture",
    "is_report",
    "results",
]

SOURCE = re.compile(r"[\"“«`]|(?<!\w)'|\w\.[a-z]\w{0,7}\b|://|\w/(?!\w)")
"""A quotation, a file, an address: something to work on that no step before it made."""
_TOPIC = re.compile(r"\b(?:of|on|about|from|for|with)\s+(?:the|these|those|this|its|their)\s+", re.IGNORECASE)
PREPOSITION = re.compile(
    r"[,;:.!?()]|\b(?:of|in|on|at|for|from|to|with|about|by|into|as|using|that|which|who|whose|including|based|between|during"
    r"|related|called|named|so|and|or|is|are|was|were|has|have|can|should)\b",
    re.IGNORECASE,
)
CONDITION = re.compile(r"(?:if|once|when|after|as\s+soon\s+as)\s+[^,]{1,300}", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")

# What is read by these stays as it was, so that two clauses may read it side by side.
_READ_ONLY = stemmed(
    "analyze analyse read review check examine explore inspect study open load summarize"
    " summarise evaluate assess verify investigate use look see visualize plot chart compare"
)
CLOSING = stemmed("summarize summarise recap conclude report synthesize synthesise")
_REPORTS = stemmed(
    "report summary memo brief briefing presentation overview conclusion recommendation slides deck"
    " newsletter digest recap article document paper essay write-up writeup note notes"
    " finding findings result results insight insights"
)
_PICTURES = stemmed("visualization visualisation chart plot graph diagram dashboard figure histogram picture")
_AUTHOR = stemmed(
    "write draft prepare create produce compose generate compile make give provide deliver build assemble present"
)
_PLAIN = stemmed(
    "executive short brief concise final detailed clear result results finding findings insight insights"
    " one-page page paragraph sentence word words markdown md pdf html png svg french german spanish"
    " english line bar pie answer"
)
_DONE = {
    group: frozenset(word for word, kind in SYNONYMS.items() if kind == group and word.endswith(("is", "ion", "i")))
    for group in set(SYNONYMS.values())
}
"""What the doing of a group's verbs is called: the analysis, the summary."""


def results(clause: Clause) -> set[str]:
    """Give the stems of the nouns that the clause's result may be called by."""
    verb = stem(clause.verb)
    names = ({verb} if verb else set[str]()) | _DONE.get(SYNONYMS.get(verb, ""), frozenset[str]())
    if verb in _READ_ONLY:
        return names
    return names | set(head_nouns(clause))


def head_nouns(clause: Clause) -> list[str]:
    """Give the stems of the nouns that the clause's direct object is made of."""
    body = CONDITION.sub("", clause.body, count=1) if clause.link == "condition" else clause.body
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


def has_object(clause: Clause) -> bool:
    """Whether the clause says itself what it works on, rather than leaving it to what came before."""
    body = clause.body
    cut = next(
        (
            found
            for found in PREPOSITION.finditer(body)
            if found.group().lower() in ("to", "into", "as", "in", "for", "by", "with")
        ),
        None,
    )
    said = [stem(word) for word in content(body[: cut.start()] if cut else body)]
    return any(word not in _REPORTS and word not in _PICTURES and word not in _PLAIN for word in said)


def has_source(clause: Clause, mentioned: Container[str]) -> bool:
    """Whether it names a file, a quotation or a kind of document whose stem is not among those mentioned before."""
    if SOURCE.search(clause.body):
        return True
    kinds = (word for word in stems(clause.body) if SYNONYMS.get(word) in ("~document", "~data"))
    return any(word not in mentioned for word in kinds)


def is_report(clause: Clause) -> bool:
    """Whether it sums up other work: "summarize ...", "write a report"."""
    verb = stem(clause.verb)
    if verb in CLOSING:
        return True
    heads = head_nouns(clause)
    return bool(heads) and heads[0] in _REPORTS and (verb in _AUTHOR or not verb)


def is_picture(clause: Clause) -> bool:
    """Whether it asks for a chart of something."""
    verb = stem(clause.verb)
    if verb in _AUTHOR or verb == "draw":
        return any(word in _PICTURES for word in head_nouns(clause)[:1])
    return SYNONYMS.get(verb) == "~visualize"


def has_topic(clause: Clause) -> bool:
    """Whether a report says what it is about: "a summary of the trends"."""
    return stem(clause.verb) in CLOSING or _TOPIC.search(clause.body) is not None
