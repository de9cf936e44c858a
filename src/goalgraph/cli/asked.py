"""What a waiting run asks, as lines of text that say how to answer."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from textwrap import indent

from goalgraph.cli.forms import choices_of
from goalgraph.cli.questions import address
from goalgraph.cli.records import Question, RunRecord
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.ranges import worded
from goalgraph.views.text import printable

__all__ = ["asked_lines", "body_lines", "commands_for", "estimate_lines", "heading"]

_MOST = 4_000
_MOST_NAMES = 10
_WORDS = {
    "plan": "review",
    "approval": "approval",
    "gate": "approval before it runs",
    "input": "question",
    "event": "event",
    "specialist": "question of a specialist",
}


def asked_lines(record: RunRecord, run: str, plan: Iterable[str] = ()) -> Iterator[str]:
    """Say how far the run is, what is asked whom, and how that is answered.

    Args:
        record: Of the run.
        run: What the command line finds it by.
        plan: Lines that show its plan, for a question about it.
    """
    count = len(record.questions)
    yield f"waiting for {count} answer{'s' * (count != 1)}: {record.done} of {len(record.steps)} steps done"
    for question in record.questions:
        yield heading(question)
        if question.problem is not None:
            yield f"  the last answer was refused: {printable(question.problem)}"
        lines = plan if question.kind == "plan" else body_lines(question, most=_MOST)
        yield from (indent(line, "  ") for line in lines)
        for number, command in enumerate(commands_for(question, record.questions, run)):
            yield f"  {'or' if number else 'answer with'}: {command}"
    if record.answers:
        yield f"kept until asked for: {', '.join(record.answers)}"


def heading(question: Question) -> str:
    """Say who asks, what for, whom, until when."""
    who = f"for {question.assignee}" if question.assignee else ""
    until = f"until {question.deadline}" if question.deadline else ""
    again = "asked once more" if question.escalated else ""
    about = ", ".join(filter(None, (_WORDS[question.kind], who, until, again)))
    return printable(f"{question.name} ({about})")


def body_lines(question: Question, most: int | None = None) -> Iterator[str]:
    """Say what is asked, with everything that is asked about.

    Args:
        question: Of any kind but the plan.
        most: Characters of each part; None: all of it.
    """
    yield _cut(printable(question.prompt.strip()), most)
    arguments = question.arguments
    for name, value in arguments.items() if isinstance(arguments, dict) else [("calls", arguments)]:
        if value not in (None, {}, []):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
            yield f"{printable(name)}:"
            yield indent(_cut(printable(text), most), "  ")
    if choices := choices_of(question.form):
        yield f"the answer is one of: {printable(', '.join(one.shown for one in choices))}"
    elif question.form:
        yield f"the answer must fit: {printable(json.dumps(question.form, ensure_ascii=False))}"


def commands_for(question: Question, questions: Sequence[Question], run: str) -> tuple[str, ...]:
    """Return the commands that answer a question, to be copied into a shell.

    Args:
        question: One of the run's.
        questions: All of them.
        run: What the command line finds the run by.
    """
    name = address(question, questions)
    return tuple(f"goalgraph answer {shlex.quote(run)} {shlex.quote(name + value)}" for value in _values(question))


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """Say what is known of a plan beforehand."""
    count = len(estimate.layers)
    way = f", the longest way is {_listed(estimate.critical_path, ' > ')}" if count > 1 else ""
    yield f"{estimate.steps} step{'s' * (estimate.steps != 1)} in {count} layer{'s' * (count != 1)}{way}"
    yield f"work for {_listed([f'{name} ({times})' for name, times in estimate.specialists.items()])}"
    stops = (*estimate.approvals, *estimate.inputs, *estimate.events)
    yield f"waits for people or events at {_listed(stops)}" if stops else "waits for nobody"
    if estimate.effects:
        yield f"has effects outside of the run at {_listed(estimate.effects)}"
    known = {"tokens": estimate.tokens, "USD": estimate.cost_usd, "seconds": estimate.seconds}
    if told := [worded(found, unit) for unit, found in known.items() if found is not None]:
        yield f"takes {', '.join(told)}" + (", and what is waited for" if stops and estimate.seconds else "")
    if missing := [f"{', '.join(what)} of {_listed(names)}" for names, what in estimate.missing.items()]:
        yield f"not known: {'; '.join(missing)}"


def _values(question: Question) -> Iterator[str]:
    """What can follow the name of a question."""
    if "approve" in question.allowed:
        yield from ("=yes", "=no", "=no: WHY")
        if question.kind == "plan":
            yield "=@EDITED.yaml"
        elif "edit" in question.allowed and question.kind == "gate":
            text = json.dumps({"type": "edit", "args": question.arguments}, ensure_ascii=False)
            yield f":={text}" if len(text) <= _MOST // 10 else ':={"type": "edit", "args": {...}}'
    elif question.kind == "event":
        yield from ("=", ":=JSON")
    elif choices := choices_of(question.form):
        yield from (f"={one.shown}" for one in choices)
    elif question.kind == "specialist" and question.arguments is not None:
        yield ':=[{"type": "approve"}, ...]'
    elif question.kind == "specialist" or not question.form:
        yield from ("=TEXT", ":=JSON")
    else:
        yield "=TEXT" if question.form.get("type", "string") == "string" else ":=JSON"


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]}... ({len(text):,} characters in all)"


def _listed(names: Sequence[str], between: str = ", ") -> str:
    more = len(names) - _MOST_NAMES
    shown = between.join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return printable(shown) or "nobody"
