"""Calls of a checkpointer, sync or async, from any thread and any event loop; again for a while where it is busy."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from goalgraph.graph.storage.storage_errors import PAUSE_SECONDS, Patience, reading
from goalgraph.graph.storage.writer import grouping

__all__ = ["Ask", "Asking", "Caller"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A call of a checkpointer."""

    method: str
    """Its sync name; the async one has an ``a`` before it."""
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def now(self, saver: BaseCheckpointSaver[Any]) -> Any:
        """Make the call."""
        answer = getattr(saver, self.method)(*self.arguments, **self.options)
        return [*answer] if self.method == "list" else answer

    async def soon(self, saver: BaseCheckpointSaver[Any]) -> Any:
        """Make the call of the async method."""
        answer = getattr(saver, f"a{self.method}")(*self.arguments, **self.options)
        return [one async for one in answer] if self.method == "list" else await answer

    def reading(self) -> AbstractContextManager[None]:
        """What to call in: where it reads, what cannot be read raises `CorruptRun`."""
        if self.method.startswith(("put", "delete")):
            return nullcontext()
        config: RunnableConfig | None = self.options.get("config") or next(iter(self.arguments), None)
        return reading(config or {})


Asking = Generator[Ask, Any, T]
"""Yields calls, is sent their results, and returns what it was made for: one text for sync callers and async ones."""


class Caller:
    """Makes calls of one checkpointer.

    One that is only sync is called in a thread of its own; an async one that belongs to another, running loop is called
    over there; others are called as they are.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.saver, self._writer = grouping(saver)
        self._sync_only = False

    def now(self, asking: Asking[T]) -> T:
        """Answer what is asked, in this thread, and return what is made of it."""
        answer: Any = None
        while True:
            try:
                ask = asking.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            answer = self.ask(ask)

    async def soon(self, asking: Asking[T]) -> T:
        """As `now`, from this loop."""
        answer: Any = None
        while True:
            try:
                ask = asking.send(answer)
            except StopIteration as end:
                return cast("T", end.value)
            answer = await self.aask(ask)

    def ask(self, ask: Ask) -> Any:
        """Make a call in this thread."""
        patience = Patience()
        while True:
            try:
                with ask.reading():
                    return self._writer.call(lambda: ask.now(self.saver))
            except Exception as error:
                if not patience.outlasts(error):
                    raise
            if (home := self._home()) is not None:
                asyncio.run_coroutine_threadsafe(self._rolled_back(), home).result()
            time.sleep(PAUSE_SECONDS)

    async def aask(self, ask: Ask) -> Any:
        """Make a call from this loop."""
        patience = Patience()
        while True:
            try:
                with ask.reading():
                    return await self._called(ask)
            except Exception as error:
                if not patience.outlasts(error):
                    raise
            await self._at_home(self._rolled_back)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _called(self, ask: Ask) -> Any:
        if not self._sync_only:
            try:
                return await self._at_home(lambda: ask.soon(self.saver))
            except NotImplementedError:
                pass
        answer = await self._writer.do(lambda: ask.now(self.saver))
        self._sync_only = True
        return answer

    async def _at_home(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do async work in the loop that the checkpointer belongs to, where it belongs to one."""
        home = self._home()
        if home is None or home is asyncio.get_running_loop():
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), home))

    def _home(self) -> asyncio.AbstractEventLoop | None:
        home = cast("object", getattr(self.saver, "loop", None))
        return home if isinstance(home, asyncio.AbstractEventLoop) and home.is_running() else None

    async def _rolled_back(self) -> None:
        """End the transaction that a failed write of an async SQLite saver leaves open.

        What was read in it since would keep every later write from succeeding.
        """
        saver: Any = self.saver
        if isinstance(lock := getattr(saver, "lock", None), asyncio.Lock):
            async with lock:
                await saver.conn.rollback()
