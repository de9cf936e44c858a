"""Decisions as lines of JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from goalgraph import Decision, decisions_as_lines

AT = "2026-01-01T00:00:00+00:00"


def test_a_line_has_who_what_and_why_and_not_what_was_filled_in() -> None:
    one = Decision(
        kind="assignment",
        subject="a",
        chosen="é",
        alternatives=("x",),
        rationale="1\n2",
        by="me",
        answer="secret",
        at=AT,
    )
    assert decisions_as_lines([one]) == (
        '{"kind": "assignment", "subject": "a", "chosen": "é", "alternatives": ["x"], "rationale": "1\\n2", '
        f'"by": "me", "digest": "", "at": "{AT}"}}\n'
    )
    assert decisions_as_lines([]) == ""


@given(st.lists(st.tuples(st.text(st.characters()), st.text(st.characters())), max_size=5))
def test_each_decision_is_one_line_that_reads_back_and_can_be_written(said: list[tuple[str, str]]) -> None:
    text = decisions_as_lines(
        Decision.model_construct(kind="note", subject=subject, chosen="x", rationale=why, at=AT)
        for subject, why in said
    )
    text.encode()
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [(line["subject"], line["rationale"]) for line in lines] == said
