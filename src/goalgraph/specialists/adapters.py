"""Runnables, chat models, compiled graphs and tools as specialists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import Runnable

from goalgraph.errors import InvalidSpecialist
from goalgraph.models import model_name
from goalgraph.planner.card import SpecialistCard
from goalgraph.prompts import Prompts
from goalgraph.specialists.assessing import Assess, Assessed, has_assessor, judge_of
from goalgraph.specialists.foreseen import prompt_of
from goalgraph.specialists.function import check_amounts, specialist, terms
from goalgraph.specialists.remote import RemoteSpecialist, remote_graph
from goalgraph.specialists.runnables import RunFailed, RunnableSpecialist, model_in
from goalgraph.specialists.schemas import OutputType, declared_schema
from goalgraph.specialists.specialist import Specialist, StepContext, StepTask

__all__ = ["RunFailed", "RunnableSpecialist", "as_specialist"]


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
    able, kind, remote = terms(capabilities), type(one).__name__, remote_graph(one)
    check_amounts(cost_usd=cost_usd, seconds=seconds)
    judge = judge_of(confidence, assess)
    if (max_input_tokens is not None or summarize) and (
        isinstance(one, Specialist) or not isinstance(one, Runnable) or remote is not None
    ):
        raise InvalidSpecialist(
            f"a {kind} shortens its prompts itself",
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
        card = SpecialistCard(
            name=own,
            description=about or known.description,
            capabilities=able or known.capabilities,
            max_concurrency=max_concurrency,
            output_schema=declared_schema(output, own) if output is not None else None,
            model=model_name(seen) if (seen := model_in(runnable)) is not None else None,
            cost_usd=cost_usd,
            seconds=seconds,
            effects=effects or known.effects,
            replica_of=replica_of,
        )
        made = (
            RemoteSpecialist(remote, card)
            if remote is not None
            else RunnableSpecialist(
                runnable, card, max_input_tokens=max_input_tokens, summarize=summarize, prompts=prompts
            )
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


def _keeps_state(runnable: Any) -> bool:
    """Whether a compiled graph, or one inside of it, has one state for all of its calls on a thread."""
    graphs = [runnable]
    if hasattr(runnable, "get_subgraphs"):
        graphs += [graph for _, graph in runnable.get_subgraphs(recurse=True)]
    return any(getattr(graph, "checkpointer", None) is True for graph in graphs)
