"""The checker finds each promise that is not kept, and nothing in a run that keeps them all."""

from collections.abc import Mapping

import pytest
from pydantic import JsonValue
from tests.faults.checker import (
    End,
    History,
    Recorded,
    Rules,
    Stretch,
    outlined,
    plain,
    said,
    token,
    told,
    violations,
)
from tests.faults.ledger import Line

RULES = Rules(approvals={"send": frozenset({"send"}), "print": frozenset({"okay"})}, asks=frozenset({"send", "okay"}))
YES, OKAY, NO = token("yes", "send", 0, 0), token("yes", "okay", 100, 0), token("no", "okay", 100, 0)
OTHER = token("yes", "okay", 100, 1)


def line(text: str) -> Line:
    return Line.read(text)


def lines(*texts: str) -> tuple[Line, ...]:
    return tuple(map(line, texts))


def done(output: JsonValue = None, **more: JsonValue) -> JsonValue:
    return {"status": "succeeded", "output": output, "specialist": "worker", "decisions": [], **more}


def human(words: str, status: str = "succeeded") -> JsonValue:
    return {"status": status, "output": {"comment": words}, "specialist": None, "decisions": []}


FIRST = Stretch(
    lines=lines("start read 1 k1 -", "end read 1 k1 -"), recorded=Recorded(outcomes={"read": done(1)}), killed=False
)
ASKED = lines(
    "ask send 0 r1 -",
    "ask okay 100 r2 -",
    f"answer okay 100 r2 {OKAY}",
    f"answer send 0 r1 {YES}",
    f"taken send 0 r1 {YES}",
)
OUTCOMES: Mapping[str, JsonValue] = {
    "read": done(1),
    "send": done(2, decisions=[{"rationale": YES}]),
    "okay": human(OKAY),
    "print": done(3),
}
ANSWERS = {"r1": YES, "r2": OKAY}
SECOND = Stretch(
    lines=(*ASKED, *lines("start send 1 k2 -", "start print 1 k3 -", "end send 1 k2 -")),
    recorded=Recorded(outcomes={"read": done(1), "send": OUTCOMES["send"]}, answers=ANSWERS),
    killed=True,
)
THIRD = Stretch(
    lines=lines("start print 1 k3 -", "end print 1 k3 -"), recorded=Recorded(outcomes=OUTCOMES, answers=ANSWERS)
)
END = End(status="complete", outcomes=OUTCOMES)
GOOD = History(rules=RULES, stretches=(FIRST, SECOND, THIRD), end=END, expected=outlined(OUTCOMES))


def history(
    *stretches: Stretch,
    end: End | None = END,
    expected: Mapping[str, JsonValue] | None = None,
) -> History:
    return History(rules=RULES, stretches=stretches, end=end, expected=expected)


def stretch(*texts: str, killed: bool = False, outcomes: Mapping[str, JsonValue] = OUTCOMES) -> Stretch:
    return Stretch(lines=lines(*texts), recorded=Recorded(outcomes=outcomes, answers=ANSWERS), killed=killed)


def codes(found: History) -> set[str]:
    return {one.code for one in violations(found)}


def test_a_run_that_was_killed_and_went_on_keeps_all_promises() -> None:
    assert told(violations(GOOD)) == ""


def test_a_recorded_step_that_begins_again_is_found() -> None:
    assert codes(history(FIRST, SECOND, stretch("start read 1 k1 -", "end print 1 k3 -"))) == {"again"}


def test_a_step_that_was_not_recorded_may_begin_again() -> None:
    assert codes(history(FIRST, SECOND, stretch("start print 1 k3 -", "end print 1 k3 -"))) == set()


def test_an_outcome_that_is_gone_is_found() -> None:
    gone = stretch("end print 1 k3 -", outcomes={step: one for step, one in OUTCOMES.items() if step != "read"})
    assert codes(history(FIRST, SECOND, gone, stretch())) == {"lost"}


def test_an_outcome_that_has_changed_is_found() -> None:
    assert codes(history(FIRST, SECOND, stretch("end print 1 k3 -", outcomes={**OUTCOMES, "read": done(5)}))) == {
        "lost"
    }


def test_a_result_that_is_not_what_was_recorded_is_found() -> None:
    end = End(status="complete", outcomes={**OUTCOMES, "read": done(5)})
    assert codes(history(FIRST, SECOND, THIRD, end=end)) == {"lost"}


def test_another_idempotency_key_for_the_same_step_is_found() -> None:
    assert codes(history(FIRST, SECOND, stretch("start print 1 other -", "end print 1 other -"))) == {"key"}


def test_work_that_is_done_and_not_stored_is_found_where_nobody_killed_the_run() -> None:
    unstored = Stretch(lines=FIRST.lines, recorded=Recorded())
    assert codes(history(unstored, SECOND, THIRD)) == {"unrecorded"}
    killed = Stretch(lines=FIRST.lines, recorded=Recorded(), killed=True)
    assert codes(history(killed, SECOND, THIRD)) == set()


def test_a_success_that_nobody_worked_for_is_found() -> None:
    assert codes(history(SECOND, THIRD)) == {"invented"}


