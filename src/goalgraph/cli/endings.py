"""How the command ends: exit codes, and errors as one line, those of plans as one line for each problem."""

import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from goalgraph.errors import (
    GoalgraphError,
    InvalidAlias,
    InvalidData,
    InvalidGoal,
    InvalidPlan,
    InvalidPrompt,
    InvalidSpecialist,
    MissingExtra,
    PlannerError,
    PlanProblem,
    UnknownModel,
    UnknownPlan,
    UnknownRun,
    UnknownSpecialist,
)

__all__ = [
    "COMPLETE",
    "FAILED",
    "USAGE",
    "WAITING",
    "BadInput",
    "Stopped",
    "UnusablePlan",
    "debugging",
    "exit_code_of",
    "one_line_of",
    "problem_line",
    "report",
]

COMPLETE = 0
FAILED = 1
USAGE = 2
WAITING = 4

_BY_STATUS = {"complete": COMPLETE, "failed": FAILED, "degraded": 3, "halted": WAITING, "waiting": WAITING}
_BAD_INPUT = (
    InvalidAlias,
    InvalidData,
    InvalidGoal,
    InvalidPlan,
    InvalidPrompt,
    InvalidSpecialist,
    MissingExtra,
    UnknownModel,
    UnknownPlan,
    UnknownRun,
    UnknownSpecialist,
)
_MOST = 4_000


class BadInput(GoalgraphError):
    """What the command was given cannot be used."""


class UnusablePlan(InvalidPlan):
    """A plan that a command was given, and that may not run."""

    def __init__(self, problems: Iterable[PlanProblem], *, source: str) -> None:
        super().__init__(problems, source=source)
        self.source = source
        """Its file."""


class Stopped(Exception):
    """A signal stopped the work."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.exit_code = 128 + number


@runtime_checkable
class _UsageError(Protocol):
    """Typer's usage errors, whichever module its version keeps them in."""

    exit_code: int

    def format_message(self) -> str: ...


def exit_code_of(status: str) -> int:
    """Exit code of a run that ended with that status."""
    return _BY_STATUS.get(status, FAILED)


def report(error: Exception) -> int:
    """Say on stderr what went wrong, and return the exit code; ``GOALGRAPH_DEBUG=1`` shows where."""
    if debugging():
        traceback.print_exception(error)
    if sys.stderr is not None:
        if isinstance(error, UnusablePlan):
            sys.stderr.writelines(f"{problem_line(error.source, problem)}\n" for problem in error.problems)
        sys.stderr.write(f"goalgraph: error: {one_line_of(error)}\n")
        sys.stderr.flush()
    if isinstance(error, _UsageError):
        return USAGE
    if isinstance(error, PlannerError):
        return FAILED
    return USAGE if isinstance(error, (BadInput, *_BAD_INPUT)) else FAILED


def one_line_of(error: Exception) -> str:
    """Describe an error: what, where, what to do."""
    if isinstance(error, UnusablePlan):
        count = len(error.problems)
        text = f"the plan {error.source!r} has {count} problem{'s' * (count != 1)}"
    elif isinstance(error, _UsageError):
        command = getattr(getattr(error, "ctx", None), "command_path", "goalgraph")
        text = f"{error.format_message().rstrip('.')}; see '{command} --help'"
    elif isinstance(error, GoalgraphError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        where = f" {str(error.filename)!r}" if error.filename is not None else ""
        text = f"the system refused access{where}: {error.strerror}; check path, space and permissions"
    else:
        text = f"unexpected {type(error).__name__}: {error}; set GOALGRAPH_DEBUG=1 to see where"
    return _shown(text)


def problem_line(source: str, problem: PlanProblem) -> str:
    """Write a plan's problem as compilers do: file, line and column as far as they are known, code, and what it is."""
    place = [source]
    if problem.line is not None:
        place += [str(problem.line), str(problem.column or 1)]
    return _shown(f"{':'.join(place)}: {problem.code}: {replace(problem, line=None, column=None)}")


def _shown(text: str) -> str:
    """Put a text on one line that cannot steer a terminal."""
    text = "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def debugging() -> bool:
    """Whether the caller asked for tracebacks and the libraries' log output."""
    return os.environ.get("GOALGRAPH_DEBUG", "") not in ("", "0")
