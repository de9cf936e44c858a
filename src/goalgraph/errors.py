"""The one error tree of goalgraph.

GoalgraphError
├── InvalidPlan (ValueError)            a plan with problems, all of them in ``problems``
├── InvalidAlias (ValueError)           a name under which no plan can be saved
├── InvalidGoal (ValueError)            no goal, or one that cannot be planned
├── PlannerError                        the planner's model gave no usable plan
│   ├── PlannerTruncated                the answer was cut at the token limit
│   ├── PlannerRefused                  the model refused
│   ├── PlannerFiltered                 a content filter stopped the answer
│   ├── PlannerEmpty                    the answer had no content
│   └── PlannerInvalid (ValueError)     still invalid after the last repair, see ``problems``
├── ModelFailed (ConnectionError)       the model could not be called
├── UnknownModel (ValueError)           no such provider, or a name that names none
├── MissingExtra (ImportError)          an optional dependency is not installed
├── InvalidSpecialist (ValueError)      a name that is taken, blank or unusable
├── UnknownSpecialist (LookupError)     no specialist of that name
├── UnknownPlan (LookupError)           no plan is saved under that alias, or in that version
├── InvalidData (ValueError)            a data file or document that cannot be read
├── MissingArtifact (LookupError)       nothing is kept under a reference, or there is no store
├── DamagedArtifact (ValueError)        what is kept under a reference is not what was put there
├── NoConfinement (RuntimeError)        a program cannot be confined on this machine
├── ProgramFailed (RuntimeError)        a program in a sandbox came to nothing usable
├── InvalidInput (ValueError)           a step's input that its specialist cannot take
├── ToolFailed (RuntimeError)           a tool says that it failed
├── ServerGone (ConnectionError)        a server of tools cannot be reached any more
├── InvalidPrompt (ValueError)          a template rendered with missing or surplus values
├── NothingReceived (TimeoutError)      no message came for a step in time
├── DelegationRefused (RuntimeError)    work that a step may not have another specialist do, see ``reason``
├── AttemptOver (RuntimeError)          code that was left behind used the context of an attempt that is over
├── HookFailed (RuntimeError)           a hook of the caller's raised, see ``hook``
├── SynthesisFailed (RuntimeError)      the answer could not be written
├── CorruptRun (RuntimeError)           what is stored of a run is not what was written
├── AnswerRefused (ValueError)          answers of several kinds that cannot be used, see ``problems``
│   ├── InvalidAnswer                   no answer to what was asked
│   ├── UnknownRequest (LookupError)    nothing of that id is asked
│   ├── ForeignRequest (LookupError)    another run asks it
│   ├── StaleRequest (LookupError)      something else is asked by now
│   └── AlreadyAnswered                 it was answered before, and otherwise
├── LimitReached (RuntimeError)         a run's limit of money, tokens or calls, see ``limit``
├── RunBusy (RuntimeError)              another call is at the thread's run
├── RunPaused (RuntimeError)            a new goal for a run that waits for answers
└── UnknownRun (LookupError)            no run to resume under that name
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AlreadyAnswered",
    "AnswerProblem",
    "AnswerRefused",
    "AttemptOver",
    "CorruptRun",
    "DamagedArtifact",
    "DelegationRefused",
    "ForeignRequest",
    "GoalgraphError",
    "HookFailed",
    "InvalidAlias",
    "InvalidAnswer",
    "InvalidData",
    "InvalidGoal",
    "InvalidInput",
    "InvalidPlan",
    "InvalidPrompt",
    "InvalidSpecialist",
    "LimitReached",
    "MissingArtifact",
    "MissingExtra",
    "ModelFailed",
    "NoConfinement",
    "NothingReceived",
    "PlanProblem",
    "PlannerEmpty",
    "PlannerError",
    "PlannerFiltered",
    "PlannerInvalid",
    "PlannerRefused",
    "PlannerTruncated",
    "ProgramFailed",
    "RunBusy",
    "RunPaused",
    "ServerGone",
    "StaleRequest",
    "SynthesisFailed",
    "ToolFailed",
    "UnknownModel",
    "UnknownPlan",
    "UnknownRequest",
    "UnknownRun",
    "UnknownSpecialist",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """One thing that is wrong with a plan: where, what, and what to do."""

    code: str
    """Stable, machine-readable, such as ``"unknown_specialist"``."""
    message: str
    """What was expected and what was found."""
    step: str | None = None
    """Id of the step, or None where the problem is the plan's."""
    field: str | None = None
    """Name of the field, such as ``"depends_on"``."""
    hint: str = ""
    """What to do about it."""
    line: int | None = None
    """Where it stands in the document, from 1; None where there is none, or it is not known."""
    column: int | None = None
    """Column in that line, from 1."""

    def __str__(self) -> str:
        where = " ".join(
            part
            for part in (
                f"step {self.step!r}" if self.step is not None else "",
                self.field or "",
            )
            if part
        )
        text = f"{where}: {self.message}" if where else self.message
        if self.line is not None:
            text = f"line {self.line}, column {self.column or 1}: {text}"
        return f"{text} ({self.hint})" if self.hint else text


