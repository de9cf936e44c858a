"""What a revision may not do to a plan that runs: change what is done or under way, get around gates, raise limits."""

from collections.abc import Iterator, Mapping

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.approvals import members
from goalgraph.planner.checks.change import Change, differing, problem
from goalgraph.planner.checks.gate_checks import gate_problems
from goalgraph.planner.checks.gated_checks import gated_problems
from goalgraph.planner.checks.suggestions import listed
from goalgraph.planner.gates import is_gate
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import ParallelStep, Step

__all__ = ["dropped_problems", "revision_problems"]

_STATES: dict[ProblemCode, str] = {"finished_step": "it is over", "step_at_work": "it is being done"}


def dropped_problems(
    steps: Mapping[str, Step], patch: PlanPatch, settled: Mapping[str, ProblemCode]
) -> Iterator[PlanProblem]:
    """Find what a patch may not drop, whether it can be applied or not.

    Args:
        steps: Of the flat plan.
        patch: The changes.
        settled: See `settled_steps`.
    """
    for step_id in patch.drop:
        if step_id in steps and is_gate(steps[step_id]):
            message = "it waits for a human or an event, and may not be taken out of the plan"
            yield problem("gate_dropped", step_id, "drop", message, "leave it as it is, and add steps of your own")
        elif step_id in settled:
            yield _settled(step_id, "drop", "may not be taken out of the plan", settled)


def revision_problems(change: Change) -> Iterator[PlanProblem]:
    """Find all that a revision may not do, as far as it is about what the plan was before."""
    for step_id in change.settled:
        step, new = change.old.steps[step_id], change.new.steps.get(step_id)
        if new is None or is_gate(step):
            continue  # told of what is dropped, and of gates
        fields = differing(step, new)
        if not fields and set(change.old.guards.get(step_id, ())) != set(change.new.guards.get(step_id, ())):
            fields = ["depends_on"]
        if fields:
            yield _settled(step_id, fields[0], f"may not be changed in: {listed(fields)}", change.settled)
    yield from gate_problems(change)
    yield from gated_problems(change)
    for step, new in change.kept():
        if step.type == new.type:
            yield from _raised(step, new)
    for step in change.old.steps.values():
        if step.type == "parallel" and step.id not in change.settled:
            yield from _freed(step, change)


def _settled(step_id: str, field: str, message: str, settled: Mapping[str, ProblemCode]) -> PlanProblem:
    code = settled[step_id]
    hint = "add steps that use its result" if code == "finished_step" else "leave it, and add steps of your own"
    return problem(code, step_id, field, f"{_STATES[code]}, and {message}", hint)


def _raised(step: Step, new: Step) -> Iterator[PlanProblem]:
    """Find limits of a step that are raised or taken away."""
    for name in ("timeout", "concurrency"):
        before: float | None = getattr(step, name, None)
        after: float | None = getattr(new, name, None)
        if before is not None and (after is None or after > before) and not is_gate(step):
            yield _limit(step.id, name, f"it is at most {before:g}, found {after!r}", f"keep {before:g}, or less")
    if step.type == "agent" and new.type == "agent" and step.retry is not None and new.retry is not None:
        most, wanted = step.retry.max_attempts, new.retry.max_attempts
        if wanted > most:
            message = f"there are at most {most} attempts, found {wanted}"
            yield _limit(step.id, "retry", message, f"keep {most}, or less")


def _freed(step: ParallelStep, change: Change) -> Iterator[PlanProblem]:
    """Find steps that would no longer be under the limits of their group."""
    if step.timeout is None and step.concurrency is None:
        return
    there = {
        one for one in members(change.old.steps, step.id) if one in change.new.steps and one not in change.settled
    } - {step.id}
    if freed := there.difference(members(change.new.steps, step.id)):
        message = f"its limits would no longer hold for: {listed(sorted(freed))}"
        yield _limit(step.id, "branches", message, "leave them in the group, or drop them")


def _limit(step_id: str, field: str, message: str, hint: str) -> PlanProblem:
    return problem("limit_raised", step_id, field, message, hint)
