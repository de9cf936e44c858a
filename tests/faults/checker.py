"""Whether a run that was disturbed kept all of the engine's promises: a pure function of what happened.

What happened is cut into stretches: each call of the engine is one, with what was stored at its end, however it ended.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from pydantic import JsonValue
from tests.faults.ledger import Line

__all__ = [
    "End",
    "History",
    "Recorded",
    "Rules",
    "Stretch",
    "Verdict",
    "Violation",
    "outlined",
    "plain",
    "said",
    "token",
    "told",
    "violations",
]

Verdict = Literal["yes", "no", "say"]
Code = Literal[
    "again",
    "asked_again",
    "contradicted",
    "differs",
    "forgotten",
    "invented",
    "key",
    "lost",
    "misheard",
    "rejected",
    "unended",
    "ungated",
    "unrecorded",
]

_TOKEN = re.compile(r"\b(yes|no|say):([^:\s\"]+):(\d+):(\d+)\b")

_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


def token(verdict: Verdict, step: str, number: int, time: int) -> str:
    """Make up the words of an answer: what they mean, to which question of which step, and how often it was given."""
    return f"{verdict}:{step}:{number}:{time}"


def said(value: object) -> frozenset[str]:
    """Find the words of answers in anything."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return frozenset(found.group() for found in _TOKEN.finditer(text))


def plain(text: str) -> str:
    """Leave out when something was, and of the words of answers how often they were given."""
    return _TIME.sub("then", _TOKEN.sub(r"\1:\2:\3", text))


