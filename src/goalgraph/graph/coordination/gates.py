"""Whom work may not be delegated to: everybody in front of whom a human is asked, by whatever rule."""

from collections.abc import Mapping, Sequence

from goalgraph.graph.humans.approval import ApprovalPolicy, Gates, Proposal
from goalgraph.planner.approvals import agent_steps, doers
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.gates import Layout
from goalgraph.planner.plan import ApprovalGuardrail, Plan, Step
from goalgraph.planner.validation import PlanPolicy

__all__ = ["approved_first", "is_proposed", "unnamed_around"]


def approved_first(
    plan: Plan, cards: Sequence[SpecialistCard], approval: ApprovalPolicy, policy: PlanPolicy
) -> frozenset[str]:
    """Names of all specialists of whom anything says that a human is asked before they work.

    A name of theirs, or of what they can do, in the approval policy, the plan policy, or a guardrail of the plan; and
    each step that they may do and that stands behind an approval in the plan, whoever has put it there, or comes after
    a step that the policy names.

    Args:
        plan: Flat.
        cards: The specialists, the plan's roles among them.
        approval: Of the agent.
        policy: What plans must hold.
    """
    named = {one for one in approval.steps if isinstance(one, str)} | policy.require_approval
    for guardrail in plan.coordinator.guardrails:
        if isinstance(guardrail, ApprovalGuardrail):
            named |= {*guardrail.require_for}
    found = {card.name for card in cards if card.name in named or named.intersection(card.capabilities)}
    layout = Layout.of(plan.steps, cards)
    if layout is None:
        return frozenset(card.name for card in cards)
    gates = Gates.of(approval, {step.id: step for step in plan.steps}, cards)
    for one in layout.everywhere():
        asked = {
            step_id for step_id, step in one.steps.items() if gates.names(step) or step_id.replace("[*]", "") in named
        }
        for step_id, step in one.steps.items():
            is_after = bool(asked and (step_id in asked or asked & one.ancestors[step_id]))
            if is_after or step_id in one.approved or one.approvals(step_id):
                for work in agent_steps(step):
                    found |= doers(work, cards)
    return frozenset(found)


def is_proposed(proposal: Proposal, step: str, approval: ApprovalPolicy) -> bool:
    """Whether a function of the policy has a human asked before such work, or fails to say.

    Args:
        proposal: The work, under an id of its own.
        step: Id of the step that it is done in; functions may go by that.
        approval: The policy.
    """
    ids = (proposal.step, step)
    for predicate in approval.steps:
        if isinstance(predicate, str):
            continue
        for one in ids:
            seen = Proposal(
                step=one,
                specialists=proposal.specialists,
                capabilities=proposal.capabilities,
                instruction=proposal.instruction,
                input=proposal.input,
            )
            try:
                if predicate(seen):
                    return True
            except Exception:
                return True
    return False


def unnamed_around(step_id: str, name: str, steps: Mapping[str, Step], cards: Sequence[SpecialistCard]) -> str | None:
    """Return the sub-plan around a step that has no step of a specialist; None where all of them have one.

    A flat plan does not say any more what the guardrails of the plans inside of it ask for, where no step was concerned
    by them. But a step of the specialist's that stands there without an approval says that they do not ask for it.

    Args:
        step_id: Of the step that delegates.
        name: Of the specialist.
        steps: Of the flat plan, with those of the items of maps, by id.
        cards: The specialists, the plan's roles among them.
    """
    places = [place for place, letter in enumerate(step_id) if letter == "."]
    for place in places:
        prefix = step_id[: place + 1]
        if f"{prefix}input" not in steps:  # what a sub-plan is given
            continue
        inside = (step for one, step in steps.items() if one.startswith(prefix))
        if not any(name in doers(work, cards) for step in inside for work in agent_steps(step)):
            return prefix[:-1]
    return None
