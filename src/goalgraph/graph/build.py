"""Building an agent: names checked, parts made, graph wired."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from pydantic import JsonValue

from goalgraph.errors import InvalidGoal, InvalidSpecialist
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.humans.approval import ApprovalPolicy
from goalgraph.graph.nodes import Decompose, Dispatch, Gather, Synthesize, leads_on
from goalgraph.graph.policies import ExecutionPolicy, Limits
from goalgraph.graph.state import PlanInput, PlanOutput, PlanState, StepSend
from goalgraph.graph.steps.step_node import StepNode
from goalgraph.models import resolve_model
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.model_decomposer import ModelDecomposer
from goalgraph.planner.plan import Plan
from goalgraph.planner.validation import PlanPolicy, checked
from goalgraph.specialists.artifacts import ArtifactStore, as_store
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.synthesis import SynthesisSpec, as_synthesizer

__all__ = ["create_plan_agent", "generate_plan"]

_OWN_NODES = ("decompose", "dispatch", "gather", "synthesize", "review", "revise", "escalate", START, END)
_KINDS = ("condition", "human_approval", "human_input", "map", "parallel", "transform", "wait")
"""Types of the steps of a flat plan that are no specialist's work."""


def create_plan_agent(
    model: str | BaseChatModel | None,
    specialists: Iterable[object] | SpecialistRegistry,
    *,
    decomposer: Decomposer | None = None,
    synthesis: SynthesisSpec | None = None,
    execution: ExecutionPolicy | None = None,
    approval: ApprovalPolicy | None = None,
    limits: Limits | None = None,
    library: PlanLibrary | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    artifacts: ArtifactStore | str | Path | None = None,
    requests_per_second: float | Mapping[str, float] | None = None,
    name: str = "goalgraph",
) -> PlanAgent:
    """Create an agent: a compiled LangGraph graph that plans a goal, does the plan, and answers.

    Args:
        model: Plans (and, unless ``synthesis`` says otherwise, nothing else): ``"provider:name"``, a chat model, or
            None for the rule-based `OfflineDecomposer`, which needs no network.
        specialists: Who does the steps: functions, `@specialist` functions, Runnables, compiled graphs, chat models,
            or objects
            of your own with ``card`` and ``run``. Copied: later changes of a registry do not reach the agent.
        decomposer: Plans in place of the model.
        synthesis: ``"concatenate"`` (default), ``"last_wins"``, ``"model"``, a callable, or a `Synthesizer`.
        execution: How steps are run.
        approval: What a human is asked about before it is done.
        limits: Bounds of a run.
        library: Saved plans, which sub-plans and callers name by alias.
        checkpointer: Where runs are kept, so that they can be resumed; sync and async savers both serve both kinds of
            call.
        store: LangGraph's store, for specialists that use one.
        cache: LangGraph's node cache.
        artifacts: Where outputs of specialists are kept that are too large for a checkpoint (5 million characters and
            more): a folder, or a store of your own. Without it such a step fails.
        requests_per_second: Most calls to the model's provider, or by provider (``{"openai": 9}``), where the model is
            given by name. All models of the process that are made by name for the same provider and rate share one
            limiter (`goalgraph.models.resolve_model` makes them for specialists); a chat model given as an object
            carries its own ``rate_limiter``.
        name: The graph's name.

    Raises:
        InvalidSpecialist: There is none, or a name is blank, taken or unusable.
        UnknownModel: The model's name names no known provider.
        MissingExtra: The provider's package is not installed.
    """
    registry = _registry(specialists)
    chat = resolve_model(model, requests_per_second=requests_per_second) if model is not None else None
    execution = execution or ExecutionPolicy()
    approval = approval or ApprovalPolicy()
    limits = limits or Limits()
    policy = PlanPolicy(max_steps=limits.max_steps)
    names = _node_names(registry)
    nodes = (*names.values(), *_KINDS)
    step_node = StepNode(registry=registry, execution=execution, artifacts=as_store(artifacts))
    builder: Any = StateGraph(PlanState, input_schema=PlanInput, output_schema=PlanOutput)
    builder.add_node(
        "decompose",
        Decompose(
            decomposer=decomposer or _decomposer(chat),
            registry=registry,
            policy=policy,
            library=library,
            is_reviewed=bool(approval.plan),
        ),
    )
    if approval.plan:
        from goalgraph.graph.humans.reviewing import Review  # here, so that YAML is loaded only by those who use it

        review = Review(approval=approval, registry=registry, policy=policy, library=library)
        builder.add_node("review", review, destinations=("decompose", "dispatch", END))
    builder.add_node("dispatch", Dispatch(node_names=names), destinations=nodes)
    for node in nodes:
        builder.add_node(node, step_node, input_schema=StepSend, destinations=("gather",))
    builder.add_node("gather", Gather())
    builder.add_conditional_edges("gather", leads_on, ["dispatch", "synthesize"])
    builder.add_node(
        "synthesize",
        Synthesize(
            synthesizer=as_synthesizer(synthesis or "concatenate", chat), strict=execution.on_failure == "wait_all"
        ),
    )
    builder.add_edge(START, "decompose")
    builder.add_edge("decompose", "review" if approval.plan else "dispatch")
    builder.add_edge("synthesize", END)
    compiled = builder.compile(checkpointer=checkpointer, store=store, cache=cache, name=name)
    return PlanAgent(
        registry=registry, execution=execution, approval=approval, limits=limits, library=library, **vars(compiled)
    )


