"""One call at a time for each thread: two that go on with the same run would do its steps twice."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Lock
from time import monotonic

from goalgraph.errors import RunBusy

__all__ = ["driving"]

_PATIENCE = 2.0
"""Seconds; a stream that somebody has left in the middle takes a moment to end."""

_lock = Lock()
_driven: set[tuple[int, str]] = set()


@asynccontextmanager
async def driving(store: object, thread: str) -> AsyncGenerator[None]:
    """Keep a thread to oneself, among all calls in this process that use the same checkpointer.

    Args:
        store: The checkpointer as the caller made it.
        thread: Id of the thread.

    Raises:
        RunBusy: Another call is at it.
    """
    key = (id(store), thread)
    until = monotonic() + _PATIENCE
    while not _begun(key):
        if monotonic() >= until:
            raise RunBusy(
                f"another call is at the run of thread {thread!r}", hint="wait for its end, or close its stream"
            )
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        with _lock:
            _driven.discard(key)


def _begun(key: tuple[int, str]) -> bool:
    with _lock:
        if key in _driven:
            return False
        _driven.add(key)
        return True
