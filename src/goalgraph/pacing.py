"""How fast requests may go to a server that says when they are too many: pure bookkeeping, no waiting."""

import math
from collections import deque
from dataclasses import dataclass

__all__ = ["Pace"]

_FIRST_BURST = 10.0
"""Requests that go at once to a server of which nothing is known."""
_FIRST_RATE = 100.0
"""Requests per second after these: whoever limits them says so before many more are on their way."""
_TRIAL = 0.5
"""Seconds of that; refusals are quick, even where answers are not."""
_FASTER = 2.8
"""Exponent per second by which the rate rises after it: twice as many every quarter of a second."""
_ANSWERED = 1.015
"""By which it rises with each answer of a server that has refused nothing."""
_UNLIMITED = 5_000.0
"""Requests per second from which on nothing holds them up."""
_IDLE = 30.0
"""Seconds without a request after which a server that had refused nothing is new again."""
_BURST = 1.5
"""Of a server with a limit: as much as a timer that rings late may make up for."""
_SHARE = 0.97
"""Of what a server was seen to take."""
_SLOWER = (0.5, 0.9)
"""Between which a known limit is lowered by a further refusal."""
_RISE = 0.02
"""By which a known limit rises in a second, so that it is forgotten in minutes where it holds no more."""
_ENOUGH = 5
"""Requests that must have been taken to reckon a rate from; with fewer, the first one is a guess."""
_GUESSED_RISE = 1.25
"""By which a guess rises with each answer."""
_LATEST = 1.0
"""Seconds that count as lately."""
_MOST_LATEST = 1_000
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
        self._is_guess = False
        self._tokens = _FIRST_BURST
        self._at = self._since = self._began = now
        self._sent = 0
        self._latest: deque[float] = deque(maxlen=_MOST_LATEST)
        self._paused_until = -math.inf
        self._refused_at = -math.inf
        self._before = _Before(((0, now),), None)

    def take(self, now: float) -> float:
        """Take a place for a request that is sent now, or return how many seconds later to ask again."""
        if now < self._paused_until:
            return self._paused_until - now
        passed = max(now - self._at, 0.0)
        if not self.is_limited and passed > _IDLE:
            self.rate, self._tokens, self._began = _FIRST_RATE, _FIRST_BURST, now
        if self.rate < _UNLIMITED:
            if self.is_limited:
                self.rate *= math.exp(min(_RISE * passed, 100.0))
                self.is_limited = self.rate < _UNLIMITED
            elif now - self._began > _TRIAL:
                self.rate *= math.exp(_FASTER * min(passed, 1.0 / self.rate))
            self._tokens = min(self._tokens + passed * self.rate, _BURST if self.is_limited else _FIRST_BURST)
            if self._tokens < 1.0 - 1e-9:
                self._at = now
                return (1.0 - self._tokens) / self.rate
            self._tokens -= 1.0
        self._at = now
        self._sent += 1
        self._latest.append(now)
        return 0.0

    def accept(self) -> None:
        """Note that a request was not refused."""
        if not self.is_limited and self.rate < _UNLIMITED:
            self.rate *= _ANSWERED
        elif self._is_guess:
            self.rate = min(self.rate * _GUESSED_RISE, _FIRST_RATE)

    def refuse(self, sent: float, now: float, asked: float) -> None:
        """Note that a request was refused because there are too many.

        Args:
            sent: When it was sent.
            now: When the refusal came.
            asked: Seconds for which the server asks to be left alone; not more than five minutes count.
        """
        asked = min(max(asked, 1e-3), _LONGEST)
        if sent >= self._refused_at:
            known = self.rate if self.is_limited and not self._is_guess else None
            latest = [one for one in self._latest if one > now - _LATEST]
            self._before = _Before(((self._sent, self._since), (len(latest), min(latest, default=now))), known)
            self._sent, self._since = 0, now
            self._latest.clear()
            self._refused_at = math.nextafter(now, math.inf)
        self._before.refused += 1  # the rest of what was on its way then may be refused yet
        until = max(now + asked, self._paused_until)
        if now < self._paused_until or not self._sent:
            self._since = until
        self._paused_until = self._at = until
        self._tokens = 1.0
        self.is_limited = True
        self._is_guess = self._before.limit is None and self._before.taken < _ENOUGH
        self.rate = max(self._before.rate(until), min(1.0 / asked, _FIRST_RATE) if self._is_guess else _LEAST)


@dataclass(slots=True)
class _Before:
    """What there was before a refusal."""

    sent: tuple[tuple[int, float], ...]
    """Requests, and since when: after the refusal before, and lately, since there may have been few for long."""
    limit: float | None
    """Where one was known."""
    refused: int = 0

    @property
    def taken(self) -> int:
        """Requests that were not refused."""
        return self.sent[0][0] - self.refused

    def rate(self, until: float) -> float:
        """Return the rate to go on with, where the server takes more from a time on."""
        seen = _SHARE * max(max(sent - self.refused, 0) / max(until - since, 1e-3) for sent, since in self.sent)
        if self.limit is None:
            return seen
        least, most = _SLOWER
        return min(max(seen, least * self.limit), most * self.limit)
