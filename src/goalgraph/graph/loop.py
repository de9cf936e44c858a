"""A background event loop, so that sync calls run the same engine as async ones, also from inside a running loop."""

import asyncio
import contextvars
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

__all__ = ["iterate"]

T = TypeVar("T")


class _End:
    """The stream is over; with the error that ended it, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Loop:
    """One event loop in one daemon thread, kept for the life of the process.

    It is kept because async HTTP clients hold on to the loop they first ran in.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._loop.run_forever, name="goalgraph", daemon=True)
        self.thread.start()

    def start(self, work: Callable[[], "asyncio.Future[None] | asyncio.Task[None]"]) -> None:
        self._loop.call_soon_threadsafe(work, context=contextvars.copy_context())

    def call(self, work: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(work)


_shared: _Loop | None = None
_lock = threading.Lock()


def _forget() -> None:
    global _shared, _lock
    _shared, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _loop() -> _Loop:
    """The shared loop; a further one for code that itself runs in the shared one, which it would block."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = _Loop()
        if _shared.thread is threading.current_thread():
            return _Loop()
        return _shared


def iterate(stream: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """Yield in this thread what an async stream yields in the background loop.

    Closing the iterator, or an exception such as Ctrl-C in this thread, cancels the stream and waits until it has
    ended.
    """
    parts: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    loop = _loop()
    tasks: list[asyncio.Task[None]] = []

    async def pump() -> None:
        try:
            async for part in stream():
                parts.put(part)
        except BaseException as error:
            parts.put(_End(error))
            if not isinstance(error, Exception):
                raise
        else:
            parts.put(_End(None))

    def begin() -> asyncio.Task[None]:
        tasks.append(asyncio.get_running_loop().create_task(pump()))
        return tasks[0]

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
            loop.call(lambda: tasks[0].cancel())
            while not isinstance(parts.get(), _End):
                pass