def outlined(outcomes: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What must be the same in every run of a plan: status and output, whenever the answers came."""
    text = json.dumps(
        {step: [_field(outcome, "status"), _field(outcome, "output")] for step, outcome in outcomes.items()}
    )
    return cast("dict[str, JsonValue]", json.loads(plain(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a plan and its policy demand."""

    approvals: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """By step that must not run without them: the steps at which a human has to say yes, itself where it is gated."""
    asks: frozenset[str] = frozenset()
    """Steps that ask, and whose outcomes hold what they are answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is stored at one moment."""

    outcomes: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """By step."""
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By request: the token of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One call of the engine."""

    lines: tuple[Line, ...]
    recorded: Recorded
    """What was stored after it."""
    killed: bool = False
    """Whether it was ended from outside; else it has paused, or the run was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What a run has given."""

    status: str
    outcomes: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A run from its beginning to its end."""

    rules: Rules
    stretches: tuple[Stretch, ...]
    end: End | None
    """None where it did not come to an end although nothing disturbed it any more."""
    expected: Mapping[str, JsonValue] | None = None
    """See `outlined`; None where it depends on what was done first."""

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for stretch in self.stretches for line in stretch.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was not kept."""

    code: Code
    step: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.step}: {self.message}"


def violations(history: History) -> tuple[Violation, ...]:
    """Find every promise that was not kept."""
    checks = (_outcomes, _work, _approvals, _answers, _end)
    return tuple(found for check in checks for found in check(history))


def _outcomes(history: History) -> Iterator[Violation]:
    """What is recorded stays as it is, and is not done again."""
    known: dict[str, JsonValue] = {}
    for number, stretch in enumerate(history.stretches):
        for line in stretch.lines:
            if line.event == "start" and line.step in known:
                yield Violation(code="again", step=line.step, message=f"recorded, and begun in stretch {number}")
        found = stretch.recorded.outcomes
        yield from _kept(known, found, f"stretch {number}")
        known = {**known, **found}
    if history.end is not None:
        yield from _kept(known, history.end.outcomes, "the result")


def _kept(known: Mapping[str, JsonValue], found: Mapping[str, JsonValue], where: str) -> Iterator[Violation]:
    for step, outcome in known.items():
        if step not in found:
            yield Violation(code="lost", step=step, message=f"recorded before, gone in {where}")
        elif found[step] != outcome:
            yield Violation(code="lost", step=step, message=f"recorded as {outcome}, found as {found[step]} in {where}")


def _work(history: History) -> Iterator[Violation]:
    """What specialists did is what is recorded of it."""
    keys: dict[str, str] = {}
    begun: set[str] = set()
    ended: set[str] = set()
    for number, stretch in enumerate(history.stretches):
        for line in stretch.lines:
            if line.event == "start":
                begun.add(line.step)
                if keys.setdefault(line.step, line.key) != line.key:
                    yield Violation(code="key", step=line.step, message=f"begun with {keys[line.step]} and {line.key}")
            elif line.event == "end":
                ended.add(line.step)
                if not stretch.killed and line.step not in stretch.recorded.outcomes:
                    yield Violation(code="unrecorded", step=line.step, message=f"done in stretch {number}, not stored")
        outcomes = stretch.recorded.outcomes
        if history.end is not None and number == len(history.stretches) - 1:
            outcomes = {**outcomes, **history.end.outcomes}
        for step, outcome in outcomes.items():
            status = _field(outcome, "status")
            if status == "succeeded" and _field(outcome, "specialist") and step not in ended:
                yield Violation(code="invented", step=step, message="succeeded, and nobody has done it")
            if status in ("skipped", "blocked") and step in begun:
                yield Violation(code="contradicted", step=step, message=f"{status}, and it was begun")


def _approvals(history: History) -> Iterator[Violation]:
    """Nothing begins before a human has said yes to it, and what a human has said is stored by then."""
    given: dict[str, set[str]] = {}
    for stretch in history.stretches:
        begun: dict[str, None] = {}
        for line in stretch.lines:
            if line.event == "answer":
                given.setdefault(line.step, set()).add(line.token)
            elif line.event == "start":
                begun[line.step] = None
                for asker in history.rules.approvals.get(line.step, ()):
                    verdicts = {one.partition(":")[0] for one in given.get(asker, ())}
                    if not verdicts:
                        yield Violation(code="ungated", step=line.step, message=f"nobody was asked at {asker}")
                    elif "yes" not in verdicts:
                        yield Violation(code="rejected", step=line.step, message=f"begun after a no at {asker}")
        stored = {words for words in stretch.recorded.answers.values() if words.startswith("yes:")}
        approved = {words.split(":")[1] for words in stored}
        for step in begun:
            for asker in sorted(history.rules.approvals.get(step, frozenset()) - approved):
                yield Violation(code="ungated", step=step, message=f"begun, and no yes at {asker} is stored")


def _answers(history: History) -> Iterator[Violation]:
    """Answers that were taken are kept, come to who has asked and to nobody else, and are not asked for again."""
    questions: dict[str, tuple[str, int]] = {}
    taken: dict[str, str] = {}
    given: dict[str, set[str]] = {}
    for number, stretch in enumerate(history.stretches):
        for line in stretch.lines:
            if line.event == "answer":
                questions[line.key] = (line.step, line.number)
            elif line.event == "taken":
                yield from _same(taken, line.key, line.token, "taken")
            elif line.event == "ask":
                for request in taken:
                    if questions.get(request) == (line.step, line.number):
                        yield Violation(code="asked_again", step=line.step, message=f"{taken[request]} was taken")
        stored = stretch.recorded.answers
        for request, words in taken.items():
            ended = _field(stretch.recorded.outcomes.get(words.split(":")[1]), "status")
            if request not in stored and ended != "cancelled":
                message = f"{words} was taken, and is not stored after stretch {number}"
                yield Violation(code="forgotten", step=words.split(":")[1], message=message)
        for request, words in stored.items():
            yield from _same(taken, request, words, "stored")
    for words in taken.values():
        given.setdefault(words.split(":")[1], set()).add(words)
    found: Mapping[str, JsonValue] = history.end.outcomes if history.end is not None else {}
    for step, outcome in found.items():
        if step not in history.rules.asks or _field(outcome, "status") == "cancelled":
            continue
        if (heard := set(said(outcome))) != given.get(step, set()):
            message = f"was told {sorted(heard)}, and answered {sorted(given.get(step, ()))}"
            yield Violation(code="misheard", step=step, message=message)


def _same(taken: dict[str, str], request: str, words: str, how: str) -> Iterator[Violation]:
    """Take in that an answer was taken."""
    if taken.setdefault(request, words) != words:
        yield Violation(code="misheard", step=words.split(":")[1], message=f"{taken[request]} is {how} as {words}")


def _end(history: History) -> Iterator[Violation]:
    """Every run ends, and as it would have without disturbance."""
    if history.end is None:
        yield Violation(code="unended", step="-", message="undisturbed, and it does not come to its end")
    elif history.expected is not None:
        found = outlined(history.end.outcomes)
        for step in sorted({*found, *history.expected}):
            if (here := found.get(step)) != (there := history.expected.get(step)):
                yield Violation(code="differs", step=step, message=f"expected {there}, found {here}")


def _field(outcome: JsonValue, name: str) -> JsonValue:
    return outcome.get(name) if isinstance(outcome, dict) else None


def told(found: Sequence[Violation]) -> str:
    """Say it in lines."""
    return "\n".join(map(str, found))
