"""Words and signs that views share."""

import pytest

from goalgraph.planner.outcome import Outcome
from goalgraph.views.marks import MARKS, counted, seconds_text
from goalgraph.views.text import visible


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0 ms"),
        (0.0042, "4 ms"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 00 s"),
        (200.0, "3 m 20 s"),
        (3599.7, "1 h 00 m"),
        (7_500.0, "2 h 05 m"),
    ],
)
def test_a_duration_is_written_briefly(seconds: float, written: str) -> None:
    assert seconds_text(seconds) == written


def test_every_state_has_a_sign_and_a_word_of_its_own() -> None:
    assert len({mark.sign for mark in MARKS.values()}) == len({mark.word for mark in MARKS.values()}) == len(MARKS)


def test_states_are_counted_in_their_order() -> None:
    found = counted([None, Outcome(step="a", status="failed"), Outcome(step="b", status="succeeded"), None])
    assert [(count, mark.word) for count, mark in found] == [(1, "succeeded"), (1, "failed"), (2, "not over")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\u200bb\u200fc\ufeff\U000e0041", "a�b�c��", id="what hides"),
        pytest.param("a\x00\ufffe\ud800", "a���", id="what no XML may have"),
        pytest.param(
            "می\u200cخواهم \U0001f469\u200d\U0001f4bb \xa0\n\t",
            "می\u200cخواهم \U0001f469\u200d\U0001f4bb \xa0\n\t",
            id="joiners",
        ),
    ],
)
def test_what_is_not_seen_is_replaced_where_it_is_not_needed(text: str, shown: str) -> None:
    assert visible(text) == shown
