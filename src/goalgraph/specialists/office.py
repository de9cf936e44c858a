"""What an attempt at a step has of the run around it: its desk in an office that all steps share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol, TypeVar, cast

from goalgraph.errors import AttemptOver, DelegationRefused, NothingReceived
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.signalled import Signal
from goalgraph.specialists.bus import Bus, Message
from goalgraph.specialists.locks import Locks, Ticket
from goalgraph.specialists.shared import SharedStore
from goalgraph.specialists.told import as_told, checked_name

__all__ = ["Delegating", "Desk", "Office"]

T = TypeVar("T")

_LOOK = 0.1
"""Seconds after which whoever listens looks whether there is anybody left to be heard."""
_MOST_NOTES = 100
_MAX_LINE = 2_000


class Delegating(Protocol):
    """Has another specialist do a piece of work inside of a step."""

    async def __call__(
        self, desk: "Desk", to: str, instruction: str | None, input: Mapping[str, object] | None, timeout: float | None
    ) -> Outcome:
        """Return what came of it."""
        ...


async def _alone(
    desk: "Desk", to: str, instruction: str | None, input: Mapping[str, object] | None, timeout: float | None
) -> Outcome:
    """Refuse, where no run is around."""
    raise DelegationRefused("it was not called by a run", step=desk.step, to=to, reason="no_run")


class Office:
    """What all attempts share; this one is for code that is called outside of any run, such as in tests."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin with nothing said.

        Args:
            loop: Where the run is at home; None: there is none, and each wait has a loop of its own.
        """
        self.loop = loop
        self.bus = Bus()
        self.store = SharedStore()
        self.locks = Locks()

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def check_address(self, address: str) -> None:
        """Refuse an address that nobody can have."""

    def check_audience(self, to: str) -> None:
        """Refuse an audience that is neither a word for one nor the name of a specialist."""

    def observed(self, desk: "Desk") -> tuple[Signal, ...]:
        """Return what others have signalled to a desk."""
        return ()

    def listens(self, desk: "Desk", is_waiting: bool) -> None:
        """Note that a desk waits for messages of a topic, or does so no longer."""

    def is_quiet(self) -> bool:
        """Whether nobody is at work but those who listen."""
        return True


@dataclass(slots=True, kw_only=True)
class Desk:
    """What belongs to one attempt, from its first use to the attempt's end."""

    office: Callable[[], Office]
    step: str = ""
    """Id of the step; of what it has delegated, with who does it: ``"report/critic#1"``."""
    root: str = ""
    """Id of the step itself."""
    specialist: str = ""
    attempt: int = 1
    digest: str = ""
    """Of the arguments."""
    chain: tuple[str, ...] = ()
    """Names of the specialists that are at work around it, itself last."""
    delegating: Delegating = _alone
    is_open: bool = True
    signalled: dict[str, str] = field(default_factory=dict[str, str])
    """To whom, by name of the signal, in order."""
    notes: list[Decision] = field(default_factory=list[Decision])
    delegated: dict[str, int] = field(default_factory=dict[str, int])
    """How often, by name."""
    _tickets: set[Ticket] = field(default_factory=set[Ticket])
    _waits: set[Future[object]] = field(default_factory=set[Future[object]])
    """Of threads."""

    def check(self) -> None:
        """Refuse to go on.

        Raises:
            AttemptOver: The attempt is over.
        """
        if not self.is_open:
            raise AttemptOver(self.step)

    def close(self) -> None:
        """End what the attempt holds, and what waits in threads that it has left behind."""
        self.is_open = False
        if self._tickets:
            locks = self.office().locks
            for ticket in tuple(self._tickets):
                locks.release(ticket, AttemptOver(self.step))
        for wait in tuple(self._waits):
            wait.cancel()

    def message(self, body: object, topic: str | None = None) -> Message:
        """Make a message; raises as `as_told` and `check` do."""
        clean = as_told(body, "the message")
        self.check()
        return Message(sender=self.step, topic=topic, body=clean, at=self.office().now().isoformat())

    async def receive(self, timeout: float | None) -> Message:
        """Take a message out of the mailboxes of the step and of its specialist."""
        bus, end = self.office().bus, _end(timeout)
        boxes = tuple(dict.fromkeys((self.step, self.specialist)))
        while True:
            self.check()
            found = bus.take(boxes)
            if isinstance(found, Message):
                return found
            try:
                await _rung(found, _left(end))
            finally:
                bus.forget(found)
            if timeout is not None and not found.done():
                raise NothingReceived(self.step, self.specialist, timeout)

    async def heard(self, topic: str, place: int, timeout: float | None) -> Message | None:
        """Return the message of a topic at a place; None where none comes any more, or not in time."""
        office, end = self.office(), _end(timeout)
        office.listens(self, True)
        try:
            while True:
                self.check()
                found = office.bus.heard(topic, place)
                if isinstance(found, Message):
                    return found
                try:
                    left = _left(end)
                    if office.is_quiet() or left == 0.0:
                        return None
                    await _rung(found, _LOOK if left is None else min(left, _LOOK))
                finally:
                    office.bus.forget(found)
        finally:
            office.listens(self, False)

    def request(self, name: str) -> Ticket:
        """Ask for a lock."""
        self.check()
        ticket = self.office().locks.request(checked_name(name, "a lock's name"))
        self._tickets.add(ticket)
        if not self.is_open:
            self.release(ticket)
            self.check()
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Give a lock back, or wait for it no longer."""
        self._tickets.discard(ticket)
        self.office().locks.release(ticket)

    def note(self, chosen: str, about: str, alternatives: Sequence[str], rationale: str) -> None:
        """Put a decision on record.

        Raises:
            ValueError: There are 100 in this attempt, or ``chosen`` is empty.
            AttemptOver: The attempt is over.
        """
        self.check()
        if not chosen.strip():
            raise ValueError("record_decision: chosen is empty; say what was decided")
        if len(self.notes) >= _MOST_NOTES:
            raise ValueError(f"record_decision: {_MOST_NOTES} decisions of one attempt are the most")
        self.notes.append(
            Decision(
                kind="note",
                subject=self.root,
                chosen=_line(chosen),
                alternatives=tuple(_line(one) for one in alternatives[:_MOST_NOTES]),
                rationale=_line(rationale),
                answer=_line(about) if about else None,
                by=self.specialist,
                digest=self.digest,
                at=self.office().now().isoformat(),
            )
        )

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait, in a thread, for what is done in the run's event loop.

        Raises:
            AttemptOver: The attempt is over, or ends meanwhile.
        """
        try:
            self.check()
            loop = self.office().loop
        except BaseException:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise
        ended = _ended(awaitable)
        if loop is None:
            result, error = asyncio.run(ended)
        else:
            future = asyncio.run_coroutine_threadsafe(ended, loop)
            self._waits.add(cast("Future[object]", future))
            if not self.is_open:
                future.cancel()
            try:
                result, error = future.result()
            except CancelledError:
                raise AttemptOver(self.step) from None
            finally:
                self._waits.discard(cast("Future[object]", future))
        if error is not None:
            raise error
        return cast("T", result)


async def _ended(awaitable: Awaitable[T]) -> tuple[T | None, BaseException | None]:
    """Await, and return what is raised: an exit, or an iterator's end, would not come through a task as what it is."""
    try:
        return await awaitable, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return None, error


async def _rung(bell: Future[None], seconds: float | None) -> None:
    """Wait for a bell that any thread may ring."""
    await asyncio.wait([asyncio.wrap_future(bell)], timeout=seconds)


def _end(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if not 0 <= timeout < float("inf"):
        raise ValueError(f"timeout must be seconds from 0, or None, found {timeout!r}")
    return monotonic() + timeout


def _left(end: float | None) -> float | None:
    return None if end is None else max(end - monotonic(), 0.0)


def _line(text: str) -> str:
    found = str(as_told(" ".join(str(text).split())[: _MAX_LINE * 2], "a decision"))
    return found if len(found) <= _MAX_LINE else found[: _MAX_LINE - 3] + "..."
