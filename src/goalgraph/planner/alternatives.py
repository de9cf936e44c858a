"""Several drafts of a plan at the same time, and the best of them by a stated score."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.estimate import Estimate, estimate_plan
from goalgraph.planner.history import History
from goalgraph.planner.patch import digest_of
from goalgraph.planner.plan import Plan
from goalgraph.planner.prices import Price
from goalgraph.planner.validation import checked

__all__ = ["HINTS", "BestOf"]

HINTS = (
    "",
    "make the plan as parallel as the work allows, so that it is done as early as possible",
    "use as few steps as possible, so that it costs as little as possible",
    "be careful: let results that much depends on be checked by a step of their own before they are used",
)
"""What each draft is told beside the request, in turn; the first one is told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A plan, or why there is none."""

    number: int
    """From 1."""
    hint: str
    plan: Plan | None = None
    estimate: Estimate | None = None
    error: Exception | None = None


class BestOf:
    """Has several plans drafted at the same time, and takes the best.

    The drafts are told different things (`HINTS`), since the same request mostly gives the same plan. A plan that is
    not valid is never taken. Of two that are, the better one has, in this order: the shorter longest way, in seconds
    where it is known of all drafts how long they take, else in steps; the lower cost, where it is known of all; fewer
    steps. Of a range the middle counts. Where all of that is equal, the earlier draft is taken.

    What was drafted, and its scores, are told to ``request.on_decision``. Steps are not told while they are drafted:
    they would be those of several plans.
    """

    def __init__(
        self,
        decomposer: Decomposer,
        n: int = 3,
        *,
        hints: Sequence[str] = HINTS,
        history: History | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        """Take the planner.

        Args:
            decomposer: Makes each draft.
            n: How many; 1: the decomposer's own plan.
            hints: Further constraints, one for each draft in turn; empty text for none.
            history: What earlier runs tell, for the estimates.
            prices: The caller's own, by name of model.

        Raises:
            ValueError: ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be 1 or more drafts, found {n!r}")
        self._decomposer = decomposer
        self._n = n
        self._hints = tuple(hints) or ("",)
        self._history = history
        self._prices = prices

    async def decompose(self, request: PlanRequest) -> Plan:
        """Return the best of the drafts; those that fail are left out.

        Raises:
            GoalgraphError: All failed: the first one's error, with those of the others as notes.
        """
        if self._n == 1:
            return await self._decomposer.decompose(request)
        drafts = await asyncio.gather(*(self._draft(request, number) for number in range(1, self._n + 1)))
        scores = _scores(drafts)
        if not scores:
            raise _failure(drafts)
        best = min(drafts, key=lambda draft: (scores.get(draft.number, _NEVER), draft.number))
        assert best.plan is not None
        request.on_decision(_decision(drafts, best, best.plan))
        return best.plan

    async def _draft(self, request: PlanRequest, number: int) -> _Draft:
        hint = self._hints[(number - 1) % len(self._hints)]
        told = (*request.constraints, *([hint] if hint else []))
        try:
            plan = await self._decomposer.decompose(replace(request, constraints=told, on_step=None))
            checked(plan, request.policy, request.cards, source=f"draft {number}")
        except Exception as error:
            return _Draft(number=number, hint=hint, error=error)
        estimate = estimate_plan(plan, request.cards, history=self._history, prices=self._prices, inputs=request.inputs)
        return _Draft(number=number, hint=hint, plan=plan, estimate=estimate)


_NEVER = (float("inf"), float("inf"), float("inf"))


def _scores(drafts: Sequence[_Draft]) -> dict[int, tuple[float, float, float]]:
    """Score each valid draft by its number; the lowest is the best."""
    found = {draft.number: draft.estimate for draft in drafts if draft.estimate is not None}
    timed = all(one.seconds is not None and one.seconds.high is not None for one in found.values())
    priced = all(one.cost_usd is not None and one.cost_usd.high is not None for one in found.values())
    return {
        number: (
            one.seconds.middle if timed and one.seconds is not None else float(len(one.critical_path)),
            one.cost_usd.middle if priced and one.cost_usd is not None else 0.0,
            float(one.steps),
        )
        for number, one in found.items()
    }


def _decision(drafts: Sequence[_Draft], best: _Draft, plan: Plan) -> Decision:
    same = [one.number for one in drafts if one.plan is not None and one is not best and one.plan == plan]
    usable = sum(1 for one in drafts if one.plan is not None)
    also = f"; the same as draft {', '.join(map(str, same))}" if same else ""
    return Decision(
        kind="planning",
        subject="",
        chosen="choose",
        rationale=f"draft {best.number} is the best of {usable} valid ones of {len(drafts)}{also}",
        answer={"draft": best.number, "scores": [_score(one) for one in drafts]},
        digest=digest_of(plan),
        at=datetime.now(UTC).isoformat(),
    )


def _score(draft: _Draft) -> JsonValue:
    found: dict[str, JsonValue] = {"draft": draft.number, "hint": draft.hint, "valid": draft.estimate is not None}
    if draft.estimate is None:
        return {**found, "error": f"{type(draft.error).__name__}: {draft.error}"[:500]}
    known = draft.estimate.as_json()
    path = len(draft.estimate.critical_path)
    return {**found, "critical_path": path, **{name: known[name] for name in ("seconds", "cost_usd", "steps")}}


def _failure(drafts: Sequence[_Draft]) -> Exception:
    first, *others = [draft.error for draft in drafts if draft.error is not None]
    for number, error in enumerate(others, 2):
        first.add_note(f"draft {number}: {type(error).__name__}: {error}")
    return first
