"""A chat model that grades results by a rubric."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from goalgraph.errors import (
    GoalgraphError,
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerRefused,
    PlannerTruncated,
)
from goalgraph.models import model_name
from goalgraph.planner.answers import Answer
from goalgraph.planner.structured import ask_for_json
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, fit_prompt, prompt_limit, tagged, unheard
from goalgraph.specialists.assessing import Assessment
from goalgraph.specialists.briefing import input_text
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ModelGrader"]

_TASK, _GOAL, _INPUT, _RESULT = "the task", "the goal", "the input", "the result"

_SCHEMA: dict[str, JsonValue] = {
    "title": "grade",
    "description": "How well a result does its task.",
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why the confidence is not higher, in one or two sentences."},
        "confidence": {
            "type": "number",
            "description": "From 0 (the result is wrong or useless) to 1 (it does all that the rubric asks for).",
        },
    },
    "required": ["reason", "confidence"],
    "additionalProperties": False,
}

_ENDINGS: Mapping[type[PlannerError], str] = {
    PlannerEmpty: "its answer was empty",
    PlannerFiltered: "a content filter stopped its answer",
    PlannerRefused: "it refused",
    PlannerTruncated: "its answer was cut at its token limit",
}


class ModelGrader:
    """Has a chat model judge how well a result does its task.

    Goal, task, input and result are data to it: a result that asks for a good grade is judged like any other. The grade
    is not part of the run's streamed answer.

    Examples:
        >>> from goalgraph.testing import ScriptedChatModel
        >>> grade = {"reason": "The second figure has no source.", "confidence": 0.4}
        >>> grader = ModelGrader(ScriptedChatModel([grade]), "Every figure has its source.")
    """

    def __init__(self, model: "BaseChatModel", rubric: str, *, prompts: Prompts | None = None) -> None:
        """Take the model.

        Args:
            model: Any chat model; better another one than that which does the work.
            rubric: What a good result is, in words.
            prompts: Whose ``grade`` it is told; None: the built-in ones.

        Raises:
            ValueError: The rubric is empty.
        """
        if not rubric.strip():
            raise ValueError("the rubric of a ModelGrader is empty; say what a good result is")
        self._model = unheard(model)
        self._rubric = rubric.strip()
        self._prompts = prompts or DEFAULT_PROMPTS

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment:
        """Ask for a grade; what is too long for the model's window is cut, and the reason says so.

        Raises:
            ModelFailed: The model could not be called.
            GoalgraphError: It gave no grade; a confidence that is no number from 0 to 1 is returned as it is.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        given = {_INPUT: input_text(task)} if task.input else {}
        output = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
        texts = {_TASK: task.instruction, _GOAL: context.goal, **given, _RESULT: output}

        def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, str]:
            return self._prompts.messages(
                "grade",
                rubric=self._rubric,
                goal=tagged("goal", texts[_GOAL]),
                task=tagged("task", texts[_TASK]),
                input=tagged("input", texts[_INPUT]) if task.input else "",
                result=tagged("result", texts[_RESULT]),
            )

        fitted = await fit_prompt(
            write, texts, prompt_limit(self._model), first=(_TASK, _GOAL), model_name=model_name(self._model)
        )
        system, user = fitted.messages
        try:
            answer = await ask_for_json(self._model, [SystemMessage(system), HumanMessage(user)], _SCHEMA)
        except PlannerError as error:
            raise GoalgraphError(f"the model gave no grade: {_ENDINGS.get(type(error), 'it failed')}") from error
        if not isinstance(answer, Answer):
            raise GoalgraphError(f"the model's answer is no grade: {answer.message}", hint=answer.hint)
        data = answer.data
        grade: Mapping[str, object] = cast("Mapping[str, object]", data) if isinstance(data, Mapping) else {}
        reason = grade.get("reason")
        told = (reason.strip() if isinstance(reason, str) else "", *fitted.lost)
        return Assessment(confidence=cast("float", grade.get("confidence")), reason="; ".join(filter(None, told)))
