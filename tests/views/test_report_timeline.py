"""When steps waited and worked, what made a run as long as it was, and where that stands in a picture."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep, HumanApprovalStep, MapStep, Plan
from goalgraph.views.report.scale import Scale, scale_of
from goalgraph.views.report.timeline import Timeline, timeline_of

_BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _at(second: float) -> str:
    return (_BEGIN + timedelta(seconds=second)).isoformat()


def _done(step: str, start: float, end: float, **fields: object) -> Outcome:
    return Outcome.model_validate(
        {"step": step, "status": "succeeded", "started_at": _at(start), "seconds": end - start, **fields}
    )


def _step(step: str, *needs: str) -> AgentStep:
    return AgentStep(id=step, agent="worker", task=step, depends_on=needs)


def _timeline(plan: Plan, *outcomes: Outcome, decisions: tuple[Decision, ...] = ()) -> Timeline:
    return timeline_of(plan, {one.step: one for one in outcomes}, decisions, started_at=_at(0))


def _waits(timeline: Timeline) -> dict[str, tuple[float, float, str]]:
    return {step: (round(one.ready, 3), round(one.start, 3), one.wait) for step, one in timeline.spans.items()}


def test_a_step_is_ready_when_the_last_of_what_it_needs_is_done() -> None:
    plan = Plan(steps=(_step("a"), _step("b"), _step("c", "a", "b")))
    found = _timeline(plan, _done("a", 0, 2), _done("b", 0, 5), _done("c", 5, 6))
    assert _waits(found) == {"a": (0, 0, ""), "b": (0, 0, ""), "c": (5, 5, "")}
    assert (found.seconds, found.critical) == (6, ("b", "c"))


def test_a_step_without_a_place_waits_for_its_turn() -> None:
    plan = Plan(steps=(_step("a"), _step("b")))
    found = _timeline(plan, _done("a", 0, 2), _done("b", 2, 3))
    assert _waits(found)["b"] == (0, 2, "turn")
    assert found.critical == ("b",)


@pytest.mark.parametrize("kind", ["approval", "gate", "input", "event", "specialist"])
def test_a_step_that_somebody_answered_waited_for_the_answer(kind: str) -> None:
    plan = Plan(steps=(_step("a"), HumanApprovalStep(id="ok", prompt="?", depends_on=("a",)), _step("b", "ok")))
    said = {"kind": kind, "subject": "ok", "chosen": "approve", "at": _at(60)}
    found = _timeline(plan, _done("a", 0, 2), _done("ok", 60, 60.1, decisions=(said,)), _done("b", 60.1, 61))
    assert _waits(found)["ok"] == (2, 60, "human")
    assert found.critical == ("a", "ok", "b")


def test_a_step_that_was_held_back_for_a_change_of_the_plan_waited_for_it() -> None:
    plan = Plan(steps=(_step("a"), _step("b", "a")))
    changed = Decision(kind="revision", subject="b", chosen="revise", at=_at(4))
    refused = Decision(kind="revision", subject="b", chosen="refuse", at=_at(3))
    found = _timeline(plan, _done("a", 0, 2), _done("b", 4.1, 5), decisions=(refused, changed))
    assert _waits(found)["b"] == (2, 4.1, "revision")
    assert found.revisions == (4,)


def test_what_never_began_stands_for_what_it_would_have_needed() -> None:
    plan = Plan(steps=(_step("a"), _step("never", "a"), _step("b", "never").model_copy(update={"join": "all_done"})))
    skipped = Outcome(step="never", status="skipped")
    found = _timeline(plan, _done("a", 0, 2), skipped, _done("b", 2, 3))
    assert _waits(found)["b"] == (2, 2, "")
    assert found.critical == ("a", "b")


def test_items_of_a_map_are_ready_when_it_begins_and_are_no_part_of_the_critical_path() -> None:
    plan = compile_plan(Plan(steps=(_step("a"), MapStep(id="m", over="{{ steps.a.output }}", step=_step("one")))))
    found = _timeline(plan, _done("a", 0, 1), _done("m", 1, 4), _done("m[0]", 1, 2), _done("m[1]", 2, 4))
    assert _waits(found)["m[1]"] == (1, 2, "turn")
    assert found.critical == ("a", "m")


def test_of_a_run_in_which_nothing_began_there_is_no_timeline() -> None:
    found = _timeline(Plan(steps=(_step("a"),)), Outcome(step="a", status="failed", started_at="yesterday"))
    assert (found.began, found.spans, found.critical) == (None, {}, ())


def test_steps_that_began_before_the_plan_was_complete_are_within_the_run() -> None:
    found = _timeline(Plan(steps=(_step("early"), _step("b"))), _done("early", -3, -1), _done("b", 0, 1))
    assert (found.began, found.seconds) == (_BEGIN - timedelta(seconds=3), 4)
    assert found.spans["early"].start == 0


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), max_size=20),
    st.lists(st.floats(-10, 2e6), min_size=2, max_size=10),
)
def test_later_is_never_further_left_and_nothing_is_outside(
    work: list[tuple[float, float]], moments: list[float]
) -> None:
    stretches = [(begin, begin + long) for begin, long in work]
    scale = scale_of(stretches, max((end for _, end in stretches), default=0.0))
    places = [scale.x(moment) for moment in sorted(moments)]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert all(0 <= tick.x <= 100 for tick in scale.ticks)
    assert [tick.seconds for tick in scale.ticks] == sorted(tick.seconds for tick in scale.ticks)


def test_a_run_without_idle_time_is_shown_in_proportion() -> None:
    scale = scale_of([(0, 5), (4, 10)], 10)
    assert scale.gaps == ()
    assert [scale.x(at) for at in (0, 2.5, 10)] == [0, 25, 100]
    assert [tick.seconds for tick in scale.ticks] == [0, 2, 4, 6, 8]


def test_a_night_in_which_nothing_happens_is_shortened_and_the_work_is_not() -> None:
    night = 10 * 3600
    scale = scale_of([(0, 10), (night, night + 10)], night + 10)
    (gap,) = scale.gaps
    assert gap.seconds == night - 10
    assert gap.width < 10
    assert scale.x(10) > 40
    assert scale.x(night) < 60
    assert [(tick.seconds, tick.since) for tick in scale.ticks] == [(0, 0), (5, 0), (night, 0), (night + 5, 5)]


@pytest.mark.parametrize("seconds", [0.0, 0.003, 0.4, 3.0, 50.0, 4_000.0, 90_000.0, 3e7])
def test_the_axis_has_some_ticks_that_do_not_crowd(seconds: float) -> None:
    scale: Scale = scale_of([(0, seconds)], seconds)
    places = [tick.x for tick in scale.ticks]
    assert 1 <= len(places) <= 12
    assert all(later - sooner >= 8 for sooner, later in pairwise(places))
    assert seconds == 0 or len(places) >= 3
