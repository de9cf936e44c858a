"""The node in front of all work: shows the plan to a human, who approves, edits or rejects it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.errors import InvalidPlan
from goalgraph.graph import events
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.approval import ApprovalPolicy, Gates
from goalgraph.graph.humans.asking import Taken, told
from goalgraph.graph.humans.markdown import code
from goalgraph.graph.humans.requests import plan_request
from goalgraph.graph.humans.review import described
from goalgraph.graph.humans.review_answers import Unchanged, read_plan_edit
from goalgraph.graph.intake import valid_plan
from goalgraph.graph.run import run_of
from goalgraph.graph.state import PlanState
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decision import Decision
from goalgraph.planner.documents import plan_data
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.patch import digest_of
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import PlanInReview, RejectedPlan
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.registry import SpecialistRegistry

__all__ = ["Review"]

_MOST_NAMES = 20

_Next = Command[Literal["decompose", "dispatch"]]


class Estimating(Protocol):
    """Says what is known of a run beforehand."""

    def __call__(self, plan: Plan, *, goal: str, inputs: Mapping[str, JsonValue]) -> Estimate:
        """Estimate a plan."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Lets no plan pass that the policy asks about and no human has approved."""

    approval: ApprovalPolicy
    registry: SpecialistRegistry
    policy: PlanPolicy
    library: PlanLibrary | None
    estimate: Estimating

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> _Next:
        """Ask until there is an answer that can be used.

        Raises:
            GraphInterrupt: There is none yet.
        """
        review = state.get("review")
        if review is None:
            raise AssertionError("no plan to review in the state after decompose")
        if digest_of(review.plan) in {digest_of(one.plan) for one in review.rejected}:
            return self._halted("the planner made a plan again that was rejected", review, config, runtime)
        estimate = self.estimate(review.plan, goal=review.goal, inputs=state.get("inputs") or {})
        if not self.approval.asks_about(review.plan, estimate):
            return Command(goto="dispatch", update={"review": None})
        problem: str | None = None
        times = 0
        while True:
            request = self._request(review, estimate, problem, times, run_of(config).id)
            found = told(request, run_of(config), runtime.stream_writer)
            if isinstance(found, Taken):
                decision = found.decision(request, RunClock()())
                if decision.chosen == "reject":
                    return self._rejected(review, decision, config, runtime)
                plan = self._edited(review.plan, decision, state) if decision.chosen == "edit" else review.plan
                if isinstance(plan, Plan):
                    update = {"plan": compile_plan(plan, self.registry.cards), "review": None, "decisions": [decision]}
                    return Command(goto="dispatch", update=update)
                problem = plan
            else:
                problem = found.message
            times += 1

    def _request(
        self, review: PlanInReview, estimate: Estimate, problem: str | None, times: int, run: str
    ) -> dict[str, Any]:
        shown = plan_data(review.plan)
        return plan_request(
            run=run,
            description=described(review.plan, estimate, goal=review.goal, cards=self.registry.cards)
            + self._later(review),
            plan=shown,
            estimate=estimate.as_json(),
            assignee=self.approval.assignee,
            problem=problem,
            asked=times,
        )

    def _later(self, review: PlanInReview) -> str:
        """Name the steps that the policy asks about again."""
        flat = compile_plan(review.plan, self.registry.cards)
        gates = Gates.of(self.approval, {step.id: step for step in flat.steps}, self.registry.cards)
        names = [code(step.id) for step in flat.steps if gates.names(step)]
        more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
        return f"\n- **Asked about again before they run:** {', '.join([*names[:_MOST_NAMES], *more])}" if names else ""

    def _edited(self, plan: Plan, decision: Decision, state: PlanState) -> Plan | str:
        """Return the plan that an edit gives, checked as any other; or what is wrong with it, in words."""
        found = read_plan_edit(cast("Mapping[str, object]", decision.answer), plan)
        if isinstance(found, Problem):
            return found.message
        if isinstance(found, Unchanged):
            return plan
        try:
            return valid_plan(found.plan, state.get("inputs") or {}, self.policy, self.registry.cards, self.library)
        except InvalidPlan as error:
            if found.document is None:
                return str(error)
            return str(InvalidPlan(found.document.located(error.problems), source=found.document.source))

    def _rejected(
        self, review: PlanInReview, decision: Decision, config: RunnableConfig, runtime: Runtime[Any]
    ) -> _Next:
        """Have another plan made, which is told what was wrong with this one; bounded."""
        reason = decision.rationale
        rejected = (*review.rejected, RejectedPlan(plan=review.plan, reason=reason))
        if review.is_given or len(rejected) >= self.approval.max_rejections:
            because = f": {reason}" if reason else ""
            return self._halted(f"the plan was rejected{because}", review, config, runtime, decision)
        again = review.model_copy(update={"rejected": rejected})
        return Command(goto="decompose", update={"plan": None, "review": again, "decisions": [decision]})

    def _halted(
        self,
        reason: str,
        review: PlanInReview,
        config: RunnableConfig,
        runtime: Runtime[Any],
        decision: Decision | None = None,
    ) -> _Next:
        """End the run before anything is done."""
        runtime.stream_writer(events.RunFinished(type="run_finished", run=run_of(config).id, status="halted"))
        answer = f"Nothing was done: {reason}."
        update = {
            "answer": answer,
            "status": "halted",
            "degraded": [reason],
            "review": None,
            "decisions": [decision] if decision is not None else [],
            "messages": [AIMessage(answer)],
        }
        return Command(goto=cast("Any", END), update=update)
