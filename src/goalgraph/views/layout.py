"""Where the boxes of a layered drawing stand, and where its lines run: pure, small, and the same each time."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

__all__ = ["Edge", "Layout", "Point", "laid_out"]

Point: TypeAlias = tuple[float, float]
Edge: TypeAlias = tuple[str, str]
"""From a box to one of a later layer."""

_Bend: TypeAlias = tuple[str, int]
"""Where the lines of a box pass a layer between it and what they lead to."""
_Node: TypeAlias = str | _Bend

_SWEEPS = 12
_NEARLY = 32.0
"""Pixels to the side that are not worth a bend."""
_STRAIGHT = 6.0
"""How much more a line through a layer keeps to its way than a box does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing in pixels, from 0; y goes down."""

    width: float
    height: float
    centres: Mapping[str, Point]
    """Of the boxes."""
    routes: Mapping[Edge, tuple[Point, ...]]
    """From the side of a box to the side of another: between the 1st and the 2nd point the line crosses the space
    between two layers, between the 2nd and the 3rd it passes a layer straight, and so on."""


def laid_out(
    layers: Sequence[Sequence[str]], edges: Iterable[Edge], *, size: Point, gap: Point, bend: float, rightward: bool
) -> Layout:
    """Lay out a graph in layers, as Sugiyama, Tagawa and Toda do (1981): order, then place.

    Args:
        layers: Boxes from the first layer to the last, in the order wanted where lines do not say otherwise.
        edges: Each from a layer to a later one.
        size: Width and height of every box.
        gap: Least distance of neighbours in a layer, and that of layers.
        bend: Room of a line that passes a layer, in pixels.
        rightward: Whether the layers go from left to right, else from top to bottom.
    """
    across, along = (size[1], size[0]) if rightward else size
    graph = _Graph.of(layers, edges)
    rows = _ordered(graph)
    half = {node: across / 2 if isinstance(node, str) else bend / 2 for row in rows for node in row}
    at = _placed(graph, rows, half, gap[0])
    least = min((at[node] - half[node] for node in at), default=0.0)
    most = max((at[node] + half[node] for node in at), default=0.0)
    step = along + gap[1]

    def point(cross: float, down: float) -> Point:
        x, y = round(cross - least, 1), round(down, 1)
        return (y, x) if rightward else (x, y)

    routes: dict[Edge, tuple[Point, ...]] = {}
    for (source, target), bends in graph.ways.items():
        depth = graph.depth[source]
        points = [point(at[source], depth * step + along)]
        for one in bends:
            points += [point(at[one], one[1] * step), point(at[one], one[1] * step + along)]
        routes[source, target] = (*points, point(at[target], graph.depth[target] * step))
    return Layout(
        width=len(rows) * step - gap[1] if rightward else most - least,
        height=most - least if rightward else len(rows) * step - gap[1],
        centres={box: point(at[box], depth * step + along / 2) for box, depth in graph.depth.items()},
        routes=routes,
    )


@dataclass(slots=True, kw_only=True)
class _Graph:
    """Boxes and bends, so that every line leads from one layer to the next."""

    rows: list[list[_Node]]
    depth: dict[str, int]
    ways: dict[Edge, tuple[_Bend, ...]] = field(default_factory=dict[Edge, tuple[_Bend, ...]])
    above: dict[_Node, list[_Node]] = field(default_factory=dict[_Node, list[_Node]])
    below: dict[_Node, list[_Node]] = field(default_factory=dict[_Node, list[_Node]])

    @classmethod
    def of(cls, layers: Sequence[Sequence[str]], edges: Iterable[Edge]) -> "_Graph":
        graph = cls(
            rows=[list(layer) for layer in layers],
            depth={box: number for number, layer in enumerate(layers) for box in layer},
        )
        for row in graph.rows:
            for node in row:
                graph.above[node], graph.below[node] = [], []
        for source, target in edges:
            graph.lead(source, target)
        return graph

    def lead(self, source: str, target: str) -> None:
        """Add a line; lines of the same box share their bends as far as they go together."""
        bends = tuple((source, layer) for layer in range(self.depth[source] + 1, self.depth[target]))
        self.ways[source, target] = bends
        chain: tuple[_Node, ...] = (source, *bends, target)
        for one, other in pairwise(chain):
            if other not in self.above:
                self.above[other], self.below[other] = [], []
                if isinstance(other, tuple):
                    self.rows[other[1]].append(other)
            if one not in self.above[other]:
                self.above[other].append(one)
                self.below[one].append(other)


def _ordered(graph: _Graph) -> list[list[_Node]]:
    """Order each layer so that few lines cross: by the mean place of neighbours, down and up; the best order found."""
    rows = [list(row) for row in graph.rows]
    best, fewest = [list(row) for row in rows], _crossings(rows, graph)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        is_down = sweep % 2 == 0
        near = graph.above if is_down else graph.below
        numbers = range(1, len(rows)) if is_down else range(len(rows) - 2, -1, -1)
        for number in numbers:
            beside = rows[number - 1 if is_down else number + 1]
            place = {node: float(index) for index, node in enumerate(beside)}
            mean = {
                node: sum(place[one] for one in near[node]) / len(near[node]) if near[node] else float(index)
                for index, node in enumerate(rows[number])
            }
            rows[number].sort(key=mean.__getitem__)
        if (count := _crossings(rows, graph)) < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _crossings(rows: Sequence[Sequence[_Node]], graph: _Graph) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: index for index, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(place[one] for one in graph.below[node])
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _placed(
    graph: _Graph, rows: Sequence[Sequence[_Node]], half: Mapping[_Node, float], gap: float
) -> dict[_Node, float]:
    """Place what is ordered: each as near to the middle of its neighbours as there is room."""
    at: dict[_Node, float] = {}
    for row in rows:
        at.update(_apart(row, dict.fromkeys(row, 0.0), half, gap))
    passes = [(graph.above,), (graph.below,)] * (_SWEEPS // 2) + [(graph.above, graph.below)] * 2
    for number, sides in enumerate(passes):
        for row in rows if number % 2 == 0 else reversed(rows):
            wanted: dict[_Node, float] = {}
            for node in row:
                near = [at[one] for side in sides for one in side[node]]
                wanted[node] = sum(near) / len(near) if near else at[node]
            at.update(_apart(row, wanted, half, gap))
    for row in rows:  # lines that are nearly straight become so
        wanted = {node: at[node] for node in row}
        for node in row:
            over = graph.above[node]
            if len(over) == 1 and (len(graph.below[over[0]]) == 1 or abs(at[over[0]] - at[node]) < _NEARLY):
                wanted[node] = at[over[0]]
        at.update(_apart(row, wanted, half, gap))
    return at


def _apart(
    row: Sequence[_Node], wanted: Mapping[_Node, float], half: Mapping[_Node, float], gap: float
) -> dict[_Node, float]:
    """Place a row in its order, as near to what is wanted as distances allow, in the sense of least squares.

    Without their distances this is isotonic regression: neighbours that want to pass each other form a block, which
    stands where its members want to be in the mean (pool adjacent violators).
    """
    offsets: list[float] = []
    for index, node in enumerate(row):
        before = offsets[-1] + half[row[index - 1]] + half[node] + gap if index else 0.0
        offsets.append(before)
    blocks: list[tuple[float, float, int]] = []
    for node, offset in zip(row, offsets, strict=True):
        weight = 1.0 if isinstance(node, str) else _STRAIGHT
        mean, count = wanted[node] - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, heavy, members = blocks.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + members
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return {node: mean + offset for node, mean, offset in zip(row, means, offsets, strict=True)}
