"""What a revised plan can come to, by trying out everything: the engine's rules over all combinations of answers.

Each step has a number whose bits stand for the runs there can be: every gate answered or not, every step failing or
not, every condition true or false. It shares no code with what it judges; `PlanIndex` is the engine's view of a plan.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from goalgraph.graph.board.index import PlanIndex
from goalgraph.planner.compilation import items_of
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step

__all__ = ["MOST_CHOICES", "Runs", "choices", "runs_of"]

MOST_CHOICES = 13
"""Free choices of a plan, of which all combinations are tried."""


@dataclass(slots=True)
class Runs:
    """What steps come to, a bit for each run."""

    every: int
    begun: dict[str, int] = field(default_factory=dict[str, int])
    succeeded: dict[str, int] = field(default_factory=dict[str, int])
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    true: dict[str, int] = field(default_factory=dict[str, int])
    """By condition, the runs in which it is true."""

    def failed(self, step_id: str) -> int:
        return self.every & ~(self.succeeded[step_id] | self.skipped[step_id])

    def needs(self, step_id: str, gate: str) -> bool:
        """Whether a step never begins without a gate; False for one that never begins at all."""
        return bool(self.begun[step_id]) and not self.begun[step_id] & ~self.succeeded[gate]


def choices(plan: Plan) -> int:
    """How many free choices a flat plan has."""
    return sum((step.type != "parallel") + (step.when is not None) for step in plan.steps)


def runs_of(plan: Plan, outcomes: Mapping[str, Outcome] | None = None) -> Runs:
    """Try out all runs of a flat plan.

    Args:
        plan: With few steps.
        outcomes: What is settled already.
    """
    index, known = PlanIndex.of(plan), outcomes or {}
    count = sum((step.type != "parallel") + (step.when is not None) for step in plan.steps if step.id not in known)
    bits = _bits(count)
    runs = Runs((1 << (1 << count)) - 1)
    for step_id in index.order:
        step = index.steps[step_id]
        if step_id in known:
            _settle(known[step_id], runs)
            continue
        begun, skipped = _ready(step, index, runs)
        runs.begun[step_id] = begun
        if step.when is not None:
            free = next(bits)
            skipped |= begun & ~free
            begun &= free
            runs.begun[step_id] = begun
        if step.type == "parallel":
            succeeded, empty = _gathered(step, index, runs)
            runs.succeeded[step_id], runs.skipped[step_id] = begun & succeeded, skipped | (begun & empty)
            continue
        free = next(bits)
        runs.skipped[step_id] = skipped
        runs.succeeded[step_id] = begun if step.type == "condition" else begun & free
        runs.true[step_id] = free
    return runs


def inside(step: Step) -> Plan:
    """What a map repeats, as a plan."""
    assert step.type == "map"
    return Plan.model_construct(steps=items_of(step, "*"))


def _bits(count: int) -> Iterator[int]:
    """For each choice the runs in which it falls one way."""
    for number in range(count):
        half = (1 << (1 << number)) - 1
        block, width = half << (1 << number), 2 << number
        while width < 1 << count:
            block |= block << width
            width *= 2
        yield block


def _settle(outcome: Outcome, runs: Runs) -> None:
    step_id = outcome.step
    runs.begun[step_id] = 0
    runs.succeeded[step_id] = runs.every if outcome.status == "succeeded" else 0
    runs.skipped[step_id] = runs.every if outcome.status == "skipped" else 0
    runs.true[step_id] = runs.every if outcome.output else 0


def _ready(step: Step, index: PlanIndex, runs: Runs) -> tuple[int, int]:
    """Runs in which a step begins, and in which it is skipped."""
    every = runs.every
    untaken = undecided = blocked = 0
    for guard, value in index.guards.get(step.id, ()):
        truth = runs.true[guard] if value else every & ~runs.true[guard]
        untaken |= runs.succeeded[guard] & ~truth
        blocked |= runs.failed(guard)
        undecided |= runs.skipped[guard]
    skipped = untaken | (undecided & ~blocked)
    open_ = every & ~(untaken | blocked | undecided)
    needs, optional = index.needs[step.id], index.optional
    if step.join == "all_done":
        return open_, skipped
    if step.join == "any_success":
        run = every if not needs else 0
        for need in needs:
            run |= runs.succeeded[need]
        broken = _any(runs.failed(need) for need in needs)
    else:
        run = every
        for need in needs:
            run &= every if need in optional else runs.succeeded[need]
        broken = _any(runs.failed(need) for need in needs if need not in optional)
    return open_ & run, skipped | (open_ & ~run & ~broken)


def _gathered(step: Step, index: PlanIndex, runs: Runs) -> tuple[int, int]:
    """Runs in which a group has succeeded, and in which it had nothing to do."""
    assert step.type == "parallel"
    heads = [str(branch[-1] if isinstance(branch, tuple) else branch) for branch in step.branches]
    bad = _any(runs.failed(head) for head in heads if head not in index.optional)
    some, none = _any(runs.succeeded[head] for head in heads), _any(runs.skipped[head] for head in heads)
    empty = ~bad & ~some & none
    succeeded = (~bad & ~empty) | (some if step.on_failure == "continue" else 0)
    return runs.every & succeeded, runs.every & empty


def _any(masks: Collection[int] | Iterator[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
