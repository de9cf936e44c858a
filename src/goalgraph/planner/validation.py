"""The one check that every plan passes, whoever wrote it: all problems at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.expression_checks import expression_problems, output_problems
from goalgraph.planner.checks.graph_checks import graph_problems, guardrail_problems
from goalgraph.planner.checks.role_checks import role_problems
from goalgraph.planner.checks.scopes import MOST_LEVELS, Scope, scope_of_plan, size_of
from goalgraph.planner.checks.step_checks import step_problems
from goalgraph.planner.checks.suggestions import Suggestions
from goalgraph.planner.compilation import Compiled
from goalgraph.planner.expressions import ExpressionError, References, references
from goalgraph.planner.plan import Plan
from goalgraph.planner.proposed import roles_of, with_roles

__all__ = ["PlanPolicy", "checked", "missing_inputs", "run_problems", "validate_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPolicy:
    """What the caller demands of any plan of a run."""

    max_steps: int = 200
    """More steps than this, those inside of steps included, are refused."""
    require_approval: frozenset[str] = frozenset()
    """Ids of steps, specialists or capabilities that may not run before a human has approved something; ``"*"``: any
    plan needs an approval somewhere."""
    available: frozenset[str] | None = None
    """Names of the specialists that a plan may use, beside its own roles; None: all."""
    max_roles: int = 0
    """How many roles a plan may propose, those of the plans inside of it included."""
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tools that roles may work with: what they do, by name."""

    def usable(self, cards: Iterable[SpecialistCard]) -> tuple[SpecialistCard, ...]:
        """Return those of the specialists that a plan may use, in their order."""
        return tuple(card for card in cards if self.available is None or card.name in self.available)


def checked(plan: Plan, policy: PlanPolicy, cards: Iterable[SpecialistCard], *, source: str = "the plan") -> Plan:
    """Return the plan itself, if it is valid.

    Raises:
        InvalidPlan: It is not; the error carries every problem.
    """
    if problems := validate_plan(plan, policy, cards):
        raise InvalidPlan(problems, source=source)
    return plan


def validate_plan(plan: Plan, policy: PlanPolicy, cards: Iterable[SpecialistCard]) -> tuple[PlanProblem, ...]:
    """Find all that is wrong with a plan; an empty tuple means that it may run.

    Problems come in the order of the plan, those of a step in the order of its fields. They name a step inside of
    another by its qualified id, such as ``"research.web"``, the one that the map ``each`` repeats as ``"each[*]"``.

    Args:
        plan: As it is written.
        policy: What is demanded of it.
        cards: The specialists there are.
    """
    return _looked_through(plan, policy, tuple(cards))[0]


def run_problems(
    plan: Plan, policy: PlanPolicy, cards: Iterable[SpecialistCard], given: Mapping[str, JsonValue]
) -> tuple[PlanProblem, ...]:
    """Find what keeps a plan from being run: all that is wrong with it; where nothing is, the inputs it misses.

    Args:
        plan: As it is written.
        policy: What is demanded of it.
        cards: The specialists there are.
        given: The run's inputs, by name.
    """
    problems, seen = _looked_through(plan, policy, tuple(cards))
    if problems or seen is None:
        return problems
    scope, flat = seen
    # Approvals that guardrails add have copies of expressions, and are not looked at for inputs.
    return _missing(plan, scope, flat, given) if flat.plan is plan else missing_inputs(plan, given)


def _looked_through(
    plan: Plan, policy: PlanPolicy, cards: tuple[SpecialistCard, ...]
) -> tuple[tuple[PlanProblem, ...], tuple[Scope, Compiled] | None]:
    """Find all that is wrong with a plan; with it what was made to see it, where the plan is not too large for that."""
    if size_problems := tuple(_size_problems(plan, policy)):
        return size_problems, None
    own, cards = cards, with_roles(cards, plan)
    scope, flat = scope_of_plan(plan, cards)
    found = dict.fromkeys((*role_problems(plan, policy, own), *_problems(plan, flat.plan.output, scope, policy, cards)))
    return tuple(sorted(found, key=_Places.of(scope).rank)) if found else (), (scope, flat)


