"""The Protocol of everything that writes the answer, and what it is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan
from goalgraph.planner.source import Source

__all__ = ["Synthesis", "SynthesisRequest", "Synthesizer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisRequest:
    """A run that is over: what was wanted, planned and done."""

    goal: str
    """In words, as the caller gave it."""
    plan: Plan
    """Flat, as it ran."""
    outcomes: Mapping[str, Outcome]
    """By step id; a step that never ran has none."""
    min_confidence: float | None = None
    """For steps that set none of their own: below it an outcome is marked as weak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The answer."""

    answer: str
    """Empty where no step has a usable outcome."""
    degraded: tuple[str, ...] = ()
    """What was lost in writing it, beyond what the outcomes themselves lack."""
    structured: JsonValue = None
    """The answer as JSON, where whoever wrote it gives one."""
    sources: tuple[Source, ...] = field(default=(), compare=False)
    """What it was made from, in the order of use; empty where whoever wrote it does not say."""
    message_id: str | None = field(default=None, compare=False)
    """Of the chat message the answer was streamed as, so that listeners to messages do not get it a second time."""


@runtime_checkable
class Synthesizer(Protocol):
    """Writes one answer from the outcomes of a plan."""

    async def synthesize(self, request: SynthesisRequest) -> Synthesis:
        """Return the answer.

        Raises:
            SynthesisFailed: No answer could be written.
        """
        ...
