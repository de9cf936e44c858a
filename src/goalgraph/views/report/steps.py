"""The steps of a run as a report lists them: one row each, with its bars on the time axis, in groups; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from goalgraph.planner import dag
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.wording import doer_of, kind_of, title_of
from goalgraph.views.report.facts import RunFacts
from goalgraph.views.report.scale import Scale, scale_of
from goalgraph.views.report.timeline import Span, Timeline
from goalgraph.views.report.words import as_text, cut

__all__ = ["Group", "Mark", "Row", "rows_of", "run_scale"]

_OPEN = 12
"""A group of more steps than this is folded at first."""
_MOST_SHOWN = 20_000
"""Characters of one output."""
_MOST_IN_ALL = 3_000_000
"""Characters of all outputs together."""
_LEAST_SHOWN = 500
_THINNEST = 0.35
"""Percent; a bar that would be thinner could not be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A bar on the time axis."""

    kind: str
    """``dependencies``, ``human``, ``revision``, ``turn``, or ``work``."""
    x: float
    """Percent from the left."""
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A step, or an item of a map."""

    id: str
    title: str
    kind: str
    """Word for its type; of an item ``item``."""
    who: str
    status: str
    """Of its outcome; ``waiting``: its run waits for an answer to it; ``open``: it is not over."""
    needs: tuple[str, ...] = ()
    outcome: Outcome | None = None
    output: str = ""
    """As text; a long one is cut."""
    span: Span | None = None
    """None where it never began, or that is not on record."""
    is_critical: bool = False
    marks: tuple[Mark, ...] = ()
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that belong together: a step with those inside of it; or one row alone."""

    name: str
    head: Row | None
    """What stands for all of it."""
    rows: tuple[Row, ...]
    is_open: bool
    marks: tuple[Mark, ...] = ()
    """From the first start to the last end."""

    @property
    def is_alone(self) -> bool:
        """Whether it is one row."""
        return not self.rows

    @property
    def inner(self) -> int:
        """How many rows there are beside the head."""
        return len(self.rows) - (self.head is not None)

    @property
    def failed(self) -> int:
        """How many of its rows did not come to what was asked for."""
        return sum(1 for row in self.rows if row.status in ("failed", "blocked"))


def run_scale(timeline: Timeline, plan: Plan) -> Scale:
    """Make the time axis of a run; waits that a plan asks for count as idle."""
    waits = {step.id for step in plan.steps if step.type == "wait"}
    work = ((one.start, one.end) for step, one in timeline.spans.items() if step not in waits)
    return scale_of(work, timeline.seconds)


def rows_of(facts: RunFacts, timeline: Timeline, scale: Scale, asked: Iterable[str] = ()) -> tuple[Group, ...]:
    """List all steps in groups, by the time of their start; those that never began come last, in plan order.

    Args:
        facts: The run.
        timeline: Of it.
        scale: Of its time axis.
        asked: Ids of steps that wait for an answer.
    """
    reader = _Reader(facts, timeline, scale, frozenset(asked))
    rows = [reader.row(step) for step in dict.fromkeys((*reader.steps, *facts.outcomes))]
    starts = {row.id: row.span.start if row.span is not None else float("inf") for row in rows}
    rows.sort(key=lambda row: starts[row.id])
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(_outermost(row.id), []).append(row)
    return tuple(_group(name, members, scale) for name, members in grouped.items())


class _Reader:
    def __init__(self, facts: RunFacts, timeline: Timeline, scale: Scale, asked: frozenset[str]) -> None:
        self.steps: Mapping[str, Step] = {step.id: step for step in facts.plan.steps}
        self._facts, self._timeline, self._scale, self._asked = facts, timeline, scale, asked
        self._graph = dag.graph(facts.plan)
        self._critical = frozenset(timeline.critical)
        self._most = max(_LEAST_SHOWN, min(_MOST_SHOWN, _MOST_IN_ALL // max(1, len(facts.outcomes))))
        self._decisions: dict[str, list[Decision]] = {}
        for one in facts.decisions:
            self._decisions.setdefault(one.subject, []).append(one)

    def row(self, step_id: str) -> Row:
        """Make the row of a step, or of what is in the outcomes and no step of the plan."""
        step, outcome = self.steps.get(step_id), self._facts.outcomes.get(step_id)
        whole = step or self.steps.get(step_id.partition("[")[0])
        waiting = "waiting" if step_id in self._asked else "open"
        span = self._timeline.spans.get(step_id)
        who = (outcome.specialist if outcome is not None else None) or (doer_of(step) if step is not None else "")
        return Row(
            id=step_id,
            title=title_of(step) if step is not None else "",
            kind=kind_of(step) if step is not None else "item" if whole is not None else "",
            who=who,
            status=outcome.status if outcome is not None else waiting,
            needs=tuple(sorted(self._graph.get(step_id, ()))),
            outcome=outcome,
            output=cut(as_text(outcome.output), self._most) if outcome is not None else "",
            span=span,
            is_critical=step_id in self._critical,
            marks=tuple(_marks(span, self._scale)) if span is not None else (),
            decisions=tuple(self._decisions.get(step_id, ())),
        )


def _marks(span: Span, scale: Scale) -> Iterator[Mark]:
    """What of a step's time is shown: its wait for others, for itself, and its work."""
    if span.ready > 0:
        yield _mark("dependencies", 0.0, span.ready, scale)
    if span.wait:
        yield _mark(span.wait, span.ready, span.start, scale)
    work = _mark("work", span.start, span.end, scale)
    yield work if work.width >= _THINNEST else Mark(kind="work", x=min(work.x, 100 - _THINNEST), width=_THINNEST)


def _mark(kind: str, begin: float, end: float, scale: Scale) -> Mark:
    x = scale.x(begin)
    return Mark(kind=kind, x=x, width=round(scale.x(end) - x, 3))


def _outermost(step_id: str) -> str:
    """The step that a qualified id is inside of, or the id itself."""
    return step_id.partition("[")[0].partition(".")[0] or step_id


def _group(name: str, rows: list[Row], scale: Scale) -> Group:
    head = next((row for row in rows if row.id == name), None)
    if len(rows) == 1:
        return Group(name=name, head=rows[0], rows=(), is_open=False)
    spans = [row.span for row in rows if row.span is not None]
    whole = _mark("work", min(one.start for one in spans), max(one.end for one in spans), scale) if spans else None
    return Group(
        name=name,
        head=head,
        rows=tuple(rows),
        is_open=len(rows) <= _OPEN,
        marks=(whole,) if whole is not None else (),
    )
