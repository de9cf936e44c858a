"""What the steps of one superstep have in common: the board they meet at, and what they all see."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from goalgraph.graph.board.board import Board
from goalgraph.graph.coordination.assigner import Assigner
from goalgraph.graph.coordination.polling import Poll
from goalgraph.graph.humans.approval import Gates
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Step
from goalgraph.specialists.router import route

__all__ = ["Doing", "EarlyOutcomes", "Ongoing", "Work"]


class EarlyOutcomes(Protocol):
    """What was begun early, to be taken over."""

    async def outcome(self, step_id: str, key: str) -> Outcome | None:
        """Wait for what a step has come to, if it was begun and is still the same."""
        ...

    async def end(self) -> None:
        """Leave nothing behind."""
        ...


Doing = Callable[[str], Awaitable[tuple[Outcome, ...]]]
"""Does a step, by id, to the end: its outcome, and those of the items of a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A superstep of steps: the board they meet at, and what they all see."""

    board: Board
    chains: dict[str, tuple[str, ...]]
    """Names of who tries a step, by step; for those that a specialist does."""
    cards: tuple[SpecialistCard, ...]
    goal: str
    inputs: Mapping[str, JsonValue]
    started_at: datetime
    """When the run began, in whatever process."""
    until: datetime | None = None
    """When the run's time is over, and that of the runs around it."""
    gates: Gates | None
    """The steps that a policy asks about, where it asks about any."""
    decisions: Sequence[Decision] = ()
    """Taken in the run before."""
    withheld: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes that call for another plan, and that the board does not know of."""
    items: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes that items of maps have come to in a process that is gone, where the maps park."""
    polls: dict[str, Poll] = field(default_factory=dict[str, Poll])
    """What hooks were told of groups whose branches do the same work, by group."""
    doing: dict[str, Doing] = field(default_factory=dict[str, Doing])
    """Who does the steps of a map's items, by step."""
    assigner: Assigner | None = None
    """Who says who does a step, where that is not settled before."""

    def route(self, steps: Iterable[Step]) -> dict[str, str]:
        """Find who does steps that have come to the plan's; return the first choice of those a specialist does."""
        found = {step.id: route(step, self.cards) for step in steps if step.type == "agent"}
        self.chains.update(found)
        return {step_id: chain[0] for step_id, chain in found.items()}

    async def move(self, step_id: str, name: str) -> None:
        """Have somebody else do a step, once there is a place."""
        if self.assigner is not None:
            self.assigner.moved(step_id, name)
        await self.board.move(step_id, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ongoing:
    """Work that goes on while the plan around it is changed."""

    step: Step
    task: asyncio.Task[Outcome]
