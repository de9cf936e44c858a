"""Which of the steps that are ready may start: limits for the run and for each specialist, longest way to go first."""

import heapq
from collections.abc import Callable, Mapping

__all__ = ["Slots"]


class Slots:
    """A priority queue of ready steps in front of a limited number of places; pure bookkeeping, no waiting."""

    def __init__(
        self,
        total: int | None,
        each: Mapping[str, int],
        priority: Mapping[str, float],
        peaks: dict[str, int] | None = None,
    ) -> None:
        """Args: most steps at once in all, and by specialist; priority of each, the highest first; where peaks go."""
        self._free = total
        self._each = dict(each)
        self._priority = priority
        self.assign: Callable[[str], str] | None = None
        """Says who does a step that is about to begin, or to queue, once for each; None: that is settled before."""
        self._queues: dict[str, list[tuple[float, int, str]]] = {}
        self._arrivals = 0
        self.peaks = peaks if peaks is not None else {}
        """Most steps that have waited for a place at one time, by specialist."""
        self._grown: set[str] = set()

    @property
    def limited(self) -> bool:
        """Whether any step could ever have to wait for a place."""
        return self._free is not None or bool(self._each)

    def offer(self, step: str, specialist: str) -> None:
        """Queue a step that is ready; steps of equal priority keep their order of arrival."""
        self._arrivals += 1
        entry = (-self._priority.get(step, 0.0), self._arrivals, step)
        heapq.heappush(self._queues.setdefault(specialist, []), entry)
        self._grown.add(specialist)

    def waiting(self, specialist: str) -> int:
        """How many steps are queued for a specialist."""
        return len(self._queues.get(specialist, ()))

    def take(self) -> str | None:
        """Give a place to the best step that can have one, and return it; None where none can."""
        if self._free == 0:
            self._note()
            return None
        open_queues = [
            (queue[0], name) for name, queue in self._queues.items() if queue and self._each.get(name, 1) > 0
        ]
        if not open_queues:
            self._note()
            return None
        (_, _, step), name = min(open_queues)
        heapq.heappop(self._queues[name])
        if self._free is not None:
            self._free -= 1
        if name in self._each:
            self._each[name] -= 1
        return step

    def release(self, specialist: str) -> None:
        """Give back a place that `take` gave to a step of this specialist."""
        if self._free is not None:
            self._free += 1
        if specialist in self._each:
            self._each[specialist] += 1

    def _note(self) -> None:
        """Note how many wait, now that all who could have a place have one."""
        for name in self._grown:
            if (depth := len(self._queues[name])) > self.peaks.get(name, 0):
                self.peaks[name] = depth
        self._grown.clear()
