"""A decomposer that asks a chat model, and lets it repair what it got wrong."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goalgraph.errors import (
    InvalidGoal,
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerInvalid,
    PlannerTruncated,
    PlanProblem,
)
from goalgraph.models import model_name
from goalgraph.planner.answers import Answer
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.draft import Draft, draft_schema, read_draft
from goalgraph.planner.plan import Plan
from goalgraph.planner.structured import ask_for_json
from goalgraph.planner.validation import validate_plan
from goalgraph.prompts import fenced, fit, render

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from pydantic import JsonValue

__all__ = ["ModelDecomposer"]

_MAX_INPUT_TOKENS = 20_000
"""Of the run's inputs, the planner is shown no more; the specialists get all of them."""

_MAX_DRAFT_CHARACTERS = 60_000
"""A longer draft is not sent back for repair; its problems are."""

_MAX_REJECTED = 3
"""No more of the plans that a human rejected are shown."""

_NOBODY = PlanProblem(code="no_specialists", message="there are no specialists", hint="register at least one")

_MAX_PROBLEMS = 50
"""More problems are counted, not listed, in a repair."""


class ModelDecomposer:
    """Plans with a chat model.

    Example:
        >>> from goalgraph.testing import ScriptedChatModel
        >>> step = {"id": "read", "agent": "reader", "task": "Read it.", "depends_on": []}
        >>> decomposer = ModelDecomposer(ScriptedChatModel([{"name": "demo", "steps": [step]}]))
    """

    def __init__(self, model: "BaseChatModel", *, max_repairs: int = 2) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            max_repairs: How often, after a first answer that cannot be used, it is asked again.

        Raises:
            ValueError: ``max_repairs`` is negative.
        """
        if max_repairs < 0:
            raise ValueError(f"max_repairs must be 0 or more, found {max_repairs!r}")
        self._model = model
        self._max_repairs = max_repairs

    async def decompose(self, request: PlanRequest) -> Plan:
        """Ask for a plan, and send all problems of an invalid one back until it is valid or the repairs are used up.

        An answer that was cut, filtered or empty counts as an attempt; its text is not sent back. A refusal is final.

        Raises:
            InvalidGoal: The goal is empty.
            PlannerError: No valid plan came out; the leaf, and `PlannerInvalid.problems`, say why.
            ModelFailed: The model could not be called.
        """
        if not request.goal.strip():
            raise InvalidGoal("the goal is empty", hint="say in words what is to be reached")
        if not request.cards:
            raise PlannerInvalid((_NOBODY,), attempts=0)
        system, user = _prompts(request, model_name(self._model))
        schema = draft_schema(request.cards)
        last: PlannerError | None = None
        drafted: str | None = None
        for attempt in range(1, self._max_repairs + 2):
            messages = _conversation(system, user, drafted, last)
            drafted = None
            try:
                answer = await ask_for_json(self._model, messages, schema)
            except (PlannerTruncated, PlannerFiltered, PlannerEmpty) as error:
                last = error
                continue
            if isinstance(answer, Answer):
                draft = read_draft(answer.data)
                problems = _problems(draft, request)
                if not problems:
                    return draft.plan
                drafted = _as_text(answer.data)
            else:
                problems = (answer,)
            last = PlannerInvalid(problems, attempts=attempt)
        assert last is not None
        raise last


def _problems(draft: Draft, request: PlanRequest) -> tuple[PlanProblem, ...]:
    found = validate_plan(draft.plan, request.policy, request.cards)
    if not draft.problems:
        return found
    # A stand-in for an unreadable field has problems of its own, which are not the model's.
    told = {(problem.step, problem.field) for problem in draft.problems}
    return (
        *draft.problems,
        *(other for other in found if (other.step, other.field) not in told and other.code != "no_steps"),
    )


def _prompts(request: PlanRequest, name: str) -> tuple[str, str]:
    user = render(
        "plan",
        specialists=[
            {
                "name": card.name,
                "description": " ".join(card.description.split()),
                "capabilities": list(card.capabilities),
            }
            for card in request.cards
        ],
        max_steps=request.policy.max_steps,
        inputs=fenced(_shown(request.inputs, name)) if request.inputs else "",
        goal=fenced(request.goal),
        rejected=[
            {"plan": fenced(_as_draft(one.plan)), "reason": fenced(one.reason) if one.reason else ""}
            for one in request.rejected[-_MAX_REJECTED:]
        ],
    )
    return render("plan_system"), user


def _as_draft(plan: Plan) -> str:
    from goalgraph.planner.documents import plan_data  # here, so that YAML is loaded only by those who use it

    text = json.dumps(plan_data(plan), ensure_ascii=False)
    return text if len(text) <= _MAX_DRAFT_CHARACTERS else f"{text[:_MAX_DRAFT_CHARACTERS]}..."


def _shown(inputs: "Mapping[str, JsonValue]", name: str) -> str:
    text = json.dumps(dict(inputs), ensure_ascii=False, indent=1, default=str)
    return fit({"inputs": text}, _MAX_INPUT_TOKENS, model_name=name).texts["inputs"]


def _conversation(system: str, user: str, drafted: str | None, last: PlannerError | None) -> Sequence["BaseMessage"]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    if last is None:
        return [SystemMessage(system), HumanMessage(user)]
    problems = [str(item) for item in last.problems] if isinstance(last, PlannerInvalid) else [str(last)]
    repair = render(
        "repair",
        drafted=drafted is not None,
        problems=problems[:_MAX_PROBLEMS],
        more=max(len(problems) - _MAX_PROBLEMS, 0),
    )
    if drafted is None:
        return [SystemMessage(system), HumanMessage(f"{user}\n\n{repair}")]
    return [SystemMessage(system), HumanMessage(user), AIMessage(drafted), HumanMessage(repair)]


def _as_text(data: object) -> str | None:
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()
    return text if len(text) <= _MAX_DRAFT_CHARACTERS else None
