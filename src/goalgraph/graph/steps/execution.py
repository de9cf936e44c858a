"""Running one step: its specialist and those that take over, until one has done it; failures become an `Outcome`."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from langgraph.types import RetryPolicy
from pydantic import JsonValue

from goalgraph.errors import InvalidInput, LimitReached
from goalgraph.errors.codes import StepErrorCode
from goalgraph.graph.coordination.health import StepGuard, Unavailable
from goalgraph.graph.policies import NativeRetry
from goalgraph.graph.steps.attempts import Report, Surroundings, Terms, attempted
from goalgraph.graph.steps.failures import described
from goalgraph.graph.steps.pulse import Overdue
from goalgraph.graph.steps.retrying import rule_of
from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.plan import Retry
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json
from goalgraph.specialists.specialist import Specialist, StepResult, StepTask

__all__ = ["idempotency_key", "perform"]

_MAX_MESSAGE = 2_000
_USUAL = RetryPolicy().retry_on


async def perform(
    task: StepTask,
    surroundings: Surroundings,
    chain: Sequence[Specialist],
    *,
    report: Report,
    started_at: str,
    timeout: float | None,
    retry: Retry | NativeRetry | None,
    handed_over: Callable[[Specialist], Awaitable[None]],
    idle_timeout: float | None = None,
    is_ending: Callable[[], bool] = lambda: False,
    refusal: Callable[[], LimitReached | None] = lambda: None,
    guard: StepGuard | None = None,
) -> Outcome:
    """Do a step, with its retries and fallbacks.

    Args:
        task: The work.
        surroundings: What surrounds it.
        chain: Who tries it, in this order; at least one.
        report: Tells whoever watches how far it is.
        started_at: When the step's turn came.
        timeout: Seconds for one attempt.
        retry: How often each of the chain tries; once where absent.
        handed_over: Called before a fallback takes over.
        idle_timeout: Seconds that an attempt may go on without a sign of life.
        is_ending: Whether the step, or the run, has been cancelled.
        refusal: Why a model call of the step was refused by a limit, where one was.
        guard: Knows who is fit to be given work; who is not is passed over.

    Returns:
        ``succeeded``, or ``failed`` with the last error; ``cancelled`` where a limit refused what it needed: nothing
        was wrong with the work, and neither retries nor fallbacks nor revisions could help. Interrupts and
        cancellation pass through as they are.

    Raises:
        Exiting: A specialist raised ``SystemExit`` or ``KeyboardInterrupt``.
    """
    began = perf_counter()
    terms = Terms(
        timeout=timeout,
        idle_timeout=idle_timeout,
        rule=rule_of(retry, _USUAL),
        is_ending=is_ending,
        refusal=refusal,
        report=report,
        guard=guard,
    )
    attempts = 0
    failures: list[str] = []
    surest: Outcome | None = None
    own_reasons: tuple[str, ...] = ()
    for place, specialist in enumerate(chain):
        found: tuple[StepResult, JsonValue] | BaseException
        tried, signals = 0, tuple[str, ...]()
        if guard is not None and (unfit := guard.refusal(specialist)) is not None:
            found = unfit  # without waiting for its place
        else:
            if place:
                await handed_over(specialist)
            schema = specialist.card.output_schema
            own = task if schema is None else replace(task, output_schema=schema)
            try:
                found, tried, signals = await attempted(specialist, own, surroundings, terms, attempts)
            except BaseException:
                if guard is not None:
                    guard.end()
                raise
        attempts += tried
        if isinstance(found, BaseException):
            refused = refusal()
            error = (
                _error(found)
                if refused is None
                else StepError(code="limit", message=_refused(refused), type="LimitReached")
            )
            failures.append(f"{specialist.card.name} failed: {error.message}")
            if place < len(chain) - 1 and refused is None:
                continue
            if surest is not None:
                break
            return Outcome(
                step=task.step,
                status="failed" if refused is None else "cancelled",
                error=error,
                specialist=specialist.card.name,
                attempts=attempts,
                started_at=started_at,
                seconds=perf_counter() - began,
                degraded=tuple(failures[:-1]),
                signals=signals,
            )
        result, output = found
        outcome = Outcome(
            step=task.step,
            status="succeeded",
            output=output,
            confidence=result.confidence,
            confidence_reason=result.confidence_reason,
            specialist=specialist.card.name,
            attempts=attempts,
            started_at=started_at,
            seconds=perf_counter() - began,
            artifacts=result.artifacts,
            degraded=(*failures, *result.degraded),
            usage=result.usage,
            signals=tuple(dict.fromkeys((*signals, *result.signals))) if result.signals else signals,
        )
        if guard is None or specialist.card.effects or not guard.is_weak(result):
            return outcome  # what had an effect is not to have it twice
        failures.append(f"{specialist.card.name} is not sure enough: confidence {result.confidence:g}")
        if surest is None or (surest.confidence or 0.0) < (outcome.confidence or 0.0):
            surest, own_reasons = outcome, result.degraded
    if surest is None:
        raise AssertionError("a step without anybody to do it")
    changes = {"attempts": attempts, "seconds": perf_counter() - began, "degraded": (*failures, *own_reasons)}
    return surest.model_copy(update=changes)


def idempotency_key(thread: str, step: str, instruction: str, arguments: Mapping[str, JsonValue]) -> str:
    """Key of a step's effect: the same whenever the step runs again on its thread with the same resolved input.

    Returns:
        32 hexadecimal digits.
    """
    resolved = json.dumps(arguments, sort_keys=True, ensure_ascii=False) if arguments else ""
    # Lengths keep apart what would otherwise run together.
    text = f"{len(thread)} {len(step)} {len(instruction)} {thread}{step}{instruction}{resolved}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _refused(error: LimitReached) -> str:
    """Say why a step was refused what it needed; the figures of a limit are the run's to tell, once."""
    return str(error) if error.allowed is None else f"a model call was refused: the run has met its limit {error.limit}"


def _error(failure: BaseException) -> StepError:
    codes: dict[type[BaseException], StepErrorCode] = {
        Overdue: "timeout",
        InvalidInput: "invalid_input",
        InvalidOutput: "invalid_output",
        OutputTooLarge: "output_too_large",
        Unavailable: "unavailable",
    }
    code: StepErrorCode = "raised"
    for kind, own in codes.items():
        if isinstance(failure, kind):
            code = own
            break
    name, said = described(failure)
    if isinstance(failure, asyncio.CancelledError) and not said:
        said = "raised by the specialist itself; nobody has cancelled the step"
    message = said if code != "raised" else f"{name}: {said}" if said else name
    message = message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 3] + "..."
    return StepError(code=code, message=str(as_json(message)), type="TimeoutError" if code == "timeout" else name)
