"""Ask a model for an object until it can be used: all that is wrong goes back, a bounded number of times."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from goalgraph.errors import PlannerEmpty, PlannerError, PlannerFiltered, PlannerInvalid, PlannerTruncated, PlanProblem
from goalgraph.planner.answers import Answer
from goalgraph.prompts import Prompts

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["Question", "Refused", "ask_until_usable", "problems_of"]

_MAX_DRAFT_CHARACTERS = 60_000
"""A longer draft is not sent back for repair; its problems are."""

_MAX_PROBLEMS = 50
"""More problems are counted, not listed, in a repair."""

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, and how what is wrong with the answer is told."""

    system: str
    user: str
    repair: str
    """Name of the template that sends problems back; it is given ``drafted``, ``problems`` and ``more``."""
    max_repairs: int
    """How often, after a first answer that cannot be used, it is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer that cannot be used."""

    attempt: int
    """Its number, from 1."""
    error: PlannerError


async def ask_until_usable(
    question: Question,
    ask: Callable[[Sequence["BaseMessage"]], Awaitable[Answer | PlanProblem]],
    read: Callable[[object], tuple[_Found, Sequence[PlanProblem]]],
    *,
    prompts: Prompts,
    on_refused: Callable[[Refused], None],
) -> _Found:
    """Ask, and send all problems of an unusable answer back until there is none or the repairs are used up.

    An answer that was cut, filtered or empty counts as an attempt; its text is not sent back. A refusal is final.

    Args:
        question: What is asked.
        ask: Calls the model with a conversation, see `ask_for_json`.
        read: Makes what is wanted out of what the model filled in, and says all that is wrong with it.
        prompts: Templates.
        on_refused: Called with each answer that cannot be used, the last one too.

    Raises:
        PlannerError: Nothing usable came out; the leaf, and `PlannerInvalid.problems`, say why.
        ModelFailed: The model could not be called.
    """
    last: PlannerError | None = None
    drafted: str | None = None
    for attempt in range(1, question.max_repairs + 2):
        messages = _conversation(question, drafted, last, prompts)
        drafted = None
        try:
            answer = await ask(messages)
        except (PlannerTruncated, PlannerFiltered, PlannerEmpty) as error:
            last = error
        else:
            problems: Sequence[PlanProblem] = (answer,) if isinstance(answer, PlanProblem) else ()
            if isinstance(answer, Answer):
                found, problems = read(answer.data)
                if not problems:
                    return found
                drafted = _as_text(answer.data)
            last = PlannerInvalid(problems, attempts=attempt)
        on_refused(Refused(attempt=attempt, error=last))
    assert last is not None
    raise last


def problems_of(error: PlannerError) -> tuple[list[str], int]:
    """Return what is wrong with an answer, a line each, and how many more problems there are."""
    # One line each, so that none can end the fence that they stand in.
    found = error.problems if isinstance(error, PlannerInvalid) else (error,)
    problems = [" ".join(str(item).split()) for item in found]
    return problems[:_MAX_PROBLEMS], max(len(problems) - _MAX_PROBLEMS, 0)


def _conversation(
    question: Question, drafted: str | None, last: PlannerError | None, prompts: Prompts
) -> Sequence["BaseMessage"]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    system = SystemMessage(question.system)
    if last is None:
        return [system, HumanMessage(question.user)]
    problems, more = problems_of(last)
    repair = prompts.render(question.repair, drafted=drafted is not None, problems=problems, more=more)
    if drafted is None:
        return [system, HumanMessage(f"{question.user}\n\n{repair}")]
    return [system, HumanMessage(question.user), AIMessage(drafted), HumanMessage(repair)]


def _as_text(data: object) -> str | None:
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()
    return text if len(text) <= _MAX_DRAFT_CHARACTERS else None
