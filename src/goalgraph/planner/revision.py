"""Changing a plan that runs: the one place where a patch becomes a plan, or is refused."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.change import Change, asked_steps, guarded_in, settled_steps
from goalgraph.planner.checks.revision_checks import dropped_problems, revision_problems
from goalgraph.planner.checks.scopes import size_of
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.gates import Layout
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.patch import PlanPatch, apply_patch, digest_of
from goalgraph.planner.plan import Plan
from goalgraph.planner.validation import PlanPolicy, missing_inputs, run_problems, validate_plan

__all__ = ["guarded_specialists", "no_progress", "revised"]


def revised(
    plan: Plan,
    patch: PlanPatch,
    *,
    outcomes: Mapping[str, Outcome],
    at_work: Collection[str],
    policy: PlanPolicy,
    cards: Iterable[SpecialistCard],
    inputs: Mapping[str, JsonValue],
    asked: Collection[str] = (),
    guarded: Collection[str] = (),
) -> Plan:
    """Return the flat plan that a patch makes of one that runs.

    What is done or under way stays as it is. No gate (a step that waits for a human or an event) is dropped, changed,
    put elsewhere, or led around, and an answer to one counts for what it was given for, once. What the plan had wrong
    before is not held against the patch.

    Args:
        plan: As it runs: flat, with qualified ids.
        patch: The changes.
        outcomes: What is recorded so far, by step.
        at_work: Ids of steps that are under way, and of gates that somebody is asked about right now.
        policy: What is demanded of any plan of the run.
        cards: The specialists there are.
        inputs: The run's.
        asked: Ids, specialists and capabilities that the caller's approval policy names: in front of such a step the
            engine asks anyway.
        guarded: Specialists that earlier plans of the run used only behind approvals; see `guarded_specialists`.
            Without them, a gated step may be dropped in one revision, and its specialist come back in the next.

    Raises:
        InvalidPlan: The patch is refused; the error carries every problem. Beside the codes of `apply_patch` and
            `validate_plan` there are ``finished_step``, ``step_at_work``, ``gate_dropped``, ``gate_changed``,
            ``gate_reordered``, ``gate_bypassed``, ``gated_step_changed``, ``approval_used``, ``judged_step_changed``,
            ``ungated_specialist``, ``condition_changed`` and ``limit_raised``.
    """
    cards = tuple(cards)
    steps = {step.id: step for step in plan.steps}
    problems = list(dropped_problems(steps, patch, settled_steps(steps, outcomes, at_work)))
    try:
        changed = compile_plan(apply_patch(plan, patch), cards)
    except InvalidPlan as error:
        raise InvalidPlan(dict.fromkeys((*problems, *error.problems)), source="the revision") from None
    change = Change.of(plan, changed, outcomes=outcomes, at_work=at_work, cards=cards, asked=asked, guarded=guarded)
    problems += revision_problems(change) if change is not None else ()
    problems += _new_problems(plan, changed, policy, cards, inputs)
    if problems:
        raise InvalidPlan(dict.fromkeys(problems), source="the revision")
    return changed


def guarded_specialists(plan: Plan, cards: Iterable[SpecialistCard], asked: Collection[str] = ()) -> frozenset[str]:
    """Return the names of the specialists that a flat plan uses, and only where a human has said yes before.

    What is guarded once stays so for the whole run: collect it over all of the run's plans, and give it to `revised`.

    Args:
        plan: Flat and valid.
        cards: The specialists there are.
        asked: What the caller's approval policy names.
    """
    cards = tuple(cards)
    layout = Layout.of(plan.steps, cards)
    return guarded_in(layout, cards, asked_steps(layout.steps, asked, cards)) if layout is not None else frozenset()


def no_progress(changed: Plan, earlier: Collection[str]) -> bool:
    """Whether a revision leads back to a plan that the run has had.

    Args:
        changed: What `revised` has returned.
        earlier: Digests of the run's plans, flat, the present one among them.
    """
    return digest_of(changed) in earlier


def _new_problems(
    plan: Plan, changed: Plan, policy: PlanPolicy, cards: Sequence[SpecialistCard], inputs: Mapping[str, JsonValue]
) -> list[PlanProblem]:
    """Find what is wrong with a changed plan and was not wrong before."""
    # A flat plan may have more steps than the one that was written, and checked, had.
    size = size_of(plan, enough=10 * policy.max_steps + len(plan.steps)).steps
    policy = replace(policy, max_steps=max(policy.max_steps, size))
    if not run_problems(changed, policy, cards, inputs):
        return []
    before = {*validate_plan(plan, policy, cards), *missing_inputs(plan, inputs)}
    found = (*validate_plan(changed, policy, cards), *missing_inputs(changed, inputs))
    # A guardrail may name by its id a step that was dropped.
    return [one for one in found if one not in before and (one.code, one.step) != ("unknown_reference", None)]