async def generate_plan(
    goal: str,
    *,
    model: str | BaseChatModel | None = None,
    specialists: Iterable[object] | SpecialistRegistry,
    inputs: Mapping[str, JsonValue] | None = None,
    max_steps: int = 200,
    available: Sequence[str] | None = None,
    requests_per_second: float | Mapping[str, float] | None = None,
) -> Plan:
    """Make a plan without running it.

    Args:
        goal: What is to be done, in words.
        model: As for `create_plan_agent`.
        specialists: Who there is to do the steps.
        inputs: Values the plan may refer to by name.
        max_steps: More steps are refused.
        available: Names of the specialists that may be used; all where absent.
        requests_per_second: As for `create_plan_agent`.

    Raises:
        InvalidGoal: The goal is empty, or nothing can be made of it.
        PlannerError: The model gave no valid plan.
        UnknownSpecialist: ``available`` names one that is not there.
    """
    if not goal.strip():
        raise InvalidGoal(f"the goal is empty: {goal!r}", hint="say in words what is to be done")
    registry = _registry(specialists)
    cards = registry.cards if available is None else tuple(registry.get(one).card for one in available)
    policy = PlanPolicy(max_steps=max_steps)
    chat = resolve_model(model, requests_per_second=requests_per_second) if model is not None else None
    plan = await _decomposer(chat).decompose(PlanRequest(goal=goal, cards=cards, policy=policy, inputs=inputs or {}))
    return checked(plan, policy, cards)


def _decomposer(model: BaseChatModel | None) -> Decomposer:
    if model is not None:
        return ModelDecomposer(model)
    from goalgraph.planner.offline import OfflineDecomposer  # here, because its rules take a while to compile

    return OfflineDecomposer()


def _registry(specialists: Iterable[object] | SpecialistRegistry) -> SpecialistRegistry:
    registry = specialists.copy() if isinstance(specialists, SpecialistRegistry) else SpecialistRegistry(specialists)
    if not len(registry):
        raise InvalidSpecialist("no specialists are given", hint="give at least one function or Runnable")
    return registry


def _node_names(registry: SpecialistRegistry) -> dict[str, str]:
    """Node of each specialist: its own name, unless the graph needs that for itself."""
    taken = {*_OWN_NODES, *_KINDS, *PlanState.__annotations__}
    return {card.name: f"{card.name} (specialist)" if card.name in taken else card.name for card in registry.cards}
