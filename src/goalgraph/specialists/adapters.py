"""Runnables, chat models, compiled graphs and tools as specialists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import BasePromptTemplate
from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence

from goalgraph.errors import InvalidSpecialist
from goalgraph.models import complete, for_this_loop, model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, Summarizer, prompt_limit, unheard
from goalgraph.specialists.assessing import Assess, Assessed, has_assessor, judge_of
from goalgraph.specialists.briefing import brief, fitted_brief
from goalgraph.specialists.foreseen import prompt_of
from goalgraph.specialists.function import check_amounts, specialist, terms
from goalgraph.specialists.schemas import OutputType, declared_schema
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = ["RunFailed", "RunnableSpecialist", "as_specialist"]


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
        self._model = _model_in(runnable)
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
        answer = _answer(returned)
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


def as_specialist(
    one: object,
    *,
    name: str | None = None,
    description: str | None = None,
    capabilities: Sequence[str] = (),
    max_concurrency: int | None = None,
    output: OutputType | None = None,
    max_input_tokens: int | None = None,
    summarize: bool = False,
    prompts: Prompts | None = None,
    cost_usd: float | None = None,
    seconds: float | None = None,
    effects: bool = False,
    replica_of: str | None = None,
    confidence: str | None = None,
    assess: Assess | None = None,
) -> Specialist:
    """Make a specialist of a function, a chat model, a compiled graph, a tool, or any other Runnable.

    Args:
        one: What does the work; a specialist is taken as it is, under a new card where anything else is given.
        name: Its own name where absent; a Runnable without one needs it.
        description: What planners choose by.
        capabilities: Terms that a step may require.
        max_concurrency: Most steps of one run at the same time.
        output: What the output must fit: a pydantic model, or a JSON Schema as a dict.
        max_input_tokens: Of the prompt that a Runnable is given; what is longer is cut, and the result says so. None:
            for chat models, and chains of a prompt and one, three quarters of the window that the model tells of, or
            of 32,768 tokens (`goalgraph.prompts.prompt_limit`); for all others, no limit.
        summarize: Let the chat model summarise what is too long, in at most 24 further calls, before it is cut.
        prompts: Whose ``chat_model_system`` a chat model is told, and whose ``summarize`` asks for summaries; None: the
            built-in ones.
        cost_usd: What a step usually costs, in USD.
        seconds: How long a step usually takes.
        effects: Whether it has effects outside of the run, such as mail that is sent; reviewers are told.
        replica_of: Name of the specialist that it stands in for; see `SpecialistCard.replica_of`.
        confidence: Where its outputs say how sure it is, such as ``"output.confidence"``. ``"logprobs"``: how sure a
            chat model was of its tokens (`from_logprobs`), which it must be told to give:
            ``ChatOpenAI(..., logprobs=True)``.
        assess: Who judges its results, beside what it has of its own; see `specialist`.

    Raises:
        InvalidSpecialist: It is none of these, or has no name, or is a graph whose state all of its calls share, or the
            output is neither a model nor a schema, or a limit is set for what is no Runnable,
            or cost or time are no amounts, or there is nothing to read the confidence from, or nobody to assess it.
        ValueError: ``max_input_tokens`` is not positive.
    """
    if isinstance(one, type):
        raise InvalidSpecialist(f"{one.__name__} is a class, not a specialist", hint=f"give {one.__name__}(...)")
    able = terms(capabilities)
    check_amounts(cost_usd=cost_usd, seconds=seconds)
    judge = judge_of(confidence, assess)
    if (max_input_tokens is not None or summarize) and (isinstance(one, Specialist) or not isinstance(one, Runnable)):
        raise InvalidSpecialist(
            f"a {type(one).__name__} shortens its prompts itself",
            hint="set max_input_tokens and summarize for Runnables",
        )
    if isinstance(one, Specialist):
        changes = {
            "name": name,
            "description": description,
            "capabilities": able,
            "max_concurrency": max_concurrency,
            "output_schema": declared_schema(output, name or one.card.name) if output is not None else None,
            "cost_usd": cost_usd,
            "seconds": seconds,
            "effects": effects or None,
            "replica_of": replica_of,
        }
        changes = {field: value for field, value in changes.items() if value not in (None, ())}
        renamed = _Renamed(one, one.card.model_copy(update=changes)) if changes else one
        return renamed if judge is None else Assessed(renamed, judge)
    if isinstance(one, Runnable):
        runnable = cast("Any", one)
        own = name if name is not None else _own_name(runnable)
        if not own:
            raise InvalidSpecialist(
                f"a {type(runnable).__name__} has no name of its own",
                hint="as_specialist(it, name=..., description=...)",
            )
        if _keeps_state(runnable):
            raise InvalidSpecialist(
                f"the graph {own!r} keeps its state from call to call (checkpointer=True), so that steps done at the "
                "same time would get each other's messages and answers",
                hint="compile it, and the graphs in it, without: each step then has a state of its own in the run's "
                "checkpointer",
            )
        known = _own_card(runnable)
        about = description if description is not None else str(getattr(runnable, "description", None) or "")
        made = RunnableSpecialist(
            runnable,
            SpecialistCard(
                name=own,
                description=about or known.description,
                capabilities=able or known.capabilities,
                max_concurrency=max_concurrency,
                output_schema=declared_schema(output, own) if output is not None else None,
                model=model_name(seen) if (seen := _model_in(runnable)) is not None else None,
                cost_usd=cost_usd,
                seconds=seconds,
                effects=effects or known.effects,
                replica_of=replica_of,
            ),
            max_input_tokens=max_input_tokens,
            summarize=summarize,
            prompts=prompts,
        )
        return made if judge is None else Assessed(made, judge)
    if callable(one):
        return specialist(
            name=name,
            description=description,
            capabilities=capabilities,
            max_concurrency=max_concurrency,
            output=output,
            cost_usd=cost_usd,
            seconds=seconds,
            effects=effects,
            replica_of=replica_of,
            confidence=confidence,
            assess=assess,
        )(one)
    raise InvalidSpecialist(
        f"a {type(one).__name__} is no specialist", hint="give a function, a Runnable, or an object with card and run()"
    )


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A specialist under another card."""

    one: Specialist
    card: SpecialistCard

    @property
    def is_assessed(self) -> bool:
        return has_assessor(self.one)

    async def run(self, task: StepTask, context: StepContext) -> object:
        return await self.one.run(task, context)

    def prompt(self, task: StepTask, context: StepContext) -> str:
        return prompt_of(self.one, task, context)


