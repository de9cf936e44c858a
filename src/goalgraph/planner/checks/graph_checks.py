"""What can be wrong between steps: dependencies, cycles, branches that exclude each other, approvals."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner import dag
from goalgraph.planner.approvals import approved_steps, members, names_step
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.exclusion import Conflict, conflicts
from goalgraph.planner.checks.scopes import Scope, Use, Written
from goalgraph.planner.checks.suggestions import Suggestions
from goalgraph.planner.expressions import References
from goalgraph.planner.naming import inner_steps
from goalgraph.planner.plan import ApprovalGuardrail, ConditionStep, Coordinator, ParallelStep, Plan, Step

__all__ = ["graph_problems", "guardrail_problems"]

_Graph = dict[str, frozenset[str]]


def graph_problems(
    scope: Scope, required: Collection[str], cards: Sequence[SpecialistCard], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    """Find what is wrong between steps, those that maps repeat included.

    Args:
        scope: The plan's.
        required: What may not run without an approval: ids, specialists, capabilities; ``"*"``: the plan.
        cards: The specialists.
        suggestions: For ids that are not there.
    """
    if "*" in required and not any(step.type == "human_approval" for one in scope.everywhere() for step in one.steps):
        yield PlanProblem(
            code="missing_approval",
            field="steps",
            message="a plan needs at least one human_approval step here",
            hint="add a human_approval step",
        )
    yield from _of_scope(scope, sorted(set(required) - {"*"}), cards, suggestions, covered=False)


def guardrail_problems(
    coordinator: Coordinator, scope: Scope, cards: Sequence[SpecialistCard], suggestions: Suggestions
) -> Iterator[PlanProblem]:
    """Find names in guardrails that mean no step, in the plan and in plans inside of it."""
    yield from _guardrails(coordinator, scope.steps, "", None, cards, suggestions)
    for one in scope.everywhere():
        for written in one.written:
            if written.step.type == "sub_plan" and isinstance(written.step.plan, Plan):
                inner = written.step.plan.coordinator
                yield from _guardrails(inner, one.steps, f"{written.id}.", written.id, cards, suggestions)


def _guardrails(
    coordinator: Coordinator,
    steps: Sequence[Step],
    prefix: str,
    owner: str | None,
    cards: Sequence[SpecialistCard],
    suggestions: Suggestions,
) -> Iterator[PlanProblem]:
    for guardrail in coordinator.guardrails:
        for name in guardrail.require_for if isinstance(guardrail, ApprovalGuardrail) else ():
            if any(names_step(name, step, cards, prefix) for step in steps):
                continue
            ids = [step.id.removeprefix(prefix) for step in steps if step.id.startswith(prefix)]
            known = [*ids, *(card.name for card in cards), *(term for card in cards for term in card.capabilities)]
            hint = suggestions.hint(name, known, "name a step, or a specialist or capability that a step uses")
            yield PlanProblem(
                code="unknown_reference",
                step=owner,
                field="coordinator.guardrails" if owner is None else "plan.coordinator.guardrails",
                message=f"an approval is required for {name!r}, which means no step of the plan",
                hint=hint,
            )


def _of_scope(
    scope: Scope,
    required: Sequence[str],
    cards: Sequence[SpecialistCard],
    suggestions: Suggestions,
    *,
    covered: bool,
) -> Iterator[PlanProblem]:
    repeated = _repeated(scope)
    yield from repeated
    for written in scope.written:
        yield from _dependencies(written, scope, suggestions)
    approved: Collection[str] = ()
    if not repeated:
        graph = _graph(scope)
        if cycle := dag.find_cycle(graph):
            yield _cycle(cycle, scope)
        else:
            if any(step.type == "condition" for step in scope.steps):
                yield from (_never(one, scope) for one in conflicts(scope.steps, graph, dag.order(graph)))
            if required and not covered:
                approved = approved_steps(scope.steps, dict(graph), dag.order(graph))
                yield from _unapproved(scope, required, approved, cards)
    for step_id, inner in scope.inner.items():
        yield from _of_scope(inner, required, cards, suggestions, covered=covered or step_id in approved)


def _repeated(scope: Scope) -> list[PlanProblem]:
    ids = Counter(one.id for one in scope.written)
    for one in scope.written:
        if one.step.type == "agent" and one.step.agents:
            ids.update(f"{one.id}.{member.id}" for member in inner_steps(one.step))
    flat = Counter(step.id for step in scope.steps)
    for step_id, count in flat.items():
        ids[step_id] = max(ids[step_id], count)
    return [
        PlanProblem(
            code="duplicate_id",
            step=step_id,
            field="id",
            message=f"{count} steps have this id",
            hint="give every step an id of its own",
        )
        for step_id, count in ids.items()
        if count > 1
    ]


def _dependencies(written: Written, scope: Scope, suggestions: Suggestions) -> Iterator[PlanProblem]:
    for need in written.step.depends_on:
        found = written.meant(need)
        if found == written.id or found in scope.within:
            yield _problem(
                "self_dependency", written.id, "depends_on", "the step depends on itself", "remove it from depends_on"
            )
        elif not written.names.knows(found):
            yield _unknown(need, written, "depends_on", suggestions)
    if isinstance(written.step, (ConditionStep, ParallelStep)):
        for field, name in _branches(written.step):
            found = written.meant(name)
            if found == written.id:
                message = "the step is a branch of itself"
                yield _problem("self_dependency", written.id, field, message, "name another step")
            elif found not in written.names.known:
                yield _unknown(name, written, field, suggestions)


def _branches(step: ConditionStep | ParallelStep) -> Iterator[tuple[str, str]]:
    if step.type == "parallel":
        yield from (("branches", name) for name in dag.branch_names(step))
    else:
        yield from (("then", one) for one in step.then if isinstance(one, str))
        yield from (("else", one) for one in step.otherwise if isinstance(one, str))


def _unknown(name: str, written: Written, field: str, suggestions: Suggestions) -> PlanProblem:
    ids = written.names.known if suggestions.are_left else ()
    known = sorted(step_id.removeprefix(written.names.root) for step_id in ids if "[" not in step_id)
    hint = suggestions.hint(name, known, "name a step of this plan")
    return _problem("unknown_dependency", written.id, field, f"no step has the id {name!r}", hint)


def _graph(scope: Scope) -> _Graph:
    """Each flat step with all that it waits for; what is not there, and the step itself, left out."""
    ids = {step.id for step in scope.steps}
    found: dict[str, frozenset[str]] = {}
    for step, uses in zip(scope.steps, scope.uses, strict=True):
        needs = frozenset(step.depends_on).union(*_steps_used(uses))
        found[step.id] = needs | _outside(scope.inner[step.id]) if step.id in scope.inner else needs
    return {step_id: (needs & ids) - {step_id} for step_id, needs in dag.with_branches(scope.steps, found).items()}


def _steps_used(uses: Iterable[Use]) -> Iterator[frozenset[str]]:
    return (use.found.steps for use in uses if isinstance(use.found, References))


def _outside(scope: Scope) -> set[str]:
    """Ids that a map's step names outside of itself."""
    found: set[str] = set()
    for step, uses in zip(scope.steps, scope.uses, strict=True):
        found.update(step.depends_on, *_steps_used(uses))
    for inner in scope.inner.values():
        found |= _outside(inner)
    return found - {step.id for step in scope.steps}


