"""Who does a step, where a hook names somebody else: among those there are, and past no approval."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from goalgraph.graph.humans.approval import Gates
from goalgraph.planner.approvals import asks_a_human, names_step
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.change import asked_steps, guarded_in
from goalgraph.planner.decision import Decision
from goalgraph.planner.gates import Layout
from goalgraph.planner.plan import AgentStep, ApprovalGuardrail, Plan
from goalgraph.planner.validation import PlanPolicy

__all__ = ["Reassigning", "done_by"]

_ITEM = re.compile(r"\[[0-9]+\]")
_MOST_NAMED = 10


def done_by(step: AgentStep, chain: Sequence[str]) -> AgentStep:
    """Return a step as it is done by somebody else, for rules that name specialists."""
    return step.model_copy(update={"agent": chain[0], "fallback": tuple(chain[1:])})


@dataclass(slots=True, kw_only=True)
class Reassigning:
    """What holds for the specialists that hooks name, with the latest plan as it is looked through for it."""

    cards: tuple[SpecialistCard, ...]
    policy: PlanPolicy
    _plan: Plan | None = None
    _layout: Layout | None = None
    _guarded: frozenset[str] = field(default=frozenset())

    def refusal(
        self,
        name: object,
        step: AgentStep,
        chain: Sequence[str],
        *,
        plan: Plan,
        gates: Gates | None,
        decisions: Sequence[Decision] = (),
    ) -> str:
        """Say why a specialist may not do a step; empty where it may.

        A specialist that a rule (the policy's, a guardrail of the plan's, or the plan itself: so far the run has used
        it only behind approvals) wants a human asked about may do only what is behind an approval, or is asked about
        because the approval policy names it.

        Args:
            name: What a hook has returned.
            step: As the plan has it.
            chain: Who does it by the plan; each of these may.
            plan: Flat.
            gates: What the approval policy asks about.
            decisions: Of the run so far.
        """
        if not isinstance(name, str):
            return f"expected the name of a specialist, found {name!r:.200}"
        if name in chain:
            return ""
        known = [card.name for card in self.cards]
        if name not in known:
            more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
            return f"there is no specialist {name!r:.200}; there are: {', '.join(known[:_MOST_NAMED])}{more}"
        if self.policy.available is not None and name not in self.policy.available:
            return f"PlanningPolicy.available does not allow {name!r}"
        self._look_through(plan, gates)
        changed = done_by(step, (name,))
        if not (self._is_guarded(name, decisions) or any(names_step(one, changed, self.cards) for one in self._rules)):
            return ""
        if self._is_approved(step.id) or (gates is not None and _asks(gates, changed)):
            return ""
        return f"{name!r} may not work before a human has approved it, and no approval is in front of this step"

    @property
    def _rules(self) -> Iterator[str]:
        """Names that approvals are required for, where the plan, or the policy for all plans, says so."""
        yield from self.policy.require_approval - {"*"}
        for one in self._plan.coordinator.guardrails if self._plan is not None else ():
            if isinstance(one, ApprovalGuardrail):
                yield from one.require_for

    def _look_through(self, plan: Plan, gates: Gates | None) -> None:
        if plan is self._plan:
            return
        self._plan, self._layout = plan, Layout.of(plan.steps, self.cards)
        if self._layout is not None:
            asked = [one for one in gates.policy.steps if isinstance(one, str)] if gates is not None else []
            self._guarded = guarded_in(self._layout, self.cards, asked_steps(self._layout.steps, asked, self.cards))

    def _is_guarded(self, name: str, decisions: Sequence[Decision]) -> bool:
        """Whether this plan of the run, and those before, use a specialist only behind approvals."""
        answers = (one.answer for one in decisions if one.kind == "revision" and isinstance(one.answer, dict))
        earlier = (listed for answer in answers if isinstance(listed := answer.get("guarded"), list))
        return name in self._guarded or any(name in listed for listed in earlier)

    def _is_approved(self, step_id: str) -> bool:
        """Whether a human has said yes to something before a step began, or before the map did that repeats it."""
        plain = _ITEM.sub("[*]", step_id)
        ids = [plain, *(plain[: found.start()] for found in re.finditer(re.escape("[*]"), plain))]
        return self._layout is not None and any(
            one in layout.approved or any(asks_a_human(layout.steps[gate]) for gate in layout.approvals(one))
            for layout in self._layout.everywhere()
            for one in ids
            if one in layout.steps
        )


def _asks(gates: Gates, step: AgentStep) -> bool:
    """Whether a human is asked about a step because of who does it, and nothing is done without an answer."""
    policy = gates.policy
    return gates.names(step) and (policy.deadline is None or policy.on_timeout != "approve")
