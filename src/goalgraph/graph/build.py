"""Building an agent: names checked, parts made, graph wired."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langgraph.cache.base import BaseCache
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore

from goalgraph.errors import InvalidSpecialist
from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.coordination.assigner import coordination_of
from goalgraph.graph.coordination.hooks import Hooks, as_hooks
from goalgraph.graph.decomposing import Decompose
from goalgraph.graph.humans.approval import ApprovalPolicy
from goalgraph.graph.nodes import Dispatch, Gather, Synthesize
from goalgraph.graph.planning import decomposer_of, estimated, generate_plan, registry_of, reviser_of
from goalgraph.graph.policies import ExecutionPolicy, Limits, PlanningPolicy, RevisionPolicy
from goalgraph.graph.revision.escalating import Escalate
from goalgraph.graph.revision.revising import Revise
from goalgraph.graph.revision.rules import Rules
from goalgraph.graph.state import PlanInput, PlanOutput, PlanState, StepSend
from goalgraph.graph.steps.early import EarlyStart
from goalgraph.graph.steps.step_node import StepNode
from goalgraph.models import resolve_model
from goalgraph.planner.decomposer import Decomposer
from goalgraph.planner.degrading import Degrading
from goalgraph.planner.history import History
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.prices import Price
from goalgraph.planner.reviser import Reviser
from goalgraph.planner.validation import PlanPolicy
from goalgraph.prompts import Prompts
from goalgraph.specialists.artifacts import ArtifactStore, as_store
from goalgraph.specialists.assessing import Assess
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.roles import RoleMaker, Roles
from goalgraph.specialists.routing.policy import HealthPolicy, Routing
from goalgraph.synthesis import ResponseSpec, SynthesisSpec, synthesizer_of

__all__ = ["create_plan_agent", "generate_plan"]

_OWN_NODES = ("decompose", "dispatch", "gather", "synthesize", "review", "revise", "escalate", START, END)
_KINDS = ("condition", "human_approval", "human_input", "map", "parallel", "transform", "wait")
"""Types of the steps of a flat plan that are no specialist's work."""
_ROLE = "role"
"""Node of the steps of roles that plans propose, where they may."""


