"""Functions over the graph of a flat plan's steps; pure, and linear in steps and dependencies."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from goalgraph.planner.fields import expression_fields
from goalgraph.planner.naming import Names, ids_of, inner_steps, template
from goalgraph.planner.plan import ConditionStep, MapStep, ParallelStep, Plan, Step

__all__ = [
    "branch_names",
    "find_cycle",
    "graph",
    "guards",
    "layers",
    "needs",
    "order",
    "remaining_path",
    "sinks",
    "with_branches",
]


def needs(step: Step) -> frozenset[str]:
    """Ids of all steps that a step of a flat plan waits for: written in ``depends_on``, or named by its expressions.

    Conditions that the step is a branch of, and branches of a parallel step, are known to the plan: see `graph`.
    """
    if step.type == "agent" and not step.input and step.when is None and "{{" not in (step.task or ""):
        return frozenset(step.depends_on)  # most steps of large plans
    found = set(step.depends_on)
    for field in expression_fields(step):
        found |= field.references().steps
    if step.type == "map":
        found |= {str(way[0]) for way in _ways_outside(step)}
    return frozenset(found)


def graph(plan: Plan) -> dict[str, frozenset[str]]:
    """Each step of a flat plan with all that it waits for, branches and conditions included, in plan order."""
    return with_branches(plan.steps, {step.id: needs(step) for step in plan.steps})


def with_branches(steps: Iterable[Step], needed: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Add what steps of a flat plan wait for because they are branches, or have them.

    Args:
        steps: All of the plan's.
        needed: What each waits for by itself.
    """
    found = dict(needed)
    for step in steps:
        if step.type == "parallel":
            found[step.id] |= frozenset(branch_names(step))
        elif step.type == "condition":
            for name in branch_names(step):
                if name in found:
                    found[name] |= {step.id}
    return found


def guards(steps: Iterable[Step]) -> dict[str, list[tuple[str, bool]]]:
    """For each step that is in a branch of a condition: the conditions, with the value that takes the branch."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for step in steps:
        if step.type == "condition":
            for names, value in ((step.then, True), (step.otherwise, False)):
                for name in names:
                    found.setdefault(str(name), []).append((step.id, value))
    return found


def branch_names(step: ConditionStep | ParallelStep) -> Iterator[str]:
    """Ids that a step names as its branches; steps that stand in it are not among them."""
    listed = (*step.then, *step.otherwise) if step.type == "condition" else step.branches
    for branch in listed:
        for one in branch if isinstance(branch, tuple) else (branch,):
            if isinstance(one, str):
                yield one


def _ways_outside(step: MapStep) -> set[tuple[str | int, ...]]:
    """Ways into steps outside of a map that the step it repeats names, the name of the step first."""
    whole = template(step, "*")
    names = Names("", frozenset(ids_of((whole,))))
    found: set[tuple[str | int, ...]] = set()
    left: list[tuple[Step, str]] = [(whole, "")]
    while left:
        inner, prefix = left.pop()
        ways: set[tuple[str | int, ...]] = {(need,) for need in inner.depends_on}
        for field in expression_fields(inner):
            ways |= field.references().paths
        if inner.type == "condition" or inner.type == "parallel":
            ways |= {(name,) for name in branch_names(inner)}
        elif inner.type == "map":
            ways |= _ways_outside(inner)
        found |= {way for way in ways if not names.has(way, prefix)}
        inside = f"{prefix}{inner.id}."
        left += [(one, inside) for one in inner_steps(inner)]
    return found


def find_cycle(graph: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return one cycle as a path that ends where it begins, in the order of waiting; empty where there is none.

    Args:
        graph: Each id with the different ids it waits for, all of them keys too.
    """
    if len(_depths(graph)) == len(graph):
        return ()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        path: list[str] = error.args[1]
        return tuple(reversed(path))
    return ()


def layers(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Group the step ids of a valid plan by depth, in plan order: a step stands one below the deepest step it needs."""
    depth = _depths(graph(plan))
    found: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for step in plan.steps:
        found[depth[step.id]].append(step.id)
    return tuple(map(tuple, found))


def order(graph: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Ids in an order in which the steps could run one by one: by depth, the graph's order within a depth.

    Args:
        graph: Acyclic; each id with the different ids it waits for, all of them keys too.
    """
    depth = _depths(graph)
    return tuple(sorted(graph, key=depth.__getitem__))


def _depths(graph: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Depth of each id that no cycle keeps waiting (Kahn's algorithm)."""
    missing = {step_id: len(needed) for step_id, needed in graph.items()}
    after: dict[str, list[str]] = {step_id: [] for step_id in graph}
    for step_id, needed in graph.items():
        for need in needed:
            after[need].append(step_id)
    depth = {step_id: 0 for step_id, count in missing.items() if not count}
    ready = list(depth)
    for step_id in ready:
        for later in after[step_id]:
            missing[later] -= 1
            if not missing[later]:
                depth[later] = depth[step_id] + 1
                ready.append(later)
    return depth


def sinks(plan: Plan) -> tuple[str, ...]:
    """Ids of the steps nothing waits for, in plan order: the plan's results."""
    awaited = {need for needed in graph(plan).values() for need in needed}
    return tuple(step.id for step in plan.steps if step.id not in awaited)


def remaining_path(
    order: Iterable[str], waiting: Mapping[str, Collection[str]], weights: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Length of the longest path from each step to an end of the plan, the step itself included.

    The classic priority of list scheduling: the step with the longest way still to go is started first.

    Args:
        order: Ids, every step after those it needs.
        waiting: Each id with the ids that wait for it.
        weights: Expected seconds of each step; a step that is absent weighs 1.
    """
    length: dict[str, float] = {}
    for step_id in reversed(list(order)):
        own = 1.0 if weights is None else weights.get(step_id, 1.0)
        length[step_id] = own + max((length[after] for after in waiting[step_id]), default=0.0)
    return length
