"""What a revision may not do to gates: take them away, change them, put them elsewhere, or lead steps around them."""

from collections.abc import Iterator

from goalgraph.errors import PlanProblem
from goalgraph.planner import dag
from goalgraph.planner.checks.change import Change, differing, problem
from goalgraph.planner.checks.suggestions import listed
from goalgraph.planner.gates import is_gate
from goalgraph.planner.plan import ConditionStep, Step

__all__ = ["gate_problems"]

_KEEP = "leave it as it is, and add steps of your own"


def gate_problems(change: Change) -> Iterator[PlanProblem]:
    """Find what happens to the gates of the old plan, to what leads to them, and to the steps behind them."""
    for step_id, step in change.old.steps.items():
        new = change.new.steps.get(step_id)
        if is_gate(step):
            found = _of_gate(step, new, change)
            still = change.old.ancestors[step_id] & change.new.steps.keys()
            lost = still.difference(change.new.ancestors.get(step_id, ()))
            if found is None and lost:
                found = _reordered(step_id, f"would no longer wait for: {listed(sorted(lost))}")
            if found is not None:
                yield found
        elif step_id in change.old.inner and any(one.gates for one in change.old.inner[step_id].everywhere()):
            yield from _of_map(step, new, change)
    yield from _bypasses(change)
    yield from _conditions(change)


def _of_gate(step: Step, new: Step | None, change: Change) -> PlanProblem | None:
    if new is None:
        message = "it waits for a human or an event, and may not be taken out of the plan"
        return problem("gate_dropped", step.id, "drop", message, _KEEP)
    is_answered = step.id in change.settled or change.status(step.id) == "failed"
    fields = differing(step, new, *(() if is_answered else ("depends_on",)))
    if fields:
        state = ", and is answered" if is_answered else ""
        message = f"it waits for a human or an event{state}: it may not be changed in: {listed(fields)}"
        return problem("gate_changed", step.id, fields[0], message, _KEEP)
    guards = set(change.old.guards.get(step.id, ())) ^ set(change.new.guards.get(step.id, ()))
    if there := [guard for guard, _ in guards if guard in change.new.steps]:
        message = f"it is put into, or taken out of, a branch of: {listed(sorted(there))}"
        return problem("gate_changed", step.id, "depends_on", message, "leave it where it is")
    before, after = set(step.depends_on) & change.new.steps.keys(), set(new.depends_on)
    if not before <= after:
        return _reordered(step.id, f"would no longer wait for: {listed(sorted(before - after))}")
    if step.join == "any_success" and not after <= before:
        return _reordered(step.id, f"would come as soon as one of these succeeds: {listed(sorted(after - before))}")
    return None


def _reordered(step_id: str, message: str) -> PlanProblem:
    hint = "let it wait for all that it waited for; what it waits for may be replaced where that failed"
    return problem("gate_reordered", step_id, "depends_on", f"the gate {message}", hint)


def _of_map(step: Step, new: Step | None, change: Change) -> Iterator[PlanProblem]:
    """Look at a map that asks for each of its items."""
    if step.id in change.settled and new is not None:
        return
    if new is None:
        message = "its items wait for a human or an event, so that it may not be taken out of the plan"
        yield problem("gate_dropped", step.id, "drop", message, _KEEP)
    elif fields := [name for name in differing(step, new) if name in ("type", "over", "as", "step", "when", "join")]:
        message = f"its items wait for a human or an event: it may not be changed in: {listed(fields)}"
        yield problem("gate_changed", step.id, fields[0], message, _KEEP)


def _bypasses(change: Change) -> Iterator[PlanProblem]:
    """Find steps that could run now without what they could not run without."""
    for step, new in change.kept():
        step_id = step.id
        before = change.old.before[step_id]
        there = before & change.new.steps.keys()  # what is dropped is told of by itself
        if lost := there - change.new.before[step_id]:
            message = f"it could run without: {listed(sorted(lost))}"
        elif there == before and step_id in change.old.approved and step_id not in change.new.approved:
            message = "it could run before a human has approved anything"
        elif step_id in change.asked_before and step_id not in change.asked:
            message = "a human would no longer be asked about it"
        else:
            continue
        field = "join" if step.join != new.join else "depends_on"
        yield problem("gate_bypassed", step_id, field, message, "let it wait for all of these, with join all_success")


def _conditions(change: Change) -> Iterator[PlanProblem]:
    """Look at the conditions that decide whether gates, and steps behind them, come at all."""
    guarded = [
        step_id
        for step_id, step in change.old.steps.items()
        if step_id not in change.settled
        and (is_gate(step) or (step_id in change.new.steps and change.is_gated(step_id)))
    ]
    deciding = frozenset[str]().union(*(change.old.ancestors[step_id] for step_id in guarded))
    for step_id, step in change.old.steps.items():
        if step.type != "condition" or step_id not in deciding or step_id in change.settled:
            continue
        new = change.new.steps.get(step_id)
        if new is None:
            fields, field = ["drop"], "drop"
        else:
            fields = differing(step, new, "depends_on", "then", "otherwise")
            fields += [] if new.type != "condition" else _moved(step, new, change)
            field = fields[0] if fields else ""
        if fields:
            message = f"it decides whether a gate or a gated step comes; it may not be changed in: {listed(fields)}"
            yield problem("condition_changed", step_id, field, message, "add a condition of your own after it")


def _moved(step: ConditionStep, new: ConditionStep, change: Change) -> list[str]:
    """Names of the fields that lack something which is still there."""
    there = change.new.steps.keys()
    rows = [("then", step.then, new.then), ("else", step.otherwise, new.otherwise)]
    found = [name for name, before, after in rows if not {str(one) for one in before} & there <= {*map(str, after)}]
    return found + (["depends_on"] if not dag.needs(step) & there <= dag.needs(new) else [])
