"""A plan as a tree of its parallel layers, and the same as plain text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.wording import doer_of, kind_of, title_of
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

    @property
    def label(self) -> str:
        """Type and doer in one."""
        return ": ".join(filter(None, (self.kind, self.who)))


def plan_tree(plan: Plan, doers: Mapping[str, str] | None = None) -> Tree:
    """Draw a valid plan: a branch for each layer, whose steps can run at the same time.

    Args:
        plan: Without cycles; steps inside of steps are shown by their qualified ids, as they run.
        doers: Name of who does it by step id, for steps that leave it open.
    """
    flat = compile_plan(plan)
    tree = Tree(Text(_title(flat), style="bold"))
    if flat.roles:
        proposed = tree.add(Text("specialists that are made for it", style="bold blue"))
        for name, about in _roles(flat):
            proposed.add(Text.assemble((name, "magenta"), f"  {about}"))
    for number, layer in enumerate(_layers(flat, doers or {}), 1):
        branch = tree.add(Text(_heading(number, layer), style="bold blue"))
        for entry in layer:
            label = Text.assemble((entry.id, "cyan"))
            if entry.kind:
                label.append(f"  {entry.kind}", style="yellow")
            if entry.who:
                label.append(f"  {entry.who}", style="magenta")
            if entry.notes:
                label.append(f"  {entry.notes}", style="dim")
            label.append("  " if entry.is_end else "\n")
            branch.add(label.append(entry.task, style="default"))
    return tree


def plan_text(plan: Plan, doers: Mapping[str, str] | None = None) -> str:
    """Write a valid plan as plain lines, a line for each step; see `plan_tree`."""
    flat = compile_plan(plan)
    lines = [_title(flat)]
    if flat.roles:
        lines += ["specialists that are made for it", *(f"  {name}: {about}" for name, about in _roles(flat))]
    for number, layer in enumerate(_layers(flat, doers or {}), 1):
        lines.append(_heading(number, layer))
        for entry in layer:
            notes = f" ({entry.notes})" if entry.notes else ""
            lines.append(f"  {entry.id} [{entry.label}]{notes}: {entry.task}")
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


def _heading(number: int, layer: list[_Entry]) -> str:
    at_once = sum(1 for entry in layer if not entry.is_end)
    return f"layer {number}" + (f", {at_once} in parallel" if at_once > 1 else "")


def _layers(plan: Plan, doers: Mapping[str, str]) -> Iterator[list[_Entry]]:
    steps = {step.id: step for step in plan.steps}
    place = {step_id: number for number, step_id in enumerate(steps)}
    forks = _forks(plan)
    for layer in dag.layers(plan):
        yield [_entry(steps[step_id], doers, place, forks.get(step_id, {})) for step_id in layer]


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


def _entry(step: Step, doers: Mapping[str, str], place: Mapping[str, int], forks: Mapping[str, str]) -> _Entry:
    kind, who = kind_of(step), doer_of(step, doers)
    told = forks.keys() | set(dag.branch_names(step) if step.type == "parallel" else ())
    needs = sorted(dag.needs(step) - told, key=place.__getitem__)
    more = f" and {len(needs) - _MOST_NEEDS} more" if len(needs) > _MOST_NEEDS else ""
    notes = [
        *(f"{branch} of {fork}" for fork, branch in forks.items()),
        f"needs {', '.join(needs[:_MOST_NEEDS])}{more}" if needs else "",
        f"if {one_line(step.when, 60)}" if step.when is not None else "",
        {"all_success": "", "all_done": "whatever they come to", "any_success": "any of them"}[step.join],
        "optional" if step.optional else "",
    ]
    return _Entry(
        id=step.id,
        kind="" if step.type == "agent" else kind,
        who=one_line(who, 80) if step.type in ("agent", "human_approval", "human_input", "map") else "",
        task=one_line(title_of(step)),
        notes="; ".join(filter(None, notes)),
        is_end=step.type == "parallel",
    )
