"""The time of a run: even while a process lives, and never earlier than what is recorded."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from time import monotonic

from goalgraph.planner.outcome import Outcome

__all__ = ["RunClock", "end_of"]


def _wall() -> datetime:
    return datetime.now(UTC)


class RunClock:
    """Tells the time by the monotonic clock, from the wall clock's time at the beginning.

    A wall clock that is set while a run is under way changes nothing. One that was set back between two processes
    stands, for the run, where the last process left off; what passed in between cannot be known then, so that deadlines
    come later and never earlier.
    """

    def __init__(
        self,
        recorded: Iterable[Outcome] = (),
        began: str | None = None,
        *,
        wall: Callable[[], datetime] = _wall,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        """Begin.

        Args:
            recorded: Outcomes that there are.
            began: When the run began; ISO 8601.
            wall: Where the time comes from.
            steady: Seconds that nobody sets.
        """
        known = [end_of(outcome) for outcome in recorded if outcome.started_at is not None]
        known += [datetime.fromisoformat(began)] if began else []
        self._began = max([wall(), *known])
        self._since = steady()
        self._steady = steady

    def __call__(self) -> datetime:
        """Return the time, in UTC."""
        return self._began + timedelta(seconds=self._steady() - self._since)


def end_of(outcome: Outcome) -> datetime:
    """When a step was over; for one that never began, long ago."""
    if outcome.started_at is None:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(outcome.started_at) + timedelta(seconds=outcome.seconds)
