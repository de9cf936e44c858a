"""What of a run's outcomes can stand in an answer, in plan order."""

from collections.abc import Collection
from dataclasses import dataclass

from goalgraph.planner.outcome import Outcome, text_of
from goalgraph.planner.plan import Step
from goalgraph.synthesis.synthesizer import SynthesisRequest

__all__ = ["Gap", "Part", "gaps", "parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A usable outcome: its step succeeded, and there is text in it."""

    step: str
    task: str
    text: str
    weak: str
    """Says that, and how far, the outcome's confidence is too low; empty where it is not."""
    notes: tuple[str, ...]
    """Why its specialist thinks it less than was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A step without a usable outcome."""

    step: str
    reason: str


def parts(request: SynthesisRequest, among: Collection[str] | None = None) -> tuple[Part, ...]:
    """Usable outcomes, in plan order; those below their step's ``min_confidence`` are marked as weak.

    Args:
        request: The run.
        among: Ids of the steps to look at; None: all.
    """
    found: list[Part] = []
    for step in request.plan.steps:
        outcome = request.outcomes.get(step.id) if among is None or step.id in among else None
        if outcome is not None and outcome.status == "succeeded" and (text := text_of(outcome.output).strip()):
            found.append(
                Part(step=step.id, task=step.task, text=text, weak=_weakness(step, outcome), notes=outcome.degraded)
            )
    return tuple(found)


def gaps(request: SynthesisRequest) -> tuple[Gap, ...]:
    """Steps without a usable outcome, in plan order, but for those that a condition skipped: they were not wanted."""
    used = {part.step for part in parts(request)}
    return tuple(
        Gap(step=step.id, reason=_reason(outcome))
        for step in request.plan.steps
        if step.id not in used and ((outcome := request.outcomes.get(step.id)) is None or outcome.status != "skipped")
    )


def _weakness(step: Step, outcome: Outcome) -> str:
    if step.min_confidence is None or outcome.confidence is None or outcome.confidence >= step.min_confidence:
        return ""
    return f"low confidence: {outcome.confidence:g}"


def _reason(outcome: Outcome | None) -> str:
    if outcome is None:
        return "did not run"
    if outcome.status == "succeeded":
        return "gave no output"
    return f"{outcome.status}: {outcome.error.message}" if outcome.error else outcome.status
