"""A plan as boxes and lines, before anything is drawn: what each box says, and what is folded into it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.wording import doer_of, kind_of, title_of
from goalgraph.views.folding import Fold, folded
from goalgraph.views.graphs import graph_of, layers_of, reduced
from goalgraph.views.layout import Edge
from goalgraph.views.marks import Mark, counted, mark_of, seconds_text
from goalgraph.views.text import one_line

__all__ = ["Box", "Chart", "chart_of"]

_DENSE = 2.5
"""Lines for each box, beyond which those that others imply are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box. All texts are on one line and safe to show, but not escaped for any format."""

    name: str
    shape: str
    """Type of the step, or ``fold``."""
    who: str
    """Who does it, or what it is."""
    told: str
    """All that there is to say, in lines."""
    asks: bool
    """Whether a human is asked in it, or before it."""
    steps: tuple[str, ...]
    """Ids of the steps that it stands for."""
    marks: tuple[tuple[int, Mark], ...]
    """States of its steps, counted; empty before a run."""
    seconds: float | None
    """That a single step took; None where it is not over."""

    @property
    def tone(self) -> str | None:
        """Name of the colour of the worst state in it; None before a run."""
        tones = {mark.tone for _, mark in self.marks}
        worst = next((tone for tone in ("bad", "weak") if tone in tones), "ok" if tones == {"ok"} else "off")
        return worst if tones else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Boxes in layers."""

    title: str
    layers: tuple[tuple[str, ...], ...]
    boxes: Mapping[str, Box]
    edges: Mapping[Edge, str]
    """Each with its word: the branch of a condition, else empty."""
    marks: tuple[tuple[int, Mark], ...]
    """States of all steps, counted; empty before a run."""


def chart_of(
    plan: Plan,
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    doers: Mapping[str, str] | None = None,
    gated: Collection[str] = (),
    most: int = 48,
) -> Chart:
    """Say what is drawn of a plan.

    Args:
        plan: Any; what cannot be drawn of one that is not valid is left out.
        outcomes: What steps came to, by id; None: of a plan that did not run.
        doers: Names of who does it by step id, for steps that leave it open.
        gated: Steps before which a policy asks a human.
        most: Boxes; larger plans are folded.
    """
    flat = compile_plan(plan)
    steps = {step.id: step for step in flat.steps}
    told = _Telling(steps, outcomes, doers or {}, gated)
    whole = folded(
        graph_of(flat.steps),
        groups=_groups(steps),
        likeness={step.id: f"{step.type} {doer_of(step, doers)}" for step in steps.values()},
        urgent=told.urgent(),
        most=most,
    )
    drawn = whole.needs
    if whole.folds or sum(map(len, drawn.values())) > _DENSE * len(drawn):
        drawn = reduced(drawn)
    return Chart(
        title=_title(flat),
        layers=tuple(map(tuple, layers_of(drawn))),
        boxes={
            box: told.fold(box, whole.folds[box]) if box in whole.folds else told.single(steps[box]) for box in drawn
        },
        edges={(need, box): _word(steps, need, box) for box, before in drawn.items() for need in sorted(before)},
        marks=tuple(told.marks(steps)),
    )


