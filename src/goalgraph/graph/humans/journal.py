"""Answers, written down before anything is done with them: what was acknowledged is not lost, the first one stands.

An answer is a write of its own beside the checkpoint that waits for it, under a key that only the first writer gets.
Where a change of the state begins a new checkpoint, answers to steps that are not over go into the state with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from pydantic import JsonValue

from goalgraph.graph.humans.replies import Envelope, Reply
from goalgraph.planner.decision import Decision

__all__ = ["Entry", "entries_of", "record"]

_CHANNEL = "goalgraph_answer"
_TASK = "goalgraph-answer-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An answer that was taken in."""

    interrupt: str
    """LangGraph's id of the interrupt; empty where the answer was carried over from a checkpoint before."""
    kind: str
    step: str
    """Id of the step; for a specialist's own question, the specialist."""
    task: str
    """LangGraph's id of the task that asks."""
    place: int
    """How many answers that task had taken in before."""
    is_inside: bool
    """Whether a run inside of a step asked, and not this one, which may ask the very same."""
    envelope: Envelope

    @property
    def request(self) -> str:
        """Id of the request."""
        return self.envelope.request

    @property
    def is_own(self) -> bool:
        """Whether one of our own steps asked, and not a specialist in its own way."""
        return self.kind != "specialist"

    @property
    def is_carried(self) -> bool:
        """Whether the state has changed since; then it is not LangGraph's to deliver, whose interrupt is gone."""
        return not self.interrupt

    @staticmethod
    def carried(decision: Decision) -> "Entry":
        """Read what `decision` gave, for an answer that was carried over."""
        reply = Reply(chosen=cast("Any", decision.chosen), value=decision.answer, comment=decision.rationale or None)
        envelope = Envelope(
            reply=reply,
            digest=decision.digest,
            request=decision.request,
            said=decision.said,
            by=decision.by,
            at=decision.at,
        )
        return Entry(
            interrupt="",
            kind=decision.kind,
            step=decision.subject,
            task="",
            place=0,
            is_inside=False,
            envelope=envelope,
        )

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
            is_inside=one.get("inside", True),  # not known of those of before, so they are not carried over
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
            "inside": entry.is_inside,
            "envelope": entry.envelope.packed(),
        }
        await saver.aput_writes(config, [(_CHANNEL, packed)], f"{_TASK}{entry.request}")


def _opened(value: object) -> Envelope:
    envelope = Envelope.opened(value)
    if envelope is None:
        raise ValueError(f"an answer that is stored beside the checkpoint has no form that is known: {value!r:.100}")
    return envelope
