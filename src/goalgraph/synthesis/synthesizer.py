"""The Protocol of everything that writes the answer, and what it is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["Synthesis", "SynthesisRequest", "Synthesizer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisRequest:
    """A run that is over: what was wanted, planned and done."""

    goal: str
    plan: Plan
    """Flat, as it ran."""
    outcomes: Mapping[str, Outcome]
    """By step id; a step that never ran has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The answer."""

    answer: str
    """Empty where no step has a usable outcome."""
    degraded: tuple[str, ...] = ()
    """What was lost in writing it, beyond what the outcomes themselves lack."""
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
