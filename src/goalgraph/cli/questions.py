"""What a run asks, as it is kept and shown, and which of the answers that were given can be used for it."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import JsonValue

from goalgraph.cli.endings import BadInput
from goalgraph.cli.forms import said_as
from goalgraph.cli.records import KeptAnswer, Question, RunOptions
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.approval import ApprovalPolicy, Gates, gate_names
from goalgraph.graph.humans.door import Said
from goalgraph.graph.humans.replies import read_reply
from goalgraph.graph.humans.thread import Request
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.compilation import with_items
from goalgraph.planner.plan import Plan, Step

__all__ = ["Replies", "address", "approval_of", "check_gates", "check_names", "matched", "question_of", "reply_to"]

_WORDS = {"yes": True, "no": False, "approve": True, "reject": False}
_NO = re.compile(r"\s*(?:no|reject)\s*:\s*(\S.*)", re.IGNORECASE | re.DOTALL)
_ITEM = re.compile(r"\[[0-9]+\]")
_ID = re.compile(r"(?:[0-9a-f]{8}-)?[0-9a-f]{32}(?:-[0-9a-f]{12}-\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """What can be answered now, and what cannot."""

    resume: Mapping[str, Said]
    """Answers by id of the request, as the engine takes them."""
    used: frozenset[str]
    """Names whose answers were looked at, whether they could be used or not."""
    questions: tuple[Question, ...]
    """Those without an answer, with what is wrong with the one that was given."""


def question_of(request: Request) -> Question:
    """Return what is kept of a request."""
    value: object = request.interrupt.value
    about = _mapping(value)
    actions: list[dict[str, Any]] = about.get("action_requests") or []
    configs: list[dict[str, Any]] = about.get("review_configs") or []
    prompt, arguments, allowed = request.prompt, _plain(request.arguments), tuple[str, ...]()
    if request.kind == "specialist" and not actions:
        prompt, arguments = (
            value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False),
            None,
        )
    elif request.kind == "specialist":
        arguments = _plain([{"name": one.get("name"), "args": one.get("args")} for one in actions])
    elif request.kind not in ("plan", "gate"):
        arguments = None  # the prompt says it all
    if len(actions) == 1 and configs:
        allowed = tuple(configs[0].get("allowed_decisions") or ())
    return Question.model_validate(
        {
            "id": request.id,
            "step": request.step,
            "kind": request.kind,
            "prompt": prompt,
            "arguments": arguments,
            "allowed": allowed,
            "assignee": request.assignee,
            "deadline": request.deadline,
            "escalated": request.escalated,
            "form": dict(request.schema),
            "problem": request.problem,
        }
    )


def address(question: Question, questions: Iterable[Question]) -> str:
    """Return what a question is answered by: its name, or its id where several have that name."""
    return question.name if sum(one.name == question.name for one in questions) == 1 else question.id


def matched(requests: Sequence[Request], answers: Mapping[str, KeptAnswer]) -> Replies:
    """Give each request its answer, as far as there is one and it can be used.

    Args:
        requests: Of the run as it stands.
        answers: By name, or by id of the request.
    """
    resume: dict[str, Said] = {}
    used: set[str] = set()
    left: list[Question] = []
    asked = [(request, question_of(request)) for request in requests]
    times = Counter(question.name for _, question in asked)
    for request, question in asked:
        names = (request.id, request.interrupt.id, question.name)
        name = next((one for one in names if one in answers), None)
        if name is None:
            left.append(question)
            continue
        used.add(name)
        answer = answers[name].answer
        if name == question.name and times[name] > 1:
            found: object = Problem(f"{times[name]} questions are called {name!r}; answer each by its id")
        else:
            found = reply_to(request, question, answer)
        if isinstance(found, Problem):
            left.append(question.model_copy(update={"problem": found.message}))
        else:
            resume[request.id] = Said(answer=found, by=answers[name].by)
    return Replies(resume=resume, used=frozenset(used), questions=tuple(left))


def reply_to(request: Request, question: Question, answer: JsonValue) -> JsonValue | Problem:
    """Return an answer as the engine takes it, or why it cannot be used; the engine is asked nothing in vain.

    Args:
        request: What is asked.
        question: The same, as it is kept.
        answer: As it was typed: where a yes or a no is wanted, these words will do, and ``"no: why"``; where one of a
            few answers is, its name, and ``"name: text"`` where there is something to be said with it.
    """
    said = answer
    if isinstance(answer, str):
        if question.kind == "event" and not answer:
            said = None
        elif "approve" in question.allowed:
            said = _decision(answer)
    found = read_reply(request.interrupt.value, said, request.schema)
    if isinstance(found, Problem) and isinstance(said, str) and question.form:
        said = said_as(question.form, said)
        found = read_reply(request.interrupt.value, said, request.schema)
    if not isinstance(found, Problem):
        return said
    if isinstance(said, str) and "approve" in question.allowed:
        return Problem(f"expected yes or no, found {json.dumps(answer, ensure_ascii=False)[:80]}")
    return found


def approval_of(options: RunOptions) -> ApprovalPolicy:
    """Return what a run's options say of approvals."""
    return ApprovalPolicy(plan=options.review, steps=options.approve)


