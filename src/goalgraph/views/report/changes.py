"""How the plan of a run was changed while it ran: each revision with its reason, evidence and difference; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from goalgraph.planner.decision import Decision
from goalgraph.views.report.words import as_text, cut

__all__ = ["DiffLine", "Revision", "revisions_of"]

_MOST_SHOWN = 20_000
_Kind = Literal["added", "removed", "changed", ""]
_SIGNS: Mapping[str, _Kind] = {"+": "added", "-": "removed", "~": "changed"}
_SAID = {
    "revise": "the plan was changed",
    "refuse": "a change was refused",
    "no_change": "the reviser knew no change",
    "no_progress": "the change would have led back to an earlier plan",
    "shorten": "what the reviser was told was shortened",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """A line of the difference between two plans."""

    kind: _Kind
    sign: str
    """``+``, ``-``, ``~``, or empty."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What became of a change that a step's outcome called for."""

    step: str
    at: str
    said: str
    """What was done, in words."""
    is_made: bool
    """Whether the plan is another one since."""
    rationale: str
    trigger: str
    """The condition that held; empty where it is not on record."""
    evidence: tuple[tuple[str, str], ...]
    """What the outcome showed, by name, what it did not show left out."""
    diff: tuple[DiffLine, ...]
    patch: str
    """As JSON; empty where there is none."""
    problems: tuple[str, ...]
    """Why it was refused."""
    redone: tuple[str, ...]
    """Steps whose outcomes no longer stood."""
    is_guided: bool
    """Whether a human has said how to go on."""
    cost_usd: float
    seconds: float


def revisions_of(decisions: Iterable[Decision]) -> tuple[Revision, ...]:
    """Read the revisions among a run's decisions, in their order."""
    return tuple(_revision(one) for one in decisions if one.kind == "revision")


def _revision(decision: Decision) -> Revision:
    found: Mapping[str, Any] = decision.answer if isinstance(decision.answer, dict) else {}
    diff = [line for line in str(found.get("diff") or "").split("\n") if line]
    return Revision(
        step=decision.subject,
        at=decision.at,
        said=_SAID.get(decision.chosen, decision.chosen),
        is_made=decision.chosen == "revise",
        rationale=decision.rationale,
        trigger=str(found.get("trigger") or ""),
        evidence=tuple(_evidence(found.get("evidence"))),
        diff=tuple(map(_diff_line, diff)),
        patch=cut(as_text(found.get("change")), _MOST_SHOWN),
        problems=tuple(map(str, _listed(found.get("problems")))),
        redone=tuple(map(str, _listed(found.get("redone")))),
        is_guided=found.get("guided") is True,
        cost_usd=_number(found.get("cost_usd")),
        seconds=_number(found.get("seconds")),
    )


def _diff_line(line: str) -> DiffLine:
    kind = _SIGNS.get(line[:1], "")
    return DiffLine(kind=kind, sign=line[:1], text=line[1:].strip()) if kind else DiffLine(kind="", sign="", text=line)


def _evidence(found: object) -> Iterable[tuple[str, str]]:
    if not isinstance(found, dict):
        return
    for name, value in cast("dict[str, object]", found).items():
        if name == "error" and isinstance(value, dict):
            value = cast("dict[str, object]", value).get("message")
        if text := as_text(value):
            yield name.replace("_", " "), cut(text, _MOST_SHOWN)


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
