"""Errors of runs, of what people answer them, and of what is stored of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from goalgraph.errors.codes import AnswerCode
from goalgraph.errors.root import GoalgraphError

__all__ = [
    "AlreadyAnswered",
    "AnswerProblem",
    "AnswerRefused",
    "CorruptRun",
    "ForeignRequest",
    "HookFailed",
    "InvalidAnswer",
    "InvalidState",
    "MissingCheckpointer",
    "MissingThread",
    "RunBusy",
    "RunPaused",
    "StaleRequest",
    "SynthesisFailed",
    "UnknownRequest",
    "UnknownRun",
]

_LOOK = "see what is asked now with pending(agent, config)"


class HookFailed(GoalgraphError, RuntimeError):
    """A hook of the caller's raised; what it raised is the cause."""

    def __init__(self, message: str, *, hook: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.hook = hook
        """Its qualified name."""


class SynthesisFailed(GoalgraphError, RuntimeError):
    """The answer could not be written from the outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerProblem:
    """Why one answer cannot be used."""

    request: str
    """Id of the request, as it was given."""
    code: AnswerCode
    """Stable: ``invalid``, ``unknown``, ``foreign``, ``stale`` or ``already_answered``."""
    message: str
    """What was expected, what was found."""
    step: str | None = None
    """Id of the step that asks, where it is known."""

    def __str__(self) -> str:
        about = f"step {self.step!r}" if self.step else f"request {self.request!r}"
        return f"{about}: {self.message}"


class AnswerRefused(GoalgraphError, ValueError):
    """Answers that cannot be used. Nothing was taken in, and the run waits on.

    Where all ``problems`` are of one kind, the error is the leaf for it.
    """

    def __init__(self, problems: Iterable[AnswerProblem], *, hint: str = "") -> None:
        self.problems: tuple[AnswerProblem, ...] = tuple(problems)
        """One for each answer that cannot be used."""
        super().__init__("; ".join(map(str, self.problems)), hint=hint)

    @staticmethod
    def of(problems: Iterable[AnswerProblem]) -> "AnswerRefused":
        """Return the error that fits all of the ``problems``."""
        found = tuple(problems)
        codes = {problem.code for problem in found}
        kind, hint = _REFUSALS[codes.pop()] if len(codes) == 1 else (AnswerRefused, _LOOK)
        return kind(found, hint=hint)


class InvalidAnswer(AnswerRefused):
    """What came is no answer to what was asked."""


class UnknownRequest(AnswerRefused, LookupError):
    """Nothing is asked under that id."""


class ForeignRequest(AnswerRefused, LookupError):
    """The request is one of another thread."""


class StaleRequest(AnswerRefused, LookupError):
    """What was asked under that id is not what is asked now."""


class AlreadyAnswered(AnswerRefused):
    """The request has another answer already, which stands."""


_REFUSALS: dict[str, tuple[type[AnswerRefused], str]] = {
    "invalid": (InvalidAnswer, ""),
    "unknown": (UnknownRequest, _LOOK),
    "foreign": (ForeignRequest, "answer with the config that the request came from"),
    "stale": (StaleRequest, _LOOK),
    "already_answered": (AlreadyAnswered, ""),
}


class RunBusy(GoalgraphError, RuntimeError):
    """Another call in this process is at the thread's run, whose steps this one would do a second time."""


class RunPaused(GoalgraphError, RuntimeError):
    """A new goal was given to a thread whose run waits for answers, which it would have thrown away."""

    def __init__(self, thread: str, steps: Iterable[str]) -> None:
        self.thread = thread
        """Its ``thread_id``."""
        self.steps: tuple[str, ...] = tuple(steps)
        """Ids of those that wait."""
        asked = f" of {', '.join(map(repr, self.steps[:5]))}" if self.steps else ""
        super().__init__(
            f"the run of thread {thread!r} waits for answers{asked}",
            hint="see pending(agent, config) and answer(agent, config, ...), or use another thread_id",
        )


class UnknownRun(GoalgraphError, LookupError):
    """No run is stored under that name."""


class MissingThread(GoalgraphError, ValueError):
    """A run that a checkpointer is to keep was given no name to be kept under."""

    def __init__(self) -> None:
        super().__init__(
            "with a checkpointer a run needs the name of its thread",
            hint='pass config={"configurable": {"thread_id": "..."}}, the same one to go on with it',
        )


class MissingCheckpointer(GoalgraphError, RuntimeError):
    """Somebody would be asked something, and nothing keeps the run until there is an answer."""

    def __init__(self, asking: Iterable[str]) -> None:
        self.steps: tuple[str, ...] = tuple(asking)
        """Ids of the steps that would ask; empty where it is about the plan."""
        what = f"steps {', '.join(map(repr, self.steps[:5]))}" if self.steps else "the review of the plan"
        super().__init__(
            f"{what} would wait for an answer, and without a checkpointer none can be given",
            hint="give create_plan_agent, or the graph around it, a checkpointer, such as InMemorySaver()",
        )


class InvalidState(GoalgraphError, ValueError):
    """Something that does not fit was to be written into a run's state from outside; nothing was written."""


class CorruptRun(GoalgraphError, RuntimeError):
    """What is stored of a run is not what this version of goalgraph writes; nothing of it was executed."""

    def __init__(self, found: str, *, thread: str, checkpoint: str | None = None, channel: str | None = None) -> None:
        self.thread = thread
        """Its ``thread_id``."""
        self.checkpoint = checkpoint
        """Id of the checkpoint, where it is known."""
        self.channel = channel
        """Part of the state that is damaged; None where it is the checkpoint as a whole, or not known."""
        place = "".join((f", checkpoint {checkpoint}" if checkpoint else "", f", {channel!r}" if channel else ""))
        super().__init__(
            f"what is stored of thread {thread!r}{place} cannot be used: {found}",
            hint="restore the checkpoints from a backup, or begin again with a new thread_id",
        )
