"""What earlier runs tell of specialists: taken from outcomes, added up, written and read again."""

import json

import pytest
from pydantic import ValidationError

from goalgraph import Decision, Outcome, Usage
from goalgraph.errors import GoalgraphError
from goalgraph.planner.history import Experience, History
from goalgraph.planner.ranges import Range


def outcome(step: str = "a", *, attempts: int = 1, seconds: float = 4.0, **fields: object) -> Outcome:
    values = {
        "step": step,
        "status": "succeeded",
        "specialist": "one",
        "attempts": attempts,
        "seconds": seconds,
        **fields,
    }
    return Outcome.model_validate(values)


CALLED = Usage(calls=2, input_tokens=300, output_tokens=60, cost_usd=0.5)


def test_figures_are_those_of_one_attempt() -> None:
    found = History.of([outcome(attempts=2, usage=CALLED)]).specialists["one"]
    assert found == Experience(seconds=(2.0,), input_tokens=(150,), output_tokens=(30,), cost_usd=(0.25,))


@pytest.mark.parametrize(
    "left_out",
    [
        outcome(status="failed"),
        outcome(attempts=0),
        outcome(specialist=None),
    ],
    ids=["failed", "not tried", "nobody's"],
)
def test_what_tells_nothing_is_left_out(left_out: Outcome) -> None:
    assert History.of([left_out]) == History()


def test_where_no_call_was_seen_or_priced_nothing_is_known_of_cost() -> None:
    assert History.of([outcome()]).specialists["one"] == Experience(seconds=(4.0,))
    unpriced = History.of([outcome(usage=Usage(calls=1, input_tokens=3, output_tokens=4))])
    assert unpriced.specialists["one"] == Experience(seconds=(4.0,), input_tokens=(3,), output_tokens=(4,))
    half = History.of([outcome(usage=Usage(calls=2, cost_usd=0.1, unpriced_calls=1))])
    assert half.cost_usd("one") is None


def test_time_with_a_human_in_it_does_not_count() -> None:
    decision = Decision(kind="gate", subject="a", chosen="approve", at="2026-01-01T00:00:00Z")
    found = History.of([outcome(decisions=[decision], usage=CALLED)])
    assert found.seconds("one") is None
    assert found.input_tokens("one") == Range(low=300, high=300)


def test_ranges_leave_out_the_tenths_at_both_ends() -> None:
    history = History.of(outcome(f"s{number}", seconds=float(number)) for number in range(101))
    assert history.seconds("one") == Range(low=10, high=90)
    assert history.seconds("nobody") is None


def test_items_of_maps_are_counted_by_run() -> None:
    first = History.of(outcome(f"each[{number}]") for number in range(3))
    second = History.of([outcome("each[0]"), outcome("each[6].inner[1]")])
    both = first + second
    assert both.items == {"each": (3, 7), "each[*].inner": (2,)}
    assert first.count_of_items("each") == Range(low=3, high=3)
    assert first.count_of_items("other") is None


def test_histories_add_up_and_keep_the_newest() -> None:
    old = History.of(outcome(seconds=1.0) for _ in range(150))
    new = History.of(outcome(seconds=2.0) for _ in range(150))
    found = (old + new).specialists["one"].seconds
    assert len(found) == 200
    assert found.count(2.0) == 150


def test_a_history_is_read_as_it_was_written() -> None:
    history = History.of([outcome(usage=CALLED), outcome("each[2]")])
    data = history.as_json()
    assert History.read(data) == history
    assert History.read(json.dumps(data)) == history
    with pytest.raises(GoalgraphError, match=r"no history of runs: specialists.one.seconds.0: .*History.as_json"):
        History.read({"specialists": {"one": {"seconds": [-1]}}})
    with pytest.raises(GoalgraphError, match="no history of runs: the document"):
        History.read("{")
    with pytest.raises(ValidationError):
        history.items = {}  # type: ignore[misc]