def _cycle(cycle: Sequence[str], scope: Scope) -> PlanProblem:
    owners = [scope.owner(step_id) for step_id in cycle]
    path = [one for at, one in enumerate(owners) if not at or one != owners[at - 1]]
    if path[0] != path[-1]:
        path.append(path[0])
    message = "steps wait for each other: " + " -> ".join(path)
    return _problem("cycle", path[0], "depends_on", message, "remove one of these dependencies")


def _never(found: Conflict, scope: Scope) -> PlanProblem:
    condition = scope.owner(found.condition)
    sides = [
        f"{'it' if one is None else repr(scope.owner(one))} runs only where {condition!r} is {value}"
        for one, value in ((found.if_true, "true"), (found.if_false, "false"))
    ]
    return _problem(
        "never_together",
        scope.owner(found.step),
        _field_of(found, scope),
        f"the step can never run: {sides[0]}, and {sides[1]}",
        "depend on one of the two, or set join to any_success or all_done",
    )


def _field_of(found: Conflict, scope: Scope) -> str:
    """The field that names one of the two sides, an expression rather than ``depends_on``."""
    at = next(place for place, step in enumerate(scope.steps) if step.id == found.step)
    named = {found.if_true, found.if_false} - set(scope.steps[at].depends_on)
    for use in scope.uses[at]:
        if isinstance(use.found, References) and named & use.found.steps:
            return scope.field_of(found.step, use.field)
    return "depends_on"


def _unapproved(
    scope: Scope, required: Sequence[str], approved: Collection[str], cards: Sequence[SpecialistCard]
) -> Iterator[PlanProblem]:
    steps: Mapping[str, Step] = {step.id: step for step in scope.steps}
    for step in scope.steps:
        for name in required:
            if step.type == "map" and step.id != name:
                continue  # what it repeats is looked at by itself
            if not names_step(name, step, cards):
                continue
            doing = [one for one in members(steps, step.id) if steps[one].type in ("agent", "map")]
            if all(one in approved for one in doing or [step.id]):
                continue
            yield _problem(
                "missing_approval",
                scope.owner(step.id),
                "depends_on",
                f"{name!r} may not run before a human has approved it",
                "put a human_approval step before it, and let it depend on that",
            )


def _problem(code: ProblemCode, step: str, field: str, message: str, hint: str) -> PlanProblem:
    return PlanProblem(code=code, step=step, field=field, message=message, hint=hint)