@dataclass(frozen=True, slots=True)
class _Telling:
    steps: Mapping[str, Step]
    outcomes: Mapping[str, Outcome] | None
    doers: Mapping[str, str]
    gated: Collection[str]

    def marks(self, ids: Iterable[str]) -> list[tuple[int, Mark]]:
        return counted(self.outcomes.get(one) for one in ids) if self.outcomes is not None else []

    def urgent(self) -> set[str]:
        """Steps that failed, and those that ask somebody."""
        found = {step_id for step_id, step in self.steps.items() if step.type in _ASKING or step_id in self.gated}
        outcomes = self.outcomes or {}
        return {one for one in outcomes if outcomes[one].status == "failed"} or found

    def asks(self, step: Step) -> bool:
        return step.type in _ASKING or step.id in self.gated

    def single(self, step: Step) -> Box:
        outcome = (self.outcomes or {}).get(step.id)
        kind, who = kind_of(step), doer_of(step, self.doers)
        if outcome is not None and step.type == "agent" and outcome.specialist:
            who = outcome.specialist
        if step.type not in ("agent", "map", "human_approval", "human_input"):
            who = kind
        elif step.type != "agent":
            who = f"{kind}: {who}"
        items = [one for one in self.outcomes or () if step.type == "map" and _is_item(one, step.id)]
        if items:
            failed = sum(count for count, mark in self.marks(items) if mark.tone == "bad")
            who += f", {len(items)} item{'' if len(items) == 1 else 's'}" + (f" ({failed} failed)" if failed else "")
        lines = [f"{step.id} ({one_line(who, 120)})", one_line(title_of(step), 600)]
        if step.id in self.gated:
            lines.append("a human is asked before it runs")
        if items:
            lines.append(f"its items: {_counts(self.marks(items))}")
        if outcome is not None:
            lines.append(f"{mark_of(outcome).word} after {seconds_text(outcome.seconds)}")
            lines += [one_line(outcome.error.message, 300)] if outcome.error is not None else []
            lines += [one_line(reason, 300) for reason in outcome.degraded]
        return Box(
            name=one_line(step.id),
            shape=step.type,
            who=one_line(who, 120),
            told="\n".join(lines),
            asks=self.asks(step),
            steps=(step.id,),
            marks=tuple(self.marks((step.id,))),
            seconds=outcome.seconds if outcome is not None and outcome.status not in ("skipped", "blocked") else None,
        )

    def fold(self, box: str, fold: Fold) -> Box:
        ends = [one for one in fold.members if self.steps[one].type == "parallel"]
        inside = [one for one in fold.members if one not in ends] or ends
        names = {doer_of(self.steps[one], self.doers) for one in inside}
        what = f"{names.pop()} steps" if len(names) == 1 else "steps"
        count = f"{len(inside)} {what}"
        marks = self.marks(fold.members)
        if fold.kind == "group":
            name, who = box, f"{kind_of(self.steps[box])} of {count}"
        elif fold.kind == "row":
            name, who = f"{len(inside)} more", what
        else:
            name, who = f"{inside[0]} to {inside[-1]}", count
        listed = ", ".join(inside[:_MOST_LISTED]) + (", ..." if len(inside) > _MOST_LISTED else "")
        lines = [one_line(f"{name}: {who}"), one_line(listed, 600), *([_counts(marks)] if marks else [])]
        return Box(
            name=one_line(name),
            shape="fold",
            who=one_line(who, 120),
            told="\n".join(lines),
            asks=any(self.asks(self.steps[one]) for one in fold.members),
            steps=fold.members,
            marks=tuple(marks),
            seconds=None,
        )


_ASKING = ("human_approval", "human_input")
_MOST_LISTED = 12


def _is_item(step_id: str, of: str) -> bool:
    """Whether it is an item of that map as a whole: ``each[3]``, not a step inside of it."""
    return step_id.startswith(f"{of}[") and step_id.find("]") == len(step_id) - 1


def _counts(marks: Iterable[tuple[int, Mark]]) -> str:
    return ", ".join(f"{count} {mark.word}" for count, mark in marks)


def _title(plan: Plan) -> str:
    count = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
    name = one_line(plan.name or plan.description, 120)
    return f"Plan {name}, {count}" if name else f"Plan of {count}"


def _groups(steps: Mapping[str, Step]) -> dict[str, frozenset[str]]:
    """Steps by the group that they are in, those of groups inside of it included."""
    found: dict[str, set[str]] = {step.id: set() for step in steps.values() if step.type == "parallel"}
    for step_id, step in steps.items():
        for place, character in enumerate(step_id):
            if character == "." and (above := step_id[:place]) in found:
                found[above].add(step_id)
        if step.type == "parallel":
            found[step_id] |= {name for name in dag.branch_names(step) if name in steps and name != step_id}
    return {group: frozenset(inside) for group, inside in found.items()}


def _word(steps: Mapping[str, Step], source: str, target: str) -> str:
    step = steps.get(source)
    if step is None or step.type != "condition" or target not in steps:
        return ""
    return "then" if target in step.then else "else" if target in step.otherwise else ""
