"""What was decided of a plan, while it was made and while it ran, as a line each."""

from collections.abc import Iterable, Iterator, Mapping

from goalgraph.planner.decision import Decision
from goalgraph.views.progress import UNREVISED
from goalgraph.views.text import one_line, printable

__all__ = ["course_lines", "planning_lines", "revisions_in"]

_MOST = 300
_REVISED: Mapping[str, str] = {
    **UNREVISED,
    "revise": "the plan was changed",
    "shorten": "the reviser's prompt was shortened",
}
_ESCALATED = {
    "guide": "somebody said how to go on",
    "accept": "what there is was accepted",
    "abort": "the run was stopped",
}


def planning_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Say which of several drafts a plan was, and how it was made."""
    for one in decisions:
        if one.kind != "planning":
            continue
        if one.chosen == "repair":
            attempt = one.answer.get("attempt") if isinstance(one.answer, dict) else None
            yield one_line(f"draft {attempt or 1} cannot be used: {one.rationale}", _MOST)
        elif one.chosen == "shorten":
            yield one_line(f"the planner's prompt was shortened: {one.rationale}", _MOST)
        else:
            yield printable(one.rationale)


def revisions_in(decisions: Iterable[Decision]) -> int:
    """Count how often a plan was changed."""
    return sum(1 for one in decisions if one.kind == "revision" and one.chosen == "revise")


def course_lines(decisions: Iterable[Decision]) -> Iterator[str]:
    """Say how a plan was made, and what became of it while it ran."""
    known = tuple(decisions)
    yield from (f"planning: {line}" for line in planning_lines(known))
    for one in known:
        why = f": {one.rationale}" if one.rationale.strip() else ""
        if one.kind == "revision":
            is_sent_back = one.chosen == "refuse" and not one.digest  # it has been changed by the reviser since
            what = "a change was sent back" if is_sent_back else _REVISED.get(one.chosen, one.chosen)
            yield one_line(f"revision for {one.subject}: {what}{why}", _MOST)
        elif one.kind == "escalation":
            by = f" (by {one.by})" if one.by else ""
            yield one_line(f"escalation of {one.subject}: {_ESCALATED.get(one.chosen, one.chosen)}{by}{why}", _MOST)