def missing_inputs(plan: Plan, given: Mapping[str, JsonValue]) -> tuple[PlanProblem, ...]:
    """Find the inputs that a plan needs and nobody gives; each at its first use.

    Args:
        plan: As it is written.
        given: The run's inputs, by name.
    """
    return _missing(plan, *scope_of_plan(plan, ()), given)


def _missing(plan: Plan, scope: Scope, flat: Compiled, given: Mapping[str, JsonValue]) -> tuple[PlanProblem, ...]:
    there = {*plan.inputs, *given}
    found: dict[str, PlanProblem] = {}
    for step, within, named in (*_named_inputs(scope), (None, "output", _read(flat.plan.output))):
        for name in sorted(named.required_inputs - there):
            if name not in found:
                found[name] = PlanProblem(
                    code="missing_input",
                    step=step,
                    field=within,
                    message=f"the plan needs the input {name!r}, which has neither a value nor a default",
                    hint=f"give it when the plan is run, as --input {name}=VALUE or inputs={{{name!r}: ...}}",
                )
    return tuple(found.values())


def _size_problems(plan: Plan, policy: PlanPolicy) -> Iterator[PlanProblem]:
    if not plan.steps:
        yield PlanProblem(code="no_steps", field="steps", message="a plan needs at least one step", hint="add a step")
        return
    size = size_of(plan, enough=max(10_000, 2 * policy.max_steps, len(plan.steps)))
    if size.steps > policy.max_steps:
        count = size.steps if size.is_whole else "far more"
        yield PlanProblem(
            code="too_many_steps",
            field="steps",
            message=f"at most {policy.max_steps} steps are allowed, found {count}",
            hint="merge steps, or raise Limits(max_steps=...)",
        )
    if size.deepest is not None:
        yield PlanProblem(
            code="too_deep",
            step=size.deepest,
            message=f"at most {MOST_LEVELS} steps may stand inside of each other",
            hint="put inner steps beside the outer ones, and name them there",
        )


def _problems(
    plan: Plan, output: JsonValue, scope: Scope, policy: PlanPolicy, cards: Sequence[SpecialistCard]
) -> Iterator[PlanProblem]:
    suggestions = Suggestions()
    by_name = {card.name: card for card in cards}
    available = policy.available
    if available is not None:
        available |= {role.name for role in roles_of(plan)}
    yield from output_problems(output, scope, by_name, suggestions)
    yield from guardrail_problems(plan.coordinator, scope, cards, suggestions)
    for one in scope.everywhere():
        for written in one.written:
            yield from step_problems(written, by_name, available, suggestions)
    yield from graph_problems(scope, policy.require_approval, cards, suggestions)
    yield from expression_problems(scope, by_name, suggestions)


def _named_inputs(scope: Scope) -> Iterator[tuple[str, str, References]]:
    for step, uses in zip(scope.steps, scope.uses, strict=True):
        for use in uses:
            if isinstance(use.found, References) and use.found.required_inputs:
                yield scope.owner(step.id), scope.field_of(step.id, use.field), use.found
        if step.id in scope.inner:
            yield from _named_inputs(scope.inner[step.id])


def _read(value: JsonValue) -> References:
    try:
        return references(value)
    except ExpressionError:
        return References()


@dataclass(frozen=True, slots=True)
class _Places:
    """Where steps and fields stand in a plan."""

    steps: Mapping[str, tuple[int, type[BaseModel]]]

    @classmethod
    def of(cls, scope: Scope) -> "_Places":
        steps: dict[str, tuple[int, type[BaseModel]]] = {}
        _number(scope, steps)
        return cls(steps)

    def rank(self, problem: PlanProblem) -> tuple[int, int]:
        """Problems of the plan itself come first, those of derived steps last."""
        nowhere = -1 if problem.step is None else len(self.steps)
        place, model = self.steps.get(problem.step or "", (nowhere, Plan))
        fields = [info.alias or name for name, info in model.model_fields.items()]
        first = (problem.field or "").partition(".")[0]
        return place, fields.index(first) if first in fields else -1


def _number(scope: Scope, steps: dict[str, tuple[int, type[BaseModel]]]) -> None:
    for written in scope.written:
        steps.setdefault(written.id, (len(steps), type(written.step)))
        if written.id in scope.inner:
            _number(scope.inner[written.id], steps)
