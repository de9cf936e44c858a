"""Any checkpointer, sync or async, made usable from the engine's event loop, and dependable."""

import asyncio
import copy
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
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

from goalgraph.graph.run import run_in
from goalgraph.graph.storage.calling import Ask, Asking, Caller
from goalgraph.graph.storage.latest import Latest, without_markers
from goalgraph.graph.storage.stored import well_formed
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.run_metrics import RunMetrics
from goalgraph.planner.signalled import Signal
from goalgraph.planner.source import Source

__all__ = ["STORED_TYPES", "AnyLoopSaver", "for_any_loop"]

T = TypeVar("T")

STORED_TYPES: tuple[type, ...] = (Decision, Outcome, Plan, PlanInReview, RunMetrics, Signal, Source, Usage)
"""What channels hold; what is inside of them is stored as plain data."""
_ALLOWED = tuple((stored.__module__, stored.__name__) for stored in STORED_TYPES)


class AnyLoopSaver(BaseCheckpointSaver[Any]):
    """A checkpointer behind an async face.

    The engine always runs in an event loop. A saver that is only sync (``SqliteSaver``, ``PostgresSaver``) is called
    in a thread of its own; an async one that belongs to another, running loop (``AsyncSqliteSaver``) is called over
    there; others are called as they are.

    Types of ours that checkpoints hold are allowed in the saver's serializer, and unknown ones are not built. The
    latest checkpoint is the one that was written last, also where the clock was set back in between. A SQLite file
    that another process holds is waited for. Rows that cannot be read raise `CorruptRun`; errors of a connection stay
    the driver's own.
    """

    def __init__(self, inner: BaseCheckpointSaver[Any]) -> None:
        """Wrap a saver; its connection stays the caller's to open and close."""
        self.store: object = inner
        """The saver as the caller made it."""
        self._caller = Caller(_strict(inner))
        self._latest = Latest()
        super().__init__(serde=self.inner.serde)

    @property
    def inner(self) -> BaseCheckpointSaver[Any]:
        """The saver that does the work."""
        return self._caller.saver

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
        """Return the checkpoint that is named, or the latest.

        Raises:
            CorruptRun: It cannot be read.
        """
        return self._caller.now(self._latest.read(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Return checkpoints, those with the highest ids first.

        Raises:
            CorruptRun: One of them cannot be read.
        """
        asked = Ask("list", (config,), {"filter": filter, "before": before, "limit": limit})
        return _as_written(self._caller.ask(asked))

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, which is the latest from then on."""
        return self._caller.now(self._latest.write(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task has written."""
        self._caller.ask(Ask("put_writes", (config, writes, task_id, task_path)))

    def delete_thread(self, thread_id: str) -> None:
        """Delete all of a thread."""
        self._caller.ask(Ask("delete_thread", (thread_id,)))
        self._latest.forget(thread_id)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what channels were made from, oldest first."""
        if not self._latest.is_top(config):
            return super().get_delta_channel_history(config=config, channels=channels)
        history: Mapping[str, DeltaChannelHistory] = self._caller.ask(_history(config, channels))
        return history

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`, from this loop."""
        return await self._caller.soon(self._latest.read(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`, from this loop."""
        asked = Ask("list", (config,), {"filter": filter, "before": before, "limit": limit})
        for one in _as_written(await self._caller.aask(asked)):
            yield one

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`, from this loop."""
        return await self._recorded(config, self._latest.write(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`, from this loop."""
        await self._recorded(config, _only(Ask("put_writes", (config, writes, task_id, task_path))))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`, from this loop."""
        await self._caller.aask(Ask("delete_thread", (thread_id,)))
        self._latest.forget(thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`, from this loop."""
        if not self._latest.is_top(config):
            return await super().aget_delta_channel_history(config=config, channels=channels)
        history: Mapping[str, DeltaChannelHistory] = await self._caller.aask(_history(config, channels))
        return history

    async def _recorded(self, config: RunnableConfig, asking: Asking[T]) -> T:
        """Write; once a write of a run has failed, none is made that may come of what is lost."""
        run, task = run_in(config), asyncio.current_task()
        if run is None or task is None:
            return await self._caller.soon(asking)
        if run.lost is not None:
            raise run.lost
        run.writing.add(task)
        try:
            return await self._caller.soon(asking)
        except Exception as error:
            run.lose(error)
            raise
        finally:
            run.writing.discard(task)


def _only(ask: Ask) -> Asking[None]:
    yield ask


def _history(config: RunnableConfig, channels: Sequence[str]) -> Ask:
    # Asked of the saver itself only for the checkpoint with the highest id: PostgreSQL's looks for ancestors among
    # those with lower ids alone. Others are walked to by their parents, one by one.
    return Ask("get_delta_channel_history", options={"config": config, "channels": channels})


def _as_written(found: Iterable[CheckpointTuple]) -> Iterator[CheckpointTuple]:
    return (written for one in found if (written := without_markers(well_formed(one))) is not None)


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


def for_any_loop(value: Any) -> Any:
    """Wrap a checkpointer; anything else stays as it is."""
    if isinstance(value, BaseCheckpointSaver) and not isinstance(value, AnyLoopSaver):
        return AnyLoopSaver(cast("Any", value))
    return value
