"""What all errors have in common."""

from collections.abc import Iterable
from dataclasses import dataclass

from goalgraph.errors.codes import ProblemCode

__all__ = [
    "GoalgraphError",
    "PlanProblem",
    "WithProblems",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """One thing that is wrong with a plan: where, what, and what to do."""

    code: ProblemCode
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
        """What to do; empty where there is nothing to advise."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.args, vars(self))


def _rebuilt(kind: type[GoalgraphError], args: tuple[object, ...], fields: dict[str, object]) -> GoalgraphError:
    """Make an error again in another process, where its arguments are no longer those it was made with."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(fields)
    return error


class WithProblems(GoalgraphError):
    """A plan, or a draft of one, that cannot be used: all that is wrong with it."""

    def __init__(self, summary: str, problems: Iterable[PlanProblem]) -> None:
        self.problems: tuple[PlanProblem, ...] = tuple(problems)
        """All of them; the message has the first 20."""
        shown = "; ".join(map(str, self.problems[:20]))
        rest = len(self.problems) - 20
        super().__init__(f"{summary}: {shown}" + (f"; and {rest} more" if rest > 0 else ""))
