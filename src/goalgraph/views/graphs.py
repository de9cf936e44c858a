"""What steps wait for, as far as it can be drawn: of any plan, whether it is valid or not."""

from collections.abc import Collection, Iterable, Mapping

from goalgraph.planner import dag
from goalgraph.planner.plan import Step
from goalgraph.planner.templates import ExpressionError

__all__ = ["depths", "graph_of", "layers_of", "needs_of", "reduced"]


def needs_of(step: Step) -> frozenset[str]:
    """Ids that a step waits for; where an expression cannot be read, those that are written beside it."""
    try:
        return dag.needs(step)
    except ExpressionError:
        return frozenset(step.depends_on)


def graph_of(steps: Iterable[Step]) -> dict[str, frozenset[str]]:
    """Each step of a flat plan with what it waits for, in plan order; without unknown names, and without circles."""
    known = {step.id: step for step in steps}
    whole = dag.with_branches(known.values(), {step.id: needs_of(step) for step in known.values()})
    found = {
        step_id: frozenset(need for need in needs if need in known and need != step_id)
        for step_id, needs in whole.items()
    }
    while circle := dag.find_cycle(found):
        found[circle[0]] -= {circle[1]}
    return found


def depths(graph: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Depth of each node of an acyclic graph: one below the deepest that it needs."""
    found: dict[str, int] = {}
    for node in dag.order(graph):
        found[node] = 1 + max((found[need] for need in graph[node]), default=-1)
    return found


def layers_of(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Nodes of an acyclic graph by depth, in its own order within a layer."""
    depth = depths(graph)
    found: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for node in graph:
        found[depth[node]].append(node)
    return found


def reduced(graph: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Leave out what others imply (transitive reduction): the same order, with the fewest lines."""
    above: dict[str, frozenset[str]] = {}
    for node in dag.order(graph):
        above[node] = graph[node].union(*(above[need] for need in graph[node]))
    return {
        node: frozenset(need for need in found if not any(need in above[other] for other in found))
        for node, found in graph.items()
    }
