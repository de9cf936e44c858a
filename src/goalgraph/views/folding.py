"""Which steps of a large plan one box stands for, so that what is drawn stays small; pure, over ids alone."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from goalgraph.views.graphs import depths, layers_of

__all__ = ["Fold", "Folded", "folded"]

_WIDTHS = (16, 12, 9, 7, 5, 4, 3, 2, 1)
"""Boxes of a layer that are tried, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Steps that one box stands for."""

    kind: Literal["group", "row", "band"]
    """``group``: of the plan's own; ``row``: of the same layer and alike; ``band``: of several layers."""
    members: tuple[str, ...]
    """Ids of steps, in plan order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A graph in which some boxes stand for several steps."""

    needs: Mapping[str, frozenset[str]]
    """Each box with those it waits for, in plan order; acyclic."""
    folds: Mapping[str, Fold]
    """By box; those that are absent are single steps."""


def folded(
    needs: Mapping[str, frozenset[str]],
    *,
    groups: Mapping[str, Collection[str]],
    likeness: Mapping[str, str],
    urgent: Collection[str],
    most: int,
) -> Folded:
    """Fold a graph until it has no more than so many boxes, and no layer is too wide.

    Groups go first, the smallest before those around them, those of a size together; then what is alike in a layer,
    beyond the first few; at last whole layers. A small graph stays as it is.

    Args:
        needs: Each step with those it waits for; acyclic.
        groups: Ids of steps by the id of the step that ends them, which is not among them.
        likeness: A word for each step; those of a layer with the same word are alike.
        urgent: Steps that are to stay visible as long as possible.
        most: Boxes.
    """
    place = {step_id: number for number, step_id in enumerate(needs)}
    work = _Folding(dict(needs), {}, place)
    for _, same in groupby(sorted(groups, key=lambda one: len(groups[one])), key=lambda one: len(groups[one])):
        if len(work.needs) <= most:
            break
        for group in same:
            work.close(group, groups[group])
    whole = Folded(needs=work.needs, folds=work.folds)
    narrow = whole
    for width in _WIDTHS:
        narrow = _narrowed(whole, width, likeness, urgent, place)
        if len(narrow.needs) <= most:
            return narrow
    return _banded(narrow, most, place)


@dataclass(slots=True)
class _Folding:
    needs: dict[str, frozenset[str]]
    folds: dict[str, Fold]
    place: Mapping[str, int]

    def close(self, group: str, inside: Collection[str]) -> None:
        """Put a group into the box of its end, unless a step outside of it runs between its steps."""
        members = {one for one in inside if one in self.needs} | {group}
        if group not in self.needs or len(members) < 2 or self._comes_back(members):
            return
        steps = _steps_of(members, self.folds)
        self.needs = _merged(self.needs, lambda node: group if node in members else node)
        for member in members:
            self.folds.pop(member, None)
        self.folds[group] = Fold(kind="group", members=tuple(sorted(steps, key=self.place.__getitem__)))

    def _comes_back(self, members: Collection[str]) -> bool:
        after: dict[str, list[str]] = {node: [] for node in self.needs}
        for node, found in self.needs.items():
            for need in found:
                after[need].append(node)
        left = [one for member in members for one in after[member] if one not in members]
        seen = set(left)
        while left:
            for one in after[left.pop()]:
                if one in members:
                    return True
                if one not in seen:
                    seen.add(one)
                    left.append(one)
        return False


def _narrowed(
    whole: Folded, width: int, likeness: Mapping[str, str], urgent: Collection[str], place: Mapping[str, int]
) -> Folded:
    """Fold steps of layers that are wider than that: never two that wait for each other, as those of a layer do not."""
    boxes: dict[str, str] = {}
    folds = dict(whole.folds)
    for number, layer in enumerate(layers_of(whole.needs)):
        if len(layer) <= width:
            continue
        for name, rest in _too_many(layer, width, likeness, urgent):
            fold = f"row {number} {name}"
            boxes |= dict.fromkeys(rest, fold)
            steps = _steps_of(rest, folds)
            folds[fold] = Fold(kind="row", members=tuple(sorted(steps, key=place.__getitem__)))
            for one in rest:
                folds.pop(one, None)
    return Folded(needs=_merged(whole.needs, lambda node: boxes.get(node, node)), folds=folds) if boxes else whole


def _too_many(
    layer: Sequence[str], width: int, likeness: Mapping[str, str], urgent: Collection[str]
) -> list[tuple[str, list[str]]]:
    """What of a layer is folded: of those alike all but a few; where that does not do, all that are left over."""
    alike: dict[str, list[str]] = {}
    for node in layer:
        alike.setdefault(likeness.get(node, ""), []).append(node)
    if len(alike) > width:
        kept = set(sorted(layer, key=lambda node: node not in urgent)[: width - 1])
        return [("", [node for node in layer if node not in kept])]
    shares = dict.fromkeys(alike, 1)
    for _ in range(width - len(alike)):  # one place more for the largest crowd there is
        name = max(alike, key=lambda one: len(alike[one]) - shares[one])
        shares[name] += 1
    found: list[tuple[str, list[str]]] = []
    for name, nodes in alike.items():
        if len(nodes) > shares[name]:
            kept = set(sorted(nodes, key=lambda node: node not in urgent)[: shares[name] - 1])
            found.append((name, [node for node in nodes if node not in kept]))
    return found


def _banded(whole: Folded, most: int, place: Mapping[str, int]) -> Folded:
    """Make one box of several layers; what waits for each other stays in order, as layers do."""
    depth = depths(whole.needs)
    size = -(-(1 + max(depth.values())) // most)
    if size < 2:
        return whole
    nodes: dict[str, list[str]] = {}
    for node in whole.needs:
        nodes.setdefault(f"band {depth[node] // size}", []).append(node)
    folds = {
        band: Fold(kind="band", members=tuple(sorted(_steps_of(inside, whole.folds), key=place.__getitem__)))
        for band, inside in nodes.items()
    }
    return Folded(needs=_merged(whole.needs, lambda node: f"band {depth[node] // size}"), folds=folds)


def _merged(needs: Mapping[str, frozenset[str]], box_of: Callable[[str], str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for node, before in needs.items():
        box = box_of(node)
        found.setdefault(box, set()).update(other for need in before if (other := box_of(need)) != box)
    return {box: frozenset(before) for box, before in found.items()}


def _steps_of(nodes: Iterable[str], folds: Mapping[str, Fold]) -> list[str]:
    return [step for node in nodes for step in (folds[node].members if node in folds else (node,))]
