"""A board whose superstep can end early, because the plan is about to be changed."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from goalgraph.graph.board.board import Board
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.slots import Slots
from goalgraph.planner.outcome import Outcome

__all__ = ["RevisableBoard"]


class RevisableBoard(Board):
    """A board that can be suspended: what is at work goes on to its end, with all items of a map, and all else parks.

    What needs a step that calls for another plan never learns of its outcome, and so does not end as blocked: it is
    sent again once the plan is changed, or is found to stay as it is. All else goes on until there is a change to make,
    or nothing is left to do without.
    """

    def __init__(
        self,
        index: PlanIndex,
        outcomes: Mapping[str, Outcome],
        specialists: Mapping[str, str],
        slots: Slots,
        *,
        stoppable: bool = False,
        now: Callable[[], datetime] | None = None,
        is_draining: Callable[[], bool] = lambda: False,
        absent: Collection[str] = (),
        awaited: Collection[str] = (),
        going: Collection[str] = (),
        is_suspended: bool = False,
    ) -> None:
        """Set up with all that is already known.

        Args:
            index: The plan.
            outcomes: Outcomes recorded before, by step.
            specialists: Who does each unfinished step that takes a place, by step.
            slots: The places there are.
            stoppable: Whether `stop` may be called.
            now: Tells the time.
            is_draining: Whether nothing new is to begin.
            absent: Ids of steps whose tasks are over, and whose outcomes are not to be known here.
            awaited: Those of them for which a reviser is at work.
            going: Ids of steps that have been at work all the time: they are the first to get places.
            is_suspended: Whether nothing is to begin.
        """
        self._awaited = set(awaited)
        self._withholds = bool(absent)
        self._going = frozenset(going)
        self._change: asyncio.Future[None] | None = None
        self.is_suspended = is_suspended
        super().__init__(
            index,
            outcomes,
            specialists,
            slots,
            stoppable=stoppable,
            now=now,
            is_draining=is_draining,
            absent=absent,
            first=going,
        )

    @property
    def at_work(self) -> frozenset[str]:
        """Ids of the plan's steps that are being done."""
        waiting = self._activity.held | self._activity.asleep
        begun = (step_id for step_id, verdict in self._verdicts.items() if verdict == "run" and step_id in self._open)
        return frozenset(one for one in begun if one not in self.outcomes and one not in waiting)

    def withhold(self, step_id: str, *, is_awaited: bool, at_once: bool = False) -> None:
        """End a step whose outcome nobody is to know of before the plan was looked at.

        Args:
            step_id: The step.
            is_awaited: Whether a reviser is at work for it: `answer` is to follow.
            at_once: Whether nothing new is to begin from now on.
        """
        self._withholds = True
        if is_awaited:
            self._awaited.add(step_id)
        self.is_suspended = self.is_suspended or at_once
        self.leave(step_id, None)

    def answer(self, step_id: str, *, is_change: bool) -> None:
        """Note that a reviser has come to its end, and let nothing new begin where it has a change to make."""
        self._awaited.discard(step_id)
        self.is_suspended = self.is_suspended or is_change
        if is_change and self._change is not None and not self._change.done() and not self._is_draining():
            self._change.set_result(None)
        self._go_on()

    def change(self) -> "asyncio.Future[None]":
        """Return what is done once there is a change to make, for work that can go on meanwhile."""
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        return self._change

    def parks(self, step_id: str) -> bool:
        """Whether a step that is told to park ends without an outcome, unlike items, whose map does."""
        return self.is_suspended and step_id not in self.index.parents

    def _consider(self, step_id: str, latest: Outcome | None) -> None:
        if step_id not in self._going or step_id in self._decided:
            super()._consider(step_id, latest)
            return
        self._decided.add(step_id)  # it has begun, whatever has become of what it needs
        self._activity.begin()
        self._start(step_id)

    def _drained(self, step_id: str) -> bool:
        if super()._drained(step_id):
            return True
        if not self.parks(step_id):
            return False
        self._activity.end(step_id)
        self._tell(step_id, "park")
        return True

    def _settle(self) -> None:
        if not self.is_suspended and not self._withholds:
            super()._settle()
        elif self._activity.idle and (self.is_suspended or not self._awaited):
            self.is_suspended = True
            self.dismiss()
            for step_id in list(self._waiters):
                self._tell(step_id, "park")
