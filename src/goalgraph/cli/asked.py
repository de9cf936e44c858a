"""What a waiting run asks, as lines of text that say how to answer."""

import json
import shlex
from collections.abc import Iterator
from textwrap import indent

from goalgraph.cli.records import Question, RunRecord
from goalgraph.views.text import printable

__all__ = ["asked_lines"]

_MOST = 4_000


def asked_lines(record: RunRecord) -> Iterator[str]:
    """Say how far the run is, what each of its steps asks whom, and how that is answered."""
    count = len(record.questions)
    yield f"waiting for {count} answer{'s' * (count != 1)}: {record.done} of {len(record.steps)} steps done"
    for question in record.questions:
        yield f"{question.step} ({_kind(question)})"
        if question.problem is not None:
            yield f"  the last answer was refused: {question.problem}"
        prompt = question.prompt if len(question.prompt) <= _MOST else f"{question.prompt[:_MOST]}..."
        yield indent(printable(prompt.strip()), "  ")
        if question.form:
            yield f"  the answer must fit: {json.dumps(question.form, ensure_ascii=False)}"
        yield f"  answer with: {' or '.join(_ways(question))}"
    if record.answers:
        yield f"kept until asked for: {', '.join(record.answers)}"


def _kind(question: Question) -> str:
    words = {"approval": "approval", "input": "question", "event": "event", "other": "question of a specialist"}
    who = f"for {question.assignee}" if question.assignee else ""
    until = f"until {question.deadline}" if question.deadline else ""
    return ", ".join(filter(None, (words[question.kind], who, until)))


def _ways(question: Question) -> Iterator[str]:
    """Options that answer, to be copied into a shell."""
    if question.kind == "approval":
        values = ["=yes", "=no"]
    elif question.kind == "event":
        values = ["=", ":=JSON"]
    elif question.form.get("type", "string") == "string":
        values = ["=TEXT"]
    else:
        values = [":=JSON"]
    yield from (f"--answer {shlex.quote(question.step + value)}" for value in values)
