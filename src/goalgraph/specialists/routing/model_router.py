"""A chat model that gives all steps of a plan to specialists, in one call."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from goalgraph.errors import GoalgraphError
from goalgraph.models import model_name
from goalgraph.planner.answers import Answer
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import items_of
from goalgraph.planner.plan import AgentStep, Plan, Step
from goalgraph.planner.plan_prompt import card_values
from goalgraph.planner.structured import ask_for_json
from goalgraph.planner.wording import task_of
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, fenced, fit_prompt, prompt_limit, unheard
from goalgraph.specialists.routing.replicas import able

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ModelRouter"]

_GOAL, _STEPS = "the goal", "the steps"


class ModelRouter:
    """Has a chat model say who does which step: one call for a whole plan, none where there is nothing to choose.

    Goal and tasks are data to it. What it says holds for the whole run, also where that is resumed; where it fails, or
    names somebody who may not do a step, the best match does it, and the record says so. Its usage counts as the run's.

    Examples:
        >>> from goalgraph.testing import ScriptedChatModel
        >>> said = {"assignments": [{"step": "draft", "specialist": "writer"}]}
        >>> router = ModelRouter(ScriptedChatModel([said]))
    """

    def __init__(self, model: "BaseChatModel", *, prompts: Prompts | None = None) -> None:
        """Take the model.

        Args:
            model: Any chat model; a small one does.
            prompts: Whose ``assign`` it is told; None: the built-in ones.
        """
        self._model = unheard(model)
        self._prompts = prompts or DEFAULT_PROMPTS

    async def assign(self, plan: Plan, cards: Sequence[SpecialistCard], goal: str) -> Mapping[str, str]:
        """Ask who does the steps that several could do, see `PlanRouter`; whether they may is for the engine to check.

        Raises:
            ModelFailed: The model could not be called.
            GoalgraphError: Its answer assigns nothing.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        open_steps = [(step, able(step, cards)) for step in _agent_steps(plan.steps, cards)]
        open_steps = [(step, found) for step, found in open_steps if len(found) > 1]
        if not open_steps:
            return {}
        listed = "\n".join(_line(step, found) for step, found in open_steps)
        names = {card.name for _, found in open_steps for card in found}
        known = [card_values(card) for card in cards if card.name in names]

        def write(texts: Mapping[str, str], _how: Mapping[str, str]) -> tuple[str, str]:
            return self._prompts.messages(
                "assign", specialists=known, goal=fenced(texts[_GOAL]), steps=fenced(texts[_STEPS])
            )

        texts = {_GOAL: goal, _STEPS: listed}
        fitted = await fit_prompt(
            write, texts, prompt_limit(self._model), first=(_GOAL,), model_name=model_name(self._model)
        )
        system, user = fitted.messages
        schema = _schema([step.id for step, _ in open_steps], sorted(names))
        answer = await ask_for_json(self._model, [SystemMessage(system), HumanMessage(user)], schema)
        if not isinstance(answer, Answer):
            raise GoalgraphError(f"the model's answer assigns nothing: {answer.message}", hint=answer.hint)
        return dict(_read(answer.data))


def _agent_steps(steps: Sequence[Step], cards: Sequence[SpecialistCard]) -> Iterator[AgentStep]:
    """Yield the steps of specialists, those that maps repeat included."""
    for step in steps:
        if step.type == "agent":
            yield step
        elif step.type == "map":
            yield from _agent_steps(items_of(step, "*", cards), cards)


def _line(step: AgentStep, found: Sequence[SpecialistCard]) -> str:
    names = ", ".join(card.name for card in found)
    after = f"; after: {', '.join(step.depends_on)}" if step.depends_on else ""
    return f"- {step.id}: {' '.join(task_of(step).split())} (may be done by: {names}{after})"


def _schema(steps: Sequence[str], names: Sequence[str]) -> dict[str, JsonValue]:
    one: dict[str, JsonValue] = {
        "type": "object",
        "properties": {
            "step": {"type": "string", "enum": list[JsonValue](steps)},
            "specialist": {"type": "string", "enum": list[JsonValue](names)},
        },
        "required": ["step", "specialist"],
        "additionalProperties": False,
    }
    return {
        "title": "assignments",
        "description": "Who does which step.",
        "type": "object",
        "properties": {"assignments": {"type": "array", "items": one}},
        "required": ["assignments"],
        "additionalProperties": False,
    }


def _read(data: object) -> Iterator[tuple[str, str]]:
    """Take what has the form of an assignment out of an answer, whatever else is in it."""
    found = cast("Mapping[str, object]", data).get("assignments") if isinstance(data, Mapping) else None
    for one in cast("list[object]", found) if isinstance(found, list) else []:
        if not isinstance(one, Mapping):
            continue
        given = cast("Mapping[str, object]", one)
        step, name = given.get("step"), given.get("specialist")
        if isinstance(step, str) and isinstance(name, str):
            yield step, name
