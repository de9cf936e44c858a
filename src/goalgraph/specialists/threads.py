"""Blocking functions in threads of their own."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")

_LEFT = "its thread is left behind, since a thread cannot be stopped"


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Run a blocking function in a daemon thread of its own; what it raises is raised here.

    Unlike a pool's thread, one that hangs past its step's timeout neither takes a place from others nor holds up the
    end of the process. Where this is cancelled before, a note on the cancellation says that the thread is left behind.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    context = contextvars.copy_context()
    # Not through the future, which refuses some exceptions, and hands others to the loop.
    results: list[T] = []
    failures: list[BaseException] = []

    def settle() -> None:
        if not ended.done():
            ended.set_result(None)

    def work() -> None:
        try:
            results.append(context.run(function, *arguments))
        except BaseException as error:
            failures.append(error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=work, name=f"specialist {getattr(function, '__name__', '')}", daemon=True).start()
    try:
        await ended
    except asyncio.CancelledError as cancelled:
        if not (results or failures):
            cancelled.add_note(_LEFT)
        raise
    if failures:
        try:
            raise failures[0]
        finally:
            failures.clear()  # it holds this frame, which would hold it
    return results[0]
