"""Which specialists are fit to be given work: seen in their attempts, and shared by all runs of an agent."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from goalgraph.graph.steps.failures import named
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.specialists.results import OutputTooLarge
from goalgraph.specialists.routing.breaker import Breaker
from goalgraph.specialists.routing.pinging import Condition, ping_of, pinged
from goalgraph.specialists.routing.policy import HealthPolicy
from goalgraph.specialists.routing.request import Health
from goalgraph.specialists.specialist import Specialist, StepResult

__all__ = ["HealthMonitor", "StepGuard", "Unavailable", "conditions"]

_MAX_SHOWN = 300
_STATES: Mapping[str, Health] = {"closed": "closed", "half_open": "half_open", "open": "open"}


class Unavailable(Exception):
    """A specialist is left alone for a while, because it has failed too often."""


def _utc() -> datetime:
    return datetime.now(UTC)


class HealthMonitor:
    """The breakers of an agent's specialists. Runs in several threads may share it."""

    def __init__(self, policy: HealthPolicy, now: Callable[[], datetime] = _utc) -> None:
        """Begin with all of them fit."""
        self.policy = policy
        self._now = now
        self._breakers: dict[str, Breaker] = {}
        self._lock = Lock()

    def seen(self, name: str) -> Health:
        """Return the state of a specialist; ``open`` too where it is being tried by another step."""
        with self._lock:
            return self._of(name).seen(self._now().timestamp())

    def refusal(self, name: str) -> Unavailable | None:
        """Say why a specialist may not be given work now; None where it may."""
        with self._lock:
            breaker, now = self._of(name), self._now().timestamp()
            if breaker.seen(now) != "open":
                return None
            left = breaker.left(now)
        when = f"for another {left:.3g} s" if left > 0 else "until the trial that goes on is over"
        return Unavailable(f"{name!r} has failed too often, and is left alone {when}")

    def guard(self, *, lets_all: bool = False) -> "StepGuard":
        """Return what watches the attempts of one step; with ``lets_all``, it only takes in how they end."""
        return StepGuard(self, lets_all)

    def restore(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what is recorded; what is known here and happened later stands."""
        found = (one for outcome in outcomes for one in outcome.decisions if one.kind == "health")
        recorded = sorted(found, key=lambda one: one.at)
        with self._lock:
            for one in recorded:
                if (state := _STATES.get(one.chosen)) is not None:
                    self._of(one.subject).restore(state, datetime.fromisoformat(one.at).timestamp())

    def change(self, name: str, act: Callable[[Breaker, float], Health | None], why: str) -> Decision | None:
        """Have something happen to a breaker; return the record where that changes its state."""
        with self._lock:
            breaker = self._of(name)
            state = act(breaker, self._now().timestamp())
            if state is None:
                return None
            at = datetime.fromtimestamp(breaker.changed_at, UTC)
        return Decision(
            kind="health",
            subject=name,
            chosen=state,
            rationale=why,
            by="health",
            at=at.isoformat(timespec="microseconds"),
        )

    def _of(self, name: str) -> Breaker:
        if (found := self._breakers.get(name)) is None:
            found = self._breakers[name] = Breaker(self.policy)
        return found


@dataclass(slots=True)
class StepGuard:
    """Watches the attempts of one step, whoever makes them."""

    monitor: HealthMonitor
    lets_all: bool = False
    decisions: list[Decision] = field(default_factory=list[Decision])
    """The changes that the step has caused, in order."""
    _trying: set[str] = field(default_factory=set[str])
    """Whose trial the step is."""

    def refusal(self, specialist: Specialist) -> Unavailable | None:
        """Say why an attempt would not be let begin now; None where it would."""
        return None if self.lets_all else self.monitor.refusal(specialist.card.name)

    async def admit(self, specialist: Specialist) -> Unavailable | None:
        """Let an attempt begin, or say why not; a trial of one that can be pinged begins with that."""
        name = specialist.card.name
        is_admitted = self.lets_all

        def admit(breaker: Breaker, now: float) -> Health | None:
            nonlocal is_admitted
            if breaker.seen(now) == "open" and self.lets_all:
                return None
            is_admitted, state = breaker.admit(now)
            if is_admitted and breaker.state == "half_open":
                self._trying.add(name)
            return state

        self._record(self.monitor.change(name, admit, "it is tried again"))
        if not is_admitted:
            return self.monitor.refusal(name) or Unavailable(f"{name!r} is being tried by another step")
        if name not in self._trying or (ping := ping_of(specialist)) is None:
            return None
        found = await pinged(ping, self.monitor.policy.ping_timeout)
        if found == "healthy":
            return None
        self._failed(name, f"its ping found it {found}")
        return self.monitor.refusal(name)

    def succeeded(self, specialist: Specialist, result: StepResult) -> None:
        """Take in that an attempt gave a valid output."""
        name = specialist.card.name
        if self.is_weak(result):
            least = self.monitor.policy.min_confidence
            self._failed(name, f"a result had confidence {result.confidence:g}, below {least:g}")
            return
        self._trying.discard(name)
        self._record(self.monitor.change(name, Breaker.success, "the trial succeeded"))

    def is_weak(self, result: StepResult) -> bool:
        """Whether a result is less sure than it must be to count, so that somebody else should try."""
        least = self.monitor.policy.min_confidence
        return least is not None and result.confidence is not None and result.confidence < least

    def failed(self, specialist: Specialist, error: BaseException) -> None:
        """Take in how an attempt failed; not each failure is the specialist's fault."""
        if isinstance(error, (asyncio.CancelledError, OutputTooLarge)):
            self.end()
        else:
            self._failed(specialist.card.name, named(error))

    def end(self) -> None:
        """End the trials of which nothing came."""
        while self._trying:
            self.monitor.change(self._trying.pop(), _leave, "")

    def _failed(self, name: str, how: str) -> None:
        self._trying.discard(name)
        how = how if len(how) <= _MAX_SHOWN else f"{how[: _MAX_SHOWN - 3]}..."
        self._record(self.monitor.change(name, Breaker.failure, f"it has failed too often: {how}"))

    def _record(self, decision: Decision | None) -> None:
        if decision is not None:
            self.decisions.append(decision)


async def conditions(specialists: Iterable[Specialist], timeout: float) -> dict[str, Condition]:
    """Ping all specialists that have a ``ping``, at the same time.

    Args:
        specialists: Whom.
        timeout: Seconds for each.

    Returns:
        What each was found to be, by name.
    """
    pings = {one.card.name: ping for one in specialists if (ping := ping_of(one)) is not None}
    found = await asyncio.gather(*(pinged(ping, timeout) for ping in pings.values()))
    return dict(zip(pings, found, strict=True))


def _leave(breaker: Breaker, _now: float) -> None:
    breaker.leave()