def test_a_step_that_began_and_is_said_to_be_skipped_is_found() -> None:
    skipped: JsonValue = {"status": "skipped", "output": None, "specialist": None, "decisions": []}
    end = End(status="complete", outcomes={**OUTCOMES, "late": skipped})
    assert codes(history(FIRST, SECOND, stretch("start late 1 k -", "end print 1 k3 -"), end=end)) == {"contradicted"}


def test_a_step_that_begins_before_its_approval_is_found() -> None:
    early = Stretch(lines=lines("start send 1 k2 -"), recorded=Recorded(outcomes={"read": done(1)}), killed=True)
    assert codes(history(FIRST, early, SECOND, THIRD)) == {"ungated"}


def test_a_step_that_begins_on_an_approval_that_is_not_stored_is_found() -> None:
    unstored = Stretch(
        lines=SECOND.lines, recorded=Recorded(outcomes={"read": done(1)}, answers={"r1": YES}), killed=True
    )
    assert [str(one) for one in violations(history(FIRST, unstored, THIRD))] == [
        "ungated: print: begun, and no yes at okay is stored"
    ]


def test_a_step_that_begins_after_a_no_is_found() -> None:
    asked = lines("ask okay 100 r2 -", f"answer okay 100 r2 {NO}", "start print 1 k3 -")
    after = Stretch(lines=asked, recorded=Recorded(outcomes={"read": done(1)}, answers={"r2": NO}), killed=True)
    outcomes = {"read": done(1), "okay": human(NO, "failed")}
    found = history(FIRST, after, end=End(status="degraded", outcomes=outcomes))
    assert codes(found) == {"rejected", "ungated"}


def test_an_answer_that_another_question_hears_is_found() -> None:
    swapped = {**OUTCOMES, "send": done(2, decisions=[{"rationale": OKAY}]), "okay": human(YES)}
    second = Stretch(lines=SECOND.lines, recorded=Recorded(outcomes={"read": done(1)}, answers=ANSWERS), killed=True)
    third = stretch("end print 1 k3 -", outcomes=swapped)
    assert codes(history(FIRST, second, third, end=End(status="complete", outcomes=swapped))) == {"misheard"}


def test_an_answer_that_nobody_hears_is_found() -> None:
    unheard = {**OUTCOMES, "okay": human("")}
    third = stretch("end print 1 k3 -", outcomes=unheard)
    assert codes(history(FIRST, SECOND, third, end=End(status="complete", outcomes=unheard))) == {"misheard"}


def test_another_answer_than_the_one_that_was_taken_is_found() -> None:
    later = Stretch(lines=THIRD.lines, recorded=Recorded(outcomes=OUTCOMES, answers={**ANSWERS, "r2": OTHER}))
    assert codes(history(FIRST, SECOND, later)) == {"misheard"}


def test_an_answer_that_was_taken_and_is_asked_for_again_is_found() -> None:
    assert codes(history(FIRST, SECOND, stretch("ask send 0 r9 -", "end print 1 k3 -"))) == {"asked_again"}


def test_an_answer_that_is_stored_and_asked_for_again_is_found() -> None:
    assert codes(history(FIRST, SECOND, stretch("ask okay 100 r9 -", "end print 1 k3 -"))) == {"asked_again"}


def test_an_answer_that_may_not_have_arrived_may_be_asked_for_again() -> None:
    killed = Stretch(
        lines=lines("ask okay 100 r2 -", f"answer okay 100 r2 {OTHER}"), recorded=FIRST.recorded, killed=True
    )
    assert codes(history(FIRST, killed, SECOND, THIRD)) == set()


def test_an_answer_that_was_taken_and_is_gone_is_found() -> None:
    forgotten = Stretch(lines=THIRD.lines, recorded=Recorded(outcomes=OUTCOMES, answers={"r2": OKAY}))
    assert codes(history(FIRST, SECOND, forgotten)) == {"forgotten"}


def test_a_run_that_does_not_end_is_found() -> None:
    assert codes(history(FIRST, SECOND, THIRD, end=None)) == {"unended"}


def test_a_run_that_ends_otherwise_than_without_disturbance_is_found() -> None:
    expected = outlined({**OUTCOMES, "read": done("something else")})
    assert codes(history(FIRST, SECOND, THIRD, expected=expected)) == {"differs"}


def test_when_and_how_often_something_was_said_does_not_matter_to_what_is_expected() -> None:
    assert plain(f"{OKAY} at 2026-01-01T10:00:00.123+00:00") == plain(f"{OTHER} at 2027-02-02T11:00:00+00:00")
    assert plain(OKAY) != plain(NO)


def test_the_words_of_answers_are_found_in_anything() -> None:
    assert said({"a": [f"a human said no: {NO}", {"b": OKAY}], "c": 7}) == {NO, OKAY}
    assert said(token("say", "each[0].look", 101, 12)) == {"say:each[0].look:101:12"}


@pytest.mark.parametrize("text", ["start read 1 k1", "begin read 1 k1 -", "start read one k1 -"])
def test_a_line_that_is_none_of_a_ledgers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|no event|invalid literal"):
        Line.read(text)
