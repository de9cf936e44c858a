"""The record that follows a run's events, and what is shown of it."""

import io
from typing import cast

import pytest
from rich.console import Console

from goalgraph.graph.events import (
    Event,
    PlanMade,
    PlanRevised,
    RequestMade,
    RevisionStarted,
    StepDrafted,
    StepFinished,
    StepProgress,
    StepStarted,
    as_event,
)
from goalgraph.graph.policies import ON_FAILURE
from goalgraph.planner.outcome import Outcome, Status, Usage
from goalgraph.views.event_lines import plain_line
from goalgraph.views.frame import frame, frame_text, shown
from goalgraph.views.frame_table import frame_table
from goalgraph.views.progress import StepLine, Track

_STARTED = StepStarted(type="step_started", run="r", step="b", specialist="worker", at="2026-01-01T00:00:00+00:00")
_SAID = StepProgress(type="step_progress", run="r", step="b", message="half\nway", fraction=0.5)
_FAILED = StepFinished(
    type="step_finished",
    run="r",
    step="b",
    status="failed",
    specialist="substitute",
    attempts=2,
    seconds=1.25,
    error="no\nluck",
)
_REVISING = RevisionStarted(type="revision_started", run="r", step="b", reason=ON_FAILURE)
_REVISED = PlanRevised(
    type="plan_revised", run="r", step="b", chosen="revise", rationale="another\nway", diff="- step c\n~ step b: x"
)


def _drafted(step: str, draft: int = 1, *needs: str, early: bool = False) -> StepDrafted:
    return StepDrafted(
        type="step_drafted", run="r", step=step, title=f"do {step}", needs=list(needs), draft=draft, early=early
    )


def _track() -> Track:
    done = Outcome(step="a", status="succeeded", specialist="first", attempts=1, seconds=3.0)
    return Track.of({"a": "first", "b": "worker", "c": "last"}, {"a": done})


def _drawn(track: Track, now: float, room: int, width: int, *, signs: bool = True) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(frame_table(frame(track, now, room), signs=signs))
    return file.getvalue().splitlines()


def test_a_track_follows_a_step_from_start_to_end() -> None:
    track = _track()
    assert (track.done, track.lines["b"].status) == (1, "waiting")
    track.follow(_STARTED, 10.0)
    track.follow(_SAID, 11.0)
    assert (track.done, track.lines["b"].status, track.lines["b"].began, track.lines["b"].note) == (
        1,
        "running",
        10.0,
        "half\nway",
    )
    track.follow(_FAILED, 12.0)
    assert track.done == 2
    outcomes = track.outcomes()
    assert list(outcomes) == ["a", "b"]
    found = outcomes["b"]
    assert (found.status, found.specialist, found.attempts, found.seconds) == ("failed", "substitute", 2, 1.25)
    assert found.error is not None
    assert found.error.message == "no\nluck"


def test_an_event_of_an_unknown_step_changes_nothing() -> None:
    track = _track()
    track.follow({**_STARTED, "step": "of another graph"}, 1.0)
    assert track == _track()


@pytest.mark.parametrize(
    "event", [_STARTED, _SAID, _FAILED, _drafted("b"), _REVISING, _REVISED], ids=lambda event: event["type"]
)
def test_the_engines_events_are_recognised(event: object) -> None:
    assert as_event(event) is event


@pytest.mark.parametrize("part", ["text", None, {"type": "step_started"}, {"type": "mine", "step": "b"}, {"step": "b"}])
def test_other_things_on_the_stream_are_not_taken_for_events(part: object) -> None:
    assert as_event(part) is None


def test_events_become_single_lines() -> None:
    assert plain_line(_STARTED) == "started b (worker)"
    assert plain_line(_SAID) is None
    assert plain_line(_FAILED) == "failed b after 1.2 s: no luck"


def test_what_runs_is_shown_first_where_there_is_no_room_for_all() -> None:
    lines = [StepLine(id=str(number), specialist="x") for number in range(10)]
    for number in range(6):
        lines[number].status = "succeeded"
    lines[2].status = "failed"
    lines[8].status = "running"
    fitting, hidden = shown(lines, 4)
    assert [line.id for line in fitting] == ["2", "6", "7", "8"]
    assert hidden == 6
    assert shown(lines, 10) == (lines, 0)


@pytest.mark.parametrize("width", [20, 30, 60, 120])
def test_a_table_keeps_to_its_width_and_the_note_gives_way_first(width: int) -> None:
    track = _track()
    track.follow(_STARTED, 10.0)
    track.follow({**_SAID, "message": "reading " * 40}, 10.0)
    head, *rows = _drawn(track, 12.5, 20, width)
    assert head.startswith("Running: 1 of 3 steps"[: width - 1])
    assert len(rows) == 3
    assert max(map(len, (head, *rows))) <= width
    assert rows[0].split()[:2] == ["✓", "a"]
    assert "2.5 s" in rows[1]
    assert "worker" in rows[1]


