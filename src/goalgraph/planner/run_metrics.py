"""What a run took, by specialist and in all: counts, times, retries, tokens and money, as plain data."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from goalgraph.planner.outcome import Outcome, Status

__all__ = ["BUCKETS", "Durations", "RunMetrics", "SpecialistMetrics", "metrics_of"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the histograms of durations, in seconds."""
_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Durations(_Stored):
    """How long steps took, in seconds, waits between their attempts included."""

    count: int = 0
    sum: float = 0.0
    min: float | None = None
    """None where there are none; so are ``max`` and ``mean``."""
    max: float | None = None
    mean: float | None = None
    histogram: dict[str, int] = {}
    """By upper bound (see `BUCKETS`, and ``"+Inf"``): how many took no longer, those of lower bounds included, as
    Prometheus counts; empty where there are none."""


class SpecialistMetrics(_Stored):
    """What one specialist did in a run. A step counts for whoever did it in the end, fallbacks included."""

    count: int = 0
    """Steps, items of maps included."""
    succeeded: int = 0
    failed: int = 0
    retries: int = 0
    """Attempts beyond the first, those of the specialists before it in the chain included."""
    durations: Durations = Durations()
    error_share: float = 0.0
    """Of its steps, from 0 to 1."""
    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0
    cost_usd: float | None = 0.0
    """None where models were called and nothing was priced; only runs with a budget price their calls."""
    max_waiting: int = 0
    """Most of its steps that were ready at one time and waited for a place, in the last call of the run only."""


class RunMetrics(_Stored):
    """What a whole run took."""

    steps: dict[Status, int] = {}
    """How many steps ended how, items of maps included."""
    wall_seconds: float = 0.0
    """From when the plan was made to the end of the last step; time in which the run waited for humans included."""
    busy_seconds: float = 0.0
    """Of all specialists together."""
    parallelism: float = 0.0
    """Busy over wall: how many steps were done at one time, on average."""
    success_share: float = 1.0
    """Succeeded over succeeded and failed; 1 where there are neither."""
    specialists: dict[str, SpecialistMetrics] = {}
    """By name, in the order in which they first come up in the plan."""


@dataclass(slots=True)
class _Sums:
    """Of one specialist, as they grow."""

    succeeded: int = 0
    failed: int = 0
    other: int = 0
    retries: int = 0
    seconds: list[float] = field(default_factory=list[float])
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    cost_usd: float = 0.0

    def metrics(self, waiting: int) -> SpecialistMetrics:
        """Give what was added up."""
        count = self.succeeded + self.failed + self.other
        return SpecialistMetrics(
            count=count,
            succeeded=self.succeeded,
            failed=self.failed,
            retries=self.retries,
            durations=_durations(self.seconds),
            error_share=self.failed / count if count else 0.0,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            model_calls=self.calls,
            cost_usd=None if self.calls and not self.cost_usd else self.cost_usd,
            max_waiting=waiting,
        )


def metrics_of(
    outcomes: Iterable[Outcome], *, started_at: str | None = None, waiting: Mapping[str, int] | None = None
) -> RunMetrics:
    """Add up what steps have come to.

    Args:
        outcomes: Of a run, in plan order.
        started_at: When the plan was made, ISO 8601; where absent, the first step's start counts.
        waiting: Most steps that have waited for a place at one time, by specialist.
    """
    by_name: dict[str, _Sums] = {}
    states: dict[Status, int] = {}
    begins: list[tuple[str, float]] = []
    for outcome in outcomes:
        status = outcome.status
        states[status] = states.get(status, 0) + 1
        if outcome.started_at is not None:
            begins.append((outcome.started_at, outcome.seconds))
        if outcome.specialist is None:
            continue
        if (sums := by_name.get(outcome.specialist)) is None:
            sums = by_name[outcome.specialist] = _Sums()
        if status == "succeeded":
            sums.succeeded += 1
        elif status == "failed":
            sums.failed += 1
        else:
            sums.other += 1
        sums.seconds.append(outcome.seconds)
        if outcome.attempts > 1:
            sums.retries += outcome.attempts - 1
        used = outcome.usage
        if used.calls:
            sums.calls += used.calls
            sums.input_tokens += used.input_tokens
            sums.output_tokens += used.output_tokens
            sums.cost_usd += used.cost_usd
    wall, busy = _wall(begins, started_at), sum(sum(sums.seconds) for sums in by_name.values())
    succeeded, failed = states.get("succeeded", 0), states.get("failed", 0)
    peaks = waiting or {}
    return RunMetrics(
        steps=states,
        wall_seconds=wall,
        busy_seconds=busy,
        parallelism=busy / wall if wall > 0 else 0.0,
        success_share=succeeded / (succeeded + failed) if succeeded + failed else 1.0,
        specialists={name: sums.metrics(peaks.get(name, 0)) for name, sums in by_name.items()},
    )


def _durations(seconds: list[float]) -> Durations:
    if not seconds:
        return Durations()
    counts, total = [0] * len(_BOUNDS), 0
    for one in seconds:
        counts[bisect_left(BUCKETS, one)] += 1
    histogram: dict[str, int] = {}
    for bound, count in zip(_BOUNDS, counts, strict=True):
        total += count
        histogram[bound] = total
    summed = sum(seconds)
    return Durations(
        count=len(seconds),
        sum=summed,
        min=min(seconds),
        max=max(seconds),
        mean=summed / len(seconds),
        histogram=histogram,
    )


def _wall(begins: list[tuple[str, float]], started_at: str | None) -> float:
    """Seconds from the start to the last end."""
    if not begins:
        return 0.0
    times = [(datetime.fromisoformat(began).timestamp(), seconds) for began, seconds in begins]
    start = datetime.fromisoformat(started_at).timestamp() if started_at else min(began for began, _ in times)
    return max(max(began + seconds for began, seconds in times) - start, 0.0)
