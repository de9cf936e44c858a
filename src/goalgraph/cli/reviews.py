"""What was decided of a run, and the plans that a review makes of a plan."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from langgraph.types import StateSnapshot

from goalgraph.graph.humans.review_answers import Edited, read_plan_edit
from goalgraph.graph.humans.thread import Request
from goalgraph.graph.storage.recorded import recorded_outcomes
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.documents import read_document
from goalgraph.planner.patch import digest_of
from goalgraph.planner.plan import Plan

__all__ = ["Prepared", "as_written", "decisions_of"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Plans with the plan that is there already, and with a new one where that was rejected."""

    plan: Plan | None
    """None: it is yet to be made."""
    make: Callable[[PlanRequest], Awaitable[Plan]]
    decisions: tuple[Decision, ...] = ()
    """How the plan was made, for the run's own record."""

    async def decompose(self, request: PlanRequest) -> Plan:
        """See `Decomposer`."""
        if self.plan is None or request.rejected:
            return await self.make(request)
        for decision in self.decisions:
            request.on_decision(decision)
        return self.plan


def as_written(
    flat: Plan,
    before: Plan,
    requests: Iterable[Request],
    decisions: Iterable[Decision],
    flattened: Callable[[Plan], Plan],
) -> Plan:
    """Find the plan that a run's plan, before it was revised, was compiled from.

    Where it is not to be found, that is the run's plan itself; or of a plan that was revised, the one known last.

    Args:
        flat: As it runs.
        before: The plan that was known last.
        requests: What is asked; a review shows the plan as it is written.
        decisions: Of the run; an edit holds the plan as it is written.
        flattened: Compiles a plan.
    """
    known = tuple(decisions)
    begun = _begun_with(known)
    wanted = begun or digest_of(flat)
    found = (plan for plan in (before, *_candidates(before, requests, known)) if digest_of(flattened(plan)) == wanted)
    return next(found, before if begun else flat)


def decisions_of(state: StateSnapshot) -> tuple[Decision, ...]:
    """Return what was decided, as far as the run has taken it in."""
    values = cast("Mapping[str, Any]", state.values)
    found: list[Decision] = [*(values.get("decisions") or ())]
    found += [one for outcome in recorded_outcomes(state).values() for one in outcome.decisions]
    return tuple(one for place, one in enumerate(found) if one not in found[:place])


def _begun_with(decisions: Iterable[Decision]) -> str:
    """Return the digest of the plan before it was first revised; empty where it never was."""
    answers = (one.answer for one in decisions if one.kind == "revision" and one.chosen == "revise")
    first = next(answers, None)
    return str(first.get("before", "")) if isinstance(first, dict) else ""


def _candidates(before: Plan, requests: Iterable[Request], decisions: Iterable[Decision]) -> Iterator[Plan]:
    for request in requests:
        if request.kind == "plan":
            yield read_document(cast("Mapping[str, object]", request.arguments["plan"])).plan
    for decision in decisions:
        if decision.kind == "plan" and decision.chosen == "edit":
            found = read_plan_edit(cast("Mapping[str, object]", decision.answer), before)
            if isinstance(found, Edited):
                yield found.plan
