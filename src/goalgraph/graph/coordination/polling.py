"""What hooks were told of a group whose branches do the same work, and what they made of it; of one process."""

import asyncio
from dataclasses import dataclass, field

from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.polls import heads_of
from goalgraph.graph.coordination.hooks import Ruling
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import ParallelStep

__all__ = ["Poll", "is_poll"]

_OWN = {"id": "voter", "agent": None}


@dataclass(slots=True)
class Poll:
    """A group, as far as hooks know of it; one of them is told at a time."""

    done: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Of voters, by id, that are done and may not be recorded yet."""
    told: int = 0
    """Most ballots that hooks were told of."""
    ruling: tuple[Ruling, str] | None = None
    """What was decided, and by which hook."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def is_poll(step: ParallelStep, index: PlanIndex) -> bool:
    """Whether a group's branches do the same work: they vote, or differ in nothing but who does it."""
    if step.is_voted:
        return True
    heads = heads_of(step)
    if step.output is not None or heads != step.branches or not all(one.startswith(f"{step.id}.") for one in heads):
        return False
    members = [index.steps[head] for head in heads]
    if any(one.type != "agent" or one.agent is None for one in members):
        return False
    first, *others = [one.model_copy(update=_OWN) for one in members]
    return all(one == first for one in others)
