"""Plans without runs: made, chosen among several drafts, and estimated."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, JsonValue

from goalgraph.errors import InvalidGoal, InvalidSpecialist
from goalgraph.graph.policies import ExecutionPolicy, NativeRetry
from goalgraph.models import resolve_model
from goalgraph.planner import dag
from goalgraph.planner.alternatives import BestOf
from goalgraph.planner.approvals import names_step
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import compile_plan, items_of
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.degrading import Degrading
from goalgraph.planner.estimate import Estimate, ModelCall, estimate_plan
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.forecast import Asked, instruction_of
from goalgraph.planner.history import History
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.model_decomposer import ModelDecomposer
from goalgraph.planner.model_reviser import ModelReviser
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep, ApprovalGuardrail, Plan, Retry, Step
from goalgraph.planner.prices import Price
from goalgraph.planner.reviser import Reviser
from goalgraph.planner.rule_reviser import RuleReviser
from goalgraph.planner.validation import PlanPolicy, checked
from goalgraph.prompts import Prompts
from goalgraph.specialists.foreseen import prompt_of
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.roles import RoleMaker
from goalgraph.specialists.router import route
from goalgraph.specialists.specialist import StepContext, StepTask
from goalgraph.synthesis import SynthesisRequest, Synthesizer
from goalgraph.synthesis.model import ModelSynthesizer
from goalgraph.synthesis.structured import StructuredSynthesizer

__all__ = ["decomposer_of", "drafted", "estimated", "generate_plan", "registry_of", "request_of", "reviser_of"]


async def generate_plan(
    goal: str,
    *,
    model: str | BaseChatModel | None = None,
    specialists: Iterable[object] | SpecialistRegistry,
    inputs: Mapping[str, JsonValue] | None = None,
    max_steps: int = 200,
    require_human_approval: bool | Sequence[str] = False,
    available: Sequence[str] | None = None,
    constraints: Sequence[str] = (),
    alternatives: int = 1,
    history: History | None = None,
    prices: Mapping[str, Price] | None = None,
    on_step: Callable[[Step, int], None] | None = None,
    on_decision: Callable[[Decision], None] | None = None,
    least: Literal["full", "simple", "single"] = "full",
    prompts: Prompts | Mapping[str, str] | str | Path | None = None,
    requests_per_second: float | Mapping[str, float] | None = None,
) -> Plan:
    """Make a plan without running it.

    Args:
        goal: What is to be done, in words.
        model: As for `create_plan_agent`.
        specialists: Who there is to do the steps.
        inputs: Values the plan may refer to by name.
        max_steps: More steps are refused.
        require_human_approval: Whether the plan must ask a human for approval somewhere; or before what: ids of steps,
            names of specialists, capabilities.
        available: Names of the specialists that may be used; all where absent.
        constraints: What the plan must heed beside that, in free words, such as ``"check every figure twice"``. Only
            models understand them.
        alternatives: How many plans are drafted at the same time; the best is returned, see `BestOf`.
        history: What earlier runs tell, to score the drafts by.
        prices: The caller's own, by name of model, for the same.
        on_step: Called with each step as soon as the model has drafted it, and the number of the draft; see
            `PlanRequest`. Not where there are several drafts at the same time.
        on_decision: Called with what is decided on the way, such as which draft is the best.
        least: What is good enough where no better plan can be made; see `PlanningPolicy`.
        prompts: As for `create_plan_agent`.
        requests_per_second: As for `create_plan_agent`.

    Raises:
        InvalidGoal: The goal is empty, or nothing can be made of it.
        InvalidPrompt: A template in your words cannot be used.
        PlannerError: The model gave no valid plan.
        UnknownSpecialist: ``available`` names one that is not there.
    """
    registry = registry_of(specialists)
    cards = registry.cards if available is None else tuple(registry.get(one).card for one in available)
    policy = PlanPolicy(
        max_steps=max_steps,
        require_approval=_required(require_human_approval),
        available=frozenset(available) if available is not None else None,
    )
    chat = resolve_model(model, requests_per_second=requests_per_second) if model is not None else None
    own = prompts if prompts is None or isinstance(prompts, Prompts) else Prompts(prompts)
    decomposer: Decomposer = BestOf(decomposer_of(chat, own), alternatives, history=history, prices=prices)
    if least != "full":
        decomposer = Degrading(decomposer=decomposer, least=least)
    request = request_of(goal, cards, policy, inputs, constraints, on_decision)
    return await drafted(decomposer, replace(request, on_step=on_step))


def request_of(
    goal: str,
    cards: tuple[SpecialistCard, ...],
    policy: PlanPolicy,
    inputs: Mapping[str, JsonValue] | None = None,
    constraints: Sequence[str] = (),
    on_decision: Callable[[Decision], None] | None = None,
) -> PlanRequest:
    """Return what a planner is told; see `generate_plan`.

    Raises:
        InvalidGoal: The goal is empty.
        ValueError: Constraints are one text, not several.
    """
    if not goal.strip():
        raise InvalidGoal(f"the goal is empty: {goal!r}", hint="say in words what is to be done")
    if isinstance(constraints, str):
        raise ValueError(f"constraints are a list of texts, found the text {constraints!r}; write [{constraints!r}]")
    request = PlanRequest(goal=goal, cards=cards, policy=policy, inputs=inputs or {}, constraints=tuple(constraints))
    return replace(request, on_decision=on_decision) if on_decision is not None else request


async def drafted(decomposer: Decomposer, request: PlanRequest, library: PlanLibrary | None = None) -> Plan:
    """Have a plan made, and check it as any other.

    Raises:
        PlannerError: None was made.
        InvalidPlan: It has problems.
    """
    plan = await decomposer.decompose(request)
    checked(expand_plans(plan, library) if library is not None else plan, request.policy, request.cards)
    return plan


def estimated(
    plan: Plan,
    registry: SpecialistRegistry,
    *,
    policy: PlanPolicy | None = None,
    goal: str = "",
    roles: RoleMaker | None = None,
    library: PlanLibrary | None = None,
    synthesizer: Synthesizer | None = None,
    execution: ExecutionPolicy | None = None,
    history: History | None = None,
    prices: Mapping[str, Price] | None = None,
    inputs: Mapping[str, JsonValue] | None = None,
) -> Estimate:
    """Estimate a plan with all that is known of who does it; see `estimate_plan`.

    Prompts are those that the specialists would render, and the call that writes the answer counts where a model makes
    it. What made the plan does not: it is over.

    Args:
        plan: Valid, but for plans of the library in it.
        registry: The specialists.
        policy: Which of them plans may use.
        goal: What specialists and synthesizer are told it is for.
        roles: Makes the specialists that plans propose, where they may.
        library: Saved plans.
        synthesizer: Who writes the answer.
        execution: How steps are run.
        history: What earlier runs tell.
        prices: The caller's own, by name of model.
        inputs: Of the run, as far as they are known.
    """
    whole = expand_plans(plan, library) if library is not None else plan
    registry = registry if roles is None else roles.joined(registry, whole)
    cards = registry.cards
    flat = compile_plan(whole, cards)
    execution = execution or ExecutionPolicy()
    calls = _synthesis_calls(synthesizer, goal or plan.description or plan.name, flat)
    return estimate_plan(
        flat,
        cards,
        doers=dict(_routed(flat.steps, (policy or PlanPolicy()).usable(cards))),
        history=history,
        prices=prices,
        inputs=inputs,
        max_concurrency=execution.max_concurrency,
        retry=_plain(execution.retry),
        timeout=execution.step_timeout,
        asked=_asked_by(registry, goal),
        calls=calls,
    )


def decomposer_of(model: BaseChatModel | None, prompts: Prompts | None = None) -> Decomposer:
    """Return who plans: the model, or rules where there is none."""
    if model is not None:
        return ModelDecomposer(model, prompts=prompts)
    from goalgraph.planner.offline import OfflineDecomposer  # here, because its rules take a while to compile

    return _Guarding(OfflineDecomposer())


def reviser_of(model: BaseChatModel | None, prompts: Prompts | None = None) -> Reviser:
    """Return who changes plans: the model, or without one the rules."""
    return ModelReviser(model, prompts=prompts) if model is not None else RuleReviser()


def registry_of(specialists: Iterable[object] | SpecialistRegistry) -> SpecialistRegistry:
    """Return specialists by name, as a copy.

    Raises:
        InvalidSpecialist: There is none, or one cannot be used.
    """
    given = cast("object", specialists)  # whatever callers who check no types may have given
    if isinstance(given, (str, Mapping, BaseModel)) or callable(given) or not isinstance(given, Iterable):
        raise InvalidSpecialist(
            f"specialists are a list, found a {type(specialists).__name__}",
            hint="write create_plan_agent(model, [...])",
        )
    registry = specialists.copy() if isinstance(specialists, SpecialistRegistry) else SpecialistRegistry(specialists)
    if not len(registry):
        raise InvalidSpecialist("no specialists are given", hint="give at least one function or Runnable")
    return registry


def _required(approval: bool | Sequence[str]) -> frozenset[str]:
    if isinstance(approval, bool):
        return frozenset(("*",) if approval else ())
    return frozenset((approval,) if isinstance(approval, str) else approval)


@dataclass(frozen=True, slots=True)
class _Guarding:
    """Plans by rules, which know nothing of approvals: those that the policy requires come from a guardrail."""

    decomposer: Decomposer

    async def decompose(self, request: PlanRequest) -> Plan:
        free = replace(request, policy=replace(request.policy, require_approval=frozenset()))
        plan = await self.decomposer.decompose(free)
        names = tuple(sorted(_guarded(compile_plan(plan, request.cards), request)))
        if not names:
            return plan
        guardrail = ApprovalGuardrail(require_for=names)
        coordinator = plan.coordinator.model_copy(update={"guardrails": (*plan.coordinator.guardrails, guardrail)})
        return plan.model_copy(update={"coordinator": coordinator})


def _guarded(flat: Plan, request: PlanRequest) -> Iterator[str]:
    """Name what a human is to be asked about: what is required; for any, what has effects, else the last steps."""
    required = request.policy.require_approval
    yield from (one for one in required - {"*"} if any(names_step(one, step, request.cards) for step in flat.steps))
    if "*" in required:
        risky = {card.name for card in request.cards if card.effects}
        found = [step.id for step in flat.steps if any(names_step(name, step, request.cards) for name in risky)]
        yield from found or dag.sinks(flat)


def _routed(steps: Iterable[Step], cards: Sequence[SpecialistCard]) -> Iterator[tuple[str, str]]:
    """Say who does each step that leaves it open, those that maps repeat included."""
    for step in steps:
        if step.type == "map":
            yield from _routed(items_of(step, "*", cards), cards)
        elif step.type == "agent" and step.agent is None and not step.agents:
            yield step.id, route(step, cards)[0]


def _asked_by(registry: SpecialistRegistry, goal: str) -> Asked:
    context = StepContext(goal=goal)

    def asked(step: AgentStep, card: SpecialistCard) -> str:
        task = StepTask(step=step.id, instruction=instruction_of(step), input=step.input)
        return prompt_of(registry.get(card.name), task, context)

    return asked


def _synthesis_calls(synthesizer: Synthesizer | None, goal: str, flat: Plan) -> list[ModelCall]:
    if isinstance(synthesizer, StructuredSynthesizer):
        before = _synthesis_calls(synthesizer.text, goal, flat)
        return before if synthesizer.model_name is None else [*before, _synthesis_call(synthesizer, goal, flat)]
    return [_synthesis_call(synthesizer, goal, flat)] if isinstance(synthesizer, ModelSynthesizer) else []


def _synthesis_call(synthesizer: ModelSynthesizer | StructuredSynthesizer, goal: str, flat: Plan) -> ModelCall:
    some = {step.id: Outcome(step=step.id, status="succeeded", output="-") for step in flat.steps}
    prompt = synthesizer.prompt(SynthesisRequest(goal=goal, plan=flat, outcomes=some))
    return ModelCall(
        name="synthesis" if isinstance(synthesizer, ModelSynthesizer) else "structured response",
        model=synthesizer.model_name or "",
        prompt=prompt,
        reads_results=True,
        most=synthesizer.max_input_tokens,
    )


def _plain(retry: Retry | NativeRetry | None) -> Retry | None:
    if retry is None or isinstance(retry, Retry):
        return retry
    return Retry.model_construct(
        max_attempts=retry.max_attempts,
        initial_seconds=retry.initial_interval,
        factor=retry.backoff_factor,
        max_seconds=retry.max_interval,
    )
