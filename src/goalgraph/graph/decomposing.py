"""The node that every run begins with: makes the plan, or takes the caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from goalgraph.errors import InvalidPlan, MissingCheckpointer
from goalgraph.graph import events
from goalgraph.graph.coordination.assigner import Before
from goalgraph.graph.humans.approval import asking_steps, gate_names
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.graph.run import Run, run_of
from goalgraph.graph.state import PlanState
from goalgraph.graph.steps.early import EarlyStart, EarlySteps
from goalgraph.logs import gate_unmatched
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import Decomposer, PlanRequest
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Step
from goalgraph.planner.proposed import with_roles
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.validation import PlanPolicy, run_problems
from goalgraph.planner.wording import title_of
from goalgraph.specialists.registry import SpecialistRegistry

__all__ = ["Decompose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decompose:
    """Makes the plan, or takes the caller's; either way only a valid one passes."""

    decomposer: Decomposer
    registry: SpecialistRegistry
    policy: PlanPolicy
    library: PlanLibrary | None
    constraints: tuple[str, ...] = ()
    """What every plan that is made must heed, in words."""
    is_reviewed: bool = False
    """Whether the plan goes to a review next."""

    early: EarlyStart | None = None
    """Lets steps begin before the plan is complete, where that is wanted."""

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> dict[str, Any]:
        """Write the plan, and clear what an earlier goal of the thread has left."""
        run = run_of(config)
        if self.is_reviewed and run.approval is not None and run.approval.plan is True and not run.is_kept:
            raise MissingCheckpointer(())
        meter = count_usage(run.accounts.ledgers)
        run.answers = ()  # which were to what was planned before
        plan, cards, goal = state.get("plan"), self.registry.cards, state.get("goal", "")
        before = state.get("review")
        rejected = before.rejected if before is not None and before.goal == goal and plan is None else ()
        is_given = plan is not None
        if rejected:
            run.accounts.recall(run.id, "", state.get("usage") or Usage())
        run.accounts.mark(run.id)
        decisions: list[Decision] = []
        inputs = state.get("inputs") or {}
        if plan is None:
            early = self.early.of(run, goal, inputs, config, Before.of(state)) if self.early is not None else None
            run.early = early
            request = PlanRequest(
                goal=goal,
                cards=cards,
                policy=self.policy,
                inputs=inputs,
                rejected=rejected,
                constraints=self.constraints,
                on_step=partial(_drafted, early, run, runtime.stream_writer),
                on_decision=decisions.append,
            )
            plan = await self.decomposer.decompose(request)
            if early is not None:
                early.keep(frozenset(step.id for step in plan.steps))
        if plan is not run.checked:
            if self.library is not None:
                plan = expand_plans(plan, self.library)
            if problems := run_problems(plan, self.policy, cards, inputs):
                raise InvalidPlan(problems)
        flat = compile_plan(plan, cards)
        if run.approval is not None and run.approval.steps:
            known = frozenset(gate_names(flat, with_roles(cards, flat)))
            for name in (one for one in run.approval.steps if isinstance(one, str) and one not in known):
                gate_unmatched(run.id, name)
        if not run.is_kept and (asking := asking_steps(flat, run.approval, cards)):
            raise MissingCheckpointer(asking)
        review = PlanInReview(goal=goal, plan=plan, is_given=is_given, rejected=rejected) if self.is_reviewed else None
        return {
            "plan": flat,
            "started_at": datetime.now(UTC).isoformat(),
            "outcomes": Overwrite(value={}),
            "usage": (state.get("usage") or Usage()) + meter.usage if rejected else meter.usage,
            "answer": None,
            "structured_response": None,
            "sources": [],
            "status": None,
            "degraded": [],
            "metrics": None,
            "signals": [],
            **({"carried": []} if state.get("carried") else {}),
            **({"assigned": {}} if state.get("assigned") else {}),
            "decisions": decisions if rejected else Overwrite(value=decisions),
            **({"review": review} if review is not None else {}),
        }


def _drafted(early: EarlySteps | None, run: Run, tell: Callable[[Any], None], step: Step, draft: int) -> None:
    """Say that a step was drafted, and begin it where that is wanted and possible."""
    begun = early is not None and early.begin(step)
    tell(
        events.StepDrafted(
            type="step_drafted",
            run=run.id,
            step=step.id,
            title=title_of(step),
            needs=list(step.depends_on),
            draft=draft,
            early=begun,
        )
    )
