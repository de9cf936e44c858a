"""Messages between the steps of a run: topics that are read from their beginning, and mailboxes that are emptied."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, field, replace
from threading import Lock

from pydantic import JsonValue

__all__ = ["Bus", "Message"]

_MOST = 10_000
"""Messages of a topic, and in a mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that one step has told others."""

    sender: str
    """Id of the step; of what a step has delegated, that one's id with who does it: ``"report/critic#1"``."""
    topic: str | None = None
    """None where it was sent to the step or its specialist."""
    body: JsonValue = None
    """What was told: plain JSON, at most 100,000 characters of it."""
    at: str
    """ISO 8601, UTC."""


@dataclass(slots=True, eq=False)
class _Waiting:
    places: frozenset[tuple[str, str]]
    bell: Future[None]


@dataclass(slots=True)
class Bus:
    """Lives in the process, and may be used from any thread; nothing waits in here."""

    _lock: Lock = field(default_factory=Lock)
    _topics: dict[str, list[Message]] = field(default_factory=dict[str, list[Message]])
    _boxes: dict[str, deque[tuple[int, Message]]] = field(default_factory=dict[str, deque[tuple[int, Message]]])
    _waiting: list[_Waiting] = field(default_factory=list[_Waiting])
    _sent: int = 0

    def publish(self, message: Message) -> None:
        """Add a message to its topic.

        Raises:
            ValueError: The topic is full.
        """
        topic = str(message.topic)
        with self._lock:
            found = self._topics.setdefault(topic, [])
            if len(found) >= _MOST:
                raise ValueError(f"the topic {topic!r} has {_MOST} messages, and takes no more")
            found.append(message)
            bells = self._woken(("topic", topic))
        _ring(bells)

    def send(self, address: str, message: Message) -> None:
        """Put a message into a mailbox.

        Raises:
            ValueError: The mailbox is full.
        """
        with self._lock:
            box = self._boxes.setdefault(address, deque())
            if len(box) >= _MOST:
                raise ValueError(f"the mailbox of {address!r} has {_MOST} messages, and takes no more")
            self._sent += 1
            box.append((self._sent, message))
            bells = self._woken(("box", address))
        _ring(bells)

    def take(self, addresses: Sequence[str]) -> Message | Future[None]:
        """Take the oldest message out of several mailboxes; where they are empty, return what is done once one comes.

        Whoever waits for that has to look again, since another one may have been quicker; or to `forget` it.
        """
        with self._lock:
            filled = [box for one in addresses if (box := self._boxes.get(one))]
            if filled:
                return min(filled, key=lambda box: box[0][0]).popleft()[1]
            return self._wait(frozenset(("box", one) for one in addresses))

    def heard(self, topic: str, place: int) -> Message | Future[None]:
        """Return a message of a topic by its place, from 0; where it has not come, as `take` does."""
        with self._lock:
            found = self._topics.get(topic, ())
            if place < len(found):
                return replace(found[place], body=deepcopy(found[place].body))
            return self._wait(frozenset((("topic", topic),)))

    def forget(self, bell: Future[None]) -> None:
        """Note that nobody waits for it any more."""
        with self._lock:
            self._waiting = [one for one in self._waiting if one.bell is not bell]

    def _wait(self, places: frozenset[tuple[str, str]]) -> Future[None]:
        bell: Future[None] = Future()
        bell.set_running_or_notify_cancel()  # so that a loop that is done with it cannot cancel it
        self._waiting.append(_Waiting(places, bell))
        return bell

    def _woken(self, place: tuple[str, str]) -> list[Future[None]]:
        woken = [one.bell for one in self._waiting if place in one.places]
        if woken:
            self._waiting = [one for one in self._waiting if place not in one.places]
        return woken


def _ring(bells: Sequence[Future[None]]) -> None:
    """Outside of the lock: what waits may do anything."""
    for bell in bells:
        bell.set_result(None)
