"""What a proposed change makes of a run: its plan, the outcomes that stand, and the record; pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from goalgraph.errors import InvalidPlan
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.revision.triggers import Due
from goalgraph.planner.decision import Decision
from goalgraph.planner.diff import diff_plans
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.patch import PlanPatch, digest_of
from goalgraph.planner.plan import MapStep, Plan

__all__ = ["Proposed", "Revised", "applied", "earlier_plans", "evidence", "superseded"]

_MOST_SHOWN = 2_000
_EVIDENCE = ("status", "error", "confidence", "confidence_reason", "specialist", "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a reviser has come to."""

    patch: PlanPatch | None
    """None: it came to nothing, and ``problem`` says why."""
    problem: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    repairs: tuple[Decision, ...] = ()
    """What was decided on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """A run after a proposal was looked at, whatever came of it."""

    plan: Plan
    gone: Mapping[str, Outcome]
    """Outcomes that no longer stand: of steps that are to be done in another way, or can be done after all."""
    decision: Decision


def applied(
    due: Due,
    proposal: Proposed,
    changed: "Plan | InvalidPlan",
    *,
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    earlier: Collection[str],
    guarded: Collection[str],
    is_guided: bool,
    at: str,
) -> Revised:
    """Look at a proposal, and record what becomes of it.

    Args:
        due: Why it was made.
        proposal: What is proposed.
        changed: The plan with the change made, or why it may not be; the plan as it is where nothing is proposed.
        plan: As it is, flat.
        outcomes: Recorded so far.
        earlier: Digests of the plans that the run has had.
        guarded: Specialists that the run has used only behind approvals so far; it stays so.
        is_guided: Whether a human has asked for it.
        at: Now; ISO 8601, UTC.
    """
    patch = proposal.patch
    chosen: Literal["revise", "refuse", "no_change", "no_progress"] = "revise"
    rationale = patch.rationale if patch is not None else proposal.problem
    details: dict[str, JsonValue] = {}
    gone: dict[str, Outcome] = {}
    after = plan
    if patch is None:
        chosen = "refuse"
    elif not patch:
        chosen = "no_change"
    elif isinstance(changed, InvalidPlan):
        chosen = "refuse"
        details["problems"] = [str(problem) for problem in changed.problems]
    elif (digest := digest_of(changed)) in earlier:
        chosen = "no_progress"
    else:
        after, gone = changed, superseded(plan, changed, outcomes)
        details |= {"plan": digest, "diff": diff_plans(plan, changed).text, "redone": list[JsonValue](gone)}
        details["guarded"] = list[JsonValue](sorted(guarded))
    if patch:
        details["change"] = patch.model_dump(mode="json", exclude_defaults=True, exclude={"rationale"})
    return Revised(
        plan=after,
        gone=gone,
        decision=Decision(
            kind="revision",
            subject=due.trigger.step,
            chosen=chosen,
            rationale=rationale,
            digest=due.digest,
            at=at,
            answer={
                "trigger": due.trigger.reason,
                "evidence": evidence(outcomes[due.trigger.step]),
                "before": digest_of(plan),
                **details,
                "repairs": len(proposal.repairs),
                "calls": proposal.usage.calls,
                "cost_usd": proposal.usage.cost_usd,
                "seconds": round(proposal.seconds, 6),
                "guided": is_guided,
            },
        ),
    )


def earlier_plans(plan: Plan, decisions: Iterable[Decision]) -> frozenset[str]:
    """Return the digests of the plans that a run has had, the present one among them."""
    answers = [one.answer for one in decisions if one.kind == "revision" and isinstance(one.answer, dict)]
    named = [answer[name] for answer in answers for name in ("before", "plan") if name in answer]
    return frozenset({digest_of(plan), *(digest for digest in named if isinstance(digest, str))})


def evidence(outcome: Outcome) -> dict[str, JsonValue]:
    """Return what an outcome shows of why it calls for a revision."""
    shown = outcome.model_dump(mode="json", include=set(_EVIDENCE))
    text = str(outcome.output) if outcome.output is not None else ""
    return {**shown, "output": text[:_MOST_SHOWN]} if text else shown


def superseded(old: Plan, new: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Find the outcomes that no longer stand once a plan is changed.

    They are those of steps that are changed or gone, and of steps that never began, or are ends of groups, because of
    one of these. What succeeded stands in any case: a patch cannot change it.

    Args:
        old: The plan before, flat.
        new: The plan after, flat.
        outcomes: Recorded so far.
    """
    before, index = {step.id: step for step in old.steps}, PlanIndex.of(new)
    gone = {step_id for step_id in outcomes if step_id in before and before[step_id] != index.steps.get(step_id)}
    for step_id in index.order:
        outcome = outcomes.get(step_id)
        if outcome is None or step_id in gone or not _is_derived(outcome, index):
            continue
        if any(need in gone or need not in outcomes for need in index.awaited(step_id)):
            gone.add(step_id)
    for step_id in outcomes:
        map_id = step_id.partition("[")[0]
        if step_id not in before and map_id in gone and not _same_items(before.get(map_id), index.steps.get(map_id)):
            gone.add(step_id)
    return {step_id: outcome for step_id, outcome in outcomes.items() if step_id in gone}


def _is_derived(outcome: Outcome, index: PlanIndex) -> bool:
    """Whether an outcome only follows from others."""
    if outcome.status in ("blocked", "cancelled"):
        return True
    return outcome.status == "failed" and index.steps[outcome.step].type == "parallel"


def _same_items(old: object, new: object) -> bool:
    """Whether what a map has done of its items is still what it would do."""
    if not (isinstance(old, MapStep) and isinstance(new, MapStep)):
        return False
    return (old.over, old.variable, old.step) == (new.over, new.variable, new.step)
