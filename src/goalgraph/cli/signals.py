"""Async work, and questions on a terminal, that Ctrl-C and SIGTERM stop in good order."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from langgraph.errors import GraphDrained

from goalgraph.cli.endings import Stopped

__all__ = ["run_stoppable", "stoppable"]

T = TypeVar("T")

_GRACE_SECONDS = 2.0


def run_stoppable(work: Coroutine[Any, Any, T], *, drain: Callable[[], None] | None = None) -> T:
    """Run async work in an event loop of its own, until a signal stops it.

    SIGTERM first lets what is under way come to its end, where the work can do that. Otherwise, and the next time, a
    signal cancels the work; one more ends the process. Threads that still run are left alone, unlike in `asyncio.run`,
    which waits for them.

    Args:
        work: To be done.
        drain: Tells the work to begin nothing new; it then ends with its result or `GraphDrained`.

    Raises:
        Stopped: A signal came, and the work has ended.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    received: list[int] = []
    draining = False

    def stop(number: int, _frame: object) -> None:
        nonlocal draining
        if received and not draining:
            _leave(128 + number)
        received.append(number)
        draining = number == signal.SIGTERM and drain is not None and not draining
        if draining and drain is not None:
            drain()
        loop.call_soon_threadsafe(_say_draining if draining else task.cancel)

    try:
        with _handled(stop):
            try:
                return loop.run_until_complete(task)
            except (asyncio.CancelledError, GraphDrained):
                if received:
                    raise Stopped(received[0]) from None
                raise
            finally:
                loop.run_until_complete(_tidy())
    finally:
        loop.close()


@contextmanager
def stoppable() -> Generator[None]:
    """Let Ctrl-C and SIGTERM end what waits for somebody at the terminal.

    Raises:
        Stopped: A signal came.
    """

    def stop(number: int, _frame: object) -> None:
        raise Stopped(number)

    with _handled(stop):
        yield


@contextmanager
def _handled(handler: Callable[[int, object], None]) -> Generator[None]:
    """Handle the signals that stop, with plain handlers, not the loop's own: they also run while it is blocked."""
    here = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM) if here}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _say_draining() -> None:
    sys.stderr.write("stopping once the steps at work are done; another signal stops at once\n")
    sys.stderr.flush()


async def _tidy() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=_GRACE_SECONDS)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _leave(code: int) -> None:
    with suppress(OSError, ValueError):
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None and stream.isatty():
                os.write(stream.fileno(), b"\x1b[?25h\r\n")  # the live view has hidden the cursor
    os._exit(code)
