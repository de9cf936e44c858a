"""Asking specialists whether they are there: those that have a ``ping``."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Literal, cast

from goalgraph.specialists.specialist import Specialist
from goalgraph.specialists.threads import in_thread

__all__ = ["Condition", "ping_of", "pinged"]

Condition = Literal["healthy", "unresponsive", "unhealthy"]
"""``unresponsive``: no answer in time. ``unhealthy``: it raised, or said False."""
Ping = Callable[[], object]


def ping_of(one: Specialist) -> Ping | None:
    """Return the method ``ping`` of a specialist, or of the one that it is a new card or an assessor for."""
    inner: object = one
    while inner is not None:
        found = cast("object", getattr(inner, "ping", None))
        if callable(found):
            return found
        inner = getattr(inner, "one", None)
    return None


async def pinged(ping: Ping, timeout: float) -> Condition:
    """Call a ping, a sync one in a thread of its own; whatever it returns but False is a yes."""
    try:
        async with asyncio.timeout(timeout):
            if inspect.iscoroutinefunction(ping):
                said = await cast("Callable[[], Awaitable[object]]", ping)()
            else:
                said = await in_thread(ping)
                said = await said if inspect.isawaitable(said) else said
    except TimeoutError:
        return "unresponsive"
    except Exception:
        return "unhealthy"
    return "unhealthy" if said is False else "healthy"
