"""Whether a failed attempt is made again, and after how long: one rule made of a plan's, or of LangGraph's policy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from goalgraph.graph.policies import NativeRetry
from goalgraph.graph.steps.failures import kind_of
from goalgraph.planner.plan import Retry

__all__ = ["LONGEST_ASKED", "RetryRule", "rule_of"]

LONGEST_ASKED = 300.0
"""Seconds; a ``Retry-After`` that asks for more is tried after these."""

_SPREAD = 0.25
_MOST_SPREAD = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How often, after how long, and after which failures."""

    max_attempts: int
    """The first one included."""
    initial: float
    """Seconds before the second attempt."""
    factor: float
    longest: float
    jitter: bool
    retries: Callable[[BaseException], bool]
    """Whether a failure is one that another attempt may cure."""

    def pause(self, failed: int, asked: float | None, chance: float) -> float:
        """Return how many seconds to wait before the next attempt.

        Args:
            failed: How many attempts have failed.
            asked: How long the other side asks to be left alone. It is left alone for at least that long, up to
                `LONGEST_ASKED`, even where the rule's own waits are shorter.
            chance: From 0 to 1, at random, so that steps that failed together do not come back together.
        """
        try:
            own = min(self.initial * self.factor ** (failed - 1), self.longest)
        except OverflowError:
            own = self.longest
        spread = min(_MOST_SPREAD, self.initial)
        if asked is not None and (asked := min(asked, LONGEST_ASKED)) > own:
            own, spread = asked, max(spread, asked * _SPREAD)
        return own + (chance * spread if self.jitter else 0.0)


def rule_of(retry: Retry | NativeRetry | None, usual: object) -> RetryRule | None:
    """Make the rule of a plan's or a policy's retry; None where a step is tried once.

    Args:
        retry: A plan's; or LangGraph's policy.
        usual: LangGraph's own ``retry_on``. A policy that has it says nothing of its own about failures, and our
            judgement stands in for it: it takes a refused API key for a broken connection.
    """
    if retry is None or retry.max_attempts <= 1:
        return None
    if isinstance(retry, Retry):
        return RetryRule(
            max_attempts=retry.max_attempts,
            initial=retry.initial_seconds,
            factor=retry.factor,
            longest=retry.max_seconds,
            jitter=True,
            retries=_curable,
        )
    return RetryRule(
        max_attempts=retry.max_attempts,
        initial=retry.initial_interval,
        factor=retry.backoff_factor,
        longest=retry.max_interval,
        jitter=retry.jitter,
        retries=_curable if retry.retry_on is usual else _own(retry.retry_on),
    )


def _curable(error: BaseException) -> bool:
    return kind_of(error) != "permanent"


def _own(
    rule: type[Exception] | Sequence[type[Exception]] | Callable[[Exception], bool],
) -> Callable[[BaseException], bool]:
    """Take LangGraph's ``retry_on``: classes, or a function."""
    if isinstance(rule, type):
        return lambda error: isinstance(error, rule)
    if callable(rule):
        return lambda error: isinstance(error, Exception) and bool(rule(error))
    kinds = tuple(rule)
    return lambda error: isinstance(error, kinds)
