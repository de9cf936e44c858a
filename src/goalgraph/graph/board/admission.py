"""Which branches of a group may be at work: pure bookkeeping of those begun, those waiting, and those over."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from goalgraph.graph.board.index import Group

__all__ = ["Admission"]


class _Gate:
    """One group with a limit."""

    def __init__(self, group: Group, limit: int, over: Iterable[str]) -> None:
        done = frozenset(over)
        self.free = limit
        self.left = [len(branch - done) for branch in group.branches]
        self.begun: set[int] = set()
        self.exempt: set[int] = set()
        """Branches that wait for a human: they go on when they can, and take no place."""
        self.queue: OrderedDict[str, int] = OrderedDict()
        """Branches of the steps that wait, by step."""


class Admission:
    """Lets steps pass whose branches may be at work."""

    def __init__(self) -> None:
        self._all: list[_Gate] = []
        self._gates: dict[str, list[tuple[_Gate, int]]] = {}

    def add(self, group: Group, over: Iterable[str]) -> None:
        """Take in a group; groups inside of others come later.

        Args:
            group: Passes at once where it has no limit of branches.
            over: Ids of steps that are done already.
        """
        if group.concurrency is None:
            return
        gate = _Gate(group, group.concurrency, over)
        self._all.append(gate)
        for number, branch in enumerate(group.branches):
            for step_id in branch:
                self._gates.setdefault(step_id, []).append((gate, number))

    def enter(self, step_id: str) -> bool:
        """Whether a step may start now; if not, it is queued, and comes back from `leave` or `park` in its turn."""
        for gate, number in self._gates.get(step_id, ()):
            if number in gate.begun or number in gate.exempt:
                continue
            if gate.free <= 0:
                gate.queue[step_id] = number
                return False
            gate.free -= 1
            gate.begun.add(number)
        return True

    def leave(self, step_id: str) -> list[str]:
        """Note that a step is over; return queued steps that may `enter` again."""
        freed: list[str] = []
        for gate, number in self._gates.get(step_id, ()):
            gate.queue.pop(step_id, None)
            freed += self._left(gate, number)
        return freed

    def park(self, step_id: str) -> list[str]:
        """Note that a step waits for a human; return queued steps that may `enter` again."""
        freed: list[str] = []
        for gate, number in self._gates.get(step_id, ()):
            gate.exempt.add(number)
            if number in gate.begun:
                gate.begun.discard(number)
                gate.free += 1
                freed += self._next(gate)
        return freed

    def anew(self) -> list[str]:
        """Take all places back, where none of their branches is at work; return the queued steps to `enter` in turn.

        Branches that have a place may all wait for steps that have none: outside of their group, or in another branch.
        """
        freed: list[str] = []
        for gate in self._all:
            gate.free += len(gate.begun)
            gate.begun.clear()
            freed += gate.queue
            gate.queue.clear()
        return freed

    def _left(self, gate: _Gate, number: int) -> Iterator[str]:
        gate.left[number] -= 1
        if gate.left[number] <= 0 and number in gate.begun:
            gate.begun.discard(number)
            gate.free += 1
            yield from self._next(gate)

    def _next(self, gate: _Gate) -> Iterator[str]:
        """Queued steps of as many further branches as there is place for."""
        chosen: list[int] = []
        while gate.queue:
            step_id, number = gate.queue.popitem(last=False)
            if number not in chosen:
                if len(chosen) >= gate.free:
                    gate.queue[step_id] = number
                    gate.queue.move_to_end(step_id, last=False)
                    return
                chosen.append(number)
            yield step_id
