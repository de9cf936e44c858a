"""What the steps of a run ask, and which answers that were given can be used for it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from langgraph.types import Interrupt
from pydantic import JsonValue

from goalgraph.cli.endings import BadInput
from goalgraph.cli.records import Question
from goalgraph.graph.answers import Problem, read_approval, read_event, read_input
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.compilation import items_of
from goalgraph.planner.plan import Plan, Step

__all__ = ["Replies", "check_steps", "matched", "questions_of"]

_WORDS = {"yes": True, "no": False, "approve": True, "reject": False}
_ITEM = re.compile(r"\[[0-9]+\]")
_OWN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """What can be answered now, and what cannot."""

    resume: Mapping[str, JsonValue]
    """Answers by id of the question, as the engine takes them."""
    used: frozenset[str]
    """Steps whose answers were looked at, whether they could be used or not."""
    questions: tuple[Question, ...]
    """Those without an answer, with what is wrong with the one that was given."""


def questions_of(interrupts: Iterable[Interrupt]) -> tuple[Question, ...]:
    """Read what the steps ask from the interrupts of a run."""
    return tuple(_question(one.id, one.value) for one in interrupts)


def matched(questions: Iterable[Question], answers: Mapping[str, JsonValue]) -> Replies:
    """Give each question its answer, as far as there is one and it can be used.

    Args:
        questions: Of the run as it stands.
        answers: By step.
    """
    resume: dict[str, JsonValue] = {}
    used: set[str] = set()
    left: list[Question] = []
    for question in questions:
        if question.step not in answers:
            left.append(question)
            continue
        used.add(question.step)
        found = _fitting(question, answers[question.step])
        if isinstance(found, Problem):
            left.append(question.model_copy(update={"problem": found.message}))
        else:
            resume[question.id] = found
    return Replies(resume=resume, used=frozenset(used), questions=tuple(left))


def check_steps(answers: Iterable[str], plan: Plan, cards: Sequence[SpecialistCard]) -> None:
    """See that answers are for steps that may ask for one.

    Args:
        answers: Names of steps; items of a map are numbered from 0, as in ``each[0].look``.
        plan: Flat.
        cards: The specialists.

    Raises:
        BadInput: There is no such step, or it asks nothing.
    """
    known = dict.fromkeys(_asking(plan.steps, cards))
    shown = [name.replace("[*]", "[0]") for name in known]
    for name in answers:
        if _ITEM.sub("[*]", name) in known or _OWN_ID.fullmatch(name):
            continue
        hint = Suggestions().hint(name, shown, f"steps that ask: {listed(shown)}")
        raise BadInput(f"--answer {name!r}: no step of that id asks for an answer", hint=hint)


def _asking(steps: Iterable[Step], cards: Sequence[SpecialistCard]) -> Iterator[str]:
    for step in steps:
        if step.type in ("human_approval", "human_input") or (step.type == "wait" and step.event is not None):
            yield step.id
        elif step.type == "map":
            yield from _asking(items_of(step, "*", cards), cards)


def _question(interrupt_id: str, value: object) -> Question:
    request = dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else dict[str, object]()
    kind, step = request.get("kind"), request.get("step")
    if kind not in ("approval", "input", "event") or not isinstance(step, str):
        prompt = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        return Question(id=interrupt_id, step=interrupt_id, kind="other", prompt=prompt)
    return Question.model_validate(
        {
            "id": interrupt_id,
            "step": step,
            "kind": kind,
            "prompt": request.get("prompt"),
            "assignee": request.get("assignee"),
            "deadline": request.get("deadline"),
            "form": request.get("schema") or {},
            "problem": request.get("problem"),
        }
    )


def _fitting(question: Question, answer: JsonValue) -> JsonValue | Problem:
    """Return the answer as the engine takes it, or why it cannot be used; the engine is asked nothing in vain."""
    if question.kind == "other":
        return answer
    if question.kind == "event":
        return read_event(answer if answer != "" else None)
    if question.kind == "input":
        return read_input(answer, question.form)
    said = _WORDS.get(answer.strip().lower(), answer) if isinstance(answer, str) else answer
    found = read_approval(said)
    if not isinstance(found, Problem):
        return said
    return Problem(f"expected yes or no, found {json.dumps(answer, ensure_ascii=False)[:80]}")