def create_plan_agent(
    model: str | BaseChatModel | None,
    specialists: Iterable[object] | SpecialistRegistry,
    *,
    decomposer: Decomposer | None = None,
    synthesis: SynthesisSpec | None = None,
    response_format: ResponseSpec | None = None,
    execution: ExecutionPolicy | None = None,
    approval: ApprovalPolicy | None = None,
    limits: Limits | None = None,
    planning: PlanningPolicy | None = None,
    revision: RevisionPolicy | None = None,
    reviser: Reviser | None = None,
    assess: Assess | None = None,
    roles: Roles | None = None,
    routing: Routing | None = None,
    health: HealthPolicy | None = None,
    library: PlanLibrary | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    artifacts: ArtifactStore | str | Path | None = None,
    history: History | None = None,
    prices: Mapping[str, Price] | None = None,
    prompts: Prompts | Mapping[str, str] | str | Path | None = None,
    requests_per_second: float | Mapping[str, float] | None = None,
    hooks: object = None,
    name: str = "goalgraph",
) -> PlanAgent:
    """Create an agent: a compiled LangGraph graph that plans a goal, does the plan, and answers.

    Args:
        model: Plans (and, unless ``synthesis`` says otherwise, nothing else): ``"provider:name"``, a chat model, or
            None for the rule-based `OfflineDecomposer`, which needs no network.
        specialists: Who does the steps: functions, `@specialist` functions, Runnables, compiled graphs, chat models,
            or objects of your own with ``card`` and ``run``. Copied: later changes of a registry do not reach it.
        decomposer: Plans in place of the model.
        synthesis: ``"concatenate"`` (default), ``"last_wins"``, ``"model"``, a callable, or a `Synthesizer`.
        response_format: The form of ``result["structured_response"]``: a pydantic model, or the JSON Schema of an
            object. The model fills it in from the results of all steps, and without ``synthesis`` its text is the
            answer; a plan's ``output`` that fits is taken as it is, and without a model the last step's output. The
            response is stored as plain JSON: ``MyModel.model_validate(result["structured_response"])``.
        execution: How steps are run.
        approval: What a human is asked about before it is done.
        limits: Bounds of a run.
        planning: What plans must heed, and what is good enough where none can be made.
        revision: When the plan is changed while it runs; never where absent.
        reviser: Changes the plan, in place of the model; without either, `RuleReviser` does.
        assess: Who judges the results of specialists that have nobody of their own for that: an `Assessor`, such as
            `goalgraph.specialists.ModelGrader`, or a function of task, result and, if it likes, context. The lower of
            a specialist's own confidence and the assessed one counts.
        roles: Lets plans propose specialists of their own, with which model and tools, and how many; none where absent.
        routing: Who does a step that several could do: the name of a strategy, a `Router` or `PlanRouter` of your own,
            a `ModelRouter`, or a `RoutingPolicy`, which may set a ceiling of USD too. Others who could do it take over
            where the first fails. The best match does it where absent, and nobody but fallbacks takes over.
        health: When a specialist that fails again and again is left alone for a while; all runs of the agent share
            what is known. Never where absent.
        library: Saved plans, which sub-plans and callers name by alias.
        checkpointer: Where runs are kept, so that they can be resumed; sync and async savers both serve both kinds of
            call.
        store: LangGraph's store, for specialists that use one.
        cache: LangGraph's node cache.
        artifacts: Where outputs of specialists are kept that are too large for a checkpoint (5 million characters and
            more): a folder, or a store of your own. Without it such a step fails.
        history: What earlier runs tell, for estimates: ``History.of(result["outcomes"].values())``.
        prices: Your own, by name of model, in USD per million tokens; they win over those of genai-prices, in
            estimates and budgets.
        prompts: Templates in your own words in place of those of planner, reviser and synthesis: `Prompts`, texts by
            name, or a folder of ``<name>.md``. Specialists take theirs from whoever makes them.
        requests_per_second: Most calls to the model's provider, or by provider (``{"openai": 9}``), where the model is
            given by name. All models of the process that are made by name for the same provider and rate share one
            limiter (`goalgraph.models.resolve_model` makes them for specialists); a chat model given as an object
            carries its own ``rate_limiter``.
        hooks: What you decide while a run goes on: an object with methods that are marked (`on_assignment`,
            `on_conflict`, `on_escalation`, `on_quorum`, `on_step_complete`, `on_all_complete`), a marked function, a
            mapping of these names to functions, or several of these. Functions that are not async run in threads; one
            that raises ends the run with `HookFailed`, and the run can be resumed.
        name: The graph's name.

    Raises:
        TypeError: ``hooks`` are none, or a policy is something else.
        InvalidSpecialist: There is none, or a name is blank, taken or unusable; or ``assess`` is no assessor; or there
            is no model for roles, or a tool of theirs is none.
        UnknownModel: The model's name names no known provider.
        InvalidPrompt: A template in your words cannot be used.
        MissingExtra: The provider's package is not installed.
    """
    given_kinds = (
        (execution, ExecutionPolicy),
        (approval, ApprovalPolicy),
        (limits, Limits),
        (planning, PlanningPolicy),
        (revision, RevisionPolicy),
        (health, HealthPolicy),
        (roles, Roles),
    )
    for given, kind in cast("tuple[tuple[object, type], ...]", given_kinds):  # from callers who check no types
        if given is not None and not isinstance(given, kind):
            raise TypeError(f"expected {kind.__name__}(...), found {given!r:.100}")
    registry = registry_of(specialists)
    if assess is not None:
        registry = registry.assessed(assess)
    chat = resolve_model(model, requests_per_second=requests_per_second) if model is not None else None
    execution = execution or ExecutionPolicy()
    approval = approval or ApprovalPolicy()
    limits = limits or Limits()
    planning = planning or PlanningPolicy()
    own = prompts if prompts is None or isinstance(prompts, Prompts) else Prompts(prompts)
    maker = _role_maker(roles, chat, own, assess, requests_per_second) if roles is not None else None
    policy = planning.of(limits) if maker is None else maker.policy(planning.of(limits))
    decomposer = decomposer or decomposer_of(chat, own)
    if planning.least != "full":
        decomposer = Degrading(decomposer=decomposer, least=planning.least)
    rules = _rules(revision, registry, policy, approval, execution, asks=checkpointer not in (None, False))
    if rules is not None:
        reviser = reviser or reviser_of(chat, own)
    synthesizer = synthesizer_of(synthesis, chat, prompts=own, response_format=response_format)
    deciding = _hooks(hooks)
    own_nodes = _KINDS if maker is None else (*_KINDS, _ROLE)
    names = _node_names(registry, own_nodes)
    nodes = (*names.values(), *own_nodes)
    step_node = StepNode(
        registry=registry, execution=execution, artifacts=as_store(artifacts), roles=maker, policy=policy
    )
    early = None
    if execution.eager and not approval.plan and not (deciding is not None and deciding.has("assignment")):
        early = EarlyStart(
            registry=registry, execution=execution, artifacts=step_node.artifacts, approval=approval, policy=policy
        )
    builder: Any = StateGraph(PlanState, input_schema=PlanInput, output_schema=PlanOutput)
    builder.add_node(
        "decompose",
        Decompose(
            decomposer=decomposer,
            registry=registry,
            policy=policy,
            library=library,
            constraints=planning.constraints,
            early=early,
            is_reviewed=bool(approval.plan),
        ),
    )
    if approval.plan:
        from goalgraph.graph.humans.reviewing import Review  # here, so that YAML is loaded only by those who use it

        estimate = partial(
            estimated,
            registry=registry,
            roles=maker,
            synthesizer=synthesizer,
            execution=execution,
            history=history,
            prices=prices,
        )
        review = Review(approval=approval, registry=registry, policy=policy, library=library, estimate=estimate)
        builder.add_node("review", review, destinations=("decompose", "dispatch", END))
    builder.add_node(
        "dispatch", Dispatch(node_names=names, roles=_ROLE if maker else None), destinations=(*nodes, "gather")
    )
    for node in nodes:
        builder.add_node(node, step_node, input_schema=StepSend, destinations=("gather",))
    on = ("dispatch", "synthesize") if rules is None else ("dispatch", "revise", "synthesize")
    builder.add_node("gather", Gather(rules=rules), destinations=on)
    if rules is not None:
        ends = ("escalate", END) if rules.at_limit == "ask" else (END,) if rules.at_limit == "abort" else ()
        builder.add_node("revise", Revise(rules=rules), destinations=("dispatch", "synthesize", *ends))
        if rules.at_limit == "ask":
            builder.add_node("escalate", Escalate(rules=rules), destinations=("revise", END))
    builder.add_node(
        "synthesize",
        Synthesize(
            synthesizer=synthesizer,
            strict=execution.on_failure == "wait_all",
            min_confidence=execution.min_confidence,
            rules=rules,
        ),
    )
    builder.add_edge(START, "decompose")
    builder.add_edge("decompose", "review" if approval.plan else "dispatch")
    builder.add_edge("synthesize", END)
    compiled = builder.compile(checkpointer=checkpointer, store=store, cache=cache, name=name)
    return PlanAgent(
        registry=registry,
        decomposer=decomposer,
        synthesizer=synthesizer,
        execution=execution,
        approval=approval,
        limits=limits,
        planning=planning,
        roles=maker,
        rules=rules,
        reviser=reviser,
        library=library,
        history=history,
        prices=prices,
        hooks=deciding,
        coordination=coordination_of(routing, health, policy),
        **vars(compiled),
    )


