"""How often, after how long and after which failures an attempt is made again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.types import RetryPolicy

from goalgraph import ExecutionPolicy, Retry
from goalgraph.errors import ModelFailed
from goalgraph.graph.steps.retrying import LONGEST_ASKED, RetryRule, rule_of

USUAL = RetryPolicy().retry_on


def rule(retry: Retry | RetryPolicy) -> RetryRule:
    found = rule_of(retry, USUAL)
    assert found is not None
    return found


def pauses(of: RetryRule, asked: float | None = None, chance: float = 0.0) -> list[float]:
    return [of.pause(failed, asked, chance) for failed in range(1, of.max_attempts)]


@pytest.mark.parametrize(
    "retry",
    [
        Retry(max_attempts=5, initial_seconds=2, factor=3, max_seconds=20),
        RetryPolicy(max_attempts=5, initial_interval=2, backoff_factor=3, max_interval=20),
    ],
    ids=["ours", "LangGraph's"],
)
def test_waits_grow_up_to_the_longest(retry: Retry | RetryPolicy) -> None:
    assert pauses(rule(retry)) == [2, 6, 18, 20]
    assert pauses(rule(retry), chance=0.5) == [2.5, 6.5, 18.5, 20.5]


def test_a_policy_may_do_without_jitter() -> None:
    assert pauses(rule(RetryPolicy(jitter=False)), chance=0.9) == pauses(rule(RetryPolicy(jitter=False)))


def test_a_wait_that_no_number_holds_is_the_longest() -> None:
    assert rule(Retry(max_attempts=100, factor=1e300, max_seconds=9)).pause(99, None, 0.0) == 9


@pytest.mark.parametrize(
    ("asked", "chance", "seconds"),
    [(0.1, 0.0, 1.0), (8.0, 0.0, 8.0), (8.0, 0.5, 9.0), (1e9, 0.0, LONGEST_ASKED), (1e9, 1.0, 1.25 * LONGEST_ASKED)],
    ids=["less than the rule's own", "more", "more, with jitter", "beyond reason", "beyond reason, with jitter"],
)
def test_the_other_side_is_left_alone_for_as_long_as_it_asks(asked: float, chance: float, seconds: float) -> None:
    assert rule(Retry(initial_seconds=1, max_seconds=2)).pause(1, asked, chance) == seconds


@pytest.mark.parametrize("retry", [None, Retry(max_attempts=1), RetryPolicy(max_attempts=0)])
def test_a_step_that_is_tried_once_has_no_rule(retry: Retry | RetryPolicy | None) -> None:
    assert rule_of(retry, USUAL) is None


class Refused(Exception):
    status_code = 401


@pytest.mark.parametrize("retry", [Retry(), RetryPolicy()], ids=["ours", "LangGraph's without a retry_on of its own"])
@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionError(), True),
        (ValueError(), True),
        (asyncio.CancelledError(), True),
        (Refused(), False),
        (ModelFailed("no key"), False),
        (GeneratorExit(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_all_but_what_stays_is_tried_again(retry: Retry | RetryPolicy, error: BaseException, again: bool) -> None:
    assert rule(retry).retries(error) is again


def is_refused(error: Exception) -> bool:
    return isinstance(error, Refused)


@pytest.mark.parametrize("retry_on", [Refused, [KeyError, Refused], is_refused], ids=["class", "classes", "function"])
def test_a_retry_on_of_the_callers_own_has_the_say(retry_on: Any) -> None:
    own = rule(RetryPolicy(retry_on=retry_on))
    assert own.retries(Refused())
    assert not own.retries(ConnectionError())
    assert not own.retries(asyncio.CancelledError())


@pytest.mark.parametrize("found", [3, {"max_attempts": 3}, "always"], ids=["number", "mapping", "text"])
def test_a_policy_takes_no_other_kind_of_retry(found: Any) -> None:
    with pytest.raises(ValueError, match=r"goalgraph\.Retry or langgraph\.types\.RetryPolicy"):
        ExecutionPolicy(retry=found)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"idle_timeout": 0.0}, "idle_timeout"),
        ({"idle_timeout": float("inf")}, "idle_timeout"),
        ({"on_failure": "stop"}, "on_failure"),
    ],
    ids=["no time", "all time", "unknown word"],
)
def test_a_policy_says_which_of_its_fields_is_wrong(fields: Any, field: str) -> None:
    with pytest.raises(ValueError, match=rf"ExecutionPolicy\.{field} must be"):
        ExecutionPolicy(**fields)


def test_langgraphs_policy_is_taken_as_it_is() -> None:
    kinds: Sequence[type[Exception]] = (ValueError,)
    policy = RetryPolicy(max_attempts=4, retry_on=kinds)
    assert ExecutionPolicy(retry=policy).retry is policy
