"""What a run took, added up from its outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import Outcome
from goalgraph.planner.outcome import Usage
from goalgraph.planner.run_metrics import BUCKETS, RunMetrics, metrics_of

START = "2026-01-01T10:00:00+00:00"
LATER = "2026-01-01T10:00:04+00:00"


def done(step: str, seconds: float = 2.0, **fields: object) -> Outcome:
    usual = {"step": step, "status": "succeeded", "specialist": "writer", "attempts": 1, "started_at": START}
    return Outcome.model_validate({**usual, "seconds": seconds, **fields})


def test_steps_count_for_whoever_did_them() -> None:
    outcomes = [
        done("a", 2.0, attempts=3),
        done("b", 4.0, status="failed"),
        done("c", 1.0, specialist="expert", started_at=LATER),
        done("d", 0.0, specialist=None, status="blocked", started_at=LATER, attempts=0),
    ]
    found = metrics_of(outcomes, started_at=START, waiting={"writer": 7})
    assert found.steps == {"succeeded": 2, "failed": 1, "blocked": 1}
    assert list(found.specialists) == ["writer", "expert"]
    writer = found.specialists["writer"]
    assert (writer.count, writer.succeeded, writer.failed, writer.retries) == (2, 1, 1, 2)
    assert (writer.error_share, writer.max_waiting) == (0.5, 7)
    took = writer.durations
    assert (took.count, took.sum, took.min, took.max, took.mean) == (2, 6.0, 2.0, 4.0, 3.0)
    assert [took.histogram[bound] for bound in ("1", "2.5", "5", "+Inf")] == [0, 1, 2, 2]
    assert (found.wall_seconds, found.busy_seconds, found.parallelism) == (5.0, 7.0, 1.4)
    assert found.success_share == pytest.approx(2 / 3)


def test_money_is_not_known_where_nothing_was_priced() -> None:
    used = Usage(input_tokens=10, output_tokens=4, calls=2)
    unpriced = metrics_of([done("a", usage=used)]).specialists["writer"]
    priced = metrics_of([done("a", usage=used), done("b", usage=used + Usage(cost_usd=0.5))]).specialists["writer"]
    without = metrics_of([done("a")]).specialists["writer"]
    assert (unpriced.input_tokens, unpriced.output_tokens, unpriced.model_calls) == (10, 4, 2)
    assert (unpriced.cost_usd, priced.cost_usd, without.cost_usd) == (None, 0.5, 0.0)


def test_of_nothing_there_is_nothing() -> None:
    found = metrics_of([])
    assert (found.steps, found.specialists, found.parallelism, found.success_share) == ({}, {}, 0.0, 1.0)


seconds = st.floats(0, 1_000, allow_nan=False)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), seconds, st.sampled_from(["succeeded", "failed", "cancelled"]))))
def test_what_is_added_up_agrees_with_itself(steps: list[tuple[str, float, str]]) -> None:
    outcomes = [
        done(f"s{number}", took, specialist=name, status=status) for number, (name, took, status) in enumerate(steps)
    ]
    found = metrics_of(outcomes)
    assert RunMetrics.model_validate_json(found.model_dump_json()) == found
    assert sum(found.steps.values()) == len(steps) == sum(one.count for one in found.specialists.values())
    for name, one in found.specialists.items():
        own = [took for who, took, _ in steps if who == name]
        counts = list(one.durations.histogram.values())
        assert counts == sorted(counts)
        assert counts[-1] == one.durations.count == len(own)
        assert all(
            one.durations.histogram[f"{bound:g}"] == sum(1 for took in own if took <= bound) for bound in BUCKETS
        )
    if steps:
        assert found.wall_seconds == pytest.approx(max(took for _, took, _ in steps), abs=1e-5)
