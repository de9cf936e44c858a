"""What a revision may not do to steps behind approvals, nor let their specialists do elsewhere."""

from collections.abc import Iterator

from goalgraph.errors import PlanProblem
from goalgraph.planner.approvals import agent_steps, asks_a_human, doers, names_step
from goalgraph.planner.checks.change import Change, differing, problem
from goalgraph.planner.checks.suggestions import listed
from goalgraph.planner.gates import Layout, is_gate
from goalgraph.planner.plan import Step

__all__ = ["gated_problems"]

_ASK = "let it wait for a human_approval that you add"
_FREE = ("depends_on", "timeout", "retry", "concurrency")
_FREE_OF_GROUPS = (*_FREE, "branches", "then", "otherwise")


def gated_problems(change: Change) -> Iterator[PlanProblem]:
    """Find gated steps that are changed or done again, and gated specialists that are let loose."""
    told: set[str] = set()
    for step, new in change.kept():
        if not is_gate(step) and change.is_gated(step.id) and (found := _of_gated(step, new, change)) is not None:
            told.add(step.id)
            yield found
    for step in change.new.steps.values():
        if step.id not in change.settled and step.id not in told:
            yield from _let_loose(step, change)
    yield from _swapped(change)


def _of_gated(step: Step, new: Step, change: Change) -> PlanProblem | None:
    if change.status(step.id) in ("failed", "cancelled"):
        if step.id not in change.redone or step.id in change.asked:
            return None
        if not change.is_approved(step.id) or change.open_approvals(step.id) - change.old.steps.keys():
            return None
        message = "it began after its approval, which was for once; it may not be done again without another"
        return problem("approval_used", step.id, "depends_on", message, _ASK)
    fields = differing(step, new, *(_FREE_OF_GROUPS if step.type in ("parallel", "condition") else _FREE))
    if lost := (set(step.depends_on) & change.new.steps.keys()) - set(new.depends_on):
        fields.append("depends_on")
    if not fields:
        return None
    message = f"it runs only after an approval, and may not be changed in: {listed(fields)}"
    hint = f"let it still wait for: {listed(sorted(lost))}" if lost else "add another step, behind another gate"
    return problem("gated_step_changed", step.id, fields[0], message, hint)


def _let_loose(step: Step, change: Change) -> Iterator[PlanProblem]:
    """Look at who does a step that is new, or another than it was."""
    old = change.old.steps.get(step.id)
    if old is not None and not differing(old, step, *_FREE):
        return
    if change.open_approvals(step.id) or step.id in change.asked:
        return
    for name in sorted(_free_doers(step, change.new, change)):
        message = f"the specialist {name!r} has been used only after an approval, this step runs without a new one"
        yield problem("ungated_specialist", step.id, "agent", message, _ASK)


def _free_doers(step: Step, layout: Layout, change: Change) -> set[str]:
    """Gated specialists that a step, or one that it repeats, may use although nobody is asked any more."""
    if step.id in layout.inner:
        within = layout.inner[step.id]
        return {
            name
            for one in within.steps.values()
            if not any(asks_a_human(within.steps[gate]) for gate in within.before[one.id])
            for name in _free_doers(one, within, change)
        }
    return {
        name
        for agent in agent_steps(step)
        if not any(names_step(asked, agent, change.cards) for asked in change.names)
        for name in doers(agent, change.cards) & change.guarded
    }


def _swapped(change: Change) -> Iterator[PlanProblem]:
    """Find steps that a human has seen the result of, before saying yes to another that will use a new one."""
    for gate in sorted(change.old.gates & change.settled.keys()):
        if change.status(gate) != "succeeded" or change.old.steps[gate].type != "human_approval":
            continue
        for step_id in sorted((change.old.ancestors[gate] & change.new.steps.keys()) - change.settled.keys()):
            if change.old.steps[step_id] == change.new.steps[step_id] and step_id not in change.redone:
                continue
            if users := [one for one in _after(step_id, change) if gate in change.new.before[one]]:
                message = f"{gate!r} was approved after it, and what is behind that would use it: {listed(users)}"
                yield problem("judged_step_changed", step_id, "replace", message, "add a step, behind a new gate")


def _after(step_id: str, change: Change) -> list[str]:
    """Ids of the steps that what a step comes to can still reach."""
    found = {step_id}
    for one in change.new.order:
        if one not in change.settled and change.new.graph[one] & found:
            found.add(one)
    return sorted(found - {step_id})
