"""How the command ends: exit codes, and errors as one line."""

import os
import sys
import traceback
from typing import Protocol, runtime_checkable

from goalgraph.errors import (
    GoalgraphError,
    InvalidData,
    InvalidGoal,
    InvalidPlan,
    InvalidSpecialist,
    MissingExtra,
    PlannerError,
    UnknownModel,
    UnknownRun,
    UnknownSpecialist,
)

__all__ = ["COMPLETE", "FAILED", "USAGE", "BadInput", "Stopped", "debugging", "exit_code_of", "one_line_of", "report"]

COMPLETE = 0
FAILED = 1
USAGE = 2

_BY_STATUS = {"complete": 0, "failed": 1, "degraded": 3, "halted": 4}
_BAD_INPUT = (
    InvalidData,
    InvalidGoal,
    InvalidPlan,
    InvalidSpecialist,
    MissingExtra,
    UnknownModel,
    UnknownRun,
    UnknownSpecialist,
)
_MOST = 4_000


class BadInput(GoalgraphError):
    """What the command was given cannot be used."""


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
    """Say on stderr, in one line, what went wrong, and return the exit code; ``GOALGRAPH_DEBUG=1`` shows where."""
    if debugging():
        traceback.print_exception(error)
    if sys.stderr is not None:
        sys.stderr.write(f"goalgraph: error: {one_line_of(error)}\n")
        sys.stderr.flush()
    if isinstance(error, _UsageError):
        return USAGE
    if isinstance(error, PlannerError):
        return FAILED
    return USAGE if isinstance(error, (BadInput, *_BAD_INPUT)) else FAILED


def one_line_of(error: Exception) -> str:
    """Describe an error: what, where, what to do."""
    if isinstance(error, _UsageError):
        command = getattr(getattr(error, "ctx", None), "command_path", "goalgraph")
        text = f"{error.format_message().rstrip('.')}; see '{command} --help'"
    elif isinstance(error, GoalgraphError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        where = f" {str(error.filename)!r}" if error.filename is not None else ""
        text = f"the system refused access{where}: {error.strerror}; check path, space and permissions"
    else:
        text = f"unexpected {type(error).__name__}: {error}; set GOALGRAPH_DEBUG=1 to see where"
    text = "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def debugging() -> bool:
    """Whether the caller asked for tracebacks and the libraries' log output."""
    return os.environ.get("GOALGRAPH_DEBUG", "") not in ("", "0")
