"""What a group of branches, or the items of a map, come to as a whole; pure."""

from collections.abc import Collection, Mapping, Sequence

from pydantic import JsonValue

from goalgraph.planner.outcome import Outcome, StepError, was_decided
from goalgraph.planner.plan import MapStep, OnFailure, ParallelStep

__all__ = ["gathered", "gathered_items"]

_MOST_TOLD = 5


def gathered(
    step: ParallelStep,
    outcomes: Mapping[str, Outcome],
    optional: Collection[str],
    expired: str | None = None,
) -> Outcome:
    """Judge a group whose branches are all over.

    The output is an object with the outputs of the branches that succeeded, by the ids of their last steps, without the
    group's own id before them.

    Args:
        step: Of a flat plan.
        outcomes: At least those of its branches.
        optional: Ids of steps whose failure counts for nothing.
        expired: What to say where its time was up.
    """
    heads = [str(branch[-1] if isinstance(branch, tuple) else branch) for branch in step.branches]
    found = [outcomes[head] for head in heads]
    output: dict[str, JsonValue] = {
        head.removeprefix(f"{step.id}."): outcome.output
        for head, outcome in zip(heads, found, strict=True)
        if outcome.status == "succeeded"
    }
    return _judged(step.id, found, step.on_failure, output, optional, expired)


def gathered_items(
    step: MapStep,
    items: Sequence[Outcome],
    optional: Collection[str],
    expired: str | None = None,
) -> Outcome:
    """Judge a map whose items are all over; the output is the list of their outputs, null for those without one."""
    output: list[JsonValue] = [outcome.output if outcome.status == "succeeded" else None for outcome in items]
    if not items:
        return Outcome(step=step.id, status="succeeded", output=output)
    return _judged(step.id, items, step.on_failure, output, optional, expired)


def _judged(
    step_id: str,
    found: Sequence[Outcome],
    on_failure: OnFailure,
    output: JsonValue,
    optional: Collection[str],
    expired: str | None,
) -> Outcome:
    succeeded = [outcome for outcome in found if outcome.status == "succeeded"]
    bad = [
        outcome
        for outcome in found
        if outcome.status not in ("succeeded", "skipped") and outcome.step not in optional and not was_decided(outcome)
    ]
    told = [f"{outcome.step!r} {outcome.status}{_because(outcome)}" for outcome in bad[:_MOST_TOLD]]
    if len(bad) > _MOST_TOLD:
        told.append(f"{len(bad) - _MOST_TOLD} more")
    confidences = [outcome.confidence for outcome in succeeded if outcome.confidence is not None]
    confidence = min(confidences, default=None)
    if expired is not None:
        error = StepError(code="timeout", message=expired, type="TimeoutError")
        return Outcome(step=step_id, status="failed", output=output, confidence=confidence, error=error)
    if not bad and not succeeded and any(outcome.status == "skipped" for outcome in found):
        return Outcome(step=step_id, status="skipped")
    if not bad or (on_failure == "continue" and succeeded):
        return Outcome(step=step_id, status="succeeded", output=output, confidence=confidence, degraded=tuple(told))
    if not succeeded and all(outcome.status == "blocked" for outcome in bad):
        return Outcome(step=step_id, status="blocked", error=StepError(code="dependency", message="; ".join(told)))
    if all(outcome.status == "cancelled" for outcome in bad):
        return Outcome(step=step_id, status="cancelled", output=output, error=bad[0].error)
    error = StepError(code="branch_failed", message="; ".join(told))
    return Outcome(step=step_id, status="failed", output=output, confidence=confidence, error=error)


def _because(outcome: Outcome) -> str:
    return f": {outcome.error.message[:300]}" if outcome.error is not None else ""
