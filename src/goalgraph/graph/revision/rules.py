"""What holds for all revisions of an agent's runs: when one is due, what it may change, what the reviser is told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from pydantic import JsonValue

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.coordination.consequences import is_ruling
from goalgraph.graph.policies import RevisionPolicy
from goalgraph.graph.revision.triggers import Due, Judged, due, halting, spent
from goalgraph.graph.state import PlanState
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.gates import is_gate
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan
from goalgraph.planner.proposed import roles_of, with_roles
from goalgraph.planner.reviser import RevisionRequest
from goalgraph.planner.revision import guarded_specialists, revised
from goalgraph.planner.signals import BLOCKER
from goalgraph.planner.validation import PlanPolicy

__all__ = ["Rules", "Stand", "stand_of", "unrevised"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a run stands."""

    goal: str
    inputs: Mapping[str, JsonValue]
    plan: Plan
    """Flat."""
    outcomes: Mapping[str, Outcome]
    decisions: Sequence[Decision]
    at_work: Collection[str] = ()
    """Ids of steps that are being done."""
    judged: Judged | None = None
    """What was found of outcomes before; added to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """An agent's revisions."""

    policy: RevisionPolicy
    cards: tuple[SpecialistCard, ...]
    plan_policy: PlanPolicy
    asked: tuple[str, ...]
    """Steps, specialists and capabilities that the approval policy names."""
    min_confidence: float | None
    at_limit: Literal["ask", "accept", "abort"]

    def due(self, stand: Stand) -> tuple[Due, ...]:
        """Find what calls for a revision that there was none for yet, in plan order; nothing in a halted run."""
        if self.halting(stand.plan, stand.outcomes, stand.inputs):
            return ()
        return due(
            stand.plan,
            stand.outcomes,
            stand.decisions,
            self.policy,
            inputs=stand.inputs,
            min_confidence=self.min_confidence,
            judged=stand.judged,
        )

    def halting(self, plan: Plan, outcomes: Mapping[str, Outcome], inputs: Mapping[str, JsonValue]) -> tuple[str, ...]:
        """Return the ids of the steps that halt the run; see `halting`."""
        if not any(outcome.signals and BLOCKER in outcome.signals for outcome in outcomes.values()):
            return ()
        steps = {step.id: step for step in plan.steps}
        given = {**plan.inputs, **inputs}
        return halting(steps, outcomes, self.policy, inputs=given, min_confidence=self.min_confidence)

    def pressing(self, stand: Stand) -> tuple[Due, ...]:
        """Find what holds up the steps that wait: not what is only to be put on record, since nothing is done of it."""
        if self.at_limit != "accept":
            return self.due(stand)
        if spent(stand.decisions).exhausted(self.policy):
            return ()
        return tuple(one for one in self.due(stand) if not one.is_direct)

    def changed(self, stand: Stand, patch: PlanPatch) -> Plan:
        """Return the plan with a change made.

        Raises:
            InvalidPlan: The change may not be made; all problems at once.
        """
        return revised(
            stand.plan,
            patch,
            outcomes=stand.outcomes,
            at_work=[*stand.at_work, *_asked_now(stand)],
            policy=self.plan_policy,
            cards=self.cards,
            inputs=stand.inputs,
            asked=self.asked,
            guarded=_guarded(stand.decisions),
        )

    def guarded(self, stand: Stand) -> frozenset[str]:
        """Return the specialists that this plan of the run, and those before, use only behind approvals."""
        return guarded_specialists(stand.plan, self.cards, self.asked) | _guarded(stand.decisions)

    def request(self, stand: Stand, one: Due) -> RevisionRequest:
        """Return what the reviser is told."""
        kinds = ("revision", "escalation")
        history = tuple(one for one in stand.decisions if one.kind in kinds and not is_ruling(one))
        policy = self.plan_policy
        if policy.available is not None:
            policy = replace(policy, available=policy.available | {role.name for role in roles_of(stand.plan)})
        return RevisionRequest(
            goal=stand.goal,
            plan=stand.plan,
            outcomes=stand.outcomes,
            trigger=one.trigger,
            cards=with_roles(self.cards, stand.plan),
            check=partial(self._problems, stand),
            policy=policy,
            inputs=stand.inputs,
            at_work=frozenset(stand.at_work),
            history=history,
            guidance=_guidance(history),
        )

    def _problems(self, stand: Stand, patch: PlanPatch) -> tuple[PlanProblem, ...]:
        try:
            self.changed(stand, patch)
        except InvalidPlan as error:
            return tuple(error.problems)
        return ()


def stand_of(state: PlanState, judged: Judged | None = None) -> Stand:
    """Return where a run stands by its state."""
    plan = state.get("plan")
    if plan is None:
        raise AssertionError("no plan in the state after decompose")
    return Stand(
        goal=state.get("goal", ""),
        inputs=state.get("inputs") or {},
        plan=plan,
        outcomes=state.get("outcomes") or {},
        decisions=state.get("decisions") or (),
        judged=judged,
    )


def unrevised(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Say which steps stayed as they were because no revision was left, or because the human they ask for is not."""
    found = [one for one in decisions if one.kind == "escalation" and one.chosen == "accept" and not is_ruling(one)]
    # What has asked for a human, and was looked at by one, is as it should be.
    found = [one for one in found if not (isinstance(one.answer, dict) and one.answer.get("human"))]
    return tuple(f"step {one.subject!r} was not revised: {one.rationale}" for one in found)


def _asked_now(stand: Stand) -> list[str]:
    """Gates whose turn has come: what is put behind them now, whoever is asked has not seen."""
    index = PlanIndex.of(stand.plan)
    return [
        step.id
        for step in stand.plan.steps
        if is_gate(step) and step.id not in stand.outcomes and stand.outcomes.keys() >= set(index.awaited(step.id))
    ]


def _guarded(decisions: Iterable[Decision]) -> frozenset[str]:
    """Specialists that earlier plans of a run used only behind approvals."""
    answers = [one.answer for one in decisions if one.kind == "revision" and isinstance(one.answer, dict)]
    listed = [answer["guarded"] for answer in answers if isinstance(answer.get("guarded"), list)]
    return frozenset(str(name) for names in listed if isinstance(names, list) for name in names)


def _guidance(history: Sequence[Decision]) -> str:
    """What a human said last, where the reviser has not been told yet."""
    last = next((one for one in reversed(history) if one.kind == "escalation" or one.digest), None)
    return last.rationale if last is not None and last.chosen == "guide" else ""
