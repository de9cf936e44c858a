"""How fast requests may go to a server that says when they are too many: pure bookkeeping, no waiting."""

import math
from dataclasses import dataclass

__all__ = ["Pace"]

_FIRST_BURST = 10.0
"""Requests that go at once to a server of which nothing is known."""
_FIRST_RATE = 200.0
"""Requests per second after these: whoever limits them says so before many more are on their way."""
_FASTER = 1.05
"""With each answer of a server that has refused nothing; what ends in no limit at all."""
_UNLIMITED = 5_000.0
_BURST = 1.5
"""Of a server with a limit: as much as a timer that rings late may make up for."""
_SHARE = 0.97
"""Of what a server was seen to take."""
_SLOWER = (0.5, 0.9)
"""Between which a known limit is lowered by a further refusal."""
_RISE = 0.02
"""By which a known limit rises in a second, so that it is forgotten in minutes where it holds no more."""
_LEAST = 0.01
_LONGEST = 300.0


class Pace:
    """One server's limit of requests, as far as its answers tell.

    A refusal with ``Retry-After`` stops all requests for that time. What the server took before it, over the time until
    it takes more, is the rate at which they go on (additive-increase, multiplicative-decrease, as clients of AWS do
    in their adaptive mode). Times are seconds of any one clock.
    """

    def __init__(self, now: float) -> None:
        """Know nothing yet."""
        self.rate = _FIRST_RATE
        """Requests per second."""
        self.is_limited = False
        """Whether the server has refused any, and that is not forgotten."""
        self._tokens = _FIRST_BURST
        self._at = now
        self._since = now
        self._sent = 0
        self._paused_until = -math.inf
        self._refused_at = -math.inf
        self._before = _Before(0, now, None)

    def take(self, now: float) -> float:
        """Take a place for a request that is sent now, or return how many seconds later to ask again."""
        if now < self._paused_until:
            return self._paused_until - now
        if self.rate < _UNLIMITED:
            passed = max(now - self._at, 0.0)
            if self.is_limited:
                self.rate *= math.exp(min(_RISE * passed, 100.0))
                self.is_limited = self.rate < _FIRST_RATE
            self._tokens = min(self._tokens + passed * self.rate, _BURST if self.is_limited else _FIRST_BURST)
            self._at = now
            if self._tokens < 1.0 - 1e-9:
                return (1.0 - self._tokens) / self.rate
            self._tokens -= 1.0
        self._sent += 1
        return 0.0

    def accept(self) -> None:
        """Note that a request was not refused."""
        if not self.is_limited and self.rate < _UNLIMITED:
            self.rate *= _FASTER

    def refuse(self, sent: float, now: float, asked: float) -> None:
        """Note that a request was refused because there are too many.

        Args:
            sent: When it was sent.
            now: When the refusal came.
            asked: Seconds for which the server asks to be left alone; not more than five minutes count.
        """
        until = now + min(max(asked, 0.0), _LONGEST)
        if sent >= self._refused_at:
            self._before = _Before(self._sent, self._since, self.rate if self.is_limited else None)
            self._sent, self._since = 0, now
            self._refused_at = math.nextafter(now, math.inf)
        self._before.taken -= 1  # the rest of what was on its way then may be refused yet
        if now < self._paused_until or not self._sent:
            self._since = max(until, self._paused_until)
        self._paused_until = max(until, self._paused_until)
        self._at = self._paused_until
        self._tokens = 0.0
        self.rate = max(self._before.rate(self._paused_until), _LEAST)
        self.is_limited = True


@dataclass(slots=True)
class _Before:
    """What there was before a refusal."""

    taken: int
    """Requests that were sent, and not refused."""
    since: float
    limit: float | None
    """Where one was known."""

    def rate(self, until: float) -> float:
        """Return the rate to go on with, where the server takes more from a time on."""
        seen = _SHARE * max(self.taken, 0) / max(until - self.since, 1e-3)
        if self.limit is None:
            return seen
        least, most = _SLOWER
        return min(max(seen, least * self.limit), most * self.limit)
