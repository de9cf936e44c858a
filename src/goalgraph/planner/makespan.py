"""How long steps take together: list scheduling, the longest way still to go first, as the engine does it."""

import heapq
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from goalgraph.planner import dag

__all__ = ["Load", "makespan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a step takes."""

    seconds: float
    """Of each item; a step that is no map has one."""
    items: int = 1
    most: int | None = None
    """Most items at the same time; None: all."""
    doer: str | None = None
    """The specialist whose places it takes; None: it takes none at all, as a wait does."""
    longest: float = math.inf
    """Seconds after which it is cancelled."""

    @property
    def width(self) -> int:
        """How many of its items can be done at the same time."""
        return min(self.items, self.most or self.items)

    def lasts(self, places: int) -> float:
        """Seconds with so many places."""
        rounds = -(-self.items // places) if self.items else 0
        return min(self.seconds * rounds, self.longest)


def makespan(
    graph: Mapping[str, Collection[str]],
    loads: Mapping[str, Load],
    total: int | None = None,
    each: Mapping[str, int] | None = None,
) -> float:
    """Return the seconds from the start of the first step to the end of the last one.

    Without limits that is the length of the longest way. With them it is what the engine's own rule comes to: whenever
    there is a place, the ready step with the longest way to go takes it; a map takes as many as it can use.

    Args:
        graph: Acyclic; each id with the ids it waits for.
        loads: By id.
        total: Most steps at the same time; None: no limit.
        each: Most steps of a specialist at the same time, by name.
    """
    waiting: dict[str, list[str]] = {step_id: [] for step_id in graph}
    missing = {step_id: len(needs) for step_id, needs in graph.items()}
    for step_id, needs in graph.items():
        for need in needs:
            waiting[need].append(step_id)
    alone = {step_id: load.lasts(max(load.width, 1)) for step_id, load in loads.items()}
    left = dag.remaining_path(dag.order(graph), waiting, alone)
    if total is None and not each:
        return max(left.values(), default=0.0)
    free, places = math.inf if total is None else total, dict(each or {})
    ready = [(-left[step_id], number, step_id) for number, step_id in enumerate(graph) if not missing[step_id]]
    heapq.heapify(ready)
    running: list[tuple[float, int, str, int]] = []
    now, count = 0.0, len(ready)
    while ready or running:
        parked: list[tuple[float, int, str]] = []
        while ready:
            entry = heapq.heappop(ready)
            load = loads[entry[2]]
            taken = 0
            if load.doer is not None:
                taken = int(min(max(load.width, 1), free, places.get(load.doer, math.inf)))
                if taken < 1:
                    parked.append(entry)
                    if free < 1 and not any(loads[one].doer is None for _, _, one in ready):
                        break
                    continue
                free -= taken
                if load.doer in places:
                    places[load.doer] -= taken
            heapq.heappush(
                running, (now + load.lasts(max(taken, 1)) if taken else now + alone[entry[2]], *entry[1:], taken)
            )
        for entry in parked:
            heapq.heappush(ready, entry)
        now = running[0][0]
        while running and running[0][0] <= now:
            _, _, ended, taken = heapq.heappop(running)
            free += taken
            if (doer := loads[ended].doer) is not None and doer in places:
                places[doer] += taken
            for after in waiting[ended]:
                missing[after] -= 1
                if not missing[after]:
                    count += 1
                    heapq.heappush(ready, (-left[after], count, after))
    return now
