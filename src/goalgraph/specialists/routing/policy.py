"""How steps are given to specialists, and when a specialist is left alone: what callers set."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from goalgraph.specialists.routing.request import PlanRouter, Router

__all__ = ["HealthPolicy", "Routing", "RoutingPolicy", "Strategy", "as_policy"]

Strategy = Literal["best_match", "round_robin", "least_loaded", "cheapest", "weighted"]
"""``best_match``: whom the step names; else who has the fewest other capabilities. ``round_robin``: in turn.
``least_loaded``: who has the least to do, for what it can do at the same time; then who is faster. ``cheapest``: by
what its card says, else by what it has cost in the run. ``weighted``: in turn, in proportion to the weights. Ties go to
whoever was registered first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """Who does a step that several specialists could do."""

    strategy: Strategy | Router | PlanRouter = "best_match"
    """A name, or somebody of your own who says it."""
    ceiling_usd: float | None = None
    """Once the thread has spent this much, the mode is ``economy``: the cheapest does each step, whatever the strategy,
    and `StepContext.mode` tells it. Counted are model calls whose price is known, and what specialists say themselves;
    steps that are at work count when they are done."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """By name of specialist, for ``weighted``; 1 for those that are not named; with 0 it is given nothing while there
    is another one."""

    def __post_init__(self) -> None:
        named = isinstance(self.strategy, str)
        if (named and self.strategy not in get_args(Strategy)) or not (
            named or isinstance(self.strategy, (Router, PlanRouter))
        ):
            raise ValueError(
                f"RoutingPolicy.strategy must be one of {', '.join(get_args(Strategy))}, or have a method choose or "
                f"assign, found {self.strategy!r}"
            )
        if isinstance(self.strategy, type):
            raise ValueError(f"RoutingPolicy.strategy is the class {self.strategy.__name__}; give one of its objects")
        if self.ceiling_usd is not None and not 0 <= self.ceiling_usd < math.inf:
            raise ValueError(f"RoutingPolicy.ceiling_usd must be USD from 0 on, found {self.ceiling_usd!r}")
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"RoutingPolicy.weights must be numbers from 0 on, found {weight!r} for {name!r}")


Routing = Strategy | Router | PlanRouter | RoutingPolicy


def as_policy(routing: Routing) -> RoutingPolicy:
    """Take a strategy for a policy.

    Raises:
        ValueError: It is neither.
    """
    return routing if isinstance(routing, RoutingPolicy) else RoutingPolicy(strategy=routing)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When a specialist is left alone for a while, and how it is let in again."""

    failures: int = 3
    """Attempts in a row that fail by its fault: it raised, took too long, or gave no valid output."""
    recovery_seconds: float = 30.0
    """After which it is tried again, by one step at a time."""
    ping_timeout: float = 5.0
    """Seconds that its ``ping``, where it has one, may take before it is tried again."""
    probes: int = 1
    """Trials in a row that must succeed; then all steps may have it again."""
    min_confidence: float | None = None
    """A result with less confidence than this counts as a failure, and whoever takes over where the specialist fails
    tries the step too, unless it has effects; the first result that is sure enough is the step's, else the surest."""

    def __post_init__(self) -> None:
        for name in ("failures", "probes"):
            if (count := getattr(self, name)) < 1:
                raise ValueError(f"HealthPolicy.{name} must be at least 1, found {count!r}")
        for name in ("recovery_seconds", "ping_timeout"):
            if not 0 < (seconds := getattr(self, name)) < math.inf:
                raise ValueError(f"HealthPolicy.{name} must be seconds above 0, found {seconds!r}")
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise ValueError(f"HealthPolicy.min_confidence must be from 0 to 1, found {self.min_confidence!r}")
