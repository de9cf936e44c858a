"""What a specialist is, what it is given, and what it may give back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, JsonValue

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Artifact, Outcome
from goalgraph.specialists.artifacts import ArtifactStore, loaded

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


class Asking(Protocol):
    """Puts a question of a specialist to a human."""

    def __call__(self, prompt: str, schema: Mapping[str, JsonValue], number: int) -> JsonValue:
        """Return the answer to the question of this number, within an attempt."""
        ...


def _nobody(prompt: str, schema: Mapping[str, JsonValue], number: int) -> JsonValue:
    """Refuse, where no run is around."""
    raise RuntimeError(f"there is nobody to ask {prompt!r}: the specialist was not called by a run")


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
    retried: bool = False
    """Whether the engine makes a failed attempt again; what does the work then need not, or attempts multiply."""
    report: Callable[[Mapping[str, JsonValue]], None] = _silent
    asking: Asking = _nobody
    artifacts: ArtifactStore | None = None
    """Where outputs too large for a checkpoint are kept."""
    _questions: Iterator[int] = field(default_factory=count, init=False, repr=False, compare=False)

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever watches the run how far this step is.

        Args:
            message: One line.
            fraction: From 0 to 1, where it is known.
        """
        self.report({"message": message, "fraction": fraction})

    def load(self, given: Outcome | JsonValue) -> JsonValue:
        """Return an output as a whole, also where it was so large that a reference stands for it.

        Args:
            given: An outcome, or an output; where no reference stands for it, it comes back as it is.

        Raises:
            MissingArtifact: What the reference means is not there.
            DamagedArtifact: It is not what was kept.
        """
        return loaded(given.output if isinstance(given, Outcome) else given, self.artifacts)

    def ask(self, prompt: str, schema: Mapping[str, JsonValue] | None = None) -> JsonValue:
        """Ask a human, and return the answer.

        The first time this ends the function, with an exception that must be let through: the run stops, and once it is
        answered the step is done again from its beginning, where this returns the answer. So what comes before it runs
        more than once; questions are told apart by their order.

        Args:
            prompt: The question; Markdown.
            schema: JSON Schema that the answer must fit, else it is asked again; any answer will do where absent.
        """
        return self.asking(prompt, dict(schema or {}), next(self._questions))


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
