"""What the caller alone decides: limits and how steps are run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from goalgraph.planner.expressions import ExpressionError, condition
from goalgraph.planner.plan import Retry
from goalgraph.planner.validation import PlanPolicy

__all__ = [
    "LOW_CONFIDENCE",
    "ON_FAILURE",
    "ExecutionPolicy",
    "Limits",
    "NativeRetry",
    "PlanningPolicy",
    "RevisionPolicy",
]

ON_FAILURE = "step.status == 'failed' and step.error.code != 'rejected'"
"""Holds for a step that failed, unless a human said no: that is final."""
LOW_CONFIDENCE = "step.confidence < step.min_confidence"
"""Holds for a step with less confidence than the plan, or the policy, asks for; not where it gave none."""


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

    max_cost_usd: float | None = None
    """Most that the run's model calls may cost, in USD; the planner's, the reviser's and the assessors' too.

    A call is made only if what was spent, what calls under way may still cost and what it may cost itself, its prompt
    and the longest answer that it allows (else the longest of the same model in the run so far, at first 1,024 tokens),
    are within the limit; it raises `LimitReached` otherwise, and nothing new begins from then on: the answer is made of
    what there is. A call that fails does not count, though it may be billed; nor does what was spent, and not recorded,
    before a process ended."""
    max_tokens: int | None = None
    """Most tokens of prompts and answers together, in the same way."""
    max_calls: int | None = None
    """Most calls of models, in the same way."""
    unpriced: float | Literal["refuse", "ignore"] = "ignore"
    """What a call counts as whose price nobody knows, where there is a limit in USD: so many USD; or it is refused
    before it is made; or it does not count, and the result says so."""
    keep_back: float = 0.1
    """Share of money, tokens and calls that only the synthesis may use, where it may ask a model."""
    at_limit: Literal["finish", "cancel"] = "finish"
    """What happens to steps that are at work when a limit of money, tokens or calls is met: they go on to their end, as
    far as their calls are still granted, or they are cancelled."""
    max_seconds: float | None = None
    """What is not done this long after the plan was made is cancelled; time in which nobody ran it counts."""

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_items"):
            if (found := getattr(self, name)) < 1:
                raise ValueError(f"Limits.{name} must be at least 1, found {found!r}")
        if self.max_seconds is not None and not 0 < self.max_seconds < float("inf"):
            raise ValueError(f"Limits.max_seconds must be seconds above 0, found {self.max_seconds!r}")
        if self.max_cost_usd is not None and not 0 < self.max_cost_usd < float("inf"):
            raise ValueError(f"Limits.max_cost_usd must be USD above 0, found {self.max_cost_usd!r}")
        for name in ("max_tokens", "max_calls"):
            if (found := getattr(self, name)) is not None and found < 1:
                raise ValueError(f"Limits.{name} must be at least 1, found {found!r}")
        if not 0 <= self.keep_back < 1:
            raise ValueError(f"Limits.keep_back must be at least 0 and below 1, found {self.keep_back!r}")
        if self.at_limit not in ("finish", "cancel"):
            raise ValueError(f"Limits.at_limit must be 'finish' or 'cancel', found {self.at_limit!r}")
        if self.unpriced not in ("refuse", "ignore") and (
            isinstance(self.unpriced, str) or not 0 <= self.unpriced < float("inf")
        ):
            raise ValueError(f"Limits.unpriced must be USD, 'refuse' or 'ignore', found {self.unpriced!r}")


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
    eager: bool = False
    """Whether steps may begin while the model still writes the rest of the plan, as soon as what they need is there:
    those of specialists in front of which nobody is asked, and only where no plan is reviewed. What was done stays done
    where the finished plan has that step just so; else it is cancelled, or its result dropped."""
    min_confidence: float | None = None
    """For steps that set none of their own: below it an outcome counts as weak, and the answer as degraded."""
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
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise ValueError(f"ExecutionPolicy.min_confidence must be from 0 to 1, found {self.min_confidence!r}")
        _check_retry(self.retry)


def _check_retry(found: object) -> None:
    if found is not None and not isinstance(found, (Retry, NativeRetry)):
        raise ValueError(
            f"ExecutionPolicy.retry must be a goalgraph.Retry or langgraph.types.RetryPolicy, found {found!r}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningPolicy:
    """What plans that are made must heed, and what is done where none can be made."""

    constraints: tuple[str, ...] = ()
    """In free words, such as ``"ask two sources for every figure"``."""
    require_approval: tuple[str, ...] = ()
    """Ids of steps, specialists or capabilities that may not run before a human has approved something; ``"*"``: any
    plan needs an approval somewhere. Holds for every plan, given and changed ones too."""
    available: tuple[str, ...] | None = None
    """Names of the specialists that plans may use; None: all. Holds for every plan."""
    least: Literal["full", "simple", "single"] = "full"
    """What is good enough where no better plan can be made, and the answer says so: ``simple``: a few steps of
    specialists; ``single``: if need be one specialist with the whole goal. ``full``: nothing else; the run fails."""

    def __post_init__(self) -> None:
        for name in ("constraints", "require_approval", "available"):
            found: object = getattr(self, name)
            if isinstance(found, str):
                raise ValueError(f"PlanningPolicy.{name} is a list, found the text {found!r}; write [{found!r}]")
            if found is not None:
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.least not in ("full", "simple", "single"):
            raise ValueError(f"PlanningPolicy.least must be 'full', 'simple' or 'single', found {self.least!r}")

    def of(self, limits: Limits) -> PlanPolicy:
        """Return what plans must hold, with the bounds of the run."""
        return PlanPolicy(
            max_steps=limits.max_steps,
            require_approval=frozenset(self.require_approval),
            available=None if self.available is None else frozenset(self.available),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPolicy:
    """When a plan is changed while it runs, and how often."""

    triggers: tuple[str, ...] = (ON_FAILURE, LOW_CONFIDENCE)
    """Conditions on a step that is over, in the expression language; any of them calls for a revision.

    ``step`` has ``id``, ``type``, ``status``, ``output``, ``specialist``, ``attempts``, ``seconds``, ``optional``,
    ``degraded``, ``signals``, and, where there is one, ``confidence``, ``min_confidence`` and ``error`` (``code``,
    ``message``, ``type``), so ``step.output.confidence < 0.7``, or ``'handoff.ready' in step.signals`` for what a
    specialist has said with `StepContext.signal`; ``input`` and ``steps`` are there as in plans. A condition that names
    what is not there does not hold. Steps that never began, ends of groups and the single items of maps are not looked
    at."""
    max_revisions: int = 3
    """How often the reviser is asked in a run, whatever comes of it."""
    max_cost_usd: float | None = None
    """Once its calls have cost this much it is not asked again; calls whose price is not known do not count."""
    max_seconds: float | None = None
    """Once its calls have taken this long together it is not asked again."""
    at_limit: Literal["ask", "accept", "abort"] | None = None
    """What happens where a revision is due and none is left. ``ask``: a human is asked, who may give guidance for one
    more, accept what there is, or abort. ``accept``: the run goes on without, and the answer says so. ``abort``: it is
    halted. None: ``ask`` where there is a checkpointer to wait with, else ``accept``."""
    assignee: str | None = None
    """Who is asked."""

    def __post_init__(self) -> None:
        if isinstance(self.triggers, str):
            raise ValueError(f"RevisionPolicy.triggers is a list, found the text {self.triggers!r}")
        object.__setattr__(self, "triggers", tuple(self.triggers))
        for trigger in self.triggers:
            try:
                condition(trigger)
            except ExpressionError as error:
                raise ValueError(f"RevisionPolicy.triggers: {error}") from error
        if self.max_revisions < 0:
            raise ValueError(f"RevisionPolicy.max_revisions must be at least 0, found {self.max_revisions!r}")
        for name in ("max_cost_usd", "max_seconds"):
            if (found := getattr(self, name)) is not None and not 0 < found < float("inf"):
                raise ValueError(f"RevisionPolicy.{name} must be above 0, found {found!r}")
        if self.at_limit not in ("ask", "accept", "abort", None):
            raise ValueError(f"RevisionPolicy.at_limit must be 'ask', 'accept', 'abort' or None: {self.at_limit!r}")
