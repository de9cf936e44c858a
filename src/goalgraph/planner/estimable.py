"""The method of plans that tells what a run of them takes."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from goalgraph.shown import Shown

if TYPE_CHECKING:
    from goalgraph.planner.card import SpecialistCard
    from goalgraph.planner.estimate import Estimate
    from goalgraph.planner.history import History
    from goalgraph.planner.plan import Plan
    from goalgraph.planner.prices import Price

__all__ = ["Estimable"]


class Estimable(Shown):
    """A plan, as far as it shows itself, and tells what a run of it takes."""

    def estimate(
        self,
        specialists: "Iterable[SpecialistCard]",
        *,
        history: "History | None" = None,
        prices: "Mapping[str, Price] | None" = None,
        inputs: Mapping[str, JsonValue] | None = None,
        max_concurrency: int | None = None,
    ) -> "Estimate":
        """Return what is known beforehand of a run of this plan; see `estimate_plan`.

        Args:
            specialists: Their cards; ``agent.estimate(plan)`` knows the prompts that they really render, too.
            history: What earlier runs tell.
            prices: The caller's own, by name of model, in USD per million tokens.
            inputs: Of the run, as far as they are known.
            max_concurrency: Most steps at the same time.
        """
        from goalgraph.planner.estimate import estimate_plan  # here, because it is made for plans

        return estimate_plan(
            cast("Plan", self),
            specialists,
            history=history,
            prices=prices,
            inputs=inputs,
            max_concurrency=max_concurrency,
        )
