"""The attempts of one specialist at one step: timed, judged, made again, and ended as Python users expect."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import cast

from langgraph.errors import GraphBubbleUp, GraphInterrupt
from pydantic import JsonValue

from goalgraph.errors import LimitReached
from goalgraph.graph.coordination.health import StepGuard
from goalgraph.graph.steps.failures import leaves, named, retry_after
from goalgraph.graph.steps.nesting import run_around
from goalgraph.graph.steps.pulse import Raised, give_sign, within
from goalgraph.graph.steps.retrying import RetryRule
from goalgraph.logs import attempt_failed
from goalgraph.specialists.function import FunctionSpecialist
from goalgraph.specialists.results import OutputTooLarge, as_json, as_result, kept
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = ["Exiting", "Report", "Surroundings", "Terms", "attempted"]

Report = Callable[[Mapping[str, JsonValue]], None]
Surroundings = Callable[..., StepContext]
"""Makes the context of an attempt of its number, whether failed attempts are made again, and its report."""

_MAX_SHOWN = 200


class Exiting(Exception):
    """Carries an exit out of a specialist to the caller of the run.

    Event loops end at once where a task raises ``SystemExit`` or ``KeyboardInterrupt``: nothing would be cancelled, and
    the loop that sync calls share would be gone. So it travels inside of an exception like any other, which cancels
    what runs beside it, and is taken out where the run is over.
    """

    def __init__(self, carried: SystemExit | KeyboardInterrupt) -> None:
        super().__init__(carried)
        self.carried = carried


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How attempts are made."""

    timeout: float | None = None
    """Seconds for one attempt."""
    idle_timeout: float | None = None
    """Seconds without a sign of life."""
    rule: RetryRule | None = None
    """When an attempt is made again; never, where absent."""
    is_ending: Callable[[], bool] = lambda: False
    """Whether the step, or the run, has been cancelled."""
    refusal: Callable[[], LimitReached | None] = lambda: None
    """Why a model call of the step was refused, where one was: then no other attempt is made."""
    report: Report
    """Tells whoever watches how far the step is."""
    guard: StepGuard | None = None
    """Knows who is fit to be given work, where anybody does."""


async def attempted(
    specialist: Specialist, task: StepTask, surroundings: Surroundings, terms: Terms, before: int
) -> tuple[tuple[StepResult, JsonValue] | BaseException, int, tuple[str, ...]]:
    """Try until it works, there is no point in trying again, or the attempts are used up.

    Args:
        specialist: Who tries.
        task: The work.
        surroundings: What surrounds it.
        terms: How.
        before: How many attempts others have made.

    Returns:
        What came of it, an exception where it failed; the number of attempts; what was signalled in the last one.

    Raises:
        GraphBubbleUp: The specialist asks a human, or steers the graph around it.
        asyncio.CancelledError: The run, or the step, was cancelled; not where a specialist raises it by itself.
        Exiting: The specialist raised ``SystemExit`` or ``KeyboardInterrupt``.
    """
    rule, here = terms.rule, asyncio.current_task()
    cancelling = here.cancelling() if here is not None else 0
    tried = 0
    guard, last = terms.guard, None
    while True:
        if guard is not None and (refusal := await guard.admit(specialist)) is not None:
            return last or refusal, tried, ()
        tried += 1
        voice = _Voice(terms.report)
        context = surroundings(
            attempt=before + tried, retried=rule is not None, report=voice, specialist=specialist.card.name
        )
        found = await _attempt(specialist, task, context, voice, terms)
        if not isinstance(found, BaseException):
            _unmark(here, cancelling)
            if guard is not None:
                guard.succeeded(specialist, found[0])
            return found, tried, context.signals
        is_marked = here is not None and here.cancelling() > cancelling
        _let_pass(found, is_cancelled=is_marked and (isinstance(found, asyncio.CancelledError) or terms.is_ending()))
        _unmark(here, cancelling)
        if guard is not None and terms.refusal() is not None:
            guard.end()  # nothing was found out about the specialist
        elif guard is not None:
            guard.failed(specialist, found)
            if guard.refusal(specialist) is not None:
                return found, tried, context.signals
            last = found
        if rule is None or tried >= rule.max_attempts or isinstance(found, OutputTooLarge) or terms.refusal():
            return found, tried, context.signals
        try:
            again = rule.retries(found)
        except Exception as error:  # the rule is the caller's own
            return (
                RuntimeError(f"retry_on raised {named(error)}, when asked about {named(found)}"),
                tried,
                context.signals,
            )
        if not again:
            return found, tried, context.signals
        seconds = rule.pause(tried, retry_after(found, datetime.now(UTC)), random.random())
        attempt_failed(run_around, task.step, specialist.card.name, before + tried, found, seconds)
        _tell(terms.report, f"attempt {tried} of {rule.max_attempts} failed, the next one in {seconds:.3g} s", found)
        await asyncio.sleep(seconds)


async def _attempt(
    specialist: Specialist, task: StepTask, context: StepContext, voice: "_Voice", terms: Terms
) -> tuple[StepResult, JsonValue] | BaseException:
    try:
        apart = not isinstance(specialist, FunctionSpecialist)  # runnables gather tasks, and what these raise
        returned = await within(partial(specialist.run, task, context), terms.timeout, terms.idle_timeout, apart=apart)
    finally:
        voice.open = False
        context.close()
    if isinstance(returned, Raised):
        return returned.error
    try:
        return await kept(as_result(returned), task.output_schema, context.artifacts)
    except Exception as error:
        return error


def _unmark(task: "asyncio.Task[object] | None", before: int) -> None:
    """Take away marks of a cancellation that was none: Python 3.11's ``TaskGroup`` leaves one where its work fails."""
    while task is not None and task.cancelling() > before:
        task.uncancel()


def _let_pass(error: BaseException, *, is_cancelled: bool) -> None:
    """Raise what is no failure of the specialist's, as what it is."""
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        raise Exiting(error) from error
    if isinstance(error, GraphBubbleUp):
        raise error
    if is_cancelled:
        if isinstance(error, asyncio.CancelledError):
            raise error
        # What was cancelled and fails in its cleanup has not failed at its work: that is still to be done.
        raise asyncio.CancelledError from error
    if isinstance(error, BaseExceptionGroup):
        asked = _asked(cast("BaseExceptionGroup[BaseException]", error))
        if asked is not None:
            raise asked from error


class _Voice:
    """What a specialist tells about its progress: a sign of life, and nothing any more once its attempt is over.

    A thread that was left behind may go on telling.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.open = True

    def __call__(self, said: Mapping[str, JsonValue]) -> None:
        if self.open:
            give_sign()
            self._report(said)


def _asked(group: "BaseExceptionGroup[BaseException]") -> GraphBubbleUp | None:
    """Return what a group comes down to whose members all ask a human: one interrupt with all of their requests."""
    passing, failures = group.split(GraphBubbleUp)
    if passing is None or failures is not None:
        return None
    found = [one for one in leaves(passing) if isinstance(one, GraphBubbleUp)]
    if all(isinstance(one, GraphInterrupt) for one in found):
        return GraphInterrupt(tuple(request for one in found for request in (one.args[0] if one.args else ())))
    return found[0]


def _tell(report: Report, said: str, error: BaseException) -> None:
    text = named(error)
    message = as_json(f"{said}: {text if len(text) <= _MAX_SHOWN else f'{text[: _MAX_SHOWN - 3]}...'}")
    report({"message": message, "fraction": None})
