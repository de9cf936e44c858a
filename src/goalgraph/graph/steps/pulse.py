"""Work in a task of its own: how long it may take and be silent, and whatever it raises as a value."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

__all__ = ["Overdue", "Raised", "give_sign", "within"]

T = TypeVar("T")


class Overdue(TimeoutError):
    """Work took longer than it may; not a timeout that it raised."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What work raised: anything that Python can, as a value that passes through every future and every loop."""

    error: BaseException


async def within(
    work: Callable[[], Awaitable[T]], timeout: float | None, idle_timeout: float | None, *, apart: bool = True
) -> T | Raised:
    """Wait for work; cancel it when its time is over, or when this is cancelled.

    It is done in a task of its own, so that what is raised here instead of returned happens to the caller, such as his
    cancellation, and never comes from the work; an exit or a ``GeneratorExit`` that arrives through a future ends every
    coroutine of a task. But such a task costs a turn of the event loop, in which LangGraph looks at all tasks of the
    superstep.

    Args:
        work: The work.
        timeout: Seconds for the whole of it.
        idle_timeout: Seconds without a sign of life: a callback of LangChain's, in nested runs and threads too, or
            `give_sign`.
        apart: Whether it is done in a task of its own where there is no limit too.

    Returns:
        Its result; or what it raised, `Overdue` where it took longer, which says what was left behind where that said
        so in a note on its cancellation.
    """
    if timeout is None and idle_timeout is None:
        return await (asyncio.create_task(_caught(work)) if apart else _caught(work))
    limit = asyncio.timeout(timeout)
    watch = _Watch(limit, idle_timeout) if idle_timeout is not None else None
    try:
        async with limit:
            ended = await asyncio.create_task(_caught(work if watch is None else partial(watch.heard, work)))
            if isinstance(ended, Raised) and isinstance(ended.error, asyncio.CancelledError) and limit.expired():
                raise ended.error
    except TimeoutError as error:
        silent = watch is not None and watch.rang
        said = f"no sign of life for {idle_timeout:g} s" if silent else f"no result after {timeout:g} s"
        left = [str(note) for note in getattr(error.__cause__ or error.__context__, "__notes__", ())]
        return Raised(Overdue("; ".join((said, *left))))
    finally:
        if watch is not None:
            watch.end()
    return ended


async def _caught(work: Callable[[], Awaitable[T]]) -> T | Raised:
    try:
        return await work()
    except BaseException as error:
        return Raised(error)


def give_sign() -> None:
    """Count a sign of life of the attempt that the current code is part of, in any thread; without one, do nothing."""
    if (pulse := _pulse.get()) is not None:
        pulse.beat()


class _Pulse(BaseCallbackHandler):
    """When an attempt was last heard of, and with it the one that it is a part of."""

    run_inline = True  # else each of the events would take a trip through a thread

    def __init__(self, outer: "_Pulse | None") -> None:
        self.latest = monotonic()
        self._outer = outer

    def beat(self, *_args: Any, **_kwargs: Any) -> None:
        self.latest = monotonic()
        if self._outer is not None:
            self._outer.beat()

    on_llm_start = on_chat_model_start = on_llm_new_token = on_llm_end = on_llm_error = beat
    on_tool_start = on_tool_end = on_tool_error = on_retriever_start = on_retriever_end = on_retriever_error = beat
    on_chain_start = on_chain_end = on_chain_error = on_custom_event = on_retry = beat


_pulse: ContextVar[_Pulse | None] = ContextVar("goalgraph_pulse", default=None)
register_configure_hook(_pulse, inheritable=True)


class _Watch:
    """Looks at a pulse when it could have stopped, and lets a timeout expire when it has."""

    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self.rang = False
        self._limit = limit
        self._seconds = seconds
        self._pulse = _Pulse(_pulse.get())
        self._timer: asyncio.TimerHandle | None = None

    async def heard(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work, in a task of its own, whose signs of life count."""
        _pulse.set(self._pulse)
        self._look()
        return await work()

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        left = self._pulse.latest + self._seconds - monotonic()
        loop = asyncio.get_running_loop()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        elif not self._limit.expired():
            self.rang = True
            self._limit.reschedule(loop.time())