def _own_name(runnable: Runnable[Any, Any]) -> str | None:
    own: object = getattr(runnable, "name", None)
    return own if isinstance(own, str) and own != "LangGraph" else None


def _own_card(runnable: Any) -> SpecialistCard:
    """Return the card of a goalgraph, which tells of its own specialists; an empty one for all others."""
    found: object = getattr(runnable, "card", None)
    return found if isinstance(found, SpecialistCard) else SpecialistCard(name="-")


def _model_in(runnable: Runnable[Any, Any]) -> BaseChatModel | None:
    """The chat model that is sent the brief as it is: the Runnable itself, or what follows the prompt of a chain."""
    if isinstance(runnable, BaseChatModel):
        return runnable
    if isinstance(runnable, RunnableBinding):
        return _model_in(runnable.bound)
    if isinstance(runnable, RunnableSequence):
        first, second, *_ = runnable.steps
        return _model_in(second) if isinstance(first, BasePromptTemplate) else None
    return None


def _limit(model: BaseChatModel | None, max_input_tokens: int | None) -> int | None:
    if model is not None:
        return prompt_limit(model, max_input_tokens)
    if max_input_tokens is not None and max_input_tokens < 1:
        raise ValueError(f"max_input_tokens must be 1 or more, found {max_input_tokens!r}")
    return max_input_tokens


def _keeps_state(runnable: Any) -> bool:
    """Whether a compiled graph, or one inside of it, has one state for all of its calls on a thread."""
    graphs = [runnable]
    if hasattr(runnable, "get_subgraphs"):
        graphs += [graph for _, graph in runnable.get_subgraphs(recurse=True)]
    return any(getattr(graph, "checkpointer", None) is True for graph in graphs)


def _input_fields(runnable: Runnable[Any, Any]) -> tuple[str, ...]:
    """Names of the fields of a Runnable's input; empty where it takes no object."""
    if isinstance(runnable, BaseChatModel):
        return ()
    try:
        schema: dict[str, Any] = runnable.get_input_jsonschema()
    except (TypeError, ValueError, RuntimeError, AttributeError):
        # A graph's state may hold what has no schema; the names of its fields are known all the same.
        state: object = getattr(getattr(runnable, "builder", None), "input_schema", None)
        return tuple(getattr(state, "__annotations__", ()))
    if "$ref" in schema:
        schema = schema.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
    fields = tuple(schema.get("properties", {}))
    return () if fields == ("root",) else fields  # pydantic's name for an input that is no object


def _known(task: StepTask, fields: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in task.input.items() if name in fields}


def _answer(returned: object) -> object:
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
    return StepResult(
        output=state["answer"],
        confidence=min((outcome.confidence for outcome in done if outcome.confidence is not None), default=None),
        artifacts=tuple(artifact for outcome in outcomes.values() for artifact in outcome.artifacts),
        degraded=reasons,
        usage=state.get("usage") or Usage(),
    )
