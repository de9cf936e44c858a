"""The ledger: reserve before a call, settle after it, in any thread."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph import Price, Usage
from goalgraph.errors import LimitReached
from goalgraph.graph.ledger.caps import Call, Caps, Met, Used
from goalgraph.graph.ledger.ledger import UNKNOWN_OUTPUT, Ledger

PRICES = {"cheap": Price(input=1, output=2), "dear": Price(input=20, output=80)}
CALL = Call(model="cheap", input_tokens=100, max_output=100)


def ledger_of(**caps: float) -> Ledger:
    return Ledger(Caps(**caps), prices=PRICES)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_call_is_granted_only_if_it_is_sure_to_fit() -> None:
    ledger = ledger_of(max_tokens=399)
    ledger.reserve(1, CALL)
    with pytest.raises(LimitReached, match=r"Limits.max_tokens of 399 is used up \(0 spent, 200 reserved, .* 200"):
        ledger.reserve(2, CALL)
    ledger.settle(1, Used(input_tokens=90, output_tokens=10))
    ledger.reserve(2, CALL)
    assert ledger.left("max_tokens") == 99


def test_the_error_says_limit_and_figures() -> None:
    ledger = ledger_of(max_cost_usd=0.0003)
    ledger.reserve(1, Call(model="cheap", input_tokens=100, max_output=0))
    with pytest.raises(LimitReached) as caught:
        ledger.reserve(2, CALL)
    error = caught.value
    assert (error.limit, error.allowed, error.spent, error.reserved, error.asked) == (
        "max_cost_usd",
        0.0003,
        0.0,
        0.0001,
        0.0003,
    )
    assert ledger.met == Met(limit="max_cost_usd", said=str(error))


def test_a_call_that_fails_gives_back_what_was_reserved() -> None:
    ledger = ledger_of(max_calls=1)
    ledger.reserve(1, CALL)
    ledger.release(1)
    ledger.release(1)
    ledger.reserve(2, CALL)
    assert ledger.left("max_calls") == 0


def test_a_call_that_was_cancelled_gives_back_what_was_reserved_once_it_is_needed() -> None:
    ledger, over = ledger_of(max_calls=1), [False]
    ledger.reserve(1, CALL, is_over=lambda: over[0])
    with pytest.raises(LimitReached):
        ledger.reserve(2, CALL)
    over[0] = True
    ledger.reserve(2, CALL)
    assert ledger.settle(1, Used(input_tokens=1, output_tokens=1)) is not None, "it was handed on, and is counted"
    assert ledger.settle(1, Used(input_tokens=1, output_tokens=1)) is None
    assert ledger.settle(2, None) is not None
    assert ledger.met is not None


def test_a_call_that_does_not_say_what_it_used_counts_as_reserved() -> None:
    ledger = ledger_of(max_tokens=1_000, max_cost_usd=1)
    ledger.reserve(1, CALL)
    settled = ledger.settle(1, None)
    assert settled is not None
    assert settled.is_estimated
    assert settled.cost_usd == pytest.approx(0.0003)
    assert ledger.left("max_tokens") == 800


def test_a_call_is_settled_once() -> None:
    ledger = ledger_of(max_tokens=1_000)
    ledger.reserve(1, CALL)
    ledger.reserve(1, CALL)
    assert ledger.settle(1, Used(input_tokens=1, output_tokens=1)) is not None
    assert ledger.settle(1, Used(input_tokens=1, output_tokens=1)) is None
    assert ledger.left("max_tokens") == 998


def test_an_answer_without_a_limit_of_its_own_is_expected_to_be_the_longest_so_far() -> None:
    ledger = ledger_of(max_tokens=10_000)
    free = Call(model="cheap", input_tokens=0)
    ledger.reserve(1, free)
    assert ledger.left("max_tokens") == 10_000 - UNKNOWN_OUTPUT
    ledger.settle(1, Used(input_tokens=0, output_tokens=30))
    ledger.reserve(2, free)
    assert ledger.left("max_tokens") == 10_000 - 30 - 30
    ledger.reserve(3, Call(model="dear", input_tokens=0))
    assert ledger.left("max_tokens") == 10_000 - 60 - UNKNOWN_OUTPUT


@pytest.mark.parametrize(
    ("unpriced", "cost", "left"), [("ignore", 0.0, 1.0), (0.25, 0.25, 0.75)], ids=["ignored", "counted"]
)
def test_a_call_whose_price_nobody_knows_counts_as_told(unpriced: float, cost: float, left: float) -> None:
    ledger = ledger_of(max_cost_usd=1, unpriced=unpriced)
    ledger.reserve(1, Call(model="nobody-s", input_tokens=5))
    settled = ledger.settle(1, Used(input_tokens=5, output_tokens=5))
    assert settled is not None
    assert (settled.cost_usd, settled.is_unpriced, ledger.left("max_cost_usd")) == (cost, True, left)


def test_a_call_whose_price_nobody_knows_is_refused_where_that_is_wanted_and_halts_nothing() -> None:
    ledger = Ledger(Caps(max_cost_usd=1, unpriced="refuse"), prices=PRICES)
    with pytest.raises(LimitReached, match="the price of the model 'nobody-s' is not known"):
        ledger.reserve(1, Call(model="nobody-s", input_tokens=5))
    assert ledger.met is None
    ledger.reserve(2, CALL)
    Ledger(Caps(max_tokens=9_999, unpriced="refuse")).reserve(1, Call(model="nobody-s", input_tokens=5))


def test_the_name_that_the_answer_bears_prices_it_and_the_model_s_own_where_that_is_unknown() -> None:
    for said, cost in (("dear", 20.0), ("cheap-2026", 1.0), (None, 1.0)):
        ledger = ledger_of(max_cost_usd=1_000)
        ledger.reserve(1, CALL)
        settled = ledger.settle(1, Used(input_tokens=1_000_000, output_tokens=0), said)
        assert settled is not None
        assert settled.cost_usd == pytest.approx(cost)


def test_what_is_kept_back_is_for_the_last_call_alone() -> None:
    ledger = ledger_of(max_calls=10, keep_back=0.25)
    for number in range(7):
        ledger.reserve(number, CALL)
    with pytest.raises(LimitReached, match="3 kept back for the answer"):
        ledger.reserve(7, CALL)
    for number in range(7, 10):
        ledger.reserve(number, CALL, is_last=True)
    with pytest.raises(LimitReached):
        ledger.reserve(10, CALL, is_last=True)


def test_the_plan_s_budget_and_the_caller_s_limit_hold_both() -> None:
    ledger = ledger_of(max_cost_usd=0.5)
    ledger.restrict(0.2)
    ledger.recall("a", Usage(calls=1, cost_usd=0.1999))
    with pytest.raises(LimitReached, match=r"the plan.s budget of 0\.2 USD is used up"):
        ledger.reserve(1, CALL)
    ledger.restrict(None)
    ledger.reserve(1, CALL)
    assert ledger.max_cost_usd == 0.5


def test_what_is_recorded_is_counted_once_and_not_where_it_was_counted_when_it_was_spent() -> None:
    ledger = ledger_of(max_tokens=100)
    ledger.mark("live")
    for key in ("live", "old", "old"):
        ledger.recall(key, Usage(calls=1, input_tokens=30, output_tokens=10))
    assert ledger.left("max_tokens") == 60


def test_whoever_watches_is_told_once_and_at_once_where_it_is_late() -> None:
    ledger, told, late = ledger_of(max_tokens=100), list[Met](), list[Met]()
    end = ledger.watch(told.append)
    gone = ledger.watch(lambda _: told.append(Met(limit="max_calls", said="gone")))
    gone()
    for key in ("a", "b"):
        ledger.recall(key, Usage(calls=1, input_tokens=101))
    ledger.watch(late.append)
    end()
    assert [one.said for one in told] == ["Limits.max_tokens of 100 is used up (101 spent)"]
    assert late == told


def test_a_limit_that_is_used_to_the_last_token_is_not_met() -> None:
    ledger = ledger_of(max_tokens=200, max_calls=1)
    ledger.reserve(1, CALL)
    ledger.settle(1, Used(input_tokens=100, output_tokens=100))
    assert ledger.met is None
    assert ledger.left("max_tokens") == ledger.left("max_calls") == 0


@dataclass(frozen=True)
class Planned:
    """A call, and what becomes of it."""

    call: Call
    used: Used | None
    is_failed: bool


calls = st.builds(
    Planned,
    st.builds(
        Call,
        model=st.sampled_from(["cheap", "dear", "unknown", None]),
        input_tokens=st.integers(0, 500),
        max_output=st.none() | st.integers(0, 500),
    ),
    st.none() | st.builds(Used, input_tokens=st.integers(0, 900), output_tokens=st.integers(0, 900)),
    st.integers(0, 5).map(lambda number: number == 0),
)
caps = st.builds(
    Caps,
    max_cost_usd=st.none() | st.floats(0.0001, 2),
    max_tokens=st.none() | st.integers(1, 60_000),
    max_calls=st.none() | st.integers(1, 80),
    unpriced=st.sampled_from(["ignore", "refuse", 0.001, 0.05]),
    keep_back=st.sampled_from([0.0, 0.1, 0.5]),
)


def cost(model: str | None, used: Used, limits: Caps) -> float:
    price = PRICES.get(model or "")
    if price is None:
        return 0.0 if isinstance(limits.unpriced, str) else limits.unpriced
    return (used.input_tokens * price.input + used.output_tokens * price.output) / 1e6


@settings(max_examples=60, deadline=None)
@given(planned=st.lists(calls, min_size=100, max_size=100), limits=caps, seed=st.integers(0, 2**32))
def test_what_is_spent_stays_within_the_limits_but_for_what_calls_use_beyond_their_reservations(
    planned: list[Planned], limits: Caps, seed: int
) -> None:
    ledger, chance = Ledger(limits, prices=PRICES), random.Random(seed)
    spent, beyond = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    most: dict[str | None, int] = {}

    def end(number: int, one: Planned, reserved: Used) -> None:
        if one.is_failed:
            ledger.release(number)
            return
        used = one.used or reserved
        settled = ledger.settle(number, one.used)
        assert settled is not None
        assert (settled.input_tokens, settled.output_tokens) == (used.input_tokens, used.output_tokens)
        model = one.call.model
        if one.used is not None:
            most[model] = max(most.get(model, 0), used.output_tokens)
        figures = (cost(model, used, limits), used.input_tokens + used.output_tokens, 1)
        asked = (cost(model, reserved, limits), reserved.input_tokens + reserved.output_tokens, 1)
        assert settled.cost_usd == pytest.approx(figures[0])
        for place in range(3):
            spent[place] += figures[place]
            beyond[place] += max(figures[place] - asked[place], 0)

    waiting: list[tuple[int, Planned, Used]] = []
    for number, one in enumerate(planned):
        output = one.call.max_output if one.call.max_output is not None else most.get(one.call.model, UNKNOWN_OUTPUT)
        try:
            ledger.reserve(number, one.call)
        except LimitReached:
            continue
        waiting.append((number, one, Used(input_tokens=one.call.input_tokens, output_tokens=output)))
        while waiting and chance.random() < 0.4:
            end(*waiting.pop(chance.randrange(len(waiting))))
    for found in waiting:
        end(*found)
    whole = (limits.max_cost_usd, limits.max_tokens, limits.max_calls)
    for place, limit in enumerate(whole):
        if limit is not None:
            assert spent[place] <= limit * (1 - limits.keep_back) + beyond[place] + 1e-9


@settings(max_examples=20, deadline=None)
@given(planned=st.lists(calls, min_size=100, max_size=100), limits=caps)
def test_in_threads_too(planned: list[Planned], limits: Caps) -> None:
    """Nobody uses more than was reserved here, so that no limit is ever exceeded."""
    ledger = Ledger(limits, prices=PRICES)

    def make(number: int) -> tuple[float, int, int]:
        one = planned[number]
        call = Call(model=one.call.model, input_tokens=one.call.input_tokens, max_output=one.call.max_output or 0)
        try:
            ledger.reserve(number, call)
        except LimitReached:
            return (0.0, 0, 0)
        if one.is_failed:
            ledger.release(number)
            return (0.0, 0, 0)
        used = one.used
        if used is not None:
            used = Used(
                input_tokens=min(used.input_tokens, call.input_tokens),
                output_tokens=min(used.output_tokens, call.max_output or 0),
            )
        settled = ledger.settle(number, used)
        assert settled is not None
        return (settled.cost_usd, settled.input_tokens + settled.output_tokens, 1)

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(make, range(len(planned))))
    whole = (limits.max_cost_usd, limits.max_tokens, limits.max_calls)
    for place, limit in enumerate(whole):
        if limit is not None:
            assert sum(one[place] for one in made) <= limit + 1e-9
    left = (ledger.left("max_cost_usd"), ledger.left("max_tokens"), ledger.left("max_calls"))
    assert all(one is None or one >= 0 for one in left)
