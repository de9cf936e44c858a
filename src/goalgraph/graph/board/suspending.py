"""A board whose superstep can end early, because the plan is about to be changed."""

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
    sent again once the plan is changed, or is found to stay as it is.
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
    ) -> None:
        """Set up with all that is already known; suspended where tasks of the superstep have ended in that way."""
        self.is_suspended = bool(absent)
        super().__init__(
            index,
            outcomes,
            specialists,
            slots,
            stoppable=stoppable,
            now=now,
            is_draining=is_draining,
            absent=absent,
        )

    @property
    def at_work(self) -> frozenset[str]:
        """Ids of the plan's steps that are being done."""
        waiting = self._activity.held | self._activity.asleep
        begun = (step_id for step_id, verdict in self._verdicts.items() if verdict == "run" and step_id in self._open)
        return frozenset(one for one in begun if one not in self.outcomes and one not in waiting)

    def withhold(self, step_id: str) -> None:
        """End a step whose outcome nobody is to know of before the plan was looked at, and let nothing new begin."""
        self.is_suspended = True
        self.leave(step_id, None)

    def parks(self, step_id: str) -> bool:
        """Whether a step that is told to park ends without an outcome, unlike items, whose map does."""
        return self.is_suspended and step_id not in self.index.parents

    def _drained(self, step_id: str) -> bool:
        if super()._drained(step_id):
            return True
        if not self.parks(step_id):
            return False
        self._activity.end(step_id)
        self._tell(step_id, "park")
        return True

    def _settle(self) -> None:
        if not self.is_suspended:
            super()._settle()
        elif self._activity.idle:
            self.dismiss()
            for step_id in list(self._waiters):
                self._tell(step_id, "park")
