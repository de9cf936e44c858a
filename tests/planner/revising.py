"""Requests for revisions, checked as a run checks them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import JsonValue

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.documents import read_document
from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviser import RevisionRequest, Trigger
from goalgraph.planner.revision import revised
from goalgraph.planner.validation import PlanPolicy

FAILED = StepError(code="raised", message="no such page", type="LookupError")


def plan_of(*steps: Mapping[str, object], **fields: object) -> Plan:
    """Make a flat plan."""
    return compile_plan(read_document({"steps": list(steps), **fields}).plan)


def done(step: str, output: Any = "fine", **fields: Any) -> Outcome:
    return Outcome(step=step, status="succeeded", output=output, **fields)


def failed(step: str, error: StepError = FAILED, **fields: Any) -> Outcome:
    return Outcome(step=step, status="failed", error=error, **fields)


def request_of(
    plan: Plan,
    cards: Iterable[SpecialistCard],
    *outcomes: Outcome,
    step: str | None = None,
    reason: str = "step.status == 'failed'",
    policy: PlanPolicy | None = None,
    at_work: Iterable[str] = (),
    goal: str = "Report on whales.",
    check: Callable[[PlanPatch], tuple[PlanProblem, ...]] | None = None,
    inputs: Mapping[str, JsonValue] | None = None,
    **fields: Any,
) -> RevisionRequest:
    """Ask for a change because of a step, the last outcome's where none is named."""
    known = {one.step: one for one in outcomes}
    there, rules, busy = tuple(cards), policy or PlanPolicy(), frozenset(at_work)
    return RevisionRequest(
        goal=goal,
        plan=plan,
        outcomes=known,
        trigger=Trigger(step=step or outcomes[-1].step, reason=reason),
        cards=there,
        check=check or (lambda patch: _problems(plan, patch, known, busy, there, rules, inputs or {})),
        policy=rules,
        at_work=busy,
        inputs=inputs or {},
        **fields,
    )


def _problems(
    plan: Plan,
    patch: PlanPatch,
    outcomes: Mapping[str, Outcome],
    at_work: frozenset[str],
    cards: tuple[SpecialistCard, ...],
    policy: PlanPolicy,
    inputs: Mapping[str, JsonValue],
) -> tuple[PlanProblem, ...]:
    try:
        revised(plan, patch, outcomes=outcomes, at_work=at_work, policy=policy, cards=cards, inputs=inputs)
    except InvalidPlan as error:
        return error.problems
    return ()
