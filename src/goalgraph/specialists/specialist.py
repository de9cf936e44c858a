"""What a specialist is, what it is given, and what it may give back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Artifact, Outcome

__all__ = ["Specialist", "StepContext", "StepResult", "StepTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTask:
    """The work itself."""

    step: str
    """Id of the step."""
    instruction: str
    """What to do, in words; a step's constraints are part of it."""
    input: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """The step's arguments, expressions resolved."""
    output_schema: Mapping[str, JsonValue] | None = None
    """JSON Schema that the output must fit, where one is asked for."""


def _silent(_event: Mapping[str, JsonValue]) -> None:
    """Drop progress where nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What surrounds the work: the goal, what came before, and ways to report."""

    goal: str
    dependencies: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes of the steps this one depends on, by id, in plan order."""
    idempotency_key: str = ""
    """The same whenever this step runs again with the same input on the same thread."""
    attempt: int = 1
    report: Callable[[Mapping[str, JsonValue]], None] = _silent

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever watches the run how far this step is.

        Args:
            message: One line.
            fraction: From 0 to 1, where it is known.
        """
        self.report({"message": message, "fraction": fraction})


class StepResult(BaseModel):
    """An output with what the specialist knows about it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    output: object = None
    """Anything that becomes JSON."""
    confidence: float | None = None
    """From 0 to 1."""
    artifacts: tuple[Artifact, ...] = ()
    degraded: tuple[str, ...] = ()
    """Why the result is less than was asked for."""


@runtime_checkable
class Specialist(Protocol):
    """Someone who can do steps of one kind."""

    @property
    def card(self) -> SpecialistCard:
        """How planners, routers and reviewers see it."""
        ...

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Do the work.

        Returns:
            A `StepResult`, or what its ``output`` would be: text, a chat message, or anything that becomes JSON.

        Raises:
            Exception: Becomes a failed outcome; the run goes on.
        """
        ...
