"""A plan as a tree of its parallel layers, and the same as plain text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.wording import doer_of, kind_of, title_of
from goalgraph.views.graphs import graph_of, layers_of, needs_of
from goalgraph.views.marks import Mark, counted, mark_of, seconds_text
from goalgraph.views.text import one_line

__all__ = ["plan_text", "plan_tree"]

_MOST_NEEDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A step as both views show it."""

    id: str
    kind: str
    """Word for the step's type; empty for work of a specialist, which goes without saying."""
    who: str
    """Empty where nobody does it."""
    task: str
    notes: str
    """What it waits for, and under which condition; empty where there is neither."""
    is_end: bool
    """Whether it is only the end of a group."""
    mark: Mark | None
    """How its state looks; None before a run."""
    spent: str
    """How long it took, and why it is not what was wanted; empty where it is not over."""

    @property
    def label(self) -> str:
        """Type and doer in one."""
        return ": ".join(filter(None, (self.kind, self.who)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """Steps that can run at the same time."""

    heading: str
    entries: tuple[_Entry, ...]
    rest: str
    """Says how many more there are; empty where all are shown."""


def plan_tree(
    plan: Plan,
    doers: Mapping[str, str] | None = None,
    *,
    outcomes: Mapping[str, Outcome] | None = None,
    most: int | None = None,
) -> Tree:
    """Draw a plan: a branch for each layer, whose steps can run at the same time.

    Args:
        plan: Any; steps inside of steps are shown by their qualified ids, as they run.
        doers: Name of who does it by step id, for steps that leave it open.
        outcomes: What steps came to, by id; they are shown by sign and colour, with the time that they took.
        most: Steps that are shown of a layer, those that failed first; None: all.
    """
    flat = compile_plan(plan)
    tree = Tree(Text(_title(flat), style="bold"))
    if flat.roles:
        proposed = tree.add(Text("specialists that are made for it", style="bold blue"))
        for name, about in _roles(flat):
            proposed.add(Text.assemble((name, "magenta"), f"  {about}"))
    for layer in _layers(flat, doers or {}, outcomes, most):
        branch = tree.add(Text(layer.heading, style="bold blue"))
        for entry in layer.entries:
            branch.add(_drawn(entry))
        if layer.rest:
            branch.add(Text(layer.rest, style="dim"))
    return tree


def _drawn(entry: _Entry) -> Text:
    label = Text()
    if entry.mark is not None:
        label.append(f"{entry.mark.sign} ", style=entry.mark.style)
    label.append(entry.id, style="cyan")
    if entry.kind:
        label.append(f"  {entry.kind}", style="yellow")
    if entry.who:
        label.append(f"  {entry.who}", style="magenta")
    if entry.spent and entry.mark is not None:
        label.append(f"  {entry.spent}", style=entry.mark.style)
    if entry.notes:
        label.append(f"  {entry.notes}", style="dim")
    label.append("  " if entry.is_end else "\n")
    return label.append(entry.task, style="default")


def plan_text(
    plan: Plan,
    doers: Mapping[str, str] | None = None,
    *,
    outcomes: Mapping[str, Outcome] | None = None,
    most: int | None = None,
) -> str:
    """Write a plan as plain lines, a line for each step; see `plan_tree`."""
    flat = compile_plan(plan)
    lines = [_title(flat)]
    if flat.roles:
        lines += ["specialists that are made for it", *(f"  {name}: {about}" for name, about in _roles(flat))]
    for layer in _layers(flat, doers or {}, outcomes, most):
        lines.append(layer.heading)
        for entry in layer.entries:
            sign = f"{entry.mark.sign} " if entry.mark is not None else ""
            spent = f" {entry.spent}" if entry.spent else ""
            notes = f" ({entry.notes})" if entry.notes else ""
            lines.append(f"  {sign}{entry.id} [{entry.label}]{spent}{notes}: {entry.task}")
        lines += [f"  {layer.rest}"] if layer.rest else []
    return "\n".join(lines)


def _title(plan: Plan) -> str:
    name = one_line(plan.name or plan.description, 120)
    count = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
    return f"Plan: {name} ({count})" if name else f"Plan ({count})"


def _roles(plan: Plan) -> Iterator[tuple[str, str]]:
    """Name of each role that the plan proposes, with what it is for and its tools."""
    for role in plan.roles:
        tools = f"tools: {', '.join(role.tools)}" if role.tools else "no tools"
        yield role.name, one_line(f"{role.description or role.instructions} ({tools})")


def _heading(number: int, steps: Sequence[Step]) -> str:
    at_once = sum(1 for step in steps if step.type != "parallel")
    return f"layer {number}" + (f", {at_once} in parallel" if at_once > 1 else "")


def _layers(
    plan: Plan, doers: Mapping[str, str], outcomes: Mapping[str, Outcome] | None, most: int | None
) -> Iterator[_Layer]:
    steps = {step.id: step for step in plan.steps}
    place = {step_id: number for number, step_id in enumerate(steps)}
    forks = _forks(plan)
    for number, layer in enumerate(layers_of(graph_of(plan.steps)), 1):
        shown, rest = _chosen(layer, outcomes, most)
        yield _Layer(
            heading=_heading(number, [steps[step_id] for step_id in layer]),
            entries=tuple(_entry(steps[step_id], doers, place, forks.get(step_id, {}), outcomes) for step_id in shown),
            rest=rest,
        )


def _chosen(
    layer: Sequence[str], outcomes: Mapping[str, Outcome] | None, most: int | None
) -> tuple[Sequence[str], str]:
    """Choose the steps of a layer that are shown, those that failed first, and say what the others come to."""
    if most is None or len(layer) <= most:
        return layer, ""
    known = outcomes or {}
    ranked = sorted(layer, key=lambda one: one not in known or known[one].status != "failed")
    kept = set(ranked[:most])
    hidden = [known.get(one) for one in layer if one not in kept]
    states = ", ".join(f"{count} {mark.word}" for count, mark in counted(hidden)) if outcomes is not None else ""
    return [one for one in layer if one in kept], f"and {len(hidden)} more" + (f": {states}" if states else "")


def _forks(plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """For each step that is in a branch of a condition, the conditions' ids with the branch's name."""
    found: dict[str, dict[str, str]] = {}
    for step in plan.steps:
        if step.type == "condition":
            for branch, ids in (("then", step.then), ("else", step.otherwise)):
                for one in ids:
                    if isinstance(one, str):
                        found.setdefault(one, {})[step.id] = branch
    return found


def _entry(
    step: Step,
    doers: Mapping[str, str],
    place: Mapping[str, int],
    forks: Mapping[str, str],
    outcomes: Mapping[str, Outcome] | None,
) -> _Entry:
    outcome = outcomes.get(step.id) if outcomes is not None else None
    kind, who = kind_of(step), doer_of(step, doers)
    if outcome is not None and step.type == "agent" and outcome.specialist:
        who = outcome.specialist
    told = forks.keys() | set(dag.branch_names(step) if step.type == "parallel" else ())
    needs = sorted(needs_of(step) - told, key=lambda need: place.get(need, len(place)))
    more = f" and {len(needs) - _MOST_NEEDS} more" if len(needs) > _MOST_NEEDS else ""
    notes = [
        *(f"{branch} of {fork}" for fork, branch in forks.items()),
        f"needs {', '.join(needs[:_MOST_NEEDS])}{more}" if needs else "",
        f"if {one_line(step.when, 60)}" if step.when is not None else "",
        {"all_success": "", "all_done": "whatever they come to", "any_success": "any of them"}[step.join],
        "optional" if step.optional else "",
    ]
    return _Entry(
        id=one_line(step.id),
        kind="" if step.type == "agent" else kind,
        who=one_line(who, 80) if step.type in ("agent", "human_approval", "human_input", "map") else "",
        task=one_line(title_of(step)),
        notes="; ".join(filter(None, notes)),
        is_end=step.type == "parallel",
        mark=mark_of(outcome) if outcomes is not None else None,
        spent=_spent(outcome) if outcome is not None else "",
    )


def _spent(outcome: Outcome) -> str:
    if outcome.status in ("skipped", "blocked"):
        return outcome.status
    why = f": {one_line(outcome.error.message, 120)}" if outcome.error is not None else ""
    state = "" if outcome.status == "succeeded" else f"{outcome.status} "
    return f"{state}{seconds_text(outcome.seconds)}{why}"
