"""Which steps an answer comes from: read from its headings and from the marks that a model leaves in it."""

import re
from collections.abc import Collection, Sequence

from pydantic import JsonValue

from goalgraph.planner.expressions import references
from goalgraph.planner.source import Source
from goalgraph.planner.values import STEP_ID
from goalgraph.planner.wording import title_of
from goalgraph.synthesis.parts import Part
from goalgraph.synthesis.synthesizer import SynthesisRequest

__all__ = ["cited", "named_by", "source_of"]

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_MARK = re.compile(r"\[([^\[\]\n]{1,1000})\](?![(:])")
_BETWEEN = re.compile(r"[,;]\s*")
_ID = re.compile(STEP_ID)
_SURELY_AN_ID = re.compile(r"[A-Za-z]\w*(?:[_.\-]\w+)+")
"""Several words joined as ids are; a single word in brackets is often none, as in "[sic]"."""


def source_of(part: Part, sections: Sequence[str] = (), *, used: bool = True) -> Source:
    """Return the source that a part is."""
    return Source(step=part.step, specialist=part.specialist, title=part.title, sections=tuple(sections), used=used)


def cited(text: str, found: Sequence[Part], steps: Collection[str]) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """Read the marks of an answer, such as ``[read_report]``.

    Args:
        text: Markdown. What stands in fenced code is no mark.
        found: The parts that the answer was written from.
        steps: Ids of all steps of the plan; one without a result may be named too, as what is missing.

    Returns:
        The sources, in the order of their first mark, then those without one, in plan order; and what is written as a
        mark and names no step. Text in brackets that a result says itself is a quotation.
    """
    by_id = {part.step: part for part in found}
    places: dict[str, dict[str, None]] = {}
    unknown: dict[str, None] = {}
    heading = ""
    for line in _prose(text):
        if title := _HEADING.match(line):
            heading = " ".join(_MARK.sub("", title[1]).split())
        for mark in _MARK.finditer(line):
            names = [name.strip().strip("`").removeprefix("step ") for name in _BETWEEN.split(mark[1])]
            for name in names:
                if name in by_id:
                    places.setdefault(name, {}).update({heading: None} if heading else {})
            if any(name in steps for name in names) or _SURELY_AN_ID.fullmatch(names[0]):
                strange = [name for name in names if name not in steps and _ID.fullmatch(name)]
                if strange and not _is_quoted(mark, line, found):
                    unknown |= dict.fromkeys(strange)
    used = [source_of(by_id[step], tuple(sections)) for step, sections in places.items()]
    rest = [source_of(part, used=False) for part in found if part.step not in places]
    return (*used, *rest), tuple(unknown)


def named_by(output: JsonValue, request: SynthesisRequest) -> tuple[Source, ...]:
    """Return the steps that a plan's output names and that succeeded, in plan order."""
    names = references(output).steps
    found: list[Source] = []
    for step in request.plan.steps:
        outcome = request.outcomes.get(step.id)
        if step.id in names and outcome is not None and outcome.status == "succeeded":
            found.append(Source(step=step.id, specialist=outcome.specialist, title=title_of(step)))
    return tuple(found)


def _prose(text: str) -> list[str]:
    """Lines outside of fenced code."""
    lines: list[str] = []
    is_code = False
    for line in text.splitlines():
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            lines.append(line)
    return lines


def _is_quoted(mark: "re.Match[str]", line: str, found: Sequence[Part]) -> bool:
    """Whether brackets are text that a result has too, code, or a place in something, such as ``rows[first_one]``."""
    if mark.start() and (line[mark.start() - 1].isalnum() or line[mark.start() - 1] in "_)]"):
        return True
    if any(code.start() < mark.start() < code.end() for code in _INLINE_CODE.finditer(line)):
        return True
    return any(mark[0] in part.text for part in found)
