"""LangChain Runnables that do steps: chat models, chains, compiled graphs, agents, tools, remote graphs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import BasePromptTemplate
from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence
from typing_extensions import is_typeddict

from goalgraph.errors import InvalidSpecialist
from goalgraph.models import complete, for_this_loop, model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, Summarizer, prompt_limit, unheard
from goalgraph.specialists.briefing import brief, fitted_brief
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask

__all__ = ["RunFailed", "RunnableSpecialist", "answer_in", "model_in"]


class RunFailed(RuntimeError):
    """A goalgraph that does a step of another one has nothing to show for it."""


class RunnableSpecialist:
    """A LangChain Runnable that does steps.

    It is given what its input schema asks for: messages (chat models, agents), the step's own input by name, the
    whole brief as text for the one field that is left, or plain text. A brief too long for the model, where there is
    one to be seen, is shortened, and the result says so.
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        card: SpecialistCard,
        *,
        max_input_tokens: int | None = None,
        summarize: bool = False,
        prompts: Prompts | None = None,
        system: str | None = None,
    ) -> None:
        """Take the Runnable.

        Args:
            runnable: A chat model, a chain, a compiled graph, a tool.
            card: What planners choose by; its description is a chat model's system message.
            max_input_tokens: As for `as_specialist`.
            summarize: As for `as_specialist`.
            prompts: As for `as_specialist`.
            system: What it is told before the brief, in place of that message; other Runnables say it themselves.

        Raises:
            ValueError: ``max_input_tokens`` is not positive.
            InvalidSpecialist: Summaries are wanted, and no chat model is to be seen that could write them.
        """
        self.card = card
        self._runnable = runnable
        self._fields = _input_fields(runnable)
        self._model = model_in(runnable)
        if summarize and self._model is None:
            raise InvalidSpecialist(
                f"no chat model is to be seen in {card.name!r} that could summarise what is too long for it",
                hint="leave summarize out: what is too long is cut",
            )
        self._limit = _limit(self._model, max_input_tokens)
        self._summarizes = summarize
        self._prompts = prompts or DEFAULT_PROMPTS
        self._told = system

    def __repr__(self) -> str:
        return f"<specialist {self.card.name!r}>"

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Invoke the Runnable; streaming, callbacks and interrupts pass through."""
        runnable: Any = self._runnable
        if isinstance(runnable, BaseChatModel):
            runnable = for_this_loop(runnable, retries=not context.retried)
        system = self._system(task, context)
        text, lost = await self._brief(task, context, system)
        returned: object = await runnable.ainvoke(self._input(system, text, task))
        answer = answer_in(returned)
        if not lost:
            return answer
        result = answer if isinstance(answer, StepResult) else StepResult(output=answer)
        return result.model_copy(update={"degraded": (*lost, *result.degraded)})

    async def _brief(self, task: StepTask, context: StepContext, system: str) -> tuple[str, tuple[str, ...]]:
        if self._limit is None:
            return brief(task, context), ()
        model = self._model
        name = model_name(model) if model is not None else None
        summarizer = None
        if self._summarizes and model is not None:
            summarizer = Summarizer(
                ask=partial(complete, unheard(model), retries=not context.retried),
                limit=self._limit,
                goal=context.goal,
                task=task.instruction,
                prompts=self._prompts,
                model_name=name,
            )
        return await fitted_brief(
            task,
            context,
            self._limit,
            system=system,
            model_name=name,
            summarizer=summarizer,
        )

    def _system(self, task: StepTask, context: StepContext) -> str:
        """Write a chat model's system message; empty where there is nothing to say, and for all others."""
        if not isinstance(self._runnable, BaseChatModel):
            return ""
        if self._told is not None:
            return self._told
        data = bool(task.input or context.dependencies)
        return self._prompts.render("chat_model_system", description=self.card.description, data=data)

    def prompt(self, task: StepTask, context: StepContext) -> str:
        """Render what it would be sent; nothing is called."""
        return "\n\n".join(filter(None, (self._told or self._system(task, context), brief(task, context))))

    def _input(self, system: str, text: str, task: StepTask) -> object:
        if isinstance(self._runnable, BaseChatModel):
            return [*([SystemMessage(system)] if system else []), HumanMessage(text)]
        if not self._fields:
            return text
        if "messages" in self._fields:
            return {**_known(task, self._fields), "messages": [HumanMessage(text)]}
        known = _known(task, self._fields)
        free = [name for name in self._fields if name not in known]
        preferred = [
            name for name in ("goal", "input", "question", "query", "text", "task", "instruction") if name in free
        ]
        for name in (preferred or free)[:1]:
            known[name] = text
        return known


