"""Functions over the graph of a plan's steps; pure, and linear in steps and dependencies."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from goalgraph.planner.expressions import condition, references
from goalgraph.planner.plan import Plan, Step

__all__ = ["find_cycle", "layers", "needs", "order", "remaining_path", "sinks"]


def needs(step: Step) -> frozenset[str]:
    """Ids of all steps this one waits for: written in ``depends_on``, or named by its expressions."""
    if not step.input and step.when is None:
        return frozenset(step.depends_on)
    asked = condition(step.when).steps if step.when is not None else frozenset[str]()
    return frozenset(step.depends_on) | references(step.input).steps | asked


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
    depth = _depths({step.id: needs(step) for step in plan.steps})
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
    awaited = {need for step in plan.steps for need in needs(step)}
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
