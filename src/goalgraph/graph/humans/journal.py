"""Answers, written down before anything is done with them: what was acknowledged is not lost, the first one stands.

An answer is a write of its own beside the checkpoint that waits for it, under a key that only the first writer gets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from pydantic import JsonValue

from goalgraph.graph.humans.replies import Envelope
from goalgraph.planner.decision import Decision

__all__ = ["Entry", "entries_of", "record"]

_CHANNEL = "goalgraph_answer"
_TASK = "goalgraph-answer-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An answer that was taken in."""

    interrupt: str
    """LangGraph's id of the interrupt."""
    kind: str
    step: str
    """Id of the step; for a specialist's own question, the specialist."""
    task: str
    """LangGraph's id of the task that asks."""
    place: int
    """How many answers that task had taken in before."""
    envelope: Envelope

    @property
    def request(self) -> str:
        """Id of the request."""
        return self.envelope.request

    @property
    def is_own(self) -> bool:
        """Whether one of our own steps asked, and not a specialist in its own way."""
        return self.kind != "specialist"

    def decision(self) -> Decision:
        """Return the record of it, for a question that the run does not know from inside."""
        came = self.envelope
        return Decision(
            kind=cast("Any", self.kind),
            subject=self.step,
            chosen=came.reply.chosen,
            rationale=came.reply.comment or "",
            answer=came.reply.value,
            by=came.by,
            digest=came.digest,
            request=came.request,
            said=came.said,
            at=came.at,
        )


def entries_of(stored: CheckpointTuple | None) -> tuple[Entry, ...]:
    """Read the answers beside a checkpoint."""
    writes = (stored.pending_writes or []) if stored is not None else []
    found = [cast("Mapping[str, Any]", value) for _, channel, value in writes if channel == _CHANNEL]
    return tuple(
        Entry(
            interrupt=one["interrupt"],
            kind=one["kind"],
            step=one["step"],
            task=one["task"],
            place=one["place"],
            envelope=_opened(one["envelope"]),
        )
        for one in found
    )


async def record(saver: BaseCheckpointSaver[Any], config: RunnableConfig, entries: Sequence[Entry]) -> None:
    """Write answers beside a checkpoint; one whose request has an answer there changes nothing.

    Args:
        saver: Async, or usable as such.
        config: Of the very checkpoint.
        entries: The answers.
    """
    for entry in entries:
        packed: dict[str, JsonValue] = {
            "interrupt": entry.interrupt,
            "kind": entry.kind,
            "step": entry.step,
            "task": entry.task,
            "place": entry.place,
            "envelope": entry.envelope.packed(),
        }
        await saver.aput_writes(config, [(_CHANNEL, packed)], f"{_TASK}{entry.request}")


def _opened(value: object) -> Envelope:
    envelope = Envelope.opened(value)
    if envelope is None:
        raise ValueError(f"an answer that is stored beside the checkpoint has no form that is known: {value!r:.100}")
    return envelope
