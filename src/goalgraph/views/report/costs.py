"""What a run took, by whoever it was: a row for each specialist, and one for planning and answer; pure."""

from dataclasses import dataclass

from goalgraph.planner.outcome import Usage
from goalgraph.views.report.facts import RunFacts

__all__ = ["Cost", "costs_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one of them took."""

    name: str
    steps: int | None
    """None where it is about no steps."""
    failed: int
    retries: int
    seconds: float | None
    """At work, in all."""
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where it is not known."""


def costs_of(facts: RunFacts) -> tuple[Cost, ...]:
    """List what was used, those with the most time first; last what no step used, where there was any of it."""
    rows = [
        Cost(
            name=name,
            steps=one.count,
            failed=one.failed,
            retries=one.retries,
            seconds=one.durations.sum,
            calls=one.model_calls,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cost_usd=one.cost_usd,
        )
        for name, one in facts.metrics.specialists.items()
    ]
    rows.sort(key=lambda row: -(row.seconds or 0.0))
    by_steps = sum((one.usage for one in facts.outcomes.values()), Usage())
    calls = facts.usage.calls - by_steps.calls
    if calls > 0:
        spent = facts.usage.cost_usd - by_steps.cost_usd
        rows.append(
            Cost(
                name="planning, revisions and answer",
                steps=None,
                failed=0,
                retries=0,
                seconds=None,
                calls=calls,
                input_tokens=max(0, facts.usage.input_tokens - by_steps.input_tokens),
                output_tokens=max(0, facts.usage.output_tokens - by_steps.output_tokens),
                cost_usd=spent if spent > 0 else None,
            )
        )
    return tuple(rows)
