"""A decomposer that asks a chat model, and lets it repair what it got wrong."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from goalgraph.errors import InvalidGoal, PlannerInvalid, PlanProblem
from goalgraph.models import model_name
from goalgraph.planner.answers import Answer
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.draft import StepFeed, draft_schema, problems_as_drafted, read_draft
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.plan_prompt import LAST_CUT, available_cards, policy_of, texts_of, values_of
from goalgraph.planner.repairing import Question, Refused, ask_until_usable, problems_of
from goalgraph.planner.structured import ask_for_json
from goalgraph.planner.validation import run_problems
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, fit_prompt, prompt_limit

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from pydantic import JsonValue

__all__ = ["ModelDecomposer"]

_PROMPTS = ("plan_system", "plan", "repair")
_NOBODY = PlanProblem(code="no_specialists", message="there are no specialists", hint="register at least one")

_OF_STAND_INS = ("no_specialist", "no_steps")
"""Problems of what stands for an unreadable field, beside those of that field: they are not the model's."""


class ModelDecomposer:
    """Plans with a chat model.

    Examples:
        >>> from goalgraph.testing import ScriptedChatModel
        >>> step = {"id": "read", "agent": "reader", "task": "Read it.", "depends_on": []}
        >>> decomposer = ModelDecomposer(ScriptedChatModel([{"name": "demo", "steps": [step]}]))
    """

    def __init__(self, model: "BaseChatModel", *, max_repairs: int = 2, prompts: Prompts | None = None) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            max_repairs: How often, after a first answer that cannot be used, it is asked again.
            prompts: Templates in a caller's own words; ``plan_system``, ``plan`` and ``repair`` are used.

        Raises:
            ValueError: ``max_repairs`` is negative.
        """
        if max_repairs < 0:
            raise ValueError(f"max_repairs must be 0 or more, found {max_repairs!r}")
        self._model = model
        self._max_repairs = max_repairs
        self._prompts = prompts or DEFAULT_PROMPTS

    async def decompose(self, request: PlanRequest) -> Plan:
        """Ask for a plan, and send all problems of an invalid one back until it is valid or the repairs are used up.

        An answer that was cut, filtered or empty counts as an attempt; its text is not sent back. A refusal is final.
        Each repair is told to ``request.on_decision``, with what is wrong and the digests of the prompts in use. Where
        ``request.on_step`` is given, the answer is streamed, and each step told once in an attempt.

        Raises:
            InvalidGoal: The goal is empty.
            PlannerError: No valid plan came out; the leaf, and `PlannerInvalid.problems`, say why.
            ModelFailed: The model could not be called.
        """
        if not request.goal.strip():
            raise InvalidGoal("the goal is empty", hint="say in words what is to be reached")
        cards = available_cards(request.cards, request.policy)
        if not cards:
            raise PlannerInvalid((_NOBODY,), attempts=0)
        system, user = await self._messages(request)
        asking = _Asking(
            self._model,
            _schema(request, cards),
            request,
        )
        return await ask_until_usable(
            Question(system=system, user=user, repair="repair", max_repairs=self._max_repairs),
            asking.ask,
            lambda data: _read(data, request),
            prompts=self._prompts,
            on_refused=lambda refused: self._tell(refused, request),
        )

    async def _messages(self, request: PlanRequest) -> tuple[str, str]:
        """Write system's and user's message within the model's window."""
        name, roles = model_name(self._model), bool(policy_of(request).max_roles)
        system = self._prompts.render("plan_system", simple=request.simple, roles=roles)

        def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, str]:
            return system, self._prompts.render("plan", **values_of(request, texts))

        # Counting a long text takes its time, which others on this loop need not wait for.
        texts = await asyncio.to_thread(texts_of, request, name)
        fitted = await fit_prompt(write, texts, prompt_limit(self._model), first=LAST_CUT, model_name=name)
        for lost in fitted.lost:
            at = datetime.now(UTC).isoformat()
            request.on_decision(Decision(kind="planning", subject="", chosen="shorten", rationale=lost, at=at))
        return fitted.messages[0], fitted.messages[1]

    def _tell(self, refused: Refused, request: PlanRequest) -> None:
        if refused.attempt > self._max_repairs:
            return
        problems, more = problems_of(refused.error)
        rest = len(problems) - 1 + more
        evidence: dict[str, JsonValue] = {
            "attempt": refused.attempt,
            "problems": [*problems],
            "prompts": dict(self._prompts.digests(_PROMPTS)),
        }
        request.on_decision(
            Decision(
                kind="planning",
                subject="",
                chosen="repair",
                rationale=" ".join(problems[0].split()) + (f"; and {rest} more" if rest else ""),
                answer=evidence,
                at=datetime.now(UTC).isoformat(),
            )
        )


class _Asking:
    """Calls the model, and tells the steps of each answer as they come."""

    def __init__(self, model: "BaseChatModel", schema: "Mapping[str, JsonValue]", request: PlanRequest) -> None:
        self._model = model
        self._schema = schema
        self._request = request
        self._attempt = 0

    async def ask(self, messages: "Sequence[BaseMessage]") -> Answer | PlanProblem:
        """Ask once, streaming where somebody wants to hear of steps."""
        self._attempt += 1
        if self._request.on_step is None:
            return await ask_for_json(self._model, messages, self._schema)
        feed = StepFeed(simple=self._request.simple)
        answer = await ask_for_json(
            self._model, messages, self._schema, on_part=lambda part: self._tell(feed.take(part))
        )
        if isinstance(answer, Answer):
            self._tell(feed.rest(answer.data))
        return answer

    def _tell(self, steps: Iterable[Step]) -> None:
        assert self._request.on_step is not None
        for step in steps:
            self._request.on_step(step, self._attempt)


def _schema(request: PlanRequest, cards: Iterable[SpecialistCard]) -> dict[str, "JsonValue"]:
    policy = policy_of(request)
    return draft_schema(
        cards,
        simple=request.simple,
        approvals=bool(policy.require_approval),
        max_roles=policy.max_roles,
        tools=policy.tools,
    )


def _read(data: object, request: PlanRequest) -> tuple[Plan, tuple[PlanProblem, ...]]:
    draft = read_draft(data)
    found = run_problems(draft.plan, policy_of(request), request.cards, request.inputs)
    found = problems_as_drafted(found, draft.plan.steps)
    if not draft.problems:
        return draft.plan, found
    told = {(problem.step, problem.field) for problem in draft.problems}
    return draft.plan, (
        *draft.problems,
        *(other for other in found if (other.step, other.field) not in told and other.code not in _OF_STAND_INS),
    )