def _hooks(given: object) -> Hooks | None:
    """Collect hooks; None where there are none, so that nothing looks for any."""
    found = as_hooks(given) if given is not None else None
    return found if found is not None and found.by_moment else None


def _rules(
    revision: RevisionPolicy | None,
    registry: SpecialistRegistry,
    policy: PlanPolicy,
    approval: ApprovalPolicy,
    execution: ExecutionPolicy,
    *,
    asks: bool,
) -> Rules | None:
    if revision is None:
        return None
    return Rules(
        policy=revision,
        cards=registry.cards,
        plan_policy=policy,
        asked=tuple(one for one in approval.steps if isinstance(one, str)),
        min_confidence=execution.min_confidence,
        at_limit=revision.at_limit or ("ask" if asks else "accept"),
    )


def _role_maker(
    roles: Roles,
    chat: BaseChatModel | None,
    prompts: Prompts | None,
    assess: Assess | None,
    requests_per_second: float | Mapping[str, float] | None,
) -> RoleMaker:
    model = chat if roles.model is None else resolve_model(roles.model, requests_per_second=requests_per_second)
    if model is None:
        raise InvalidSpecialist("roles need a chat model, and the agent has none", hint="give Roles(model=...)")
    return RoleMaker(roles, model, prompts=prompts, assess=assess)


def _node_names(registry: SpecialistRegistry, own: Iterable[str]) -> dict[str, str]:
    """Node of each specialist: its own name, unless the graph needs that for itself."""
    taken = {*_OWN_NODES, *own, *PlanState.__annotations__}
    return {card.name: f"{card.name} (specialist)" if card.name in taken else card.name for card in registry.cards}
