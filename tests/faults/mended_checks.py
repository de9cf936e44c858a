"""Whether a run whose plan was changed, and that was disturbed, kept all of the engine's promises."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.faults.ledger import read_ledger
from tests.faults.mended import Mended, Notes

__all__ = ["broken"]

_BEGUN = ("succeeded", "failed")


def broken(case: Mended, notes: Notes) -> list[str]:
    """Find every promise that was not kept, in words."""
    if not notes.is_over:
        return ["it did not come to its end"]
    return [*_kept(notes), *_answers(notes), *_approvals(notes), *_bounds(case, notes), *_said(notes)]


def _kept(notes: Notes) -> Iterator[str]:
    """What has succeeded stays so, and is not begun again; what else is recorded goes only with a revision."""
    lines, before = read_ledger(notes.ledger), 0
    known: dict[str, Any] = {}
    all_notes: list[dict[str, Any]] = [*notes.stretches(), {**notes.result(), "lines": None}]
    for number, note in enumerate(all_notes):
        redone = {step for one in note["decisions"] for step in _redone(one)}
        for line in lines[before : note["lines"]]:
            if line.event == "start" and known.get(line.step, {}).get("status") == "succeeded":
                yield f"{line.step} had succeeded, and was begun in stretch {number}"
        for step, outcome in known.items():
            found = note["outcomes"].get(step)
            if found != outcome and (outcome["status"] == "succeeded" or step not in redone):
                yield f"{step} was {outcome['status']}, and is {found} in stretch {number}"
        known, before = note["outcomes"], note["lines"] or before
    ended = Counter(line.step for line in lines if line.event == "end")
    for step, outcome in notes.result()["outcomes"].items():
        if outcome["status"] == "succeeded" and outcome["specialist"] and not ended[step]:
            yield f"{step} has succeeded, and nobody has done it"


def _redone(decision: dict[str, Any]) -> list[str]:
    answer: dict[str, Any] = decision["answer"] or {}
    return list(answer.get("redone", ())) if decision["kind"] == "revision" else []


def _answers(notes: Notes) -> Iterator[str]:
    """What was taken is on record, once, and is not asked for again."""
    taken: set[str] = set()
    for line in read_ledger(notes.ledger):
        if line.event == "ask" and line.key in taken:
            yield f"{line.key} of {line.step} is asked after it was taken"
        if line.event == "taken":
            taken.add(line.key)
    recorded = Counter(one["request"] for one in notes.result()["decisions"] if one["request"])
    for request in sorted(taken):
        if recorded[request] != 1:
            yield f"the answer to {request} is on record {recorded[request]} times"


def _approvals(notes: Notes) -> Iterator[str]:
    """A gated step has a yes of its own for each time that it was done and that was recorded."""
    said: Counter[str] = Counter()
    for line in read_ledger(notes.ledger):
        if line.event == "answer" and line.token == "gate":
            said[line.step] += 1
        if line.event == "start" and line.step in _gated(notes) and not said[line.step]:
            yield f"{line.step} was begun before anybody was asked"
    given = Counter(one["subject"] for one in notes.result()["decisions"] if one["kind"] == "gate")
    for step in _gated(notes):
        times = {str(note["outcomes"][step]) for note in notes.stretches() if _was_begun(note["outcomes"].get(step))}
        if len(times) > given[step]:
            yield f"{step} was done {len(times)} times with {given[step]} approvals"


def _was_begun(outcome: dict[str, Any] | None) -> bool:
    return outcome is not None and outcome["status"] in _BEGUN and bool(outcome["specialist"])


def _gated(notes: Notes) -> list[str]:
    outcomes = notes.result()["outcomes"]
    return [step for step, one in outcomes.items() if one["specialist"] == "careful"]


def _bounds(case: Mended, notes: Notes) -> Iterator[str]:
    """No more revisions than allowed; one for each thing that calls for it."""
    decisions = notes.result()["decisions"]
    made = [one for one in decisions if one["kind"] == "revision" and one["digest"]]
    guides = sum(1 for one in decisions if one["kind"] == "escalation" and one["chosen"] == "guide")
    if len(made) > case.max_revisions + guides:
        yield f"{len(made)} revisions of {case.max_revisions}, and {guides} asked for"
    for digest, times in Counter(one["digest"] for one in made).items():
        if times > 1:
            yield f"an outcome was looked at {times} times: {digest}"


def _said(notes: Notes) -> Iterator[str]:
    """The end says what is missing."""
    result = notes.result()
    lacking = [step for step in result["steps"] if result["outcomes"].get(step, {}).get("status") != "succeeded"]
    if lacking and result["status"] == "complete":
        yield f"complete without {lacking}"
    for step in lacking:
        found = result["outcomes"].get(step)
        if (found is None or found["status"] != "skipped") and not any(
            f"'{step}'" in one for one in result["degraded"]
        ):
            yield f"nothing is said of {step}, {found and found['status']}"
