"""A plan as a tree of its parallel layers, and the same as plain text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from goalgraph.planner import dag
from goalgraph.planner.plan import Plan, Step
from goalgraph.views.text import one_line

__all__ = ["plan_text", "plan_tree"]

_MOST_NEEDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A step as both views show it."""

    id: str
    who: str
    task: str
    notes: str
    """What it waits for, and under which condition; empty where there is neither."""


def plan_tree(plan: Plan, doers: Mapping[str, str] | None = None) -> Tree:
    """Draw a valid plan: a branch for each layer, whose steps can run at the same time.

    Args:
        plan: Without cycles.
        doers: Name of the specialist by step id, for steps that leave it open.
    """
    tree = Tree(Text(_title(plan), style="bold"))
    for number, layer in enumerate(_layers(plan, doers or {}), 1):
        branch = tree.add(Text(_heading(number, layer), style="bold blue"))
        for entry in layer:
            label = Text.assemble((entry.id, "cyan"), "  ", (entry.who, "magenta"))
            if entry.notes:
                label.append(f"  {entry.notes}", style="dim")
            branch.add(label.append(f"\n{entry.task}", style="default"))
    return tree


def plan_text(plan: Plan, doers: Mapping[str, str] | None = None) -> str:
    """Write a valid plan as plain lines, a line for each step; see `plan_tree`."""
    lines = [_title(plan)]
    for number, layer in enumerate(_layers(plan, doers or {}), 1):
        lines.append(_heading(number, layer))
        for entry in layer:
            notes = f" ({entry.notes})" if entry.notes else ""
            lines.append(f"  {entry.id} [{entry.who}]{notes}: {entry.task}")
    return "\n".join(lines)


def _title(plan: Plan) -> str:
    name = one_line(plan.name or plan.description, 120)
    count = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
    return f"Plan: {name} ({count})" if name else f"Plan ({count})"


def _heading(number: int, layer: list[_Entry]) -> str:
    return f"layer {number}" + (f", {len(layer)} in parallel" if len(layer) > 1 else "")


def _layers(plan: Plan, doers: Mapping[str, str]) -> Iterator[list[_Entry]]:
    steps = {step.id: step for step in plan.steps}
    place = {step_id: number for number, step_id in enumerate(steps)}
    for layer in dag.layers(plan):
        yield [_entry(steps[step_id], doers, place) for step_id in layer]


def _entry(step: Step, doers: Mapping[str, str], place: Mapping[str, int]) -> _Entry:
    who = doers.get(step.id) or step.agent or f"anyone with {', '.join(step.requires)}"
    needs = sorted(dag.needs(step), key=place.__getitem__)
    more = f" and {len(needs) - _MOST_NEEDS} more" if len(needs) > _MOST_NEEDS else ""
    notes = [
        f"needs {', '.join(needs[:_MOST_NEEDS])}{more}" if needs else "",
        f"if {one_line(step.when, 60)}" if step.when is not None else "",
        "optional" if step.optional else "",
    ]
    return _Entry(id=step.id, who=one_line(who, 80), task=one_line(step.task), notes="; ".join(filter(None, notes)))
