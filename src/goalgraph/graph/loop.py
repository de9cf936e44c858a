"""A background event loop, so that sync calls run the same engine as async ones, also from inside a running loop."""

import asyncio
import contextvars
import os
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from typing import TypeVar

__all__ = ["finish", "from_any_thread", "iterate"]

T = TypeVar("T")


class _End:
    """The stream is over; with the error that ended it, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Loop:
    """One event loop in one daemon thread.

    The first one is kept for the life of the process, because async HTTP clients hold on to the loop they first ran in.
    """

    def __init__(self) -> None:
        self.blocked = False
        """Whether code that runs in it waits for a sync call, and so nothing else in it goes on."""
        self._loop = asyncio.new_event_loop()
        self._over = False
        threading.Thread(target=self._run, name="goalgraph", daemon=True).start()

    def start(self, work: Callable[[], object]) -> None:
        """Call something in the loop, in the caller's context."""
        self._loop.call_soon_threadsafe(work, context=contextvars.copy_context())

    def close(self) -> None:
        """End the loop and its thread; what ran in it is over."""
        self._over = True
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        _thread.loop = self
        while not self._over:
            # A task that ends with one of them, such as a specialist has begun by itself, ends the loop; whoever waits
            # for that task is told all the same. Other runs go on.
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class _Thread(threading.local):
    loop: _Loop | None = None
    """The one that runs in this thread."""


_thread = _Thread()
_shared: _Loop | None = None
_lock = threading.Lock()


def _forget() -> None:
    global _shared, _lock
    _shared, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def iterate(stream: Callable[[], AsyncIterator[T]]) -> Generator[T]:
    """Yield in this thread what an async stream yields in the background loop.

    Closing the iterator, or an exception such as Ctrl-C in this thread, cancels the stream and waits until it has
    ended.
    """
    global _shared
    with _lock:
        if _shared is None:
            _shared = _Loop()
        # One that is blocked by a call from inside of it can do nothing for the call.
        loop = _Loop() if _thread.loop is not None or _shared.blocked else _shared
        own = loop is not _shared
    here = _thread.loop
    was_blocked = here is not None and here.blocked
    if here is not None:
        here.blocked = True
    try:
        yield from _iterated(stream, loop)
    finally:
        if here is not None:
            here.blocked = was_blocked
        if own:
            loop.close()


def finish(work: Callable[[], Awaitable[T]]) -> T:
    """Do async work in the background loop, and wait for it in this thread."""

    async def once() -> AsyncIterator[T]:
        yield await work()

    (result,) = iterate(once)
    return result


def _iterated(stream: Callable[[], AsyncIterator[T]], loop: _Loop) -> Iterator[T]:
    parts: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    tasks: list[asyncio.Task[BaseException | None]] = []

    async def pump() -> BaseException | None:
        try:
            async for part in stream():
                parts.put(part)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return error  # raised over there: here an exit would end the loop
        return None

    def end(task: asyncio.Task[BaseException | None]) -> None:
        parts.put(_End(asyncio.CancelledError() if task.cancelled() else task.result()))

    def begin() -> None:
        tasks.append(asyncio.get_running_loop().create_task(pump()))
        tasks[0].add_done_callback(end)  # called even where the task is cancelled before it begins

    loop.start(begin)
    ended = False
    try:
        while True:
            part = parts.get()
            if isinstance(part, _End):
                ended = True
                if part.error is not None:
                    raise part.error
                return
            yield part
    finally:
        if not ended:
            loop.start(lambda: tasks[0].cancel())
            while not isinstance(parts.get(), _End):
                pass


def from_any_thread(call: Callable[[str], None]) -> Callable[[str], None]:
    """Let code in other threads call something that belongs to this one's event loop."""
    loop, home = asyncio.get_running_loop(), threading.get_ident()

    def called(reason: str) -> None:
        if threading.get_ident() == home:
            call(reason)
        else:
            loop.call_soon_threadsafe(call, reason)

    return called
