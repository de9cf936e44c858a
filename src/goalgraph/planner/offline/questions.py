"""Sees which questions are about two things that have to be looked up before they can be set against each other."""

import re

__all__ = ["lookups"]

_NAME = r"(?:[^\W\d_a-z][\w.'’&-]*(?:\s+(?:(?:of|the|for|de|la|von|van|and)\s+)?[^\W_a-z][\w.'’&-]*){0,6})"
_CHOICE = re.compile(
    rf"(?:who|which|what|whose|is|are|was|were|did|does|do)\b(?i:.{{1,300}}?)[,:]?\s(?P<a>{_NAME}),?\s+or\s+(?P<b>{_NAME})\s*\?",
    re.DOTALL,
)
_BOTH = re.compile(
    rf"(?:Is|Are|Was|Were|Did|Do|Does|Have|Has|Can|is|are|was|were|did|do|does|have|has)\s+(?:both\s+)?(?P<a>{_NAME})\s+and\s+(?P<b>{_NAME})"
    r"\s+[a-z].{0,300}\?"
)
_RATIO = re.compile(
    r"(?i:\b(?:ratio|difference|sum|product|distance|quotient|gap)\s+(?:of|between)\s+)"
    r"(?P<a>(?:the\s+)?[^,?]{3,120}?)\s+(?:and|to)\s+(?P<b>(?:the\s+)?[^,?]{3,120})\?"
)
_COMPARED = re.compile(
    r"(?:Is|Are|Was|Were|Does|Do|Did)\s+(?P<a>the\s+[^?]{3,120}?)\s+(?:[a-z]+er|more\s+[a-z]+|less\s+[a-z]+|as\s+[a-z]+\s+as)"
    r"(?:\s+than)?\s+(?P<b>(?:the|that)\s+[^?]{3,120})\?"
)


def lookups(question: str) -> tuple[str, ...]:
    """Return the things that a composite question sets against each other; empty where the question is a simple one."""
    text = question[:1000].strip()
    opened = text[:1].lower() + text[1:]
    found = _CHOICE.match(opened) or _BOTH.match(text) or _RATIO.search(text) or _COMPARED.match(text)
    if found is None:
        return ()
    return found["a"].strip(), found["b"].strip()
