"""The pace of requests, against servers that are simulated: how many they refuse, and that all get through."""

import heapq
import math
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.pacing import Pace

Server = Callable[[float], float | None]
"""Told the time of a request, says how long to leave it alone; None where it takes it."""


def sliding(rate: int, told: Callable[[float], float] = lambda left: left) -> Server:
    taken: deque[float] = deque()

    def serve(now: float) -> float | None:
        while taken and taken[0] <= now - 1.0:
            taken.popleft()
        if len(taken) < rate:
            taken.append(now)
            return None
        return told(taken[0] + 1.0 - now)

    return serve


def fixed(rate: int) -> Server:
    taken: dict[int, int] = {}

    def serve(now: float) -> float | None:
        window = math.floor(now)
        taken[window] = taken.get(window, 0) + 1
        return None if taken[window] <= rate else window + 1.0 - now

    return serve


def bucket(rate: int) -> Server:
    state = {"tokens": float(rate), "at": 0.0}

    def serve(now: float) -> float | None:
        state["tokens"] = min(state["tokens"] + (now - state["at"]) * rate, rate)
        state["at"] = now
        if state["tokens"] >= 1.0:
            state["tokens"] -= 1.0
            return None
        return (1.0 - state["tokens"]) / rate

    return serve


def whole_seconds(left: float) -> float:
    return float(max(math.ceil(left), 1))


def simulated(serve: Server, calls: int, *, latency: float, answer: float = 0.0) -> tuple[int, float]:
    """Send calls that all come at once, those that are refused again; return the requests, and when all were answered.

    Refusals come after the latency, answers after some more.
    """
    pace, queue, waits = Pace(0.0), deque(range(calls)), False
    events: list[tuple[float, int, str, float, float]] = []
    number = sent = answered = 0
    now = 0.0
    while answered < calls:
        while queue and not waits:
            seconds = pace.take(now)
            number += 1
            if seconds > 0:
                waits = True
                heapq.heappush(events, (now + seconds, number, "turn", 0.0, 0.0))
                break
            queue.popleft()
            sent += 1
            asked = serve(now + latency / 2)
            kind, after = ("answer", answer) if asked is None else ("refusal", 0.0)
            heapq.heappush(events, (now + latency + after, number, kind, now, asked or 0.0))
        now, _, kind, began, asked = heapq.heappop(events)
        if kind == "turn":
            waits = False
        elif kind == "answer":
            answered += 1
            pace.accept()
        elif kind == "refusal":
            pace.refuse(began, now, asked)
            number += 1
            heapq.heappush(events, (now + asked, number, "again", 0.0, 0.0))
        else:
            queue.append(0)
        assert now < 3_600
    return sent, now


SERVERS: dict[str, Callable[[int], Server]] = {
    "sliding": sliding,
    "sliding, whole seconds": lambda rate: sliding(rate, whole_seconds),
    "sliding, twice as long": lambda rate: sliding(rate, lambda left: 2 * left),
    "fixed windows": fixed,
    "bucket": bucket,
}


@pytest.mark.parametrize("answer", [0.0, 2.0], ids=["quick", "slow"])
@pytest.mark.parametrize("latency", [0.002, 0.03, 0.05], ids=["near", "far", "further"])
@pytest.mark.parametrize("rate", [5, 10, 50])
@pytest.mark.parametrize("kind", SERVERS)
def test_of_a_hundred_calls_at_once_few_are_refused(kind: str, rate: int, latency: float, answer: float) -> None:
    sent, seconds = simulated(SERVERS[kind](rate), 100, latency=latency, answer=answer)
    assert sent <= 120
    assert seconds <= 3 * 100 / rate + answer + 4


@pytest.mark.parametrize("kind", SERVERS)
def test_a_thousand_calls_keep_to_the_rate_they_found(kind: str) -> None:
    sent, seconds = simulated(SERVERS[kind](10), 1_000, latency=0.01)
    assert sent <= 1_100
    assert seconds <= 150


def test_a_server_that_refuses_nothing_is_soon_asked_without_a_limit() -> None:
    sent, seconds = simulated(lambda _: None, 10_000, latency=0.01)
    assert sent == 10_000
    assert seconds < 1.0


def test_slow_answers_of_a_server_that_refuses_nothing_hold_nothing_up() -> None:
    seconds = [simulated(lambda _: None, calls, latency=0.01, answer=5.0)[1] for calls in (10, 100, 1_000, 10_000)]
    assert seconds[0] < 5.1
    assert seconds[1] < 6.0
    assert seconds[3] < 8.0


def test_a_server_that_was_not_asked_for_long_is_new_again() -> None:
    pace, now = Pace(0.0), 0.0
    for _ in range(1_000):
        now += pace.take(now)
        pace.accept()
    assert pace.take(now) == 0.0
    assert [pace.take(now + 60.0) for _ in range(11)][9:] == [0.0, pytest.approx(0.01)]


def test_a_limit_is_kept_to_where_it_was_used_up_by_others() -> None:
    turned_away = iter([1.0])
    free = sliding(20)
    sent, seconds = simulated(lambda now: next(turned_away, None) or free(now), 100, latency=0.01)
    assert sent <= 120
    assert seconds < 15


def test_few_requests_before_many_do_not_make_a_limit_of_their_own() -> None:
    pace, serve = Pace(0.0), sliding(5)
    for now in range(20):
        assert pace.take(float(now)) == 0.0
        assert serve(float(now)) is None
    refused = 0
    for _ in range(15):
        if pace.take(20.0) == 0.0 and (asked := serve(20.0)) is not None:
            pace.refuse(20.0, 20.0, asked)
            refused += 1
    assert refused > 0
    assert pace.rate > 2


def test_nothing_is_sent_while_the_server_wants_to_be_left_alone() -> None:
    pace = Pace(0.0)
    assert pace.take(0.0) == 0.0
    pace.refuse(0.0, 0.1, 2.0)
    assert pace.take(0.2) == pytest.approx(1.9)
    assert pace.take(2.2) == 0.0


def test_a_limit_that_holds_no_more_is_forgotten() -> None:
    pace = Pace(0.0)
    for _ in range(6):
        pace.take(0.0)
    pace.refuse(0.0, 0.1, 1.0)
    assert pace.is_limited
    now, taken = 2.0, 0
    while pace.is_limited:
        seconds = pace.take(now)
        now += seconds
        taken += not seconds
    assert now < 400
    assert taken > 100


def test_refusals_of_what_was_on_its_way_count_once() -> None:
    pace = Pace(0.0)
    sent = [number for number in range(18) if pace.take(number * 0.005) == 0.0]
    for number in range(len(sent) - 10):
        pace.refuse(sent[10 + number] * 0.005, 0.2 + number * 0.001, 1.0)
    assert pace.rate == pytest.approx(10 / 1.2, rel=0.1)


@given(
    rate=st.integers(1, 300),
    latency=st.floats(0.0, 1.0),
    answer=st.floats(0.0, 3.0),
    calls=st.integers(1, 60),
    kind=st.sampled_from(sorted(SERVERS)),
)
def test_every_call_gets_through(rate: int, latency: float, answer: float, calls: int, kind: str) -> None:
    sent, seconds = simulated(SERVERS[kind](rate), calls, latency=latency, answer=answer)
    assert sent >= calls
    assert seconds < 600
