"""The one check that every plan passes, whoever wrote it: all problems at once."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner import dag
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.expressions import ExpressionError, condition, references
from goalgraph.planner.plan import Plan, Step

__all__ = ["PlanPolicy", "checked", "validate_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPolicy:
    """What the caller demands of any plan of a run."""

    max_steps: int = 200
    """More steps than this are refused."""


def checked(plan: Plan, policy: PlanPolicy, cards: Iterable[SpecialistCard], *, source: str = "the plan") -> Plan:
    """Return the plan itself, if it is valid.

    Raises:
        InvalidPlan: It is not; the error carries every problem.
    """
    if problems := validate_plan(plan, policy, cards):
        raise InvalidPlan(problems, source=source)
    return plan


def validate_plan(plan: Plan, policy: PlanPolicy, cards: Iterable[SpecialistCard]) -> tuple[PlanProblem, ...]:
    """Find all that is wrong with a plan, in plan order; an empty tuple means that it may run."""
    if not plan.steps:
        return (
            PlanProblem(code="no_steps", field="steps", message="a plan needs at least one step", hint="add a step"),
        )
    if len(plan.steps) > policy.max_steps:
        return (
            PlanProblem(
                code="too_many_steps",
                field="steps",
                message=f"at most {policy.max_steps} steps are allowed, found {len(plan.steps)}",
                hint="merge steps, or raise Limits(max_steps=...)",
            ),
        )
    return tuple(_problems(plan, tuple(cards)))


def _problems(plan: Plan, cards: Sequence[SpecialistCard]) -> Iterator[PlanProblem]:
    ids = [step.id for step in plan.steps]
    known = frozenset(ids)
    for step_id, count in Counter(ids).items():
        if count > 1:
            yield PlanProblem(
                code="duplicate_id",
                step=step_id,
                field="id",
                message=f"{count} steps have this id",
                hint="give every step an id of its own",
            )
    names = {card.name: card for card in cards}
    broken = tuple(_expression_problems(plan, known))
    sound = len(known) == len(ids) and not any(problem.code == "bad_expression" for problem in broken)
    for step in plan.steps:
        for need in step.depends_on:
            if need not in known or need == step.id:
                yield _bad_need(step, need, ids)
        if step.agent not in names or step.requires or step.fallback:
            yield from _specialist_problems(step, names)
    if sound:
        cycle = dag.find_cycle({step.id: (dag.needs(step) & known) - {step.id} for step in plan.steps})
        if cycle:
            yield PlanProblem(
                code="cycle",
                step=cycle[0],
                field="depends_on",
                message="steps wait for each other: " + " -> ".join(cycle),
                hint="remove one of these dependencies",
            )
    yield from broken


def _bad_need(step: Step, need: str, ids: Sequence[str]) -> PlanProblem:
    if need == step.id:
        return PlanProblem(
            code="self_dependency",
            step=step.id,
            field="depends_on",
            message="the step depends on itself",
            hint="remove it from depends_on",
        )
    return PlanProblem(
        code="unknown_dependency",
        step=step.id,
        field="depends_on",
        message=f"no step has the id {need!r}",
        hint=_did_you_mean(need, ids) or "name a step of this plan",
    )


def _specialist_problems(step: Step, names: dict[str, SpecialistCard]) -> Iterator[PlanProblem]:
    def unknown(name: str, field: str) -> PlanProblem:
        return PlanProblem(
            code="unknown_specialist",
            step=step.id,
            field=field,
            message=f"no specialist is called {name!r}",
            hint=_did_you_mean(name, names) or f"there are: {_listed(names)}",
        )

    if step.agent is None and not step.requires:
        yield PlanProblem(
            code="no_specialist",
            step=step.id,
            field="agent",
            message="the step names no specialist and requires no capability",
            hint=f"set agent to one of: {_listed(names)}",
        )
    if step.agent is not None and step.agent not in names:
        yield unknown(step.agent, "agent")
    for name in step.fallback:
        if name not in names:
            yield unknown(name, "fallback")
    wanted = set(step.requires)
    if wanted:
        chosen = [names[step.agent]] if step.agent in names else list(names.values())
        if not any(wanted <= set(card.capabilities) for card in chosen):
            have = sorted({term for card in chosen for term in card.capabilities})
            yield PlanProblem(
                code="missing_capability",
                step=step.id,
                field="requires",
                message=f"no specialist has all of {sorted(wanted)}",
                hint=f"known capabilities: {_listed(have)}",
            )


def _expression_problems(plan: Plan, known: frozenset[str]) -> Iterator[PlanProblem]:
    fields: list[tuple[str | None, str, object]] = [(None, "output", plan.output)]
    for step in plan.steps:
        if step.when is not None:
            fields.append((step.id, "when", step.when))
        if step.input:
            fields.append((step.id, "input", step.input))
    for owner, field, value in fields:
        try:
            named = (condition(value) if field == "when" and isinstance(value, str) else references(value)).steps
        except ExpressionError as error:
            yield PlanProblem(
                code="bad_expression", step=owner, field=field, message=str(error), hint="correct the expression"
            )
            continue
        if owner in named:
            yield PlanProblem(
                code="self_dependency",
                step=owner,
                field=field,
                message="an expression of the step names the step itself",
                hint="name another step",
            )
        for name in sorted(named - known):
            yield PlanProblem(
                code="unknown_reference",
                step=owner,
                field=field,
                message=f"an expression names a step {name!r} that the plan does not have",
                hint=_did_you_mean(name, known) or "name a step of this plan",
            )


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "") or "none"


def _did_you_mean(name: str, candidates: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:128], list(candidates)[:2000], n=1)
    return f"did you mean {close[0]!r}?" if close else ""
