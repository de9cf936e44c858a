"""What ends groups of steps early: their time, a failure, a vote that the rest of them cannot change.

Time counts from the first step that began, in whatever process. The rest of a superstep's steps is the board's.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from goalgraph.graph.board.index import Group, PlanIndex
from goalgraph.graph.board.polls import closes, dispensable
from goalgraph.graph.board.unrun import DECIDED
from goalgraph.planner.outcome import Outcome

__all__ = ["Watch"]


class Watch:
    """Looks at groups with a limit of time, whose other branches end with the first failure, or that vote."""

    def __init__(
        self,
        index: PlanIndex,
        outcomes: Mapping[str, Outcome],
        stop: Callable[[str, Collection[str]], None],
        settle: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        """Watch nothing yet.

        Args:
            index: The plan.
            outcomes: What is known, as it grows.
            stop: Cancels steps, told why and which.
            settle: Called when a time was over, once that is done.
            now: Tells the time.
        """
        self.expired: dict[str, str] = {}
        """By group whose time is up: what to say of it."""
        self._index = index
        self._outcomes = outcomes
        self._stop = stop
        self._settle = settle
        self._now = now
        self._groups: dict[str, list[Group]] = {}
        self._polls: dict[str, list[Group]] = {}
        self._since: dict[str, datetime] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add(self, group: Group) -> None:
        """Take in a group."""
        if group.fail_fast or group.timeout is not None:
            watched = group.members if group.timeout is not None else group.heads
            for step_id in watched:
                self._groups.setdefault(step_id, []).append(group)
        if group.poll is not None:
            for step_id in group.heads:
                self._polls.setdefault(step_id, []).append(group)

    def begin(self, step_id: str) -> None:
        """Note that a step begins, and with it the time of its groups."""
        for group in self._groups.get(step_id, ()):
            if group.timeout is not None and group.id not in self._since:
                self._start(group, self._now())

    def take_in(self, outcome: Outcome) -> None:
        """Note when a recorded step began: the time of its groups counts from the first one, whoever did it."""
        if outcome.started_at is not None and outcome.status in ("succeeded", "failed"):
            for group in self._groups.get(outcome.step, ()):
                if group.timeout is not None:
                    self._start(group, datetime.fromisoformat(outcome.started_at))

    def over(self, outcome: Outcome) -> None:
        """Stop the groups whose branch has failed with this outcome, and those whose vote it decides."""
        if self._polls and (polls := self._polls.get(outcome.step)) is not None:
            for group in polls:
                if group.id not in self._outcomes and closes(group, self._outcomes, self._index):
                    self._stop(DECIDED, dispensable(group, self._index))
        if outcome.status not in ("failed", "blocked") or outcome.step in self._index.optional:
            return
        for group in self._groups.get(outcome.step, ()):
            if group.fail_fast and outcome.step in group.heads and group.id not in self._outcomes:
                self._stop(f"cancelled because {outcome.step!r} {outcome.status}", group.members)

    def call_in(self, seconds: float, action: Callable[[], None]) -> None:
        """Call something after a time, for the whole of the run."""
        self._timers[""] = asyncio.get_running_loop().call_later(seconds, action)

    def dismiss(self) -> None:
        """Stop all clocks."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _start(self, group: Group, began: datetime) -> None:
        if group.timeout is None or (group.id in self._since and self._since[group.id] <= began):
            return
        self._since[group.id] = began
        if (earlier := self._timers.pop(group.id, None)) is not None:
            earlier.cancel()
        left = group.timeout - (self._now() - began).total_seconds()
        if left > 0:
            self._timers[group.id] = asyncio.get_running_loop().call_later(left, self._expire, group)
        else:
            self._end(group)

    def _expire(self, group: Group) -> None:
        self._end(group)
        self._settle()

    def _end(self, group: Group) -> None:
        if not group.members <= self._outcomes.keys():
            self.expired[group.id] = f"not done after {group.timeout:g} s"
            self._stop(self.expired[group.id], group.members)
