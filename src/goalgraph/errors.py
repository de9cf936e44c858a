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
├── InvalidPrompt (ValueError)          a template rendered with missing or surplus values
├── SynthesisFailed (RuntimeError)      the answer could not be written
└── UnknownRun (LookupError)            no run to resume under that name
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "GoalgraphError",
    "InvalidAlias",
    "InvalidData",
    "InvalidGoal",
    "InvalidPlan",
    "InvalidPrompt",
    "InvalidSpecialist",
    "MissingExtra",
    "ModelFailed",
    "PlanProblem",
    "PlannerEmpty",
    "PlannerError",
    "PlannerFiltered",
    "PlannerInvalid",
    "PlannerRefused",
    "PlannerTruncated",
    "SynthesisFailed",
    "UnknownModel",
    "UnknownPlan",
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


class InvalidPrompt(GoalgraphError, ValueError):
    """A prompt template was rendered with missing or surplus values."""


class SynthesisFailed(GoalgraphError, RuntimeError):
    """The answer could not be written from the outcomes."""


class UnknownRun(GoalgraphError, LookupError):
    """No run is stored under that name."""
