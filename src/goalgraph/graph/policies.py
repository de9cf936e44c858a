"""What the caller alone decides: limits and how steps are run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from goalgraph.planner.plan import Retry

__all__ = ["ExecutionPolicy", "Limits", "NativeRetry"]


@runtime_checkable
class NativeRetry(Protocol):
    """LangGraph's ``RetryPolicy``, by its fields."""

    @property
    def initial_interval(self) -> float:
        """Seconds before the second attempt."""
        ...

    @property
    def backoff_factor(self) -> float:
        """Each further wait is this many times the last one."""
        ...

    @property
    def max_interval(self) -> float:
        """Longest wait, in seconds."""
        ...

    @property
    def max_attempts(self) -> int:
        """The first one included."""
        ...

    @property
    def jitter(self) -> bool:
        """Whether waits are a little longer at random."""
        ...

    @property
    def retry_on(self) -> type[Exception] | Sequence[type[Exception]] | Callable[[Exception], bool]:
        """Which failures are tried again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a run."""

    max_steps: int = 200
    """A plan with more steps is refused, whoever wrote it."""

    max_items: int = 1_000
    """A map over more items than this fails."""

    max_seconds: float | None = None
    """What is not done this long after the plan was made is cancelled; time in which nobody ran it counts."""

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_items"):
            if (found := getattr(self, name)) < 1:
                raise ValueError(f"Limits.{name} must be at least 1, found {found!r}")
        if self.max_seconds is not None and not 0 < self.max_seconds < float("inf"):
            raise ValueError(f"Limits.max_seconds must be seconds above 0, found {self.max_seconds!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPolicy:
    """How steps are run."""

    max_concurrency: int | None = None
    """Most steps at the same time; None: as many as are ready. 1 runs them one by one."""
    on_failure: Literal["continue", "fail_fast", "wait_all"] = "continue"
    """``continue``: a failed step stops only what depends on it. ``fail_fast``: it cancels all that is not done.
    ``wait_all``: as ``continue``, and the run's status is ``failed`` if any step failed or was blocked that is not
    optional."""
    step_timeout: float | None = None
    """Seconds for one attempt of a step that sets no timeout of its own."""
    idle_timeout: float | None = None
    """Seconds that an attempt may go on without a sign of life: progress that it tells, tokens, starts and ends of
    calls of models and tools, inside of it. Unlike ``step_timeout`` it lets work be long that is seen to move."""
    retry: Retry | NativeRetry | None = None
    """For steps that set no retry of their own: ours, or LangGraph's ``RetryPolicy``.

    Failures are tried again unless they are known to stay, such as HTTP 400, 401, 403, 404, 422; a ``RetryPolicy`` with
    a ``retry_on`` of its own decides that itself. ``Retry-After`` is heeded, up to 300 s. A chat model that does a step
    with a retry has none of its own meanwhile; models inside of chains and agents keep theirs."""

    def __post_init__(self) -> None:
        if self.max_concurrency is not None and self.max_concurrency < 1:
            raise ValueError(f"ExecutionPolicy.max_concurrency must be at least 1, found {self.max_concurrency!r}")
        for name in ("step_timeout", "idle_timeout"):
            if (found := getattr(self, name)) is not None and not 0 < found < float("inf"):
                raise ValueError(f"ExecutionPolicy.{name} must be seconds above 0, found {found!r}")
        if self.on_failure not in ("continue", "fail_fast", "wait_all"):
            raise ValueError(
                f"ExecutionPolicy.on_failure must be 'continue', 'fail_fast' or 'wait_all', found {self.on_failure!r}"
            )
        _check_retry(self.retry)


def _check_retry(found: object) -> None:
    if found is not None and not isinstance(found, (Retry, NativeRetry)):
        raise ValueError(
            f"ExecutionPolicy.retry must be a goalgraph.Retry or langgraph.types.RetryPolicy, found {found!r}"
        )