def test_a_long_plan_keeps_to_the_height_and_counts_the_rest() -> None:
    track = Track({str(number): StepLine(id=str(number), specialist="x") for number in range(100)})
    track.lines["0"].status = "succeeded"
    rows = _drawn(track, 0.0, 10, 60, signs=False)
    assert len(rows) == 10
    assert rows[0].strip() == "Running: 1 of 100 steps done"
    assert rows[-1].strip() == "and 92 more"


def _of_item(step: str, kind: str, status: Status = "succeeded") -> Event:
    if kind == "started":
        return {**_STARTED, "step": step}
    if kind == "said":
        return {**_SAID, "step": step}
    finished: StepFinished = {**_FAILED, "step": step, "status": status}
    return finished


def _mapped() -> Track:
    return Track.of({"each": "worker", "g.each": "worker"}, {})


def test_the_items_of_a_map_are_counted_in_its_line() -> None:
    track = _mapped()
    for number in range(3):
        track.follow(_of_item(f"each[{number}]", "started"), 5.0)
    line = track.lines["each"]
    assert (line.status, line.began, line.remark) == ("running", 5.0, "0 items")
    track.follow(_of_item("each[0]", "finished"), 6.0)
    track.follow(_of_item("each[0]", "finished"), 6.0)
    track.follow(_of_item("each[1]", "said"), 6.0)
    track.follow(_of_item("each[1].inner", "finished"), 6.0)
    track.follow(_of_item("each[1][7]", "finished"), 6.0)
    assert line.remark == "1 item"
    told = cast("StepProgress", {**_SAID, "step": "each", "message": "", "items": 40})
    track.follow(told, 7.0)
    track.follow(_of_item("each[2]", "finished", "failed"), 7.0)
    assert (line.remark, line.specialist, track.done) == ("2 of 40 items, 1 failed", "worker", 0)
    track.follow({**_FAILED, "step": "each"}, 9.0)
    assert (line.remark, track.done) == ("2 of 40 items, 1 failed: no\nluck", 1)
    assert (list(track.lines), list(track.outcomes())) == (["each", "g.each"], ["each"])


def test_items_are_told_apart_from_items_of_other_maps_and_of_nobody() -> None:
    track = _mapped()
    track.follow(_of_item("g.each[0]", "finished"), 1.0)
    track.follow(_of_item("other[0]", "finished"), 1.0)
    assert (track.lines["each"].remark, track.lines["g.each"].remark) == ("", "1 item")


def test_items_that_were_done_before_are_counted_too() -> None:
    done = {
        step: Outcome(step=step, status="succeeded") for step in ("each[0]", "each[1]", "each[0].x", "gone", "gone[1]")
    }
    track = Track.of({"each": "worker"}, done)
    assert (track.lines["each"].remark, track.lines["each"].status) == ("2 items", "waiting")


def test_who_does_a_step_of_another_type_stays_in_words() -> None:
    track = Track.of({"b": "a human (anna)"}, {})
    started: StepStarted = {**_STARTED, "specialist": "human_approval"}
    asked = RequestMade(type="request", run="r", step="b", request={"prompt": "Is it\nright?"})
    track.follow(started, 1.0)
    track.follow(asked, 2.0)
    assert (track.lines["b"].specialist, track.lines["b"].note) == ("a human (anna)", "asks: Is it\nright?")
    assert as_event(asked) is asked
    assert plain_line(started) == "started b (approval)"
    assert plain_line(asked) == "asks b: Is it right?"


def test_a_map_s_count_is_in_the_table() -> None:
    track = _mapped()
    track.follow(_of_item("each[0]", "finished"), 1.0)
    assert "1 item" in _drawn(track, 2.0, 20, 80)[1]


def test_the_steps_of_a_draft_are_listed_and_those_of_the_next_one_in_their_place() -> None:
    track = Track()
    track.follow(_drafted("a", early=True), 3.0)
    track.follow(_drafted("b", 1, "a"), 4.0)
    assert [(line.id, line.status, line.remark) for line in track.lines.values()] == [
        ("a", "running", "do a"),
        ("b", "waiting", "do b (needs a)"),
    ]
    assert frame(track, 0.0, 9).head == "Planning ... 2 steps so far"
    track.follow(_drafted("c", 2), 5.0)
    assert (list(track.lines), frame(track, 0.0, 9).head) == (["c"], "Planning, draft 2 ... 1 step so far")
    track.follow(_drafted("d", 2, early=True), 6.0)
    track.begin_anew({"c": "worker", "d": "worker"}, {})
    assert [(line.id, line.status, line.remark) for line in track.lines.values()] == [
        ("c", "waiting", ""),
        ("d", "running", ""),
    ]
    assert (track.lines["d"].specialist, track.lines["d"].began) == ("worker", 6.0)
    assert frame(track, 0.0, 9).head == "Running: 0 of 2 steps done"


def test_what_an_agent_drafts_that_does_a_step_is_not_listed() -> None:
    track = _track()
    track.follow(_drafted("x"), 1.0)
    assert track == _track()


