"""Where boxes stand and lines run, and what is folded, for graphs of any form."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.views.folding import folded
from goalgraph.views.graphs import depths, layers_of, reduced
from goalgraph.views.layout import Layout, laid_out

_SIZE = (100.0, 40.0)
_ALONG = 30.0


@st.composite
def _graphs(draw: st.DrawFn, most: int = 14) -> dict[str, frozenset[str]]:
    count = draw(st.integers(1, most))
    return {
        f"s{number}": frozenset(f"s{need}" for need in draw(st.sets(st.integers(0, max(number - 1, 0)), max_size=4)))
        if number
        else frozenset()
        for number in range(count)
    }


def _laid_out(graph: Mapping[str, frozenset[str]], *, rightward: bool = False) -> Layout:
    edges = [(need, node) for node, needs in graph.items() for need in sorted(needs)]
    return laid_out(layers_of(graph), edges, size=_SIZE, gap=(10.0, _ALONG), bend=8.0, rightward=rightward)


@settings(max_examples=150, deadline=None)
@given(_graphs(), st.booleans())
def test_every_box_has_a_place_of_its_own_and_lines_run_between_boxes(
    graph: dict[str, frozenset[str]], rightward: bool
) -> None:
    found = _laid_out(graph, rightward=rightward)
    half = (_SIZE[0] / 2, _SIZE[1] / 2)
    assert found.centres.keys() == graph.keys()
    boxes = list(found.centres.values())
    for x, y in boxes:
        assert half[0] - 0.2 <= x <= found.width - half[0] + 0.2
        assert half[1] - 0.2 <= y <= found.height - half[1] + 0.2
    for number, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:number]:
            assert abs(x - other_x) >= _SIZE[0] - 0.2 or abs(y - other_y) >= _SIZE[1] - 0.2
    side = 0 if rightward else 1
    assert found.routes.keys() == {(need, node) for node, needs in graph.items() for need in needs}
    for (source, target), route in found.routes.items():
        begin, end = found.centres[source], found.centres[target]
        assert route[0][side] == pytest.approx(begin[side] + half[side], abs=0.2)
        assert route[-1][side] == pytest.approx(end[side] - half[side], abs=0.2)
        assert (route[0][1 - side], route[-1][1 - side]) == (begin[1 - side], end[1 - side])
        for number in range(len(route) - 1):
            here, there = route[number], route[number + 1]
            if number % 2:  # passes a layer, straight
                assert here[1 - side] == there[1 - side]
                assert not any(
                    abs(box[side] - (here[side] + there[side]) / 2) < half[side]
                    and abs(box[1 - side] - here[1 - side]) < half[1 - side]
                    for box in boxes
                )
            else:  # crosses the space between two layers, where no box is
                assert there[side] - here[side] == pytest.approx(_ALONG, abs=0.2)


def test_the_same_graph_is_laid_out_in_the_same_way() -> None:
    graph = {"a": frozenset[str](), "b": frozenset({"a"}), "c": frozenset({"a"}), "d": frozenset({"b", "c", "a"})}
    assert _laid_out(graph) == _laid_out(graph)


def test_a_chain_is_straight_and_lines_do_not_cross_without_need() -> None:
    graph = {
        "a": frozenset[str](),
        "b": frozenset[str](),
        "after_b": frozenset({"b"}),
        "after_a": frozenset({"a"}),
        "end": frozenset({"after_a"}),
    }
    centres = _laid_out(graph).centres
    assert centres["a"][0] == centres["after_a"][0] == centres["end"][0]
    assert (centres["a"][0] < centres["b"][0]) == (centres["after_a"][0] < centres["after_b"][0])


@settings(max_examples=80, deadline=None)
@given(_graphs(most=30), st.integers(1, 12), st.data())
def test_what_is_folded_keeps_every_step_once_and_their_order(
    graph: dict[str, frozenset[str]], most: int, data: st.DataObject
) -> None:
    ids = list(graph)
    groups = {
        end: data.draw(st.sets(st.sampled_from(ids))) - {end}
        for end in data.draw(st.sets(st.sampled_from(ids), max_size=3))
    }
    likeness = {step_id: data.draw(st.sampled_from("xy")) for step_id in ids}
    found = folded(graph, groups=groups, likeness=likeness, urgent=(), most=most)
    box_of = {step: box for box in found.needs for step in (found.folds[box].members if box in found.folds else (box,))}
    assert len(found.needs) <= most
    assert sorted(box_of) == sorted(ids)
    depth = depths(found.needs)  # which a circle has none of
    for step, needs in graph.items():
        for need in needs:
            assert box_of[need] == box_of[step] or (
                box_of[need] in found.needs[box_of[step]] and depth[box_of[need]] < depth[box_of[step]]
            )


@settings(max_examples=80, deadline=None)
@given(_graphs())
def test_what_others_imply_can_be_left_out(graph: dict[str, frozenset[str]]) -> None:
    def above(needs: Mapping[str, frozenset[str]], node: str) -> frozenset[str]:
        return needs[node].union(*(above(needs, need) for need in needs[node]))

    fewer = reduced(graph)
    assert all(above(fewer, node) == above(graph, node) for node in graph)
    assert all(need not in above(fewer, other) for node in graph for need in fewer[node] for other in fewer[node])
