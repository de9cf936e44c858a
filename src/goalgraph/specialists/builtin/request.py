"""What an instruction asks for: how many findings or charts, of which kind, and how long a text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["Request", "Topic", "mentioned", "read_request"]

Topic = Literal["trend", "outlier", "group", "relation", "distribution"]
"""A kind of finding that can be asked for."""

_NUMBERS = {
    word: number
    for number, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
}
_NUMBER = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)})"
_FINDINGS = (
    r"(?:trends?|findings?|insights?|movements?|developments?|patterns?|changes|shifts|outliers?|anomal(?:y|ies)|"
    r"differences?|correlations?|relations?(?:hips?)?|points|facts|takeaways|observations?)"
)
_CHARTS = r"(?:charts?|graphs?|plots?|visuali[sz]ations?|figures?|diagrams?|pictures?|images?)"
_TOPICS: dict[Topic, str] = {
    "trend": r"trends?|over time|grow(?:th|n|ing)?|declin\w*|movements?|developments?|evolution|time series",
    "outlier": r"outliers?|anomal\w+|unusual|extreme values?",
    "group": r"compar\w+|by group|between groups|group differences?|differ(?:s|ences?)? (?:between|by|among|across)",
    "relation": r"correlat\w+|relationships?|associations?|related to",
    "distribution": r"distributions?|histograms?|spread of|skew\w*",
}
_UNITS = re.compile(r"\bin ((?:thousands?|millions?|billions?)(?: of [a-z]+(?: [a-z]+)?)?)\b", re.IGNORECASE)
_WORDS = re.compile(
    r"(?:under|below|at most|no more than|not more than|up to|max(?:imum)?(?: of)?|within|fewer than|less than|"
    r"about|around|in)\s+(\d[\d,]{1,6})[\s-]+words?|\b(\d[\d,]{1,6})[\s-]+words?\s+(?:or less|or fewer|at most|max)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The part of an instruction that rules can honour."""

    findings: int | None = None
    """How many findings; None where no number is asked for."""
    charts: int | None = None
    topics: frozenset[Topic] = frozenset()
    """Kinds of finding that are named; empty: whatever the data shows best."""
    max_words: int | None = None
    unit: str = ""
    """Unit of the figures, where the text names one, such as ``"thousands of jobs"``."""
    svg: bool = False
    histogram: bool = False
    overview: bool = False
    """A ranking or overview of all series is asked for."""
    brief: bool = False
    """An executive summary or another short text is asked for."""
    text: str = ""


def read_request(instruction: str, goal: str = "", *, unit: str = "") -> Request:
    """Read an instruction; what it leaves open is taken from the goal.

    A number in the goal counts only where the instruction is not about something else ("list the outliers" of a goal
    that asks for three trends). A unit given apart wins over one in the texts.
    """
    own, wide = _topics(instruction), _topics(goal)
    same = not own or not wide or bool(own & wide)
    return Request(
        findings=_count(_FINDINGS, instruction) or (_count(_FINDINGS, goal) if same else None),
        charts=_count(_CHARTS, instruction) or _count(_CHARTS, goal),
        topics=own or wide,
        max_words=_max_words(instruction) or _max_words(goal),
        unit=unit or _unit(instruction) or _unit(goal),
        svg=bool(re.search(r"\bsvg\b", f"{instruction} {goal}", re.IGNORECASE)),
        histogram=bool(re.search(r"\b(histograms?|distributions?)\b", instruction, re.IGNORECASE)),
        overview=bool(re.search(r"\b(overview|ranking|bar charts?|compar\w+)\b", instruction, re.IGNORECASE)),
        brief=bool(re.search(r"\b(executive|management|brief|short|one[- ]page)\b", instruction, re.IGNORECASE)),
        text=instruction,
    )


def mentioned(names: Iterable[str], text: str) -> frozenset[str]:
    """Return the names that a text singles out: quoted, written exactly with an underscore, or after a preposition.

    A bare word is not enough, since column names are often common words.
    """
    found: set[str] = set()
    for name in names:
        spoken = re.escape(re.sub(r"[_\s]+", " ", name.strip().lower())).replace(r"\ ", r"[\s_]+")
        if not spoken:
            continue
        exact = "_" in name and re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", text.lower())
        quoted = re.search(rf"[\"'`“‘]{spoken}[\"'`”’]", text.lower())
        after = re.search(rf"\b(?:in|of|for|on|about|by|and|between) (?:the )?{spoken}(?!\w)", text.lower())
        if exact or quoted or after:
            found.add(name)
    return frozenset(found)


def _topics(text: str) -> frozenset[Topic]:
    return frozenset(topic for topic in get_args(Topic) if re.search(rf"\b(?:{_TOPICS[topic]})\b", text, re.IGNORECASE))


def _count(nouns: str, text: str) -> int | None:
    between = r"(?:[a-z-]+\s+){0,3}?"
    match = re.search(rf"\b{_NUMBER}\s+{between}{nouns}\b", text, re.IGNORECASE)
    if match is None and nouns is _FINDINGS:
        match = re.search(rf"\b(?:top|biggest|largest|main)\s+{_NUMBER}\b", text, re.IGNORECASE)
    if match is None:
        return None
    word = match.group(1).lower()
    number = _NUMBERS.get(word) or int(word)
    return number if 0 < number <= 100 else None


def _max_words(text: str) -> int | None:
    match = _WORDS.search(text)
    return int((match.group(1) or match.group(2)).replace(",", "")) if match else None


def _unit(text: str) -> str:
    match = _UNITS.search(text)
    return match.group(1).lower() if match else ""
