"""Runnables, chat models, compiled graphs and tools as specialists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable

from goalgraph.errors import InvalidSpecialist
from goalgraph.models import for_this_loop
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.outcome import Outcome
from goalgraph.specialists.briefing import brief
from goalgraph.specialists.function import specialist, terms
from goalgraph.specialists.schemas import OutputType, declared_schema
from goalgraph.specialists.specialist import Specialist, StepContext, StepResult, StepTask

__all__ = ["RunFailed", "RunnableSpecialist", "as_specialist"]


class RunFailed(RuntimeError):
    """A goalgraph that does a step of another one has nothing to show for it."""


class RunnableSpecialist:
    """A LangChain Runnable that does steps.

    It is given what its input schema asks for: messages (chat models, agents), the step's own input by name, the
    whole brief as text for the one field that is left, or plain text.
    """

    def __init__(self, runnable: Runnable[Any, Any], card: SpecialistCard) -> None:
        self.card = card
        self._runnable = runnable
        self._fields = _input_fields(runnable)

    def __repr__(self) -> str:
        return f"<specialist {self.card.name!r}>"

    async def run(self, task: StepTask, context: StepContext) -> object:
        """Invoke the Runnable; streaming, callbacks and interrupts pass through."""
        runnable: Any = self._runnable
        if isinstance(runnable, BaseChatModel):
            runnable = for_this_loop(runnable, retries=not context.retried)
        returned: object = await runnable.ainvoke(self._input(brief(task, context), task))
        return _answer(returned)

    def _input(self, text: str, task: StepTask) -> object:
        if isinstance(self._runnable, BaseChatModel):
            system = [SystemMessage(self.card.description)] if self.card.description else []
            return [*system, HumanMessage(text)]
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
) -> Specialist:
    """Make a specialist of a function, a chat model, a compiled graph, a tool, or any other Runnable.

    Args:
        one: What does the work; a specialist is taken as it is, under a new card where anything else is given.
        name: Its own name where absent; a Runnable without one needs it.
        description: What planners choose by.
        capabilities: Terms that a step may require.
        max_concurrency: Most steps of one run at the same time.
        output: What the output must fit: a pydantic model, or a JSON Schema as a dict.

    Raises:
        InvalidSpecialist: It is none of these, or has no name, or is a graph whose state all of its calls share, or the
            output is neither a model nor a schema.
    """
    if isinstance(one, type):
        raise InvalidSpecialist(f"{one.__name__} is a class, not a specialist", hint=f"give {one.__name__}(...)")
    able = terms(capabilities)
    if isinstance(one, Specialist):
        changes = {
            "name": name,
            "description": description,
            "capabilities": able,
            "max_concurrency": max_concurrency,
            "output_schema": declared_schema(output, name or one.card.name) if output is not None else None,
        }
        changes = {field: value for field, value in changes.items() if value not in (None, ())}
        return _Renamed(one, one.card.model_copy(update=changes)) if changes else one
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
        about = description if description is not None else str(getattr(runnable, "description", None) or "")
        return RunnableSpecialist(
            runnable,
            SpecialistCard(
                name=own,
                description=about,
                capabilities=able,
                max_concurrency=max_concurrency,
                output_schema=declared_schema(output, own) if output is not None else None,
            ),
        )
    if callable(one):
        return specialist(
            name=name,
            description=description,
            capabilities=capabilities,
            max_concurrency=max_concurrency,
            output=output,
        )(one)
    raise InvalidSpecialist(
        f"a {type(one).__name__} is no specialist", hint="give a function, a Runnable, or an object with card and run()"
    )


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A specialist under another card."""

    one: Specialist
    card: SpecialistCard

    async def run(self, task: StepTask, context: StepContext) -> object:
        return await self.one.run(task, context)


def _own_name(runnable: Runnable[Any, Any]) -> str | None:
    own: object = getattr(runnable, "name", None)
    return own if isinstance(own, str) and own != "LangGraph" else None


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
            return messages[-1].text
        return state
    return returned


def _result_of_run(state: dict[str, Any]) -> StepResult:
    """Take over what a run of another goalgraph says of itself: how good its answer is, and its files."""
    status, reasons = state.get("status"), tuple(map(str, state.get("degraded") or ()))
    if status in ("failed", "halted"):
        raise RunFailed(f"the run inside {status}: {'; '.join(reasons)}")
    outcomes: Mapping[str, Outcome] = state["outcomes"]
    artifacts = tuple(artifact for outcome in outcomes.values() for artifact in outcome.artifacts)
    return StepResult(output=state["answer"], artifacts=artifacts, degraded=reasons)
