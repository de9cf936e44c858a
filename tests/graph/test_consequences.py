"""Which signals are settled, and what is said of those that are not."""

import pytest

from goalgraph import Decision, Outcome, StepError
from goalgraph.graph.coordination.consequences import (
    capped,
    conflicts,
    evidence_of,
    halting_reason,
    is_ruling,
    resolved,
    unanswered,
)
from goalgraph.planner.signals import BLOCKER, CONFLICT, ESCALATION, HANDOFF

AT = "2026-01-01T00:00:00+00:00"


def outcome(*signals: str, decisions: tuple[Decision, ...] = (), **fields: object) -> Outcome:
    whole = {"step": "a", "status": "succeeded", "signals": signals, "decisions": decisions, **fields}
    return Outcome.model_validate(whole)


def decision(kind: str, chosen: str, answer: object = None, subject: str = "a") -> Decision:
    return Decision.model_validate({"kind": kind, "subject": subject, "chosen": chosen, "answer": answer, "at": AT})


NONE: set[str] = set()
RULED = decision("escalation", "expert", evidence_of(outcome(ESCALATION, specialist="writer")))


@pytest.mark.parametrize(
    ("given", "decisions", "followers", "expected"),
    [
        (outcome(CONFLICT), (), (), NONE),
        (outcome(CONFLICT, decisions=(decision("conflict", "resolved"),)), (), (), {CONFLICT}),
        (outcome(ESCALATION), (), (), NONE),
        (outcome(decisions=(RULED,)), (), (), {ESCALATION}),
        (outcome(ESCALATION, decisions=(RULED,)), (), (), NONE),
        (outcome(ESCALATION), (decision("escalation", "guide"),), (), {ESCALATION}),
        (outcome(ESCALATION), (decision("escalation", "guide", subject="b"),), (), NONE),
        (outcome(ESCALATION), (decision("escalation", "accept", {"human": True}),), (), {ESCALATION}),
        (outcome(ESCALATION), (decision("escalation", "accept", {"trigger": ESCALATION}),), (), NONE),
        (outcome(HANDOFF), (), (), NONE),
        (outcome(HANDOFF), (), (outcome(step="b"),), {HANDOFF}),
        (outcome(HANDOFF), (), (outcome(step="b", status="skipped"),), NONE),
        (outcome(BLOCKER), (), (outcome(step="b"),), NONE),
        (outcome(), (), (outcome(step="b"),), NONE),
    ],
    ids=[
        "a conflict",
        "a conflict that was ruled about",
        "an escalation",
        "done again",
        "done again, and escalated again",
        "a human's guidance",
        "guidance for another step",
        "a human's yes",
        "accepted by nobody",
        "a handoff",
        "a handoff that was taken",
        "a handoff to a step that never began",
        "a blocker",
        "nothing",
    ],
)
def test_a_signal_is_resolved_by_what_somebody_made_of_it(
    given: Outcome, decisions: tuple[Decision, ...], followers: tuple[Outcome, ...], expected: set[str]
) -> None:
    assert resolved(given, decisions=decisions, followers=followers) == expected


def test_rulings_are_told_from_what_becomes_of_revisions_whatever_the_specialist_is_called() -> None:
    evidence = evidence_of(outcome(ESCALATION))
    assert is_ruling(decision("escalation", "guide", evidence))
    assert not is_ruling(decision("escalation", "guide"))
    assert not is_ruling(decision("escalation", "accept", {"trigger": "x"}))


def test_what_is_said_has_the_reason_that_was_given() -> None:
    why = outcome(CONFLICT, ESCALATION, confidence_reason="two\nsources differ")
    assert conflicts(why) == ("step 'a' reports a conflict that nobody has resolved: two sources differ",)
    assert unanswered([why], is_asked=False) == (
        "step 'a' asks for a human, and there was no way to ask one (hint: revision=RevisionPolicy()): "
        "two sources differ",
    )
    assert unanswered([why], is_asked=True) == ()
    (item,) = unanswered([why.model_copy(update={"step": "each[0]"})], is_asked=True)
    assert item.startswith("step 'each[0]' asks for a human, and there was no way to ask one: ")
    failed = outcome(BLOCKER, status="failed", error=StepError(code="raised", message="no key"), step="b")
    told = halting_reason({"a": why, "b": failed}, ["a", "b"])
    assert told == "it makes no sense to go on, says step 'a': two sources differ; and step 'b': no key"


def test_what_is_kept_of_an_output_has_an_end() -> None:
    assert capped({"a": 1}) == {"a": 1}
    found = capped({"a": "x" * 10_000})
    assert isinstance(found, str)
    assert len(found) == 2_003
