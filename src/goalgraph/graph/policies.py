"""What the caller alone decides: limits and how steps are run."""

from dataclasses import dataclass
from typing import Literal

from goalgraph.planner.plan import Retry

__all__ = ["ExecutionPolicy", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a run."""

    max_steps: int = 200
    """A plan with more steps is refused, whoever wrote it."""

    max_items: int = 1_000
    """A map over more items than this fails."""

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_items"):
            if (found := getattr(self, name)) < 1:
                raise ValueError(f"Limits.{name} must be at least 1, found {found!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPolicy:
    """How steps are run."""

    max_concurrency: int | None = None
    """Most steps at the same time; None: as many as are ready. 1 runs them one by one."""
    on_failure: Literal["continue", "fail_fast"] = "continue"
    """``continue``: a failed step stops only what depends on it. ``fail_fast``: it cancels all that is not done."""
    step_timeout: float | None = None
    """Seconds for one attempt of a step that sets no timeout of its own."""
    retry: Retry | None = None
    """For steps that set no retry of their own."""

    def __post_init__(self) -> None:
        if self.max_concurrency is not None and self.max_concurrency < 1:
            raise ValueError(f"ExecutionPolicy.max_concurrency must be at least 1, found {self.max_concurrency!r}")
        if self.step_timeout is not None and not 0 < self.step_timeout < float("inf"):
            raise ValueError(f"ExecutionPolicy.step_timeout must be seconds above 0, found {self.step_timeout!r}")
