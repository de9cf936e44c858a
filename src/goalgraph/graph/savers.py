"""Any checkpointer, sync or async, made usable from the engine's event loop."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from goalgraph.graph.writer import grouping
from goalgraph.planner.outcome import Artifact, Outcome, StepError, Usage
from goalgraph.planner.plan import AgentStep, Plan, Retry

__all__ = ["AnyLoopSaver"]

T = TypeVar("T")

_STORED = (AgentStep, Artifact, Outcome, Plan, Retry, StepError, Usage)
_ALLOWED = tuple((stored.__module__, stored.__name__) for stored in _STORED)


class AnyLoopSaver(BaseCheckpointSaver[Any]):
    """A checkpointer behind an async face.

    The engine always runs in an event loop. A saver that is only sync (``SqliteSaver``, ``PostgresSaver``) is called
    in a thread of its own; an
    async one that belongs to another, running loop (``AsyncSqliteSaver``) is called over there; others are called as
    they are.
    Types of ours that checkpoints hold are allowed in the saver's serializer, and unknown ones are not built.
    """

    def __init__(self, inner: BaseCheckpointSaver[Any]) -> None:
        """Wrap a saver; its connection stays the caller's to open and close."""
        self.inner, self._writer = grouping(_strict(inner))
        super().__init__(serde=self.inner.serde)
        self._sync_only = False

    def check_caller(self) -> None:
        """Refuse a blocking call from the loop that the saver itself needs, which would wait for ever.

        Raises:
            asyncio.InvalidStateError: As LangGraph's own async savers do.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            return
        if getattr(self.inner, "loop", None) is here:
            raise asyncio.InvalidStateError(
                f"a sync call would block the event loop that {type(self.inner).__name__} needs; "
                "use ainvoke or astream, or a sync saver such as SqliteSaver"
            )

    @property
    def config_specs(self) -> list[Any]:
        """The inner saver's."""
        inner: Any = self.inner
        return list[Any](inner.config_specs)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The inner saver's."""
        return self.inner.get_next_version(current, channel)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "AnyLoopSaver":
        """Return a wrapper of the inner saver with more types allowed."""
        return AnyLoopSaver(self.inner.with_allowlist(extra_allowlist))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The inner saver's."""
        return self.inner.get_tuple(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The inner saver's."""
        return self.inner.list(config, filter=filter, before=before, limit=limit)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The inner saver's."""
        return self.inner.put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The inner saver's."""
        self.inner.put_writes(config, writes, task_id, task_path)

    def delete_thread(self, thread_id: str) -> None:
        """The inner saver's."""
        self.inner.delete_thread(thread_id)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The inner saver's."""
        return self.inner.get_delta_channel_history(config=config, channels=channels)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The inner saver's, from this loop."""
        return await self._call(lambda: self.inner.aget_tuple(config), lambda: self.inner.get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The inner saver's, from this loop."""

        async def listed() -> Sequence[CheckpointTuple]:
            return [one async for one in self.inner.alist(config, filter=filter, before=before, limit=limit)]

        for one in await self._call(
            listed, lambda: [*self.inner.list(config, filter=filter, before=before, limit=limit)]
        ):
            yield one

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The inner saver's, from this loop."""
        return await self._call(
            lambda: self.inner.aput(config, checkpoint, metadata, new_versions),
            lambda: self.inner.put(config, checkpoint, metadata, new_versions),
        )

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """The inner saver's, from this loop."""
        await self._call(
            lambda: self.inner.aput_writes(config, writes, task_id, task_path),
            lambda: self.inner.put_writes(config, writes, task_id, task_path),
        )

    async def adelete_thread(self, thread_id: str) -> None:
        """The inner saver's, from this loop."""
        await self._call(lambda: self.inner.adelete_thread(thread_id), lambda: self.inner.delete_thread(thread_id))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The inner saver's, from this loop."""
        return await self._call(
            lambda: self.inner.aget_delta_channel_history(config=config, channels=channels),
            lambda: self.inner.get_delta_channel_history(config=config, channels=channels),
        )

    async def _call(self, native: Callable[[], Awaitable[T]], blocking: Callable[[], T]) -> T:
        if not self._sync_only:
            home = cast("object", getattr(self.inner, "loop", None))
            here = asyncio.get_running_loop()
            try:
                if isinstance(home, asyncio.AbstractEventLoop) and home is not here and home.is_running():
                    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(native), home))
                return await native()
            except NotImplementedError:
                self._sync_only = True
        return await self._writer.do(blocking)


def _strict(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """Return the saver with a serializer that builds, beside LangGraph's own safe types, only those it is told to.

    One that builds whatever a stored row names would run code from a poisoned database. Callers whose nested graphs
    keep types of their own allow them by ``JsonPlusSerializer(allowed_msgpack_modules=[...])``, which stays in force.
    """
    allows_anything = saver.with_allowlist([("goalgraph", "no such type")]) is saver
    serde: object = saver.serde
    if allows_anything and isinstance(serde, JsonPlusSerializer):
        saver = copy.copy(saver)
        saver.serde = JsonPlusSerializer(pickle_fallback=serde.pickle_fallback, allowed_msgpack_modules=[*_ALLOWED])
        return saver
    return saver.with_allowlist(_ALLOWED)


async def _awaited(native: Callable[[], Awaitable[T]]) -> T:
    return await native()
