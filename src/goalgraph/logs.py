"""What is logged of runs, steps and attempts, on the logger ``goalgraph`` of the standard library.

INFO: a run begins, or is over. WARNING: an attempt failed and is made again; a step has failed; a run was broken off.
DEBUG: a step begins, or is over; and what failed attempts and steps say. Records have the fields ``run``, ``step``,
``attempt``, ``specialist``, ``status`` and ``seconds`` where they make sense. From INFO on they hold ids, names,
statuses and classes of exceptions, and no prompt, answer, goal, key or message of an exception: these may hold secrets,
and come with DEBUG only.
"""

import json
import logging
from asyncio import CancelledError
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goalgraph.planner.outcome import Outcome

__all__ = [
    "FIELDS",
    "JsonFormatter",
    "attempt_failed",
    "gate_unmatched",
    "run_begun",
    "run_over",
    "step_begun",
    "step_over",
]

FIELDS = ("run", "step", "attempt", "specialist", "status", "seconds")
"""What records may have beside their message."""

_LOG = logging.getLogger("goalgraph")
_LOG.addHandler(logging.NullHandler())
_STATUS_FIELDS = ("status_code", "status", "code")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time (ISO 8601, UTC), level, logger, message, and the fields it has."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; an exception's traceback is the field ``traceback``."""
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def run_begun(run: str) -> Callable[..., None]:
    """Say that a call of a run begins; return what says that it was broken off, where an exception ends it."""
    if _LOG.isEnabledFor(logging.INFO):
        _LOG.info("run %s begins", run, extra={"run": run})

    def ended(kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        level = logging.INFO if issubclass(kind, (GeneratorExit, CancelledError)) else logging.WARNING
        if _LOG.isEnabledFor(level):
            _LOG.log(level, "run %s was broken off by %s", run, kind.__name__, extra={"run": run})

    return ended


def run_over(run: str, status: str) -> None:
    """Say that a run is over."""
    if _LOG.isEnabledFor(logging.INFO):
        _LOG.info("run %s is over: %s", run, status, extra={"run": run, "status": status})


def gate_unmatched(run: str, name: str) -> None:
    """Say that nothing in a run is called as its approval policy says: what was meant may be done without asking."""
    _LOG.warning("nothing is called %r, before which the approval policy asks", name, extra={"run": run})


def step_begun(run: str, step: str, specialist: str) -> None:
    """Say that a step's turn has come."""
    if _LOG.isEnabledFor(logging.DEBUG):
        extra = {"run": run, "step": step, "specialist": specialist}
        _LOG.debug("step %s begins, with %s", step, specialist, extra=extra)


def step_over(run: str, outcome: "Outcome") -> None:
    """Say that a step is over."""
    step, status, error = outcome.step, outcome.status, outcome.error
    level = logging.WARNING if status == "failed" else logging.DEBUG
    if not _LOG.isEnabledFor(level):
        return
    extra: dict[str, object] = {"run": run, "step": step, "specialist": outcome.specialist}
    extra |= {"attempt": outcome.attempts, "status": status, "seconds": outcome.seconds}
    if error is None or status != "failed":
        _LOG.log(level, "step %s is over: %s", step, status, extra=extra)
        return
    why = f"{error.code}, {error.type}" if error.type else error.code
    _LOG.warning("step %s failed: %s", step, why, extra=extra)
    _LOG.debug("step %s failed: %s", step, error.message, extra=extra)


def attempt_failed(
    run: Callable[[], str], step: str, specialist: str, attempt: int, error: BaseException, seconds: float
) -> None:
    """Say that an attempt failed, and is made again.

    Args:
        run: Tells the id of its run.
        step: Its step.
        specialist: Who made it.
        attempt: Its number, from 1.
        error: What it failed with.
        seconds: Until the next one.
    """
    if not _LOG.isEnabledFor(logging.WARNING):
        return
    extra = {"run": run(), "step": step, "specialist": specialist, "attempt": attempt, "seconds": seconds}
    kind, code = type(error).__name__, _code(error)
    why = f"{kind} {code}" if code else kind
    _LOG.warning("attempt %d at step %s failed (%s); again in %.3g s", attempt, step, why, seconds, extra=extra)
    _LOG.debug("attempt %d at step %s failed: %s", attempt, step, error, extra=extra)


def _code(error: BaseException) -> str:
    """The HTTP status in an error, or in what caused it."""
    for one in (error, error.__cause__):
        found = next((vars(one)[name] for name in _STATUS_FIELDS if name in getattr(one, "__dict__", {})), None)
        if isinstance(found, int):
            return str(found)
    return ""
