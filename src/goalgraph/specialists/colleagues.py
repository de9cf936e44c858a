"""What a step's context has for talking to the other steps of the run: messages, shared state, locks, delegation."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.signalled import Signal
from goalgraph.specialists.bus import Message
from goalgraph.specialists.locks import Ticket
from goalgraph.specialists.office import Desk, Office
from goalgraph.specialists.shared import SharedState
from goalgraph.specialists.told import checked_name

__all__ = ["Colleagues", "StepLock", "Subscription"]

T = TypeVar("T")


def _own(_context: "Colleagues") -> Desk:
    """Give a desk in an office of its own, outside of any run."""
    office = Office()
    return Desk(office=lambda: office)


_CLOSED = Desk(office=Office, is_open=False)
"""Of attempts that are over and have used none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleagues:
    """How a step reaches the others while it is done.

    Nothing is set up before the first use. Outside of a run everything works, and nobody else is there.
    """

    opening: Callable[["Colleagues"], Desk] = field(default=_own, repr=False, compare=False)
    """Gives the attempt its desk in the run."""
    _desk: Desk | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def desk(self) -> Desk:
        """The attempt's desk, which is opened for it."""
        if self._desk is None:
            object.__setattr__(self, "_desk", self.opening(self))
        found = self._desk
        if found is None:
            raise AssertionError("a desk that was just opened")
        return found

    def close(self) -> None:
        """End the attempt, which the engine does: locks are given back, and what was left behind is refused."""
        if self._desk is None:
            object.__setattr__(self, "_desk", _CLOSED)
        else:
            self._desk.close()

    def publish(self, topic: str, message: object) -> None:
        """Tell a ``message`` to all who subscribe to a ``topic``, now or later in this process.

        Messages are not recorded: a run that is resumed has none of those from before.

        Raises:
            TypeError: It has no JSON form.
            ValueError: It has more than 100,000 characters, the topic's name is none, or it has 10,000 messages.
            AttemptOver: The attempt is over.
        """
        desk = self.desk
        desk.office().bus.publish(desk.message(message, checked_name(topic, "a topic")))

    def subscribe(self, topic: str, timeout: float | None = 60.0) -> "Subscription":
        """Hear the messages of a topic, from the first of this process's run on.

        It ends once all other steps that are at work listen too, or wait for a human, so that nobody is left to be
        heard; or when nothing comes for a time. A step that waits for a place, or for a time, counts as at work.

        Args:
            topic: Its name.
            timeout: Seconds without a message; None: as long as anybody is at work.
        """
        return Subscription(self.desk, checked_name(topic, "a topic"), timeout)

    def send(self, step_or_specialist: str, message: object) -> None:
        """Put a message into the mailbox of a step, or of a specialist, whose steps share it.

        It is there for whoever receives first, once, also where that one begins later in the same process; one that
        has taken it and is done again does not get it anew. A run that is resumed has none of those from before. A
        name that is both a step's and a specialist's is one mailbox.

        Args:
            step_or_specialist: Id of a step, or name of a specialist.
            message: Anything with a JSON form, at most 100,000 characters of it.

        Raises:
            UnknownSpecialist: No step and no specialist has that name.
            TypeError: The message has no JSON form.
            ValueError: It has more than 100,000 characters, or the mailbox has 10,000 messages.
            AttemptOver: The attempt is over.
        """
        desk = self.desk
        office = desk.office()
        office.check_address(step_or_specialist)
        office.bus.send(step_or_specialist, desk.message(message))

    async def receive(self, timeout: float | None = 60.0) -> Message:
        """Take the oldest message out of the mailboxes of this step and of its specialist; wait where there is none.

        To wait is no sign of life, and ends with the attempt.

        Args:
            timeout: Seconds; None: for ever.

        Raises:
            NothingReceived: None came in time; a `TimeoutError`.
            AttemptOver: The attempt is over.
        """
        return await self.desk.receive(timeout)

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait for an ``awaitable`` of this context in a sync specialist's thread: ``context.wait(context.receive())``.

        Raises:
            RuntimeError: This is the event loop, which would stand still.
            AttemptOver: The attempt is over, or ends meanwhile.
        """
        if _is_in_loop():
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError("context.wait is for the threads of sync specialists; here, use await")
        return self.desk.wait(awaitable)

    @property
    def shared(self) -> SharedState:
        """The state that all steps of the run share."""
        desk = self.desk
        return SharedState(desk.office().store, desk.root, desk.check)

    def lock(self, name: str) -> "StepLock":
        """Return the lock ``name``, held by one step of the run at a time; for ``async with``, and ``with`` in threads.

        First come, first served; it cannot be taken twice, nor by whom the holder delegates to. It is given back when
        the attempt ends, in whatever way. It is one of this process: nobody else's run knows of it.

        Raises:
            ValueError: The name is none.
        """
        return StepLock(self.desk, checked_name(name, "a lock's name"))

    async def delegate(
        self,
        to: str,
        instruction: str | None = None,
        input: Mapping[str, object] | None = None,
        timeout: float | None = None,
    ) -> Outcome:
        """Have another specialist do a piece of work now, inside of this step.

        It has attempts, retries and timeouts as steps have them, within those of this step; the step keeps its place
        meanwhile, and the work takes none. Work that is delegated to the same specialist at the same time is limited by
        its ``max_concurrency``, its own steps not counted; work that was itself delegated does not wait for that. What
        it costs is the step's. It is no step: it is not recorded, and is done again where the step is, with the same
        idempotency key where the step delegates the same in the same order. That it was delegated is on record.

        Whoever a human is to be asked about, by whatever policy or guardrail, cannot be delegated to: hand over in
        the plan, where the approval has its place. Neither can one whose steps in the plan stand behind an approval,
        nor, where plans are reviewed, one that the plan does not name. From inside of a sub-plan, that sub-plan has to
        name it too.

        Args:
            to: Name of a specialist, or of a role of the plan.
            instruction: What to do; this step's own where absent.
            input: Arguments; this step's own where absent.
            timeout: Seconds for one attempt; as the policy has it for steps where absent.

        Returns:
            What came of it, ``succeeded`` or ``failed``, with an id of its own such as ``"report/critic#1"``.

        Raises:
            UnknownSpecialist: There is nobody of that name.
            DelegationRefused: It may not be; see its ``reason``.
            AttemptOver: The attempt is over.
        """
        desk = self.desk
        desk.office()
        desk.check()
        return await desk.delegating(desk, to, instruction, input, timeout)

    def record_decision(
        self, chosen: str, *, about: str = "", alternatives: Sequence[str] = (), rationale: str = ""
    ) -> None:
        """Put something that was decided in the work on record: it is in the outcome, also where that is a failure.

        What an attempt has put on record that is made again is dropped with it.

        Args:
            chosen: What was decided, in a line.
            about: The question; it is the record's ``answer``.
            alternatives: What else could have been chosen.
            rationale: Why.

        Raises:
            ValueError: It is empty, or the attempt has 100 decisions on record.
            AttemptOver: The attempt is over.
        """
        self.desk.note(chosen, about, alternatives, rationale)

    def observed(self) -> tuple[Signal, ...]:
        """Return what the other steps of the run have signalled to this one, those that are being done included.

        To all; to ``dependants``, where this step waits for the one that signals, or for what waits for it; or to the
        specialist that does this step. What a failed attempt has signalled is taken back when it ends, and is there
        again where the step has failed with it. A resumed run has the signals of all recorded steps.
        """
        desk = self.desk
        return desk.office().observed(desk)


class Subscription:
    """The messages of a topic, in order: for ``async for``, and in threads for ``for``."""

    def __init__(self, desk: Desk, topic: str, timeout: float | None) -> None:
        self._desk, self._topic, self._timeout = desk, topic, timeout
        self._place = 0

    def __aiter__(self) -> Self:
        """Return itself: whoever subscribes anew hears all from the beginning."""
        return self

    async def __anext__(self) -> Message:
        """Wait for the next message."""
        found = await self._desk.heard(self._topic, self._place, self._timeout)
        if found is None:
            raise StopAsyncIteration
        self._place += 1
        return found

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Message:
        """Wait for the next message, in a thread."""
        if _is_in_loop():
            raise RuntimeError(
                "'for' over a subscription is for the threads of sync specialists; here, use 'async for'"
            )
        try:
            return self._desk.wait(anext(self))
        except StopAsyncIteration:
            raise StopIteration from None


class StepLock:
    """A lock; see `StepContext.lock`."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk, self._name = desk, name
        self._ticket: Ticket | None = None

    async def __aenter__(self) -> None:
        """Wait until it is held."""
        ticket = self._desk.request(self._name)
        try:
            await asyncio.wrap_future(ticket.granted)
        except BaseException:
            self._desk.release(ticket)
            raise
        self._ticket = ticket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._give_back()

    def __enter__(self) -> None:
        """Wait until it is held, in a thread."""
        if _is_in_loop():
            raise RuntimeError("'with' for a lock is for the threads of sync specialists; here, use 'async with'")
        ticket = self._desk.request(self._name)
        try:
            ticket.granted.result()
        except BaseException:
            self._desk.release(ticket)
            raise
        self._ticket = ticket

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._give_back()

    def _give_back(self) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._desk.release(ticket)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
