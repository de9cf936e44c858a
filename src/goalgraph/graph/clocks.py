"""The time that groups of steps have, counted from the first of their steps that began, in whatever process."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from goalgraph.graph.index import Group

__all__ = ["Clocks"]


class Clocks:
    """Timers in the running event loop."""

    def __init__(self, expired: Callable[[Group], None]) -> None:
        """Take what is called when a group's time is over."""
        self._expired = expired
        self._since: dict[str, datetime] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self, group: Group, began: datetime | None = None) -> bool:
        """Start a group's clock; return True where its time is over already, and nothing will be called.

        Args:
            group: Passes where it has no limit of time.
            began: When one of its steps began; now, where absent. The earliest one counts.
        """
        if group.timeout is None or (began is None and group.id in self._since):
            return False
        began = began if began is not None else datetime.now(UTC)
        if group.id in self._since and self._since[group.id] <= began:
            return False
        self._since[group.id] = began
        if (earlier := self._timers.pop(group.id, None)) is not None:
            earlier.cancel()
        left = group.timeout - (datetime.now(UTC) - began).total_seconds()
        if left > 0:
            self._timers[group.id] = asyncio.get_running_loop().call_later(left, self._expired, group)
        return left <= 0

    def call_in(self, seconds: float, action: Callable[[], None]) -> None:
        """Call something after a time, for the whole of the run."""
        self._timers[""] = asyncio.get_running_loop().call_later(seconds, action)

    def dismiss(self) -> None:
        """Stop all clocks."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
