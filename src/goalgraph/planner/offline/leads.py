"""What may stand before the work itself in a clause: list marks, connectors, politeness, adverbs."""

import re
from dataclasses import dataclass
from typing import Literal

from goalgraph.planner.offline.protected import COVER
from goalgraph.planner.offline.vocabulary import AMBIGUOUS, FUNCTION_WORDS, VERBS, base_of_gerund, words

__all__ = ["Ask", "Lead", "Link", "Verb", "read_lead", "read_verb"]

Link = Literal["none", "then", "last", "also", "condition"]
"""How a clause says that it is tied to what stands before it."""

Ask = Literal["plain", "request", "want", "need"]
"""``request``: "could you"; ``want``: "I want to" with a verb; ``need``: "I need" with a thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """The end of a clause's lead-in and what it said."""

    at: int
    """Offset of the first character after it."""
    link: Link
    ask: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb that opens a clause, and how sure it is one: 0 (no verb) to 3."""

    word: str
    """Base form, lower case; empty where there is none."""
    at: int
    """Offset of its first character."""
    end: int
    """Offset after its last character."""
    strength: int
    """3: a verb with its object; 2: looks like one, but no known verb; 1: may be a noun; 0: none."""


_MARK = re.compile(
    r"\s+|[*_#>~]+|[-•‣◦–—+→]+\s|\(?\d{1,3}[.)](?=\s)|\(?[a-zA-Z][.)](?=\s)|" + COVER + r"{3}(?=\s)|[,;:.!?]+(?=\s|$)"
)
_STEP_MARK = re.compile(r"(?:step|task)\s+\d{1,3}\s*[:.)\-]\s*", re.IGNORECASE)
_GREETING = re.compile(r"(?:hi|hello|hey|greetings)(?:\s+(?:there|all|team|everyone))?\s*[,!.]\s*", re.IGNORECASE)
_LINK_WORDS: tuple[tuple[Link, str], ...] = (
    (
        "then",
        r"(?:and\s+)?(?:then|after\s+(?:that|this|which|doing\s+(?:so|that|this))|afterwards?|thereafter|subsequently"
        r"|following\s+(?:that|this)|from\s+there"
        r"|(?:once|when)\s+(?:that(?:['’]s|\s+is)?|this\s+is|it(?:['’]s|\s+is)|you(?:['’]re|\s+are))?\s*"
        r"(?:done|finished|complete|completed|ready))\b(?!\s+of\b)[,:]?",
    ),
    ("last", r"(?:and\s+)?(?:finally|lastly|in\s+the\s+end|at\s+the\s+end|to\s+conclude|in\s+conclusion)\b,?"),
    (
        "also",
        r"(?:and\s+)?(?:also|additionally|in\s+addition(?!\s+to\b)|moreover|furthermore|separately|meanwhile"
        r"|in\s+parallel|at\s+the\s+same\s+time|on\s+top\s+of\s+that|independently|as\s+well)\b,?|(?:besides|plus),",
    ),
    ("none", r"(?:first\s+of\s+all|to\s+(?:start|begin)(?:\s+with)?|initially|firstly)\b,?"),
)
_LINKS: list[tuple[Link, re.Pattern[str]]] = [
    (link, re.compile(pattern, re.IGNORECASE)) for link, pattern in _LINK_WORDS
]
_ORDINALS: dict[str, Link] = {
    "first": "none",
    "now": "none",
    "next": "then",
    "second": "last",
    "secondly": "last",
    "third": "last",
    "thirdly": "last",
    "fourth": "last",
    "fifth": "last",
    "last": "last",
}
_ORDINAL = re.compile(r"(\w{3,8})(\s*[,:]\s*|\s+)", re.IGNORECASE)
_ASSIST = r"(?:help|assist)(?:\s+(?:me|us))?(?:\s+(?:to|with|in|by|out\s+with))?\b"
_SUBJECT = r"(?:i|we)(?:['’](?:d|ll|m|re)|\s+(?:would|will|also|really|just|then|next|finally|am|are|do))*"
_REQUEST = re.compile(
    r"(?:please|kindly|pls)\b,?"
    r"|(?:could|can|would|will)\s+(?:you|we|u)\b(?:\s+(?:(?:please|also|kindly|then|possibly|maybe|perhaps)\b"
    r"|help\s+(?:me|us)\b(?:\s+(?:to|with|in|by)\b)?))*"
    r"|let(?:['’]s|\s+us)\b"
    r"|you\s+(?:should|must|need\s+to|have\s+to|are\s+to)\b"
    r"|your\s+(?:task|job|goal|mission)\s+is\s+to\b"
    r"|go\s+ahead\s+and\b"
    rf"|{_SUBJECT}\s+(?:need|want|like|love)\s+you\s+to\b",
    re.IGNORECASE,
)
_WANT = re.compile(
    r"(?:help|assist)\s+(?:me|us)(?:\s+(?:to|with|in|by|out\s+with)\b)?|"
    rf"{_SUBJECT}\s+(?:(?:need|want|wish|like|love|have|hope|plan|plan(?:ning)|look(?:ing)?|try(?:ing)?|go(?:ing)?|intend)"
    rf"(?:\s+also)?\s+to|must|should)\b"
    rf"|{_SUBJECT}\s+(?:need|want|like|require|could\s+use)\s+(?:(?:your|some|a\s+bit\s+of)\s+)?{_ASSIST}"
    rf"|{_SUBJECT}\s+(?:need|want|like|require)\s+(?:(?:your|some)\s+)?assistance(?:\s+(?:with|in|to|on))?\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    rf"{_SUBJECT}\s+(?:need|want|require|like(?=\s+(?:a|an|the|some|to\s+have)\b))\b(?!\s+to\b(?!\s+have))",
    re.IGNORECASE,
)
_INFINITIVE = re.compile(r"to\s+(?=[a-z])", re.IGNORECASE)
_GAP = re.compile(r"[\s,]*")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_OBJECT_OPENERS = words(
    "a an the this that these those my our your their its his her it them me us him each every all any some both no"
    " another other one two three four five six seven eight nine ten how what which who whether why where when if in on"
    " at for from to with about into by as up out through over based using"
)
# Nouns that follow a noun in the form of a verb more often than that verb: "test results", "report number".
_COMPOUND_HEADS = words(
    "result results case cases data id ids number numbers name names date dates time times type types title titles"
    " detail details quality status pattern patterns term terms system systems team teams plan plans engine engines"
    " code codes rate rates level levels file files list lists page pages of is are was were"
)


def read_lead(mask: str, start: int, end: int, *, after_and: bool = False, marks_only: bool = False) -> Lead:
    """Read past everything that may precede a clause's verb.

    Args:
        mask: The goal as `cover` gives it.
        start: Where the clause begins.
        end: Where it ends at the latest.
        marks_only: Whether to stop before connectors and politeness.
        after_and: Whether a bare "to" counts as politeness: "I want to find X, and to book Y".
    """
    at = start
    link: Link = "none"
    ask: Ask = "plain"
    for _ in range(12):
        if found := _MARK.match(mask, at, end):
            at = found.end()
        elif found := _STEP_MARK.match(mask, at, end):
            at, link = found.end(), "then" if link == "none" else link
        elif marks_only:
            break
        elif found := _GREETING.match(mask, at, end):
            at = found.end()
        elif linked := _link(mask, at, end):
            at = linked[1]
            link = linked[0] if linked[0] != "none" else link
        elif found := _REQUEST.match(mask, at, end):
            at, ask = found.end(), "request"
        elif found := _WANT.match(mask, at, end):
            at, ask = found.end(), "want"
        elif after_and and (found := _INFINITIVE.match(mask, at, end)):
            at, after_and = found.end(), False
        else:
            break
    if ask == "plain" and _NEED.match(mask, at, end):
        ask = "need"
    return Lead(at=min(at, end), link=link, ask=ask)


def _link(mask: str, at: int, end: int) -> tuple[Link, int] | None:
    for link, pattern in _LINKS:
        if found := pattern.match(mask, at, end):
            return link, found.end()
    found = _ORDINAL.match(mask, at, end)
    if found and found[1].lower() in _ORDINALS:
        following = _WORD.match(mask, found.end(), end)
        if found[2].strip() or (following and following.group().lower() in VERBS):
            return _ORDINALS[found[1].lower()], found.end()
    return None


def read_verb(mask: str, at: int, end: int, *, gerunds: bool = False) -> Verb:
    """Find the verb that a clause opens with, if it opens with one.

    Args:
        mask: The goal as `cover` gives it.
        at: Where the clause begins, its lead-in read.
        end: Where it ends.
        gerunds: Whether "writing" counts as "write", as in "help me with analyzing X and writing Y".
    """
    none = Verb(word="", at=at, end=at, strength=0)
    found = _WORD.match(mask, at, end)
    while (
        found and len(found.group()) > 4 and found.group().lower().endswith("ly") and found.group().lower() not in VERBS
    ):
        found = _WORD.match(mask, _after_gap(mask, found.end(), end), end)
    if not found:
        return none
    word = found.group().lower()
    base = word if word in VERBS else base_of_gerund(word) if gerunds else None
    following = _following(mask, found.end(), end)
    if word == "do" and following in ("a", "an", "the", "some", "my", "our", "your", "this", "these"):
        base = "do"
    if base is not None:
        strength = 3 if base not in AMBIGUOUS or word != base else _ambiguous_strength(following)
        if following == "Name" and base in AMBIGUOUS and found.group()[0].isupper():
            return none
        return Verb(word=base, at=found.start(), end=found.end(), strength=strength)
    if "-" in word and (prefix := word.split("-")[0]) in VERBS:
        return Verb(word=prefix, at=found.start(), end=found.end(), strength=1)
    if len(word) > 2 and word not in FUNCTION_WORDS and word.endswith(("ize", "ise", "ify")):
        return Verb(word=word, at=found.start(), end=found.end(), strength=2)
    opens = following in ("the", "a", "an", "this", "these", "those", "my", "our", "your", "their", "it", "them", "all")
    plain = len(word) > 2 and word not in FUNCTION_WORDS and not word.endswith(("s", "ly", "'"))
    plain = plain and not (len(word) > 4 and word.endswith(("ed", "ing")))
    if opens and plain and "'" not in word and "’" not in word:
        return Verb(word=word, at=found.start(), end=found.end(), strength=2)
    return none


def _after_gap(mask: str, at: int, end: int) -> int:
    gap = _GAP.match(mask, at, end)
    return gap.end() if gap else at


def _following(mask: str, at: int, end: int) -> str:
    while at < end and mask[at].isspace():
        at += 1
    found = _WORD.match(mask, at, end)
    if found:
        return found.group().lower() if not found.group()[0].isupper() else "Name"
    return mask[at] if at < end and (mask[at] in f"{COVER}#@$€£/" or mask[at].isdigit()) else ""


def _ambiguous_strength(following: str) -> int:
    if not following or following in _COMPOUND_HEADS:
        return 0
    if following == "Name" or following in _OBJECT_OPENERS or not following[0].isalnum():
        return 3
    return 0 if following in ("and", "or", "but") else 1