class GoalgraphError(Exception):
    """Root of everything goalgraph raises on purpose.

    ``str(error)`` is one line: what was expected, what was found, what to do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.args, vars(self))


def _rebuilt(kind: type[GoalgraphError], args: tuple[object, ...], fields: dict[str, object]) -> GoalgraphError:
    """Make an error again in another process, where its arguments are no longer those it was made with."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(fields)
    return error


class _WithProblems(GoalgraphError):
    def __init__(self, summary: str, problems: Iterable[PlanProblem]) -> None:
        self.problems: tuple[PlanProblem, ...] = tuple(problems)
        shown = "; ".join(map(str, self.problems[:20]))
        rest = len(self.problems) - 20
        super().__init__(f"{summary}: {shown}" + (f"; and {rest} more" if rest > 0 else ""))


class InvalidPlan(_WithProblems, ValueError):
    """A plan that may not run. ``problems`` holds all of them."""

    def __init__(self, problems: Iterable[PlanProblem], *, source: str = "the plan") -> None:
        super().__init__(f"{source} is not valid", problems)


class InvalidAlias(GoalgraphError, ValueError):
    """A name under which no plan can be saved."""


class InvalidGoal(GoalgraphError, ValueError):
    """A goal that cannot be planned, such as an empty one."""


class PlannerError(GoalgraphError):
    """The planner's model gave no usable plan."""


class PlannerTruncated(PlannerError):
    """The model's answer was cut at its token limit."""


class PlannerRefused(PlannerError):
    """The model refused to plan the goal."""


class PlannerFiltered(PlannerError):
    """A content filter stopped the model's answer."""


class PlannerEmpty(PlannerError):
    """The model's answer had no content."""


class PlannerInvalid(_WithProblems, PlannerError, ValueError):
    """The model's plan was still invalid after the last repair."""

    def __init__(self, problems: Iterable[PlanProblem], *, attempts: int) -> None:
        self.attempts = attempts
        super().__init__(f"no valid plan from the model in {attempts} attempts", problems)


class ModelFailed(GoalgraphError, ConnectionError):
    """A model could not be called: network, authentication, rate limit, server error."""


