"""What an agent tells before anything runs: the plan that a goal would begin with, and what a plan takes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from goalgraph.graph.intake import valid_plan
from goalgraph.graph.loop import finish
from goalgraph.graph.planning import drafted, estimated, request_of
from goalgraph.graph.policies import ExecutionPolicy, Limits, PlanningPolicy
from goalgraph.planner.alternatives import BestOf
from goalgraph.planner.decision import Decision
from goalgraph.planner.decomposer import Decomposer
from goalgraph.planner.estimate import Estimate
from goalgraph.planner.expansion import expand_plans
from goalgraph.planner.history import History
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.plan import Plan
from goalgraph.planner.prices import Price
from goalgraph.planner.validation import PlanPolicy, checked
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.roles import RoleMaker
from goalgraph.synthesis import Synthesizer

__all__ = ["Foresight"]


class Foresight:
    """An agent, as far as it plans and estimates without running anything."""

    registry: SpecialistRegistry
    decomposer: Decomposer
    synthesizer: Synthesizer
    execution: ExecutionPolicy
    planning: PlanningPolicy
    limits: Limits
    roles: RoleMaker | None
    library: PlanLibrary | None
    history: History | None
    prices: Mapping[str, Price] | None

    @property
    def policy(self) -> PlanPolicy:
        """What every plan of the agent's must hold, whoever wrote it."""
        policy = self.planning.of(self.limits)
        return policy if self.roles is None else self.roles.policy(policy)

    def check_plan(
        self, plan: Plan | Mapping[str, object] | str | Path, *, inputs: Mapping[str, JsonValue] | None = None
    ) -> Plan:
        """Read a plan and check it as a run of it would, and run nothing.

        Args:
            plan: A plan, a mapping, the path or text of a YAML or JSON document, or an alias in the library.
            inputs: Of the run; what the plan needs and neither has nor is given is a problem.

        Returns:
            The plan as it is written, saved plans in their places in it.

        Raises:
            InvalidPlan: It has problems, all at once; with line and column where it comes from a document.
            UnknownPlan: The library has no plan of that alias.
        """
        return valid_plan(plan, inputs or {}, self.policy, self.registry.cards, self.library)

    async def aplan(
        self,
        goal: str,
        *,
        inputs: Mapping[str, JsonValue] | None = None,
        constraints: Sequence[str] = (),
        alternatives: int = 1,
        history: History | None = None,
        prices: Mapping[str, Price] | None = None,
        on_decision: Callable[[Decision], None] | None = None,
    ) -> Plan:
        """Make the plan that a run of this goal would begin with, and run nothing; see `generate_plan`.

        Save it, edit it, and run it later: ``agent.invoke({"goal": ..., "plan": plan})``.

        Raises:
            InvalidGoal: The goal is empty, or nothing can be made of it.
            PlannerError: No plan could be made.
            InvalidPlan: The planner's plan has problems.
        """
        given = (*self.planning.constraints, *constraints)
        request = request_of(goal, self.registry.cards, self.policy, inputs, given, on_decision)
        best = BestOf(self.decomposer, alternatives, history=history or self.history, prices=prices or self.prices)
        return await drafted(best, request, self.library)

    def plan(
        self,
        goal: str,
        *,
        inputs: Mapping[str, JsonValue] | None = None,
        constraints: Sequence[str] = (),
        alternatives: int = 1,
        history: History | None = None,
        prices: Mapping[str, Price] | None = None,
        on_decision: Callable[[Decision], None] | None = None,
    ) -> Plan:
        """Do what `aplan` does, from sync code, also inside a running event loop."""
        return finish(
            lambda: self.aplan(
                goal,
                inputs=inputs,
                constraints=constraints,
                alternatives=alternatives,
                history=history,
                prices=prices,
                on_decision=on_decision,
            )
        )

    def estimate(
        self,
        plan: Plan,
        *,
        goal: str = "",
        inputs: Mapping[str, JsonValue] | None = None,
        history: History | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> Estimate:
        """Return what is known beforehand of a run of a plan: its order, who is asked, tokens, USD and seconds.

        Args:
            plan: As it is written.
            goal: Of the run.
            inputs: Of the run, as far as they are known.
            history: What earlier runs tell.
            prices: The caller's own, by name of model, in USD per million tokens.

        Raises:
            InvalidPlan: The plan has problems.
        """
        policy, cards = self.policy, self.registry.cards
        whole = checked(expand_plans(plan, self.library) if self.library is not None else plan, policy, cards)
        return estimated(
            whole,
            self.registry,
            policy=policy,
            roles=self.roles,
            goal=goal,
            synthesizer=self.synthesizer,
            execution=self.execution,
            history=history or self.history,
            prices=prices or self.prices,
            inputs=inputs,
        )