def model_in(runnable: Runnable[Any, Any]) -> BaseChatModel | None:
    """The chat model that is sent the brief as it is: the Runnable itself, or what follows the prompt of a chain."""
    if isinstance(runnable, BaseChatModel):
        return runnable
    if isinstance(runnable, RunnableBinding):
        return model_in(runnable.bound)
    if isinstance(runnable, RunnableSequence):
        first, second, *_ = runnable.steps
        return model_in(second) if isinstance(first, BasePromptTemplate) else None
    return None


def _limit(model: BaseChatModel | None, max_input_tokens: int | None) -> int | None:
    if model is not None:
        return prompt_limit(model, max_input_tokens)
    if max_input_tokens is not None and max_input_tokens < 1:
        raise ValueError(f"max_input_tokens must be 1 or more, found {max_input_tokens!r}")
    return max_input_tokens


def _input_fields(runnable: Runnable[Any, Any]) -> tuple[str, ...]:
    """Names of the fields of a Runnable's input; empty where it takes no object."""
    if isinstance(runnable, BaseChatModel):
        return ()
    state: object = getattr(getattr(runnable, "builder", None), "input_schema", None)
    if isinstance(state, type) and is_typeddict(state):
        return tuple(state.__annotations__)  # a graph's; the JSON Schema of messages alone takes some 60 ms to write
    try:
        schema: dict[str, Any] = runnable.get_input_jsonschema()
    except (TypeError, ValueError, RuntimeError, AttributeError):
        # A graph's state may hold what has no schema; the names of its fields are known all the same.
        return tuple(getattr(state, "__annotations__", ()))
    if "$ref" in schema:
        schema = schema.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
    fields = tuple(schema.get("properties", {}))
    return () if fields == ("root",) else fields  # pydantic's name for an input that is no object


def _known(task: StepTask, fields: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in task.input.items() if name in fields}


def answer_in(returned: object) -> object:
    """The last message of an agent's state, the result of a goalgraph, or the whole value."""
    if isinstance(returned, dict):
        state = cast("dict[str, object]", returned)
        if "answer" in state and "outcomes" in state:
            return _result_of_run(state)
        if "structured_response" in state:
            return state["structured_response"]
        messages = state.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], BaseMessage):
            return messages[-1]
        return state
    return returned


def _result_of_run(state: dict[str, Any]) -> StepResult:
    """Take over what a run of another goalgraph says of itself: how good its answer is, its files, what it has used.

    An answer is made of the results of all steps: it is no surer than the least sure of them.
    """
    status, reasons = state.get("status"), tuple(map(str, state.get("degraded") or ()))
    if status in ("failed", "halted"):
        raise RunFailed(f"the run inside {status}: {'; '.join(reasons)}")
    outcomes: Mapping[str, Outcome] = state["outcomes"]
    done = [outcome for outcome in outcomes.values() if outcome.status == "succeeded"]
    structured: object = state.get("structured_response")
    return StepResult(
        output=state["answer"] if structured is None else structured,
        confidence=min((outcome.confidence for outcome in done if outcome.confidence is not None), default=None),
        artifacts=tuple(artifact for outcome in outcomes.values() for artifact in outcome.artifacts),
        degraded=reasons,
        usage=state.get("usage") or Usage(),
    )