class LimitReached(GoalgraphError, RuntimeError):
    """A model call that was not made, because it might have broken a limit of the run."""

    def __init__(
        self,
        message: str,
        *,
        limit: Literal["max_cost_usd", "max_tokens", "max_calls"],
        allowed: float | None = None,
        spent: float | None = None,
        reserved: float | None = None,
        asked: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit: Literal["max_cost_usd", "max_tokens", "max_calls"] = limit
        """As in `goalgraph.Limits`."""
        self.allowed = allowed
        """The limit: USD, tokens or calls, as the figures below."""
        self.spent = spent
        self.reserved = reserved
        """For calls that were under way."""
        self.asked = asked
        """What the call may have taken."""


class UnknownModel(GoalgraphError, ValueError):
    """A model name without a known provider."""


class MissingExtra(GoalgraphError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra {extra!r}", hint=f"pip install 'goalgraph[{extra}]'")


class InvalidSpecialist(GoalgraphError, ValueError):
    """A specialist that cannot be registered."""


class UnknownSpecialist(GoalgraphError, LookupError):
    """No specialist of that name is registered."""


class UnknownPlan(GoalgraphError, LookupError):
    """No plan is saved under that alias, or in that version."""


class InvalidData(GoalgraphError, ValueError):
    """A data file or document that cannot be read."""


class InvalidInput(GoalgraphError, ValueError):
    """A step's input that its specialist cannot take; trying again would not help."""


class ToolFailed(GoalgraphError, RuntimeError):
    """A tool was called, and says that it failed."""


class ServerGone(GoalgraphError, ConnectionError):
    """A server of tools cannot be reached, or went away during a call; whether the call took effect is not known."""


class MissingArtifact(GoalgraphError, LookupError):
    """Nothing is kept under a reference, or there is no store to look in."""


class DamagedArtifact(GoalgraphError, ValueError):
    """What is kept under a reference is not what was put there."""


class NoConfinement(GoalgraphError, RuntimeError):
    """A program cannot be confined on this machine, and nobody has said that it need not be."""


class ProgramFailed(GoalgraphError, RuntimeError):
    """A program in a sandbox failed, or left no usable result."""

    def __init__(self, message: str, *, ended: str, exit_code: int | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.ended = ended
        """Why it ended, as in `ProgramResult.ended`."""
        self.exit_code = exit_code


class InvalidPrompt(GoalgraphError, ValueError):
    """A prompt template was rendered with missing or surplus values."""


class NothingReceived(GoalgraphError, TimeoutError):
    """No message came for a step in the time that it would wait."""

    def __init__(self, step: str, specialist: str, seconds: float) -> None:
        self.step = step
        self.specialist = specialist
        self.seconds = seconds
        who = f"step {step!r}" + (f" of {specialist!r}" if specialist else "")
        super().__init__(
            f"{who} received no message within {seconds:g} s",
            hint="messages are sent to its id or to its specialist, and are gone where the run was resumed",
        )


class DelegationRefused(GoalgraphError, RuntimeError):
    """Work that a step may not have another specialist do; nothing of it was done."""

    def __init__(self, message: str, *, step: str, to: str, reason: str, hint: str = "") -> None:
        super().__init__(f"step {step!r} cannot delegate to {to!r}: {message}", hint=hint)
        self.step = step
        self.to = to
        self.reason = reason
        """Stable: ``approval`` (a human is asked before it), ``unavailable``, ``chain`` (it is at work around the
        step already), ``depth``, ``busy``, ``too_many``, or ``no_run``."""


class AttemptOver(GoalgraphError, RuntimeError):
    """The attempt is over, such as by a timeout, and its context is used on: by a thread that was left behind."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(
            f"the attempt at step {step!r} is over", hint="what was left behind has no part in the run any more"
        )


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
    code: str
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
        super().__init__("; ".join(map(str, self.problems)), hint=hint)

    @staticmethod
    def of(problems: Iterable[AnswerProblem]) -> "AnswerRefused":
        """Return the error that fits all of the problems."""
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


_LOOK = "see what is asked now with pending(agent, config)"
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
        self.steps: tuple[str, ...] = tuple(steps)
        asked = f" of {', '.join(map(repr, self.steps[:5]))}" if self.steps else ""
        super().__init__(
            f"the run of thread {thread!r} waits for answers{asked}", hint="answer them, or use another thread_id"
        )


class UnknownRun(GoalgraphError, LookupError):
    """No run is stored under that name."""


class CorruptRun(GoalgraphError, RuntimeError):
    """What is stored of a run is not what this version of goalgraph writes; nothing of it was executed."""

    def __init__(self, found: str, *, thread: str, checkpoint: str | None = None, channel: str | None = None) -> None:
        self.thread = thread
        self.checkpoint = checkpoint
        """Id of the checkpoint, where it is known."""
        self.channel = channel
        """Part of the state that is damaged; None where it is the checkpoint as a whole, or not known."""
        place = "".join((f", checkpoint {checkpoint}" if checkpoint else "", f", {channel!r}" if channel else ""))
        super().__init__(
            f"what is stored of thread {thread!r}{place} cannot be used: {found}",
            hint="restore the checkpoints from a backup, or begin again with a new thread_id",
        )
