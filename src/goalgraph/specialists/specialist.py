"""What a specialist is, what it is given, and what it may give back."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Literal, Protocol, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Artifact, Outcome, Usage
from goalgraph.planner.signalled import ALL
from goalgraph.specialists.artifacts import ArtifactStore, loaded
from goalgraph.specialists.colleagues import Colleagues
from goalgraph.specialists.confidence import known_confidence, refused
from goalgraph.specialists.remaining import UNLIMITED, Remaining

__all__ = ["Specialist", "StepContext", "StepResult", "StepTask"]

_SIGNAL = r"[A-Za-z0-9._-]{1,64}"


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
class StepContext(Colleagues):
    """What surrounds the work: the goal, what came before, ways to report, and ways to reach the other steps."""

    goal: str
    """Of the run."""
    dependencies: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes of the steps this one depends on, by id, in plan order."""
    idempotency_key: str = ""
    """The same whenever this step runs again with the same input on the same thread."""
    attempt: int = 1
    """Of this step, from 1."""
    specialist: str = ""
    """Name of who does it in this attempt."""
    retried: bool = False
    """Whether the engine makes a failed attempt again; what does the work then need not, or attempts multiply."""
    mode: Literal["usual", "economy"] = "usual"
    """``economy``: the thread has spent what `RoutingPolicy.ceiling_usd` allows; do it with less, where you can."""
    report: Callable[[Mapping[str, JsonValue]], None] = _silent
    """Takes events of the run; `progress` is the usual way to it."""
    asking: Asking = _nobody
    """Puts a question to a human; `ask` is the usual way to it."""
    artifacts: ArtifactStore | None = None
    """Where outputs too large for a checkpoint are kept."""
    remaining: Callable[[], Remaining] | None = None
    """Tells what is left of the run's limits; None where there are none."""
    _questions: Iterator[int] = field(default_factory=count, init=False, repr=False, compare=False)
    _signals: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)

    @property
    def signals(self) -> tuple[str, ...]:
        """What has been signalled in this attempt, in order, each once."""
        return self._signals

    def signal(self, name: str, to: str = ALL) -> None:
        """Signal something to whoever watches over the plan, and to other steps, such as ``"handoff.ready"``.

        It is in the step's outcome, also where the attempt fails, but for attempts that are made again. Revisions may
        be called for by it: ``RevisionPolicy(triggers=("'handoff.ready' in step.signals",))``.

        Args:
            name: 1 to 64 letters of the Latin alphabet, digits, ``.``, ``_`` and ``-``.
            to: Which steps see it in `observed`: ``all``, ``dependants`` (those that wait for this one), or those of
                the specialist of that name. Whoever watches over the plan sees all.

        Raises:
            ValueError: It is no such name, or the signal was sent to others before.
            UnknownSpecialist: There is no such audience.
        """
        if not re.fullmatch(_SIGNAL, name):
            raise ValueError(f"a signal's name is 1 to 64 letters, digits, '.', '_' or '-', found {name[:100]!r}")
        desk = self.desk
        if not desk.is_open:
            return
        if to != ALL:
            desk.office().check_audience(to)
        if desk.signalled.setdefault(name, to) != to:
            raise ValueError(f"the signal {name!r} was sent to {desk.signalled[name]!r} before, found {to!r}")
        if name not in self._signals:
            object.__setattr__(self, "_signals", (*self._signals, name))

    @property
    def budget(self) -> Remaining:
        """What is left of the run's limits now; what is kept back for the answer is not in it."""
        return self.remaining() if self.remaining is not None else UNLIMITED

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
    """From 0 to 1. Anything else, such as NaN or text, counts as unknown, and ``degraded`` says so."""
    confidence_reason: str = ""
    """Why it is not higher, for whoever revises the plan."""
    artifacts: tuple[Artifact, ...] = ()
    """Files that were written."""
    degraded: tuple[str, ...] = ()
    """Why the result is less than was asked for."""
    usage: Usage = Usage()
    """What models were asked for, as far as LangChain's callbacks do not tell: by a run in another process."""
    signals: tuple[Annotated[str, Field(pattern=f"^{_SIGNAL}$")], ...] = ()
    """Names as for `StepContext.signal`, of which this is the other way."""

    @model_validator(mode="before")
    @classmethod
    def _unless_unknown(cls, data: object) -> object:
        """Take a confidence that is none for unknown: the work is there all the same."""
        given = _fields(data)
        if (found := given.get("confidence")) is None:
            return data
        if (known := known_confidence(found)) is not None:
            return {**given, "confidence": known}
        told = given.get("degraded", ())
        if isinstance(told, (list, tuple)):
            told = (*cast("tuple[object, ...]", told), refused(found))
        return {**given, "confidence": None, "degraded": told}


def _fields(data: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", data) if isinstance(data, dict) else {}


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
