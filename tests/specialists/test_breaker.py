"""The circuit breaker and pings, without a run."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from goalgraph import HealthPolicy, StepResult, StepTask, as_specialist
from goalgraph.specialists.routing.breaker import Breaker
from goalgraph.specialists.routing.pinging import ping_of, pinged
from goalgraph.testing import ScriptedSpecialist

T0 = 1_000_000.0


def opened(**policy: Any) -> Breaker:
    breaker = Breaker(HealthPolicy(failures=2, recovery_seconds=30.0, **policy))
    assert [breaker.failure(T0), breaker.failure(T0)] == [None, "open"]
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(HealthPolicy(failures=2))
    assert [breaker.failure(T0), breaker.success(T0), breaker.failure(T0)] == [None, None, None]
    assert breaker.failure(T0) == "open"


def test_an_open_one_lets_one_trial_in_after_its_time() -> None:
    breaker = opened()
    assert (breaker.seen(T0 + 29), breaker.admit(T0 + 29)) == ("open", (False, None))
    assert breaker.left(T0 + 29) == pytest.approx(1, abs=1e-3)
    assert breaker.admit(T0 + 31) == (True, "half_open")
    assert (breaker.seen(T0 + 31), breaker.admit(T0 + 31)) == ("open", (False, None))
    assert breaker.success(T0 + 32) == "closed"
    assert breaker.failure(T0 + 33) is None


def test_a_trial_that_fails_opens_it_again_and_one_of_which_nothing_comes_lets_another_in() -> None:
    breaker = opened()
    breaker.admit(T0 + 31)
    breaker.leave()
    assert breaker.admit(T0 + 31) == (True, None)
    assert breaker.failure(T0 + 31) == "open"
    assert breaker.admit(T0 + 60)[0] is False


def test_it_closes_after_as_many_trials_as_are_wanted() -> None:
    breaker = opened(probes=2)
    breaker.admit(T0 + 31)
    assert breaker.success(T0 + 31) is None
    assert breaker.admit(T0 + 32) == (True, None)
    assert breaker.success(T0 + 32) == "closed"


def test_a_clock_that_was_set_back_does_not_lock_it_for_ever() -> None:
    assert opened().left(T0 - 10_000) == 30.0


def test_what_is_recorded_counts_unless_something_later_is_known() -> None:
    breaker = opened()
    breaker.restore("closed", T0 - 1)
    assert breaker.seen(T0) == "open"
    breaker.restore("closed", T0 + 1)
    assert breaker.seen(T0) == "closed"
    breaker.restore("open", T0 + 5)
    assert (breaker.seen(T0 + 6), breaker.seen(T0 + 36)) == ("open", "half_open")


@given(
    happens=some.lists(
        some.tuples(some.sampled_from(["admit", "success", "failure", "leave"]), some.floats(0, 20)), max_size=40
    )
)
def test_there_is_never_more_than_one_trial_and_times_only_go_forward(happens: list[tuple[str, float]]) -> None:
    breaker, now, trials, changed = Breaker(HealthPolicy(failures=2, recovery_seconds=10.0)), T0, 0, 0.0
    for what, seconds in happens:
        now += seconds
        if what == "admit":
            is_admitted, _ = breaker.admit(now)
            if breaker.state == "half_open":
                trials += is_admitted
            assert is_admitted or breaker.state != "closed"
        elif what == "leave":
            breaker.leave()
            trials = 0
        elif (breaker.success if what == "success" else breaker.failure)(now) is not None or what == "success":
            trials = 0
        assert trials <= 1
        assert breaker.changed_at >= changed
        changed = breaker.changed_at


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"failures": 0}, "failures"),
        ({"probes": 0}, "probes"),
        ({"recovery_seconds": 0}, "recovery_seconds"),
        ({"ping_timeout": float("inf")}, "ping_timeout"),
        ({"min_confidence": 2}, "min_confidence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"HealthPolicy\.{field}"):
        HealthPolicy(**arguments)


async def _late() -> None:
    await asyncio.sleep(5)


def _raises() -> None:
    raise OSError("down")


async def _says_no() -> bool:
    return False


@pytest.mark.parametrize(
    ("ping", "found"),
    [
        (lambda: None, "healthy"),
        (_says_no, "unhealthy"),
        (_raises, "unhealthy"),
        (_late, "unresponsive"),
        (lambda: time.sleep(0.3), "unresponsive"),
    ],
    ids=["says nothing", "says no", "raises", "late", "blocks"],
)
async def test_a_ping_is_a_yes_unless_it_says_no_or_nothing_comes(ping: Any, found: str) -> None:
    assert await pinged(ping, 0.05) == found


def test_a_ping_is_found_behind_a_new_card_and_an_assessor() -> None:
    class Pinged(ScriptedSpecialist):
        def ping(self) -> bool:
            return True

    def sure(_task: StepTask, _result: StepResult) -> float:
        return 1.0

    one = as_specialist(Pinged("a"), name="b", assess=sure)
    assert ping_of(one) is not None
    assert ping_of(ScriptedSpecialist("a")) is None
