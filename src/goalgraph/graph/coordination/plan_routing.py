"""Asking a router about a whole plan, before its steps are sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from langgraph.errors import GraphBubbleUp

from goalgraph.graph.coordination.assigner import Before, Coordination, place_of
from goalgraph.graph.ledger.accounts import Accounts
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.graph.steps.failures import named
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import items_of
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Plan, Step
from goalgraph.specialists.routing.replicas import able

__all__ = ["routed"]


async def routed(
    coordination: Coordination,
    plan: Plan,
    cards: tuple[SpecialistCard, ...],
    goal: str,
    before: Before,
    used: Usage,
    accounts: Accounts,
) -> tuple[Before, dict[str, Any]]:
    """Ask about the steps that nobody was asked about yet, and that several could do.

    Args:
        coordination: With a router of whole plans.
        plan: Flat.
        cards: The specialists that plans may use.
        goal: Of the run.
        before: What is known.
        used: By the run so far, beside its steps.
        accounts: What the call needs to be granted by.

    Returns:
        What is known now, and the update that keeps it; an empty one where nobody was asked.
    """
    router = coordination.plan_router
    unknown = [place for place in _open(plan.steps, cards) if place not in before.assigned]
    if router is None or not unknown:
        return before, {}
    meter = count_usage(accounts.ledgers)
    failed: list[Decision] = []
    said: Mapping[str, str] = {}
    try:
        said = {str(step): str(name) for step, name in (await router.assign(plan, cards, goal)).items()}
    except GraphBubbleUp:
        raise
    except Exception as error:
        by, at = type(router).__name__, datetime.now(UTC).isoformat()
        why = f"{by} failed, so that the best match does each step: {named(error)}"
        failed = [Decision(kind="assignment", subject="", chosen="best_match", rationale=why, by=by, at=at)]
    assigned = {**before.assigned, **{place: said.get(place, "") for place in unknown}}
    update: dict[str, Any] = {"assigned": assigned, "decisions": failed}
    if meter.calls:
        update["usage"] = used + meter.usage
    return replace(before, assigned=assigned), update


def _open(steps: Sequence[Step], cards: Sequence[SpecialistCard]) -> Iterator[str]:
    """Yield the ids of steps that several specialists could do; of what a map repeats, as of any of its items."""
    for step in steps:
        if step.type == "agent" and len(able(step, cards)) > 1:
            yield place_of(step.id)
        elif step.type == "map":
            yield from _open(items_of(step, "*", cards), cards)
