"""A plan that waits for its review, and those that were rejected before: stored with the run."""

from pydantic import BaseModel, ConfigDict

from goalgraph.planner.plan import Plan

__all__ = ["PlanInReview", "RejectedPlan"]


class RejectedPlan(BaseModel):
    """A plan that a human does not want, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Plan
    """As it is written."""
    reason: str = ""


class PlanInReview(BaseModel):
    """A plan that nothing of is run before a human has seen it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str
    plan: Plan
    """As it is written; the run's own plan is flat."""
    is_given: bool = False
    """Whether the caller gave it: then there is nobody to make another one."""
    rejected: tuple[RejectedPlan, ...] = ()
