"""What a plan is estimated to take: tokens, USD and seconds as ranges, and what is not known is said."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.planner.plan_strategies import examples
from tests.planner.small_plans import sound_plans

from goalgraph import Outcome, Plan, SpecialistCard, Usage
from goalgraph.planner.documents import read_document
from goalgraph.planner.estimate import Estimate, ModelCall, Range, estimate_plan
from goalgraph.planner.forecast import ANSWER
from goalgraph.planner.history import History
from goalgraph.planner.plan import Retry
from goalgraph.planner.prices import Price, price_of
from goalgraph.planner.ranges import worded
from goalgraph.prompts.tokens import count_tokens

Data = dict[str, Any]
MODEL = SpecialistCard(name="writer", description="Writes.", model="own-model", seconds=2)
TOOL = SpecialistCard(name="tool", cost_usd=0, seconds=10, max_concurrency=2)
PAID = SpecialistCard(name="paid", cost_usd=0.5, seconds=1, effects=True)
DARK = SpecialistCard(name="dark")
CARDS = (MODEL, TOOL, PAID, DARK)
PRICES = {"own-model": Price(input=1_000_000, output=10_000_000)}
"""One USD for each token sent, ten for each answered: costs are tokens."""


def agent(step_id: str, *needs: str, agent: str = "writer", **fields: Any) -> Data:
    return {"id": step_id, "agent": agent, "task": "do it", "depends_on": list(needs), **fields}


def plan_of(*steps: Data, **fields: Any) -> Plan:
    return read_document({"steps": list(steps), **fields}).plan


def estimate(*steps: Data, prices: Any = PRICES, history: History | None = None, **given: Any) -> Estimate:
    return estimate_plan(plan_of(*steps), CARDS, prices=prices, history=history, **given)


def between(low: float, high: float | None) -> Range:
    about: Any = pytest.approx
    return Range(low=about(low), high=about(high) if high is not None else None)


def test_the_prompt_is_rendered_and_counted_and_what_is_not_known_yet_widens_the_range() -> None:
    sent = count_tokens("Writes.\n\ndo it", "own-model")
    found = estimate(agent("a"))
    assert ANSWER.high == 2_000
    assert found.tokens == between(sent + 50, sent + 2_000)
    assert found.cost_usd == between(sent + 500, sent + 20_000)
    longer = estimate(agent("a", input={"x": "many words " * 50}))
    assert longer.tokens is not None
    assert found.tokens is not None
    assert longer.tokens.low > found.tokens.low + 100
    both = estimate(agent("a"), agent("b", "a"))
    assert both.tokens == between(2 * (sent + 50), 2 * (sent + 2_000) + 2_000)


def test_what_a_step_names_is_put_into_its_prompt_once_more() -> None:
    plain, naming = (
        estimate(agent("a"), agent("b", "a")),
        estimate(agent("a"), agent("b", input={"x": "{{ steps.a.output }}"})),
    )
    assert plain.tokens is not None
    assert plain.tokens.high is not None
    assert naming.tokens is not None
    assert naming.tokens.high is not None
    assert naming.tokens.high >= plain.tokens.high + 2_000
    known = estimate(agent("a", task="{{ input.text }}"), inputs={"text": "word " * 1_000}).tokens
    assert known is not None
    assert known.high is not None
    assert known.high >= 3_000


def test_costs_come_from_the_card_then_from_prices_and_are_never_made_up() -> None:
    assert estimate(agent("a", agent="paid")).cost_usd == between(0.5, 0.5)
    assert estimate(agent("a", agent="tool")).cost_usd == between(0, 0)
    assert estimate(agent("a", agent="tool")).tokens == between(0, 0)
    listed = estimate_plan(plan_of(agent("a")), [MODEL.model_copy(update={"model": "gpt-5-mini"})]).cost_usd
    assert listed is not None
    assert 0 < listed.low < 0.001 < 0.003 < (listed.high or 0) < 0.01
    for prices, one in (({}, "writer"), (PRICES, "dark")):
        found = estimate(agent("a", agent="paid"), agent("b", agent=one), prices=prices)
        assert (found.cost_usd, found.unknown) == (None, (one,))


def test_the_callers_prices_win_and_the_table_is_that_of_the_package() -> None:
    assert price_of("gpt-5-mini", 1_000_000, 1_000_000) == pytest.approx(2.25)
    assert price_of("gpt-5-mini", 1_000_000, 1_000_000, {"gpt-5-mini": Price(input=1, output=2)}) == pytest.approx(3)
    assert price_of("nobody-knows-it", 1, 1) is None
    assert price_of("nobody-knows-it", 1, 1, {"nobody-knows-it": Price(input=0, output=0)}) == 0
    with pytest.raises(ValueError, match=r"Price\.output must be USD per million tokens"):
        Price(input=1, output=math.nan)


@pytest.mark.parametrize("tokens", [1_000, 300_000])
def test_prices_that_rise_with_the_length_are_those_of_the_whole_call(tokens: int) -> None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    for model in ("claude-sonnet-4-5", "gemini-2.5-pro", "gpt-4o"):
        theirs = calc_price(Tokens(input_tokens=tokens, output_tokens=100), model).total_price
        assert price_of(model, tokens, 100) == pytest.approx(float(theirs))


def test_seconds_are_those_of_the_longest_way_by_time() -> None:
    found = estimate(agent("a"), agent("b", "a"), agent("c", "b"), agent("slow", agent="tool"), agent("d", "slow"))
    assert found.seconds == between(12, 12)
    assert found.critical_path == ("slow", "d")
    assert estimate(agent("a"), agent("b", agent="dark")).seconds is None
    assert estimate(agent("a"), agent("b", agent="dark")).untimed == ("dark",)
    pause = {"id": "pause", "type": "wait", "duration": "1m"}
    assert estimate(pause, agent("a", "pause")).seconds == between(62, 62)
    until = {"id": "then", "type": "wait", "until": "2030-01-01T00:00:00Z"}
    assert (estimate(until).seconds, estimate(until).waits) == (between(0, 0), ("then",))
    assert estimate({"id": "ok", "type": "human_approval", "prompt": "?"}, agent("a", "ok")).seconds == between(2, 2)


@pytest.mark.parametrize(
    ("steps", "limit", "seconds"),
    [(10, None, 2), (10, 5, 4), (10, 3, 8), (10, 1, 20)],
    ids=["no limit", "even", "uneven", "one by one"],
)
def test_limits_make_steps_wait_for_each_other(steps: int, limit: int | None, seconds: float) -> None:
    found = estimate(*(agent(f"s{number}") for number in range(steps)), max_concurrency=limit)
    assert found.seconds == between(seconds, seconds)


def test_a_specialists_own_limit_counts_too_and_a_plan_may_be_done_one_by_one() -> None:
    assert estimate(*(agent(f"s{number}", agent="tool") for number in range(5))).seconds == between(30, 30)
    plan = plan_of(agent("a"), agent("b"), coordinator={"strategy": "sequential"})
    assert estimate_plan(plan, CARDS).seconds == between(4, 4)


def test_a_condition_takes_nothing_at_least_and_the_dearer_branch_at_most() -> None:
    fork: Data = {
        "id": "fork", "type": "condition", "if": "input.x",
        "then": [agent("one", agent="paid"), agent("two", agent="paid")],
        "else": [agent("other", agent="paid")],
    }  # fmt: skip
    assert estimate(fork).cost_usd == between(0, 1.0)
    inner: Data = {**fork, "id": "inner"}
    outer: Data = {"id": "outer", "type": "condition", "if": "true", "then": [agent("x", agent="paid"), inner]}
    assert estimate(outer).cost_usd == between(0, 1.5)
    assert estimate(agent("a", agent="paid"), agent("b", "a", agent="paid", when="false")).cost_usd == between(0.5, 1)
    after = agent("after", "fork.one", agent="paid")
    assert estimate(fork, after).cost_usd == between(0, 1.5)
    assert estimate(fork, agent("after", "fork", agent="paid")).cost_usd == between(0.5, 1.5)


def test_attempts_and_fallbacks_are_in_the_upper_bound_only() -> None:
    retry = {"max_attempts": 3, "initial_seconds": 4, "factor": 2, "max_seconds": 5}
    found = estimate(agent("a", agent="paid", retry=retry))
    assert found.cost_usd == between(0.5, 1.5)
    assert found.seconds == between(1, 3 + (4 + 1) + (5 + 1))
    assert estimate(agent("a", agent="paid"), retry=Retry(max_attempts=2)).cost_usd == between(0.5, 1.0)
    assert estimate(agent("a", agent="tool", fallback=["paid"])).cost_usd == between(0, 0.5)
    assert estimate(agent("a", agent="tool", fallback=["dark"])).cost_usd == between(0, None)
    assert estimate(agent("a", agent="tool", fallback=["dark"])).unknown == ("dark",)
    assert estimate(agent("a", agent="tool", timeout=4)).seconds == between(4, 4)


def test_maps_take_what_their_items_take() -> None:
    def each(over: Any, **fields: Any) -> Data:
        return {"id": "each", "type": "map", "over": over, "step": agent("x", agent="paid"), **fields}

    assert estimate(each([1, 2, 3])).cost_usd == between(1.5, 1.5)
    assert estimate(each([1, 2, 3])).seconds == between(1, 1)
    assert estimate(each([1, 2, 3], concurrency=2)).seconds == between(2, 2)
    assert estimate(each([1, 2, 3]), max_concurrency=1).seconds == between(3, 3)
    assert estimate(each([])).cost_usd == between(0, 0)
    unknown = estimate(each("{{ input.rows }}"))
    assert (unknown.cost_usd, unknown.seconds) == (between(0, None), between(0, None))
    assert unknown.open_maps == ("each",)
    history = History.of(
        [Outcome(step=f"each[{number}]", status="succeeded", specialist="paid", attempts=1) for number in range(4)]
    )
    assert estimate(each("{{ input.rows }}"), history=history).cost_usd == between(2, 2)
    capped = plan_of(each("{{ input.rows }}"), coordinator={"guardrails": [{"type": "timeout", "max_seconds": 9}]})
    assert estimate_plan(capped, CARDS).seconds == between(0, 9)


def test_history_narrows_what_a_card_says_and_knows_those_without_a_model() -> None:
    outcomes = [
        Outcome(
            step=f"s{number}", status="succeeded", specialist=name, attempts=1, seconds=5 + number,
            usage=Usage(calls=1, input_tokens=100, output_tokens=10 * (number + 1), cost_usd=0.25),
        )
        for name in ("dark", "writer")
        for number in range(11)
    ]  # fmt: skip
    history = History.of(outcomes)
    found = estimate(agent("a", agent="dark"), history=history)
    assert (found.seconds, found.cost_usd, found.tokens) == (between(6, 14), between(0.25, 0.25), between(120, 200))
    assert (found.unknown, found.untimed) == ((), ())
    sent = count_tokens("Writes.\n\ndo it", "own-model")
    assert estimate(agent("a"), history=history).tokens == between(sent + 20, sent + 100)
    assert estimate(agent("a"), history=history).seconds == between(6, 14)


def test_calls_that_no_step_makes_are_counted() -> None:
    call = ModelCall(name="synthesis", model="own-model", prompt="write it", reads_results=True)
    sent = count_tokens("write it", "own-model")
    found = estimate(agent("a", agent="tool"), calls=[call])
    assert found.tokens == between(sent + 50, sent + 2_000 + 2_000)
    assert found.cost_usd == between(sent + 500, sent + 2_000 + 20_000)
    capped = estimate(agent("a", agent="tool"), calls=[replace(call, most=sent + 100)])
    assert capped.tokens == between(sent + 50, sent + 100 + 2_000)
    assert estimate(agent("a", agent="tool"), calls=[replace(call, model="nobody-knows-it")]).cost_usd is None


def test_where_several_could_do_a_step_the_range_holds_all_of_them() -> None:
    cheap = SpecialistCard(name="cheap", capabilities=("x",), cost_usd=1)
    cards = (cheap, SpecialistCard(name="dear", capabilities=("x", "y"), cost_usd=5))
    plan = plan_of({"id": "a", "requires": ["x"]})
    assert estimate_plan(plan, cards).cost_usd == between(1, 5)
    assert estimate_plan(plan, cards, doers={"a": "cheap"}).cost_usd == between(1, 1)


def test_effects_ahead_are_named_also_those_of_a_fallback() -> None:
    repeated: Data = {"id": "m", "type": "map", "over": [1], "step": agent("x", agent="paid")}
    found = estimate(agent("a"), agent("b", agent="paid"), agent("c", fallback=["paid"]), repeated)
    assert found.effects == ("b", "c", "m[*]")


def test_what_is_not_known_is_said_together_with_of_whom() -> None:
    found = estimate(agent("a", agent="paid"), agent("b", agent="dark"))
    assert (found.uncounted, found.unknown, found.untimed) == (("paid", "dark"), ("dark",), ("dark",))
    assert found.missing == {("paid", "dark"): ("tokens",), ("dark",): ("cost", "time")}


def test_a_plan_estimates_itself() -> None:
    plan = plan_of(agent("a", agent="paid"))
    assert plan.estimate(CARDS) == estimate_plan(plan, CARDS)
    assert plan.estimate(CARDS, max_concurrency=1).seconds == between(1, 1)


@examples(60)
@given(sound_plans())
def test_ranges_are_ranges_whatever_the_plan(plan: Plan) -> None:
    names = {"worker", *(name for name in estimate_plan(plan, ()).specialists)}
    cards = [SpecialistCard(name=name, cost_usd=1, seconds=3) for name in names]
    free, one = (estimate_plan(plan, cards, max_concurrency=limit) for limit in (None, 1))
    for found in (free.cost_usd, free.seconds, one.seconds):
        assert found is None or found.high is None or 0 <= found.low <= found.high
    if free.seconds is not None and one.seconds is not None and free.seconds.high is not None:
        assert free.seconds.high <= (one.seconds.high or math.inf) + 1e-9


def test_numbers_are_written_for_people() -> None:
    assert worded(Range(low=0.00013, high=1_234.5), "USD") == "0.00013 to 1,234.50 USD"
    assert worded(Range(low=0, high=0), "USD") == "0.00 USD"
    assert worded(Range(low=1.26, high=None), "seconds") == "at least 1.3 seconds"
    assert worded(Range(low=1_200, high=3_400), "tokens") == "1,200 to 3,400 tokens"
