"""Which outcomes call for another plan, and how much of what revisions may cost is used; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.coordination.consequences import is_ruling
from goalgraph.graph.humans.digests import digest_of
from goalgraph.graph.policies import RevisionPolicy
from goalgraph.graph.steps.scope import scope_of
from goalgraph.planner.decision import Decision
from goalgraph.planner.expressions import ExpressionError, condition, evaluate
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.reviser import Trigger
from goalgraph.planner.signals import BLOCKER, ESCALATION

__all__ = ["Due", "Judged", "Spent", "due", "fired", "guided_steps", "halting", "outcome_digest", "spent"]

Judged = dict[str, tuple[Step, Outcome, str | None]]
"""By step: the condition that was found to hold for an outcome of it."""

_BEGAN = ("succeeded", "failed")
_LATER = ("audience", "shared")
"""Fields that outcomes did not always have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A revision that is called for."""

    trigger: Trigger
    digest: str
    """Of the outcome that calls for it: it does so once."""
    is_direct: bool = False
    """Whether it is for a human at once: the step has asked for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the revisions of a run have come to."""

    count: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    guided: int = 0
    """How many more a human has asked for."""

    def exhausted(self, policy: RevisionPolicy) -> str:
        """Say which bound is reached; empty where none is. What a human has asked for is always done."""
        if self.guided > 0:
            return ""
        if self.count >= policy.max_revisions:
            return f"{self.count} of {policy.max_revisions} revisions are made"
        if policy.max_cost_usd is not None and self.cost_usd >= policy.max_cost_usd:
            return f"revisions have cost {self.cost_usd:.4g} of {policy.max_cost_usd:g} USD"
        if policy.max_seconds is not None and self.seconds >= policy.max_seconds:
            return f"revisions have taken {self.seconds:.3g} of {policy.max_seconds:g} s"
        return ""

    def left(self, policy: RevisionPolicy) -> int:
        """Return how many revisions may be made."""
        return 0 if self.exhausted(policy) else max(policy.max_revisions - self.count, 0) + self.guided


def fired(
    step: Step,
    outcome: Outcome,
    policy: RevisionPolicy,
    *,
    inputs: Mapping[str, JsonValue],
    outcomes: Mapping[str, Outcome],
    min_confidence: float | None = None,
) -> str | None:
    """Return the condition that holds for a step that is over; None where none does.

    A step that asks for a human is for a human, and one that halts the run halts it, unless a condition that names the
    signal wants the reviser to have it. The former counts as a condition of its own: the name of the signal.

    Args:
        step: Of a flat plan.
        outcome: Its own.
        policy: With the conditions.
        inputs: Of the run.
        outcomes: Of the steps that conditions may name.
        min_confidence: For steps that set none of their own.
    """
    if outcome.status not in _BEGAN or (step.type == "parallel" and not step.is_voted):
        return None
    triggers, implied = policy.triggers, None
    if outcome.signals:
        steering = next((one for one in (BLOCKER, ESCALATION) if one in outcome.signals), None)
        if steering is not None:
            triggers = tuple(one for one in triggers if steering in one)
            implied = ESCALATION if steering == ESCALATION else None
    if not triggers:
        return implied
    named = {one: outcomes[one] for one in _named(policy.triggers) if one in outcomes}
    scope = {**scope_of(inputs, named, RunClock((outcome,))), "step": _seen(step, outcome, min_confidence)}
    for trigger in triggers:
        try:
            if evaluate(trigger, scope):
                return trigger
        except ExpressionError:
            continue  # it names what this outcome does not have
    return implied


def halting(
    steps: Mapping[str, Step],
    outcomes: Mapping[str, Outcome],
    policy: RevisionPolicy | None,
    *,
    inputs: Mapping[str, JsonValue],
    min_confidence: float | None = None,
) -> tuple[str, ...]:
    """Return the ids of the steps that halt the run: they say so, and no condition wants the reviser to have them.

    Args:
        steps: Of a flat plan.
        outcomes: Recorded so far; those of maps' items may be among them.
        policy: None: there are no revisions.
        inputs: Of the run.
        min_confidence: For steps that set none of their own.
    """
    return tuple(
        step_id
        for step_id, outcome in outcomes.items()
        if outcome.signals
        and BLOCKER in outcome.signals
        and (
            policy is None
            or (step := steps.get(step_id)) is None
            or fired(step, outcome, policy, inputs=inputs, outcomes=outcomes, min_confidence=min_confidence) is None
        )
    )


def due(
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    decisions: Iterable[Decision],
    policy: RevisionPolicy,
    *,
    inputs: Mapping[str, JsonValue],
    min_confidence: float | None = None,
    judged: Judged | None = None,
) -> tuple[Due, ...]:
    """Find the outcomes that call for a revision which there was none for yet, in plan order.

    Args:
        plan: Flat.
        outcomes: Recorded so far.
        decisions: Taken so far.
        policy: With the conditions.
        inputs: Of the run.
        min_confidence: For steps that set none of their own.
        judged: What was found before, to be added to: an outcome is looked at once, unless conditions name others.
    """
    known = judged if judged is not None and not _named(policy.triggers) else {}
    made = [one for one in decisions if one.kind in ("revision", "escalation") and not is_ruling(one)]
    considered = {one.digest for one in made if one.chosen != "guide"}
    guided = guided_steps(made)
    given = {**plan.inputs, **inputs}
    found: list[Due] = []
    for step in plan.steps:
        if (outcome := outcomes.get(step.id)) is None:
            continue
        before = known.get(step.id)
        if before is not None and before[1] is outcome and before[0] == step:
            reason = before[2]
        else:
            reason = fired(step, outcome, policy, inputs=given, outcomes=outcomes, min_confidence=min_confidence)
            known[step.id] = (step, outcome, reason)
        if reason is not None and (digest := outcome_digest(outcome)) not in considered:
            is_direct = reason == ESCALATION and step.id not in guided
            found.append(Due(trigger=Trigger(step=step.id, reason=reason), digest=digest, is_direct=is_direct))
    return tuple(found)


def guided_steps(decisions: Iterable[Decision]) -> frozenset[str]:
    """Return the steps about which a human has told the reviser something, and nothing has come of it yet."""
    found: set[str] = set()
    for one in decisions:
        if one.kind == "escalation" and one.chosen == "guide" and not is_ruling(one):
            found.add(one.subject)
        elif one.kind == "revision" and one.digest:
            found.discard(one.subject)
    return frozenset(found)


@lru_cache(maxsize=64)
def _named(triggers: tuple[str, ...]) -> frozenset[str]:
    """Ids of the steps that conditions name."""
    return frozenset(step for trigger in triggers for step in condition(trigger).steps)


def outcome_digest(outcome: Outcome) -> str:
    """Return what tells an outcome from any other: 32 hexadecimal digits."""
    known = outcome.model_dump(mode="json")
    for name in _LATER:
        if not known[name]:
            del known[name]  # so that an outcome has the digest that it had before there was such a field
    return digest_of(known)


def spent(decisions: Sequence[Decision]) -> Spent:
    """Add up the revisions of a run; those that a human asked for do not count against its bounds twice."""
    made = [one for one in decisions if one.kind == "revision" and one.digest]
    guides = (one for one in decisions if one.kind == "escalation" and one.chosen == "guide")
    asked = sum(1 for one in guides if not is_ruling(one))
    guided = sum(1 for one in made if _figure(one, "guided"))
    return Spent(
        count=len(made),
        cost_usd=sum(_figure(one, "cost_usd") for one in made),
        seconds=sum(_figure(one, "seconds") for one in made),
        guided=asked - guided,
    )


def _figure(decision: Decision, name: str) -> float:
    found = decision.answer.get(name) if isinstance(decision.answer, dict) else None
    return float(found) if isinstance(found, (int, float)) else 0.0


def _seen(step: Step, outcome: Outcome, min_confidence: float | None) -> dict[str, object]:
    own = step.min_confidence if step.type == "agent" else None
    least = own if own is not None else min_confidence
    error = outcome.error
    return {
        "id": step.id,
        "type": step.type,
        "optional": step.optional,
        "status": outcome.status,
        "output": outcome.output,
        "specialist": outcome.specialist,
        "attempts": outcome.attempts,
        "seconds": outcome.seconds,
        "degraded": list(outcome.degraded),
        "signals": list(outcome.signals),
        **({"confidence": outcome.confidence} if outcome.confidence is not None else {}),
        **({"min_confidence": least} if least is not None else {}),
        **({"error": error.model_dump()} if error is not None else {}),
    }