def test_a_revision_is_noted_at_its_step_and_a_new_plan_keeps_what_is_done() -> None:
    track = _track()
    track.follow(_REVISING, 1.0)
    track.follow(_FAILED, 1.0)
    assert track.lines["b"].remark == "the plan is being revised: no\nluck"
    unchanged: PlanRevised = {**_REVISED, "chosen": "no_change", "diff": ""}
    track.follow(unchanged, 2.0)
    assert track.lines["b"].remark == "no\nluck: no change is known"
    track.follow({**_STARTED, "step": "c"}, 2.5)
    track.begin_anew({"a": "first", "d": "other", "c": "last"}, {"a": Outcome(step="a", status="succeeded")})
    assert [(line.id, line.status) for line in track.lines.values()] == [
        ("a", "succeeded"),
        ("d", "waiting"),
        ("c", "running"),
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (_drafted("b", 1, "a", "c", early=True), "drafted b (needs a, c): do b, begun"),
        (_REVISING, "b failed: the plan is being revised"),
        ({**_REVISING, "reason": "step.output.rows\n< 3"}, "b (step.output.rows < 3): the plan is being revised"),
        (_REVISED, "revised for b: another way\n  - step c\n  ~ step b: x"),
        (
            {**_REVISED, "diff": "\n".join(f"- step {n}" for n in range(20))},
            "revised for b: another way" + "".join(f"\n  - step {n}" for n in range(8)) + "\n  and 12 more changes",
        ),
        ({**_REVISED, "chosen": "refuse", "rationale": ""}, "not revised for b, no change can be made"),
    ],
    ids=["drafted", "failed", "another reason", "revised", "many changes", "refused"],
)
def test_drafts_and_revisions_become_lines(event: Event, line: str) -> None:
    assert plain_line(event) == line


def test_what_only_looks_like_an_event_is_not_taken_for_one() -> None:
    assert as_event({**_FAILED, "status": "splendid"}) is None
    assert as_event({**_FAILED, "seconds": "1"}) is None
    assert as_event({**_FAILED, "usage": {"tokens": 3}}) is None


def test_a_run_inside_of_a_step_does_not_change_the_lines() -> None:
    track = _track()
    track.follow(_STARTED, 1.0)
    track.follow({**_FAILED, "run": "r/b"}, 2.0)
    track.follow({**_drafted("x"), "run": "r/b"}, 2.0)
    assert (list(track.lines), track.lines["b"].status) == (["a", "b", "c"], "running")


def test_what_models_were_asked_for_is_added_up_each_step_once() -> None:
    done = Outcome(step="a", status="succeeded", usage=Usage(input_tokens=100, output_tokens=20, calls=2, cost_usd=0.5))
    track = Track.of({"a": "w", "b": "w"}, {"a": done})
    assert track.usage == {"tokens": 120, "calls": 2, "cost_usd": 0.5}
    made = PlanMade(type="plan_made", run="r", steps=["a", "b"], done=["a"], usage={"tokens": 1_000, "calls": 1})
    ended: StepFinished = {**_FAILED, "usage": {"tokens": 7, "calls": 1, "unpriced_calls": 1}}
    for event in (made, ended, ended):
        track.follow(event, 1.0)
    assert track.usage == {"tokens": 1_127, "calls": 4, "cost_usd": 0.5, "unpriced_calls": 1}
    assert frame(track, 0.0, 9).head.endswith("1 failed, 1,127 tokens, at least $0.5000")
    track.follow({"type": "run_finished", "run": "r", "status": "failed", "usage": {"tokens": 5, "calls": 1}}, 2.0)
    assert frame(track, 0.0, 9).head == "Failed: 2 of 2 steps done, 1 failed, 5 tokens"


def test_the_head_says_who_is_waited_for_until_the_step_goes_on() -> None:
    track = Track.of({"b": "a human"}, {})
    track.began = 0.0
    asked = RequestMade(type="request", run="r", step="b", request={"prompt": "Is it right?"})
    for event in (_STARTED, asked):
        track.follow(event, 1.0)
    assert frame_text(frame(track, 75.0, 9)).splitlines() == [
        "Running: 0 of 1 steps done, 1 min 15 s; waits for an answer: b",
        "? b [worker] asks: Is it right?",
    ]
    track.end("waiting")
    assert frame(track, 3.0, 9).head == "Waiting: 0 of 1 steps done, 3.0 s; waits for an answer: b"
    track.follow(_STARTED, 80.0)
    assert (track.asking, track.lines["b"].status) == ([], "running")


def test_a_run_that_was_stopped_says_so_and_one_that_is_over_keeps_its_status() -> None:
    track = _track()
    track.end("stopped")
    assert frame(track, 0.0, 9).head == "Stopped: 1 of 3 steps done"
    over = _track()
    over.follow({"type": "run_finished", "run": "r", "status": "complete"}, 1.0)
    over.end("stopped")
    assert frame(over, 0.0, 9).head.startswith("Complete")
