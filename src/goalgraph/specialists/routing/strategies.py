"""The strategies: each puts those who could do a step in an order, from what is known of them alone."""

from collections.abc import Callable, Mapping
from math import inf
from typing import assert_never

from goalgraph.specialists.routing.policy import Strategy
from goalgraph.specialists.routing.request import Candidate, RoutingRequest

__all__ = ["preferred"]

_NO_LIMIT = 1_000
"""What stands for the limit of a specialist that has none: its load counts least, and yet orders those like it."""
_Key = Callable[[Candidate], tuple[float, ...]]


def preferred(
    strategy: Strategy, request: RoutingRequest, chosen: Mapping[str, int], weights: Mapping[str, float]
) -> tuple[tuple[str, ...], str]:
    """Order the candidates of a step, the best first.

    Args:
        strategy: By what.
        request: Whom there is to choose from.
        chosen: How often each of them was chosen before, out of just these.
        weights: By name, for ``weighted``.

    Returns:
        All of their names, and why the first one is the first.
    """
    strategy = "cheapest" if request.mode == "economy" else strategy
    key, why = _ordering(strategy, request, chosen, weights)
    ordered = sorted(request.candidates, key=key)  # stable: ties stay in the order of registration
    said = why(ordered[0])
    if request.mode == "economy":
        said = f"economy, because {request.spent_usd:.4g} USD are spent: {said}"
    return tuple(one.card.name for one in ordered), said


def _ordering(
    strategy: Strategy, request: RoutingRequest, chosen: Mapping[str, int], weights: Mapping[str, float]
) -> tuple[_Key, Callable[[Candidate], str]]:
    if strategy == "best_match":
        wanted = set(request.step.requires)
        if request.step.agent is not None:
            return (lambda one: (one.card.name != request.step.agent,)), lambda _: "best match: the step names it"
        return (
            lambda one: (len(set(one.card.capabilities) - wanted),),
            lambda one: f"best match: {len(set(one.card.capabilities) - wanted)} other capabilities",
        )
    if strategy == "round_robin":
        return (lambda one: (chosen.get(one.card.name, 0),)), lambda _: "round robin: its turn"
    if strategy == "weighted":
        return _weighted(request, chosen, weights)
    if strategy == "least_loaded":
        return (
            lambda one: (_load(one), one.mean_seconds if one.mean_seconds is not None else inf),
            lambda one: f"least loaded: {one.running} running, {one.queued} queued",
        )
    if strategy == "cheapest":
        return (lambda one: (_cost(one),)), _priced
    assert_never(strategy)


def _weighted(
    request: RoutingRequest, chosen: Mapping[str, int], weights: Mapping[str, float]
) -> tuple[_Key, Callable[[Candidate], str]]:
    """Smooth weighted round robin, whose running totals follow from how often each was chosen."""
    given = {one.card.name: weights.get(one.card.name, 1.0) for one in request.candidates}
    total, turns = sum(given.values()), sum(chosen.get(name, 0) for name in given)

    def key(one: Candidate) -> tuple[float, ...]:
        weight = given[one.card.name]
        return weight == 0, chosen.get(one.card.name, 0) * total - (turns + 1) * weight

    return key, lambda one: f"weighted: {given[one.card.name]:g} of {total:g}"


def _load(one: Candidate) -> float:
    return (one.running + one.queued) / (one.card.max_concurrency or _NO_LIMIT)


def _cost(one: Candidate) -> float:
    if one.card.cost_usd is not None:
        return one.card.cost_usd
    return one.mean_usd if one.mean_usd is not None else inf


def _priced(one: Candidate) -> str:
    return "no price is known" if (cost := _cost(one)) == inf else f"cheapest: {cost:.4g} USD"
