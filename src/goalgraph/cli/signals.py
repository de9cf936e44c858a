"""Async work that Ctrl-C and SIGTERM stop in good order, and at once the second time."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from goalgraph.cli.endings import Stopped

__all__ = ["run_stoppable"]

T = TypeVar("T")

_GRACE_SECONDS = 2.0


def run_stoppable(work: Coroutine[Any, Any, T]) -> T:
    """Run async work in an event loop of its own; the first signal cancels it, a second one ends the process.

    Threads that still run are left alone, unlike in `asyncio.run`, which waits for them.

    Raises:
        Stopped: A signal came, and the work has ended.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if received:
            _leave(128 + number)
        received.append(number)
        loop.call_soon_threadsafe(task.cancel)

    # Plain handlers, not the loop's own: they also run while a specialist blocks the loop.
    here = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM) if here}
    try:
        result = loop.run_until_complete(task)
    except asyncio.CancelledError:
        if received:
            raise Stopped(received[0]) from None
        raise
    finally:
        loop.run_until_complete(_tidy())
        loop.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return result


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
