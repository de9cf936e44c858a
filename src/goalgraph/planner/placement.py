"""Where new steps of a plan are put, and which steps cannot be taken out of it."""

from collections.abc import Collection, Iterator
from contextlib import suppress

from goalgraph.errors import PlanProblem
from goalgraph.planner import dag
from goalgraph.planner.checks.suggestions import listed
from goalgraph.planner.compilation import Compiled, compiled
from goalgraph.planner.expressions import references
from goalgraph.planner.plan import Plan, Step
from goalgraph.planner.templates import ExpressionError

__all__ = ["placed", "still_needed"]


def placed(plan: Plan, old: int) -> Plan:
    """Put the last steps of a plan right before the first ones that wait for them; where none does, leave them last.

    Args:
        plan: Any; the new steps stand at its end.
        old: How many of its steps are not new.
    """
    ids = [step.id for step in plan.steps]
    new = dict.fromkeys(ids[old:])
    if not new or not old:
        return plan
    place = {step_id: number for number, step_id in reversed(list(enumerate(ids[:old])))}
    waiting = _waiting(plan, new)
    graph = {one: frozenset(other for other in new if one in waiting[other] and one != other) for one in new}
    order = tuple(new) if dag.find_cycle(graph) else dag.order(graph)
    before: dict[str, int] = {}
    for one in reversed(order):
        before[one] = min((place.get(other, before.get(other, old)) for other in waiting[one]), default=old)
    by_id = {step.id: step for step in plan.steps[old:]}
    found = [(before[one], by_id[one]) for one in order]
    steps = [*enumerate(plan.steps[:old])]
    # Sorting is stable: new steps come before the old one of the same number, in the order that was found.
    return plan.model_copy(
        update={"steps": tuple(step for _, step in sorted([*found, *steps], key=lambda one: one[0]))}
    )


def still_needed(plan: Plan, dropped: Collection[str]) -> Iterator[PlanProblem]:
    """Find the steps that were taken out of a plan although others, or its output, still name them.

    Args:
        plan: Without them.
        dropped: Their qualified ids.
    """
    flat = compiled(plan)
    there = {step.id for step in flat.plan.steps}
    users: dict[str, dict[str, None]] = {}
    for user, needed in (*_named(flat), ("the plan's output", _of_output(flat.plan))):
        origin = flat.origins.get(user)
        for need in sorted(needed):
            if need not in there and (one := _holder(need, dropped)) is not None:
                users.setdefault(one, {})[origin.step if origin is not None else user] = None
    for step_id, names in users.items():
        yield PlanProblem(
            code="still_needed",
            step=step_id,
            field="drop",
            message=f"it is still needed by: {listed(names)}",
            hint="rewire or replace what needs it, or drop that too",
        )


def _named(flat: Compiled) -> Iterator[tuple[str, frozenset[str]]]:
    """Each flat step with all that it names."""
    for step in flat.plan.steps:
        branches = dag.branch_names(step) if step.type == "parallel" or step.type == "condition" else ()
        yield step.id, _needs(step).union(branches)


def _needs(step: Step) -> frozenset[str]:
    """What a flat step waits for by itself; what cannot be read is told by validation."""
    with suppress(ExpressionError):
        return dag.needs(step)
    return frozenset(step.depends_on)


def _of_output(plan: Plan) -> frozenset[str]:
    with suppress(ExpressionError):
        return references(plan.output).steps
    return frozenset()


def _waiting(plan: Plan, new: Collection[str]) -> dict[str, set[str]]:
    """For each new step the steps of the plan that wait for it, or inside of which one does."""
    steps = compiled(plan).plan.steps
    own = {step.id for step in plan.steps}
    found: dict[str, set[str]] = {one: set() for one in new}
    for user, needed in dag.with_branches(steps, {step.id: _needs(step) for step in steps}).items():
        who = _holder(user, own)
        for need in needed:
            one = _holder(need, found)
            if one is not None and who is not None:
                found[one].add(who)
    return found


def _holder(step_id: str, among: Collection[str]) -> str | None:
    """Which of some steps is meant by a qualified id, or holds the one that is; None where none does."""
    while step_id and step_id not in among:
        step_id = step_id.rpartition(".")[0]
    return step_id or None
