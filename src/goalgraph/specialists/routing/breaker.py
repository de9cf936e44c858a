"""A circuit breaker: leaves a specialist alone that fails again and again, and tries it again after a while."""

from dataclasses import dataclass

from goalgraph.specialists.routing.policy import HealthPolicy
from goalgraph.specialists.routing.request import Health

__all__ = ["Breaker"]

_SAME = 5e-7
"""Seconds within which two times are one: records have microseconds."""


@dataclass(slots=True)
class Breaker:
    """One specialist's; pure bookkeeping, with the time as an argument: seconds since the epoch.

    Each method that changes the state returns the new one, else None.
    """

    policy: HealthPolicy
    state: Health = "closed"
    changed_at: float = 0.0
    _failed: int = 0
    """Attempts in a row."""
    _passed: int = 0
    """Trials in a row."""
    _is_tried: bool = False

    def seen(self, now: float) -> Health:
        """Return the state as whoever chooses sees it: one that is being tried is open for all others."""
        if self.state == "open":
            return "half_open" if self.left(now) <= 0 else "open"
        return "open" if self.state == "half_open" and self._is_tried else self.state

    def left(self, now: float) -> float:
        """Return the seconds until it is tried again; a clock that was set back adds none."""
        if self.state != "open":
            return 0.0
        return min(self.changed_at + self.policy.recovery_seconds - now, self.policy.recovery_seconds)

    def admit(self, now: float) -> tuple[bool, Health | None]:
        """Let an attempt begin, or not; where it is a trial, `success`, `failure` or `leave` must follow."""
        if self.state == "closed":
            return True, None
        if self.seen(now) == "open":
            return False, None
        self._is_tried = True
        return True, self._become("half_open", now)

    def success(self, now: float) -> Health | None:
        """Take in that an attempt succeeded."""
        self._failed = 0
        if self.state != "half_open":
            return None  # of an open one: it was begun before
        self._is_tried = False
        self._passed += 1
        return self._become("closed", now) if self._passed >= self.policy.probes else None

    def failure(self, now: float) -> Health | None:
        """Take in that an attempt failed by the specialist's fault."""
        if self.state == "open":
            return None
        self._failed += 1
        if self.state == "closed" and self._failed < self.policy.failures:
            return None
        self._is_tried = False
        return self._become("open", now)

    def leave(self) -> None:
        """End a trial of which nothing came: it was cancelled, or asks a human."""
        self._is_tried = False

    def restore(self, state: Health, at: float) -> None:
        """Take in what was recorded of it, unless something later is known."""
        if at > self.changed_at + _SAME:
            self.state, self.changed_at = state, at
            self._failed = self._passed = 0
            self._is_tried = False

    def _become(self, state: Health, now: float) -> Health | None:
        if state == self.state:
            return None
        self.state, self.changed_at = state, max(now, self.changed_at + 2 * _SAME)
        self._failed = self._passed = 0
        return state
