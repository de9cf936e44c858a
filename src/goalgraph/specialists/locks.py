"""Locks by name between the steps of a run, for code in the event loop and in threads."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

__all__ = ["Locks", "Ticket"]


@dataclass(slots=True, eq=False)
class Ticket:
    """A wish for a lock."""

    name: str
    granted: Future[None]
    """Done once it is held."""


@dataclass(slots=True)
class Locks:
    """Who holds which lock, and who waits for it, first come, first served."""

    _guard: Lock = field(default_factory=Lock)
    _held: dict[str, Ticket] = field(default_factory=dict[str, Ticket])
    _queues: dict[str, deque[Ticket]] = field(default_factory=dict[str, deque[Ticket]])

    def request(self, name: str) -> Ticket:
        """Ask for a lock; `release` must follow, whether it was granted or not."""
        ticket = Ticket(name, Future())
        ticket.granted.set_running_or_notify_cancel()  # so that a loop that is done with it cannot cancel it
        with self._guard:
            if name in self._held:
                self._queues.setdefault(name, deque()).append(ticket)
                return ticket
            self._held[name] = ticket
        ticket.granted.set_result(None)
        return ticket

    def release(self, ticket: Ticket, error: Exception | None = None) -> None:
        """Give a lock back, or wait for it no longer; a second time does nothing.

        Args:
            ticket: What was asked for.
            error: What whoever waits for it, in a thread, is told.
        """
        following: Ticket | None = None
        with self._guard:
            queue = self._queues.get(ticket.name)
            if self._held.get(ticket.name) is ticket:
                following = queue.popleft() if queue else None
                if following is None:
                    del self._held[ticket.name]
                else:
                    self._held[ticket.name] = following
                gone = False
            else:
                gone = queue is not None and ticket in queue
                if queue is not None and gone:
                    queue.remove(ticket)
            if queue is not None and not queue:
                self._queues.pop(ticket.name, None)
        if following is not None:
            following.granted.set_result(None)
        if gone and error is not None:
            ticket.granted.set_exception(error)
