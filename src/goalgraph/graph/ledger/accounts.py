"""Which ledgers a run's model calls need to be granted by: its own, and those of the runs around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from goalgraph.graph.ledger.caps import Caps, Met
from goalgraph.graph.ledger.ledger import Ledger
from goalgraph.graph.policies import Limits
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import BudgetGuardrail, Plan
from goalgraph.planner.prices import Price

__all__ = ["Accounts"]


@dataclass(slots=True, kw_only=True)
class Accounts:
    """The ledgers of one run; none where nothing is limited."""

    limits: Limits = field(default_factory=Limits)
    keeps_back: bool = False
    """Whether the answer is written by what may ask a model."""
    prices: Mapping[str, Price] | None = None
    """The caller's own, by name of model."""
    is_priced: bool = False
    """Whether calls are priced though nothing limits them: because who does a step depends on what was spent."""
    outer: tuple[Ledger, ...] = ()
    """Of the runs around it, the innermost last."""
    own: Ledger | None = field(default=None, init=False)
    ledgers: tuple[Ledger, ...] = field(default=(), init=False)
    """All of them, its own last."""

    def __post_init__(self) -> None:
        limits = self.limits
        if self.outer or self.is_priced or not (limits.max_cost_usd is limits.max_tokens is limits.max_calls is None):
            self._open()

    @property
    def is_met(self) -> bool:
        """Whether a limit was met, so that nothing new is begun."""
        return any(one.met is not None for one in self.ledgers)

    def take_in(self, run: str, plan: Plan, outcomes: Mapping[str, Outcome], usage: Usage | None) -> None:
        """Take the plan's own budget, and what is recorded of a run that goes on; what is known is not counted twice.

        Args:
            run: Its id, which no two runs in a ledger share.
            plan: Flat.
            outcomes: Recorded so far.
            usage: Recorded so far, beside that of the outcomes.
        """
        guardrails = plan.coordinator.guardrails
        budgets = [one.max_cost_usd for one in guardrails if isinstance(one, BudgetGuardrail)] if guardrails else []
        if budgets and self.own is None:
            self._open()
        if self.own is None:
            return
        self.own.restrict(min(budgets, default=None))
        self.recall(run, "", usage or Usage())
        for step_id, outcome in outcomes.items():
            self.recall(run, step_id, outcome.usage)

    def recall(self, run: str, step_id: str, usage: Usage) -> None:
        """Take in what is recorded of a step; without one: of what the planner and the reviser did."""
        for one in self.ledgers:
            one.recall(f"{run}/{step_id}", usage)

    def mark(self, run: str, step_id: str = "") -> None:
        """Take note that what a step uses is counted as it is used; without one: what the planner does."""
        for one in self.ledgers:
            one.mark(f"{run}/{step_id}")

    def watch(self, halt: Callable[[str], None], stop: Callable[[str], None]) -> list[Callable[[], None]]:
        """Have a run halted once a limit is met: by all of its ledgers, those of the runs around it too.

        Args:
            halt: Lets nothing new begin.
            stop: Ends what is at work too.

        Returns:
            What ends that.
        """
        ends = [one.watch(lambda met: halt(_reason(met))) for one in self.outer]
        if self.own is not None:
            end = stop if self.limits.at_limit == "cancel" else halt
            ends.append(self.own.watch(lambda met: end(_reason(met))))
        return ends

    def _open(self) -> None:
        limits = self.limits
        caps = Caps(
            max_cost_usd=limits.max_cost_usd,
            max_tokens=limits.max_tokens,
            max_calls=limits.max_calls,
            unpriced=limits.unpriced,
            keep_back=limits.keep_back if self.keeps_back else 0.0,
        )
        self.own = Ledger(caps, prices=self.prices)
        self.ledgers = (*self.outer, self.own)


def _reason(met: Met) -> str:
    return f"the run has met its limit {met.limit}"
