"""The engine's decisions as pure functions of plan and outcomes."""

from collections.abc import Collection, Mapping
from typing import Literal, assert_never

from goalgraph.graph.coordination.consequences import conflicts
from goalgraph.planner.outcome import Outcome, was_decided
from goalgraph.planner.plan import Join, Plan

__all__ = ["Next", "Readiness", "RunStatus", "decide", "degradations", "readiness", "run_status"]

Readiness = Literal["wait", "run", "skip", "block"]
"""What becomes of a step, by its dependencies: not known yet, run, or end as ``skipped`` or ``blocked`` without
running."""

Next = Literal["dispatch", "synthesize"]
"""Where a run goes once a superstep of steps is over."""

_MAX_WHY = 300

RunStatus = Literal["complete", "degraded", "failed", "halted"]


def readiness(
    join: Join,
    needs: Collection[str],
    outcomes: Mapping[str, Outcome],
    optional: Collection[str],
    guards: Collection[tuple[str, bool]] = (),
    members: Collection[str] = (),
) -> Readiness:
    """Decide what becomes of a step.

    Args:
        join: The step's rule.
        needs: Ids it waits for.
        outcomes: What is known so far.
        optional: Ids of the plan's optional steps; their failure stops nobody.
        guards: Conditions whose branch the step is in, each with the value that takes it. A branch that is not taken
            is skipped, whatever else becomes of the step's dependencies.
        members: Ids that must be over, in whatever way.
    """
    if guards and (fate := _guarded(guards, outcomes)) != "run":
        return fate
    if any(member not in outcomes for member in members):
        return "wait"
    known = [outcomes[need] for need in needs if need in outcomes]
    missing = len(needs) - len(known)
    if join == "any_success":
        succeeded = any(outcome.status == "succeeded" for outcome in known)
        if succeeded or not needs:
            return "run"
        return "wait" if missing else _stopped(known, ())
    if join == "all_done":
        return "wait" if missing else "run"
    if join == "all_success":
        if not all(outcome.status == "succeeded" or _excused(outcome, optional) for outcome in known):
            # A skipped dependency may yet be outweighed by a failed one, which is the stronger reason.
            return _stopped(known, optional) if not missing or _blocks(known, optional) else "wait"
        return "wait" if missing else "run"
    assert_never(join)


def decide(plan: Plan, outcomes: Mapping[str, Outcome]) -> Next:
    """Decide where the run goes: on with unfinished steps, or to the answer."""
    return "synthesize" if all(step.id in outcomes for step in plan.steps) else "dispatch"


def run_status(
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    degraded: Collection[str],
    *,
    strict: bool = False,
    is_halted: bool = False,
) -> RunStatus:
    """Judge a finished run.

    ``complete``: all that was to be done was done. ``degraded``: something is missing or weak, and ``degraded`` says
    what.
    ``failed``: no step succeeded; conditions, waits and approvals count only where there are no others. With ``strict``
    any step that failed or was blocked is enough, unless it is optional. ``halted``: a step has said that it makes no
    sense to go on.
    """
    if is_halted:
        return "halted"
    needed = [outcomes[step.id].status for step in plan.steps if step.id in outcomes and not step.optional]
    if strict and ("failed" in needed or "blocked" in needed):
        return "failed"
    work = [step for step in plan.steps if step.type not in ("condition", "wait", "human_approval")]
    states = [outcomes[step.id].status for step in work or plan.steps if step.id in outcomes]
    if "succeeded" not in states and any(state != "skipped" for state in states):
        return "failed"
    return "degraded" if degraded else "complete"


def degradations(
    plan: Plan, outcomes: Mapping[str, Outcome], *, min_confidence: float | None = None
) -> tuple[str, ...]:
    """Say, in plan order, what is missing from or weak in the work; empty where nothing is.

    Args:
        plan: Flat.
        outcomes: By step.
        min_confidence: For steps that set none of their own.
    """
    reasons: list[str] = []
    for step in plan.steps:
        outcome = outcomes.get(step.id)
        if outcome is None:
            reasons.append(f"step {step.id!r} did not run")
        elif was_decided(outcome):
            continue
        elif outcome.status in ("failed", "blocked", "cancelled"):
            because = f": {outcome.error.message}" if outcome.error else ""
            reasons.append(f"step {step.id!r} {outcome.status}{because}")
        else:
            least = step.min_confidence if step.type == "agent" else None
            least = least if least is not None else min_confidence
            if (
                least is not None
                and outcome.status == "succeeded"
                and outcome.confidence is not None
                and outcome.confidence < least
            ):
                why = " ".join(outcome.confidence_reason.split())
                reasons.append(
                    f"step {step.id!r} has confidence {outcome.confidence:g}, below the {least:g} asked for"
                    + (f": {why[:_MAX_WHY]}" if why else "")
                )
            reasons.extend(f"step {step.id!r}: {reason}" for reason in outcome.degraded)
            if outcome.signals:
                reasons.extend(conflicts(outcome))
    return tuple(reasons)


def _guarded(guards: Collection[tuple[str, bool]], outcomes: Mapping[str, Outcome]) -> Readiness:
    found = [(outcomes.get(condition), value) for condition, value in guards]
    states = {outcome.status if outcome is not None else None for outcome, _ in found}
    for outcome, value in found:
        if outcome is not None and outcome.status == "succeeded" and bool(outcome.output) != value:
            return "skip"
    if None in states:
        return "wait"
    if states - {"succeeded", "skipped"}:
        return "block"
    return "skip" if "skipped" in states else "run"


def _excused(outcome: Outcome, optional: Collection[str]) -> bool:
    return outcome.step in optional and outcome.status in ("failed", "blocked", "skipped")


def _blocks(known: Collection[Outcome], optional: Collection[str]) -> bool:
    return any(
        outcome.status in ("failed", "blocked", "cancelled") and not _excused(outcome, optional) for outcome in known
    )


def _stopped(known: Collection[Outcome], optional: Collection[str]) -> Readiness:
    return "block" if _blocks(known, optional) else "skip"
