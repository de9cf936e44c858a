"""Which task asks a question, however deep, and how many answers it has taken in.

LangGraph stores answers with the task that asks, and tells its questions apart by how many it has had: an answer that
is given again, after it was stored and before the next question was, would be taken for the answer to that one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME
from langgraph.types import Interrupt, StateSnapshot

from goalgraph.graph.humans.answers import as_mapping

__all__ = ["Askers", "read_askers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Askers:
    """The tasks that ask."""

    tasks: Mapping[str, str]
    """By id of the interrupt: the innermost task that shows it. A map's task shows those of its items too, and a task
    with a graph inside shows those of that one's."""
    counts: Mapping[str, int]
    """How many answers a task has taken in."""

    def task(self, interrupt: str) -> str:
        """Id of the task that asks; empty where it is not known."""
        return self.tasks.get(interrupt, "")

    def taken_in(self, task: str) -> int:
        """Return how many answers a task has taken in."""
        return self.counts.get(task, 0)


async def read_askers(
    saver: BaseCheckpointSaver[Any], snapshot: StateSnapshot, stored: CheckpointTuple | None
) -> Askers:
    """Find the tasks that ask what a checkpoint shows."""
    if stored is None or not snapshot.interrupts:
        return Askers(tasks={}, counts={})
    outer = {task.id for task in snapshot.tasks}
    below = await _below(saver, snapshot, stored)
    tasks: dict[str, str] = {}
    for task_id, interrupt in sorted(_shown(stored), key=lambda one: one[0] not in outer):
        tasks[interrupt.id] = task_id
    for one in below:
        tasks |= {interrupt.id: task_id for task_id, interrupt in _shown(one)}
    return Askers(tasks=tasks, counts=_counts((stored, *below)))


async def _below(
    saver: BaseCheckpointSaver[Any], snapshot: StateSnapshot, stored: CheckpointTuple
) -> list[CheckpointTuple]:
    """Read what graphs inside of specialists have stored that ask in their own way, the outermost first."""
    asking = [task for task in snapshot.tasks if not all(map(_is_bound, task.interrupts))]
    places = tuple(f"{task.name}:{task.id}" for task in asking)
    for task, place in zip(asking, places, strict=True):
        if task.name == "map" or await saver.aget_tuple(_at(stored, place)) is not None:
            below = [one async for one in saver.alist(_at(stored)) if _namespace(one).startswith(places)]
            return sorted(below, key=lambda one: _namespace(one).count("|"))
    return []  # most ask by themselves


def _is_bound(interrupt: Interrupt) -> bool:
    """Whether what asks knows an answer that is not to this by itself: our own steps do."""
    return {"digest", "kind"} <= set(as_mapping(interrupt.value) or {})


def _shown(stored: CheckpointTuple) -> list[tuple[str, Interrupt]]:
    """Tasks, with the interrupts that they show."""
    found = [(task, value) for task, channel, value in stored.pending_writes or () if channel == INTERRUPT]
    return [(task, one) for task, value in found for one in cast("Sequence[Interrupt]", value)]


def _counts(stored: Iterable[CheckpointTuple]) -> dict[str, int]:
    writes = [write for one in stored for write in one.pending_writes or ()]
    resumed = [(task, cast("object", value)) for task, channel, value in writes if channel == RESUME]
    return {task: len(cast("list[object]", value)) for task, value in resumed if isinstance(value, list)}


def _at(stored: CheckpointTuple, namespace: str | None = None) -> RunnableConfig:
    """Return a config of the same thread: of a namespace, or of all."""
    thread = stored.config.get("configurable", {})["thread_id"]
    return {"configurable": {"thread_id": thread, **({"checkpoint_ns": namespace} if namespace is not None else {})}}


def _namespace(stored: CheckpointTuple) -> str:
    return str(stored.config.get("configurable", {}).get("checkpoint_ns") or "")
