"""Errors of plans, of those who make them, and of the models that they ask."""

from collections.abc import Iterable
from typing import Literal

from goalgraph.errors.root import GoalgraphError, PlanProblem, WithProblems

__all__ = [
    "InvalidAlias",
    "InvalidGoal",
    "InvalidPlan",
    "InvalidPrompt",
    "LimitReached",
    "MissingExtra",
    "ModelFailed",
    "PlannerEmpty",
    "PlannerError",
    "PlannerFiltered",
    "PlannerInvalid",
    "PlannerRefused",
    "PlannerTruncated",
    "UnknownModel",
    "UnknownPlan",
]


class InvalidPlan(WithProblems, ValueError):
    """A plan that may not run. ``problems`` holds all of them."""

    def __init__(self, problems: Iterable[PlanProblem], *, source: str = "the plan") -> None:
        super().__init__(f"{source} is not valid", problems)


class InvalidAlias(GoalgraphError, ValueError):
    """A name under which no plan can be saved."""


class InvalidGoal(GoalgraphError, ValueError):
    """A goal that cannot be planned, such as an empty one."""


class PlannerError(GoalgraphError):
    """The planner's model gave no usable plan."""


class PlannerTruncated(PlannerError):
    """The model's answer was cut at its token limit."""


class PlannerRefused(PlannerError):
    """The model refused to plan the goal."""


class PlannerFiltered(PlannerError):
    """A content filter stopped the model's answer."""


class PlannerEmpty(PlannerError):
    """The model's answer had no content."""


class PlannerInvalid(WithProblems, PlannerError, ValueError):
    """The model's plan was still invalid after the last repair."""

    def __init__(self, problems: Iterable[PlanProblem], *, attempts: int) -> None:
        self.attempts = attempts
        """How often the model was asked."""
        super().__init__(f"no valid plan from the model in {attempts} attempts", problems)


class ModelFailed(GoalgraphError, ConnectionError):
    """A model could not be called: network, authentication, rate limit, server error."""


class LimitReached(GoalgraphError, RuntimeError):
    """A model call that was not made, because it might have broken a limit of the run."""

    def __init__(
        self,
        message: str,
        *,
        limit: Literal["max_cost_usd", "max_tokens", "max_calls"],
        allowed: float | None = None,
        spent: float | None = None,
        reserved: float | None = None,
        asked: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit: Literal["max_cost_usd", "max_tokens", "max_calls"] = limit
        """As in `goalgraph.Limits`."""
        self.allowed = allowed
        """The limit: USD, tokens or calls, as the figures below."""
        self.spent = spent
        """By calls that are over."""
        self.reserved = reserved
        """For calls that were under way."""
        self.asked = asked
        """What the call may have taken."""


class UnknownModel(GoalgraphError, ValueError):
    """A model name without a known provider."""


class MissingExtra(GoalgraphError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        """What to install: ``goalgraph[extra]``."""
        super().__init__(f"{what} needs the extra {extra!r}", hint=f"pip install 'goalgraph[{extra}]'")


class UnknownPlan(GoalgraphError, LookupError):
    """No plan is saved under that alias, or in that version."""


class InvalidPrompt(GoalgraphError, ValueError):
    """A prompt template was rendered with missing or surplus values."""
