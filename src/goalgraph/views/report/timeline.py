"""When each step of a run waited and worked, and which steps made the run as long as it was; pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from goalgraph.planner import dag
from goalgraph.planner.decision import PEOPLES, Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["Span", "Timeline", "Wait", "moment", "timeline_of"]

Wait = Literal["", "human", "revision", "turn"]
"""What a step waited for once all that it depends on was done: the answer of a human or an event, another plan, or its
turn (a place, or a process that goes on with the run); empty where it did not wait."""

_LEAST = 0.001
"""Seconds; less is no wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time of one step, in seconds from the beginning of the run."""

    ready: float
    """When all that it depends on was done."""
    start: float
    end: float
    wait: Wait = ""
    """What it waited for from ``ready`` to ``start``."""

    @property
    def waited(self) -> float:
        """Seconds from its dependencies to its start."""
        return self.start - self.ready

    @property
    def worked(self) -> float:
        """Seconds from its start to its end, waits between attempts included."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The course of a run."""

    began: datetime | None
    """None where no step is known to have begun."""
    seconds: float
    """To the end of the last step."""
    spans: Mapping[str, Span]
    """By step, of those that began."""
    critical: tuple[str, ...]
    """The chain of steps, each waiting for the one before it, that ends with the last one to end."""
    revisions: tuple[float, ...]
    """When the plan was changed; seconds from the beginning."""


def timeline_of(
    plan: Plan, outcomes: Mapping[str, Outcome], decisions: Iterable[Decision] = (), *, started_at: str | None = None
) -> Timeline:
    """Find when each step of a run waited and worked.

    Args:
        plan: Flat.
        outcomes: By step id; those of items of maps as ``each[0]``.
        decisions: Of the run.
        started_at: When the plan was made, ISO 8601; where that is not known, the first step's start counts.
    """
    starts = {step: began for step, one in outcomes.items() if (began := moment(one.started_at)) is not None}
    if not starts:
        return Timeline(began=None, seconds=0.0, spans={}, critical=(), revisions=())
    first = min(starts.values())
    begin = moment(started_at) or first
    began = min(begin, first)
    revised = [moment(one.at) for one in decisions if one.kind == "revision" and one.chosen == "revise"]
    changes = tuple((at - began).total_seconds() for at in revised if at is not None)
    work = {
        step: (start := (at - began).total_seconds(), start + outcomes[step].seconds) for step, at in starts.items()
    }
    needs = _known_needs(dag.graph(plan), work)
    spans: dict[str, Span] = {}
    for step, (start, end) in work.items():
        ready = min(_ready(step, needs, work), start)
        spans[step] = Span(ready=ready, start=start, end=end, wait=_waited_for(outcomes[step], ready, start, changes))
    return Timeline(
        began=began,
        seconds=max(end for _, end in work.values()),
        spans=spans,
        critical=_critical(needs, work),
        revisions=changes,
    )


def moment(text: str | None) -> datetime | None:
    """Read a time as it is recorded; None where there is none, or it is not one."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _known_needs(
    graph: Mapping[str, Collection[str]], work: Mapping[str, tuple[float, float]]
) -> dict[str, frozenset[str]]:
    """What each step waited for, as far as that began; a step that never did stands for what it would have needed."""
    found: dict[str, frozenset[str]] = {}
    for step in dag.order(graph):
        known = [frozenset((need,)) if need in work else found.get(need, frozenset()) for need in graph[step]]
        found[step] = frozenset().union(*known)
    return found


def _ready(step: str, needs: Mapping[str, Collection[str]], work: Mapping[str, tuple[float, float]]) -> float:
    """When all was done that a step waited for: of an item, when its map began."""
    if step in needs:
        return max((work[need][1] for need in needs[step]), default=0.0)
    above, bracket, rest = step.partition("[")
    if bracket and rest.endswith("]") and above in work:
        return work[above][0]
    return work[step][0]


def _waited_for(outcome: Outcome, ready: float, start: float, changes: Iterable[float]) -> Wait:
    if start - ready < _LEAST:
        return ""
    if any(one.kind in PEOPLES for one in outcome.decisions):
        return "human"
    return "revision" if any(ready - _LEAST <= at <= start + _LEAST for at in changes) else "turn"


def _critical(needs: Mapping[str, Collection[str]], work: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Go back from the last step to end, each time to what its start waited for longest."""
    step = max((one for one in needs if one in work), key=lambda one: work[one][1], default=None)
    path: list[str] = []
    while step is not None:
        path.append(step)
        step = max(needs[step], key=lambda one: work[one][1], default=None)
    return tuple(reversed(path))
