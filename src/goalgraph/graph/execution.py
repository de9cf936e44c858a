"""Running one step: attempts, waits, fallbacks, timeouts; whatever happens becomes an `Outcome`."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import cast

from langgraph.errors import GraphBubbleUp
from pydantic import JsonValue
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.plan import Retry
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json, as_result, fitting
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = ["idempotency_key", "perform"]

_MAX_MESSAGE = 2_000


async def perform(
    task: StepTask,
    context: StepContext,
    chain: Sequence[Specialist],
    *,
    started_at: str,
    timeout: float | None,
    retry: Retry | None,
    handed_over: Callable[[Specialist], Awaitable[None]],
) -> Outcome:
    """Do a step, with its retries and fallbacks.

    Args:
        task: The work.
        context: What surrounds it.
        chain: Who tries it, in this order; at least one.
        started_at: When the step's turn came.
        timeout: Seconds for one attempt.
        retry: How often each of the chain tries; once where absent.
        handed_over: Called before a fallback takes over.

    Returns:
        ``succeeded``, or ``failed`` with the last error. Interrupts and cancellation pass through as they are.
    """
    began = perf_counter()
    attempts = 0
    failures: list[str] = []
    for place, specialist in enumerate(chain):
        if place:
            await handed_over(specialist)
        own = replace(task, output_schema=specialist.card.output_schema)
        found, tried = await _attempts(specialist, own, context, timeout, retry, attempts)
        attempts += tried
        if isinstance(found, StepError):
            failures.append(f"{specialist.card.name} failed: {found.message}")
            if place < len(chain) - 1:
                continue
            return Outcome(
                step=task.step,
                status="failed",
                error=found,
                specialist=specialist.card.name,
                attempts=attempts,
                started_at=started_at,
                seconds=perf_counter() - began,
                degraded=tuple(failures[:-1]),
            )
        result, output = found
        return Outcome(
            step=task.step,
            status="succeeded",
            output=output,
            confidence=result.confidence,
            specialist=specialist.card.name,
            attempts=attempts,
            started_at=started_at,
            seconds=perf_counter() - began,
            artifacts=result.artifacts,
            degraded=(*failures, *result.degraded),
        )
    raise AssertionError("a step without anybody to do it")


def idempotency_key(thread: str, step: str, instruction: str, arguments: Mapping[str, JsonValue]) -> str:
    """Key of a step's effect: the same whenever the step runs again on its thread with the same resolved input.

    Returns:
        32 hexadecimal digits.
    """
    resolved = json.dumps(arguments, sort_keys=True, ensure_ascii=False) if arguments else ""
    # Lengths keep apart what would otherwise run together.
    text = f"{len(thread)} {len(step)} {len(instruction)} {thread}{step}{instruction}{resolved}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


async def _attempts(
    specialist: Specialist,
    task: StepTask,
    context: StepContext,
    timeout: float | None,
    retry: Retry | None,
    before: int,
) -> tuple[tuple[StepResult, JsonValue] | StepError, int]:
    """Try until it works or the attempts are used up; return what came of it, and the number of attempts."""
    if retry is None or retry.max_attempts == 1:
        try:
            return await _attempt(specialist, task, context, timeout, before + 1), 1
        except Exception as error:
            return _described(error), 1
    tried = 0
    try:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(retry.max_attempts),
            wait=wait_exponential(retry.initial_seconds, max=retry.max_seconds, exp_base=retry.factor)
            + wait_random(0, min(1.0, retry.initial_seconds)),
            retry=retry_if_not_exception_type((GraphBubbleUp, asyncio.CancelledError)),
        ):
            with attempt:
                tried += 1
                return await _attempt(specialist, task, context, timeout, before + tried), tried
    except RetryError as error:
        return _described(cast("Exception", error.last_attempt.exception())), tried
    raise AssertionError("tenacity ended without a result or an error")


async def _attempt(
    specialist: Specialist, task: StepTask, context: StepContext, timeout: float | None, number: int
) -> tuple[StepResult, JsonValue]:
    if number > 1:
        context = replace(context, attempt=number)
    if timeout is None:
        returned = await specialist.run(task, context)
    else:
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                returned = await specialist.run(task, context)
        except TimeoutError as error:
            if deadline.expired():
                raise _TimedOut(f"no result after {timeout:g} s") from error
            raise
    result = as_result(returned)
    if result.confidence is not None and not 0 <= result.confidence <= 1:
        raise InvalidOutput(f"a confidence is from 0 to 1, found {result.confidence!r}")
    output = as_json(result.output)
    return result, fitting(output, task.output_schema) if task.output_schema is not None else output


class _TimedOut(Exception):
    """The step's own timeout, not one that the specialist raised."""


def _described(error: Exception) -> StepError:
    if isinstance(error, GraphBubbleUp):
        raise error
    codes: dict[type[Exception], str] = {
        _TimedOut: "timeout",
        InvalidOutput: "invalid_output",
        OutputTooLarge: "output_too_large",
    }
    code = next((code for kind, code in codes.items() if isinstance(error, kind)), "raised")
    name = type(error).__name__
    said = " ".join(str(error).split())
    message = said if code != "raised" else f"{name}: {said}" if said else name
    message = message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 3] + "..."
    return StepError(code=code, message=str(as_json(message)), type="TimeoutError" if code == "timeout" else name)