def check_gates(names: Sequence[str], plan: Plan | None, cards: Sequence[SpecialistCard]) -> None:
    """See that something is meant by the names of what a human is to be asked about: a typo would ask about nothing.

    Args:
        names: Of steps, specialists or capabilities.
        plan: Flat; None: it is not known yet, so that no steps can be meant.
        cards: The specialists.

    Raises:
        BadInput: One of them means nothing.
    """
    known = gate_names(plan, cards)
    for name in names:
        if name not in known:
            hint = Suggestions().hint(name, known, f"there are: {listed(known)}")
            what = "step, specialist or capability" if plan is not None else "specialist or capability (with --eager)"
            raise BadInput(f"--approve {name!r}: no {what} of that name", hint=hint)


def check_names(
    option: str,
    answers: Iterable[str],
    plan: Plan,
    cards: Sequence[SpecialistCard],
    options: RunOptions,
    others: Iterable[str] = (),
) -> None:
    """See that answers are for something that may ask for one.

    Args:
        option: They were given with, for messages.
        answers: Names of steps or specialists, or ids of requests; items of a map are numbered from 0, as in
            ``each[0].look``.
        plan: Flat.
        cards: The specialists.
        options: Of the run.
        others: Further ids of what may ask, such as steps that came with a change of the plan.

    Raises:
        BadInput: There is nothing of that name, or it asks nothing.
    """
    steps = tuple(with_items(plan.steps, cards, 0))
    gates = Gates.of(approval_of(options), {step.id: step for step in steps}, cards)
    revises = options.revise is not None  # then any step may be asked about
    known = dict.fromkeys((*(step.id for step in steps if revises or _may_ask(step, gates)), *others))
    doers = dict.fromkeys(["plan"] if options.review else [], None) | dict.fromkeys(card.name for card in cards)
    for name in answers:
        if _ITEM.sub("[0]", name) in known or name in doers or _ID.fullmatch(name):
            continue
        hint = Suggestions().hint(name, [*known, *doers], f"steps that ask: {listed(known)}")
        raise BadInput(f"{option} {name!r}: no step of that id asks for an answer", hint=hint)


def _decision(said: str) -> JsonValue:
    """Read the words that stand for a yes or a no; anything else stays as it is."""
    word = said.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    reason = _NO.fullmatch(said)
    return {"type": "reject", "message": reason[1].strip()} if reason is not None else said


def _may_ask(step: Step, gates: Gates) -> bool:
    """Whether a step can ask: specialists may whenever they want."""
    if step.type in ("agent", "human_approval", "human_input"):
        return True
    return gates.names(step) or (step.type == "wait" and step.event is not None)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _plain(value: object) -> JsonValue:
    """Return anything as JSON; what is none is written as text."""
    found: JsonValue = json.loads(json.dumps(value, ensure_ascii=False, default=str))
    return found
