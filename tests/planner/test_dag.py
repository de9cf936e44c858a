"""The graph of a plan's steps: order, layers, cycles, ends, and the longest way still to go."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import AgentStep, Plan
from goalgraph.planner import dag

Graph = dict[str, tuple[str, ...]]


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Each step needs some of those that stand before it in a hidden order; the keys come in another one."""
    names = draw(st.permutations([f"s{number}" for number in range(draw(st.integers(0, 12)))]))
    needs: Graph = {}
    for place, name in enumerate(names):
        earlier = st.sampled_from(names[:place]) if place else st.nothing()
        needs[name] = tuple(draw(st.lists(earlier, unique=True, max_size=4)) if place else ())
    return {name: needs[name] for name in draw(st.permutations(names))}


@st.composite
def any_graph(draw: st.DrawFn) -> Graph:
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    return {name: tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))) for name in names}


def plan_of(graph: Mapping[str, tuple[str, ...]]) -> Plan:
    return Plan(steps=tuple(AgentStep(id=name, task="x", depends_on=needed) for name, needed in graph.items()))


def waiting(graph: Graph) -> dict[str, list[str]]:
    return {name: [later for later, needed in graph.items() if name in needed] for name in graph}


@given(acyclic())
def test_the_order_holds_every_step_once_and_after_those_it_needs(graph: Graph) -> None:
    found = dag.order(graph)
    assert sorted(found) == sorted(graph)
    place = {name: number for number, name in enumerate(found)}
    assert all(place[needed] < place[name] for name in graph for needed in graph[name])


@given(acyclic())
def test_layers_hold_every_step_once_one_below_the_deepest_it_needs(graph: Graph) -> None:
    found = dag.layers(plan_of(graph))
    depth = {name: number for number, layer in enumerate(found) for name in layer}
    assert sorted(name for layer in found for name in layer) == sorted(graph)
    assert all(depth[name] == 1 + max((depth[needed] for needed in graph[name]), default=-1) for name in graph)


def test_within_a_layer_the_order_is_the_plans() -> None:
    assert dag.layers(plan_of({"z": (), "join": ("z", "b", "m"), "b": (), "m": ()})) == (("z", "b", "m"), ("join",))


def test_an_empty_plan_has_no_layers_order_or_ends() -> None:
    assert dag.layers(Plan()) == ()
    assert dag.order({}) == ()
    assert dag.sinks(Plan()) == ()


@given(acyclic())
def test_a_graph_without_a_cycle_has_none(graph: Graph) -> None:
    assert dag.find_cycle(graph) == ()


@given(any_graph())
def test_a_cycle_found_is_one_and_one_that_is_there_is_found(graph: Graph) -> None:
    reachable = {name: set(needed) for name, needed in graph.items()}
    for _ in graph:
        reachable = {name: seen.union(*(reachable[one] for one in seen)) for name, seen in reachable.items()}
    cycle = dag.find_cycle(graph)
    assert bool(cycle) == any(name in seen for name, seen in reachable.items())
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(later in graph[earlier] for earlier, later in pairwise(cycle))


def test_a_cycle_is_given_in_the_order_of_waiting() -> None:
    assert dag.find_cycle({"a": ("b",), "b": ("c",), "c": ("a",), "d": ()}) in (
        ("a", "b", "c", "a"),
        ("b", "c", "a", "b"),
        ("c", "a", "b", "c"),
    )


def test_a_chain_of_a_hundred_thousand_steps_is_no_problem() -> None:
    graph = {str(number): (str(number - 1),) if number else () for number in range(100_000)}
    assert dag.order(graph) == tuple(graph)
    assert dag.find_cycle({**graph, "0": ("99999",)})


@given(acyclic())
def test_the_ends_are_the_steps_nothing_waits_for(graph: Graph) -> None:
    assert dag.sinks(plan_of(graph)) == tuple(name for name, later in waiting(graph).items() if not later)


@given(acyclic(), st.dictionaries(st.sampled_from([f"s{n}" for n in range(12)]), st.floats(0.1, 100)))
def test_the_remaining_path_is_the_longest_one_to_an_end(graph: Graph, weights: dict[str, float]) -> None:
    after = waiting(graph)

    def longest(name: str) -> float:
        return weights.get(name, 1.0) + max(map(longest, after[name]), default=0.0)

    found = dag.remaining_path(dag.order(graph), after, weights)
    assert found == {name: pytest.approx(longest(name)) for name in graph}


def test_steps_named_by_expressions_are_needed_too() -> None:
    step = AgentStep(
        id="write",
        task="x",
        depends_on=("a",),
        input={"rows": ["{{ steps.b.output }}", {"deep": "of {{ steps['c-2'].output.x }}"}], "text": "steps.no.output"},
        when="steps.d.output > 1",
    )
    assert dag.needs(step) == {"a", "b", "c-2", "d"}


@pytest.mark.parametrize("when", ["steps.d.status == 'failed'", "{{ steps.d.status == 'failed' }}"])
def test_a_condition_needs_its_steps_with_and_without_braces(when: str) -> None:
    assert dag.needs(AgentStep(id="a", task="x", when=when)) == {"d"}
