"""A reviser that asks a chat model, and lets it repair what it got wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from goalgraph.errors import PlanProblem
from goalgraph.models import model_name
from goalgraph.planner.answers import Answer
from goalgraph.planner.decision import Decision
from goalgraph.planner.draft import problems_as_drafted
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.patch_draft import patch_schema, read_patch_draft
from goalgraph.planner.plan_prompt import available_cards
from goalgraph.planner.repairing import Question, Refused, ask_until_usable, problems_of
from goalgraph.planner.reviser import RevisionRequest
from goalgraph.planner.revision_prompt import LAST_CUT, texts_of, values_of
from goalgraph.planner.structured import ask_for_json
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, fit_prompt, prompt_limit

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

__all__ = ["ModelReviser"]

_PROMPTS = ("revise_system", "revise", "revise_repair")
_OF_STAND_INS = "no_specialist"
"""A problem of what stands for an unreadable field, beside those of that field: it is not the model's."""


class ModelReviser:
    """Revises with a chat model.

    Examples:
        >>> from goalgraph.testing import ScriptedChatModel
        >>> change = {"rationale": "The page is gone; nothing replaces it.", "drop": ["page"]}
        >>> reviser = ModelReviser(ScriptedChatModel([change]))
    """

    def __init__(self, model: "BaseChatModel", *, max_repairs: int = 2, prompts: Prompts | None = None) -> None:
        """Take the model.

        Args:
            model: Any chat model.
            max_repairs: How often, after a first answer that cannot be used, it is asked again.
            prompts: Templates in a caller's own words; ``revise``, ``revise_system`` and ``revise_repair`` are used.

        Raises:
            ValueError: ``max_repairs`` is negative.
        """
        if max_repairs < 0:
            raise ValueError(f"max_repairs must be 0 or more, found {max_repairs!r}")
        self._model = model
        self._max_repairs = max_repairs
        self._prompts = prompts or DEFAULT_PROMPTS

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Ask for a change, and send all problems of a bad one back until it may be made or the repairs are used up.

        Each answer that cannot be used is told to ``request.on_decision``, the last one too, with what is wrong and the
        digests of the prompts in use. What is returned has the model's reasons in its ``rationale``, and names no step
        where the model knows nothing better.

        Raises:
            PlannerError: No usable change came out; the leaf, and `PlannerInvalid.problems`, say why.
            ModelFailed: The model could not be called.
        """
        system, user = await self._messages(request)
        question = Question(system=system, user=user, repair="revise_repair", max_repairs=self._max_repairs)
        schema = patch_schema(available_cards(request.cards, request.policy))

        async def ask(messages: "Sequence[BaseMessage]") -> Answer | PlanProblem:
            return await ask_for_json(self._model, messages, schema)

        def read(data: object) -> tuple[PlanPatch, tuple[PlanProblem, ...]]:
            return _read(data, request)

        return await ask_until_usable(
            question,
            ask,
            read,
            prompts=self._prompts,
            on_refused=lambda refused: request.on_decision(self._decision(refused, request)),
        )

    async def _messages(self, request: RevisionRequest) -> tuple[str, str]:
        """Write system's and user's message within the model's window."""
        name, system = model_name(self._model), self._prompts.render("revise_system")

        def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, str]:
            return system, self._prompts.render("revise", **values_of(request, texts))

        # Counting a long text takes its time, which steps that are at work need not wait for.
        texts = await asyncio.to_thread(texts_of, request, name)
        fitted = await fit_prompt(write, texts, prompt_limit(self._model), first=LAST_CUT, model_name=name)
        for lost in fitted.lost:
            at, step = datetime.now(UTC).isoformat(), request.trigger.step
            request.on_decision(Decision(kind="revision", subject=step, chosen="shorten", rationale=lost, at=at))
        return fitted.messages[0], fitted.messages[1]

    def _decision(self, refused: Refused, request: RevisionRequest) -> Decision:
        problems, more = problems_of(refused.error)
        rest = len(problems) - 1 + more
        return Decision(
            kind="revision",
            subject=request.trigger.step,
            chosen="refuse",
            rationale=problems[0] + (f"; and {rest} more" if rest else ""),
            answer={
                "attempt": refused.attempt,
                "problems": [*problems],
                "prompts": dict(self._prompts.digests(_PROMPTS)),
            },
            at=datetime.now(UTC).isoformat(),
        )


def _read(data: object, request: RevisionRequest) -> tuple[PlanPatch, tuple[PlanProblem, ...]]:
    draft = read_patch_draft(data, request.plan)
    steps = (*request.plan.steps, *draft.patch.add, *draft.patch.replace)
    found = problems_as_drafted(request.check(draft.patch), steps) if draft.patch else ()
    if not draft.problems:
        return draft.patch, found
    told = {(problem.step, problem.field) for problem in draft.problems}
    return draft.patch, (
        *draft.problems,
        *(one for one in found if (one.step, one.field) not in told and one.code != _OF_STAND_INS),
    )
