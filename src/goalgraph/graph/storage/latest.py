"""Which checkpoint of a thread is its latest, also after the clock was set back: what to ask a checkpointer for.

LangGraph's savers take the checkpoint with the highest id for the latest one, and ids are made from the time of day.
A process whose clock is behind writes checkpoints that no reader would find: a finished run would be run again. So
where a new checkpoint does not come out on top, a marker is left at the one that does: a pending write in a channel
that no graph has, and whose value is the id of the true latest one. Readers follow the newest marker of the top
checkpoint. With a clock that only goes forward there are no markers, and nothing more is read or written than without.

Nothing here does the asking, so that sync and async callers share it: generators yield what they want to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)

from goalgraph.errors import CorruptRun
from goalgraph.graph.storage.calling import Ask, Asking
from goalgraph.graph.storage.stored import well_formed

__all__ = ["CHANNEL", "Latest", "without_markers"]

CHANNEL = "goalgraph_latest"
"""Of the markers."""
_TASK = "goalgraph_latest:"
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """How a thread stands."""

    top: str | None
    """The highest id; None where there is no checkpoint."""
    latest: str | None
    marks: int
    """Number of the newest marker of the top checkpoint; 0 where it has none."""


_Key = tuple[str, str]
"""Thread and namespace."""


class Latest:
    """Reads and writes checkpoints of any number of threads."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Known] = {}

    def read(self, config: RunnableConfig) -> Asking[CheckpointTuple | None]:
        """Get the checkpoint that a config names, or the thread's latest one."""
        if get_checkpoint_id(config):
            # Who begins here may go on from here, after others have written: what was known may have become wrong.
            self._known.pop(_key(config), None)
            return without_markers(well_formed((yield Ask("get_tuple", (config,)))))
        return (yield from self._read_latest(config))

    def write(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, versions: ChannelVersions
    ) -> Asking[RunnableConfig]:
        """Store a checkpoint, which is the thread's latest from then on.

        A process that ends between the two writes leaves the thread as it was before the first: the checkpoint before
        is the latest, with all the pending writes that this one was made from.
        """
        key, new = _key(config), checkpoint["id"]
        if key not in self._known:
            yield from self._read_latest(_at(config, None))
        known = self._known[key]
        stored: RunnableConfig = yield Ask("put", (config, checkpoint, metadata, versions))
        if known.top is None or new > known.top:
            self._know(key, _Known(new, new, 0))
        elif new != known.latest:
            number = known.marks + 1
            # The id, so that processes that write at the same time do not write the same row.
            task = f"{_TASK}{number:012}:{new}"
            yield Ask("put_writes", (_at(config, known.top), [(CHANNEL, new)], task))
            self._know(key, _Known(known.top, new, number))
        return stored

    def is_top(self, config: RunnableConfig) -> bool:
        """Whether a config names the checkpoint that is known to have the highest id, so all others are below it."""
        known = self._known.get(_key(config))
        return known is not None and known.top == get_checkpoint_id(config)

    def forget(self, thread: str) -> None:
        """Take in that a thread was deleted."""
        for key in [key for key in self._known if key[0] == str(thread)]:
            del self._known[key]

    def _read_latest(self, config: RunnableConfig) -> Asking[CheckpointTuple | None]:
        top = well_formed((yield Ask("get_tuple", (config,))))
        if top is None:
            self._know(_key(config), _Known(None, None, 0))
            return None
        top_id, (number, latest) = top.checkpoint["id"], _newest_marker(top)
        found: CheckpointTuple | None = None
        if latest is not None and latest != top_id:
            found = well_formed((yield Ask("get_tuple", (_at(top.config, latest),))))
        found = found or top
        self._learn(_key(config), _Known(top_id, found.checkpoint["id"], number))
        return without_markers(found)

    def _learn(self, key: _Key, found: _Known) -> None:
        """Take in what was read, unless this process wrote more while it was being read."""
        known = self._known.get(key)
        if known is None or known.top != found.top or known.marks <= found.marks:
            self._know(key, found)

    def _know(self, key: _Key, known: _Known) -> None:
        if len(self._known) >= _MOST_KNOWN and key not in self._known:
            self._known.clear()  # it is read again where it is needed
        self._known[key] = known


def without_markers(found: CheckpointTuple | None) -> CheckpointTuple | None:
    """Return a checkpoint as its graph has written it."""
    if found is None or not any(write[1] == CHANNEL for write in found.pending_writes or ()):
        return found
    return found._replace(pending_writes=[write for write in found.pending_writes or () if write[1] != CHANNEL])


def _newest_marker(top: CheckpointTuple) -> tuple[int, str | None]:
    """Number and value of a checkpoint's newest marker.

    Raises:
        CorruptRun: It is none of ours.
    """
    markers = {task: cast("object", value) for task, channel, value in top.pending_writes or () if channel == CHANNEL}
    if not markers:
        return 0, None
    task = max(markers)
    number, value = task.removeprefix(_TASK).partition(":")[0], markers[task]
    if not (number.isdecimal() and isinstance(value, str)):
        thread = str(top.config.get("configurable", {}).get("thread_id"))
        found = f"{task!r} with {value!r}"
        raise CorruptRun(f"found {found}", thread=thread, checkpoint=top.checkpoint["id"], channel=CHANNEL)
    return int(number), value


def _key(config: RunnableConfig) -> _Key:
    named = cast("Mapping[str, object]", config.get("configurable", {}))
    return str(named.get("thread_id")), str(named.get("checkpoint_ns") or "")


def _at(config: RunnableConfig, checkpoint: str | None) -> RunnableConfig:
    """Return a config of the same thread that names a checkpoint, or none."""
    named = {**config.get("configurable", {}), "checkpoint_ns": _key(config)[1], "checkpoint_id": checkpoint}
    if checkpoint is None:
        del named["checkpoint_id"]
    return {**config, "configurable": named}
