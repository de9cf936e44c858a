"""Who does a step, once its turn comes near: asked of the router, from those who may and are fit."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.slots import Slots
from goalgraph.graph.coordination.health import HealthMonitor, StepGuard
from goalgraph.graph.coordination.tallies import Tally
from goalgraph.graph.steps.failures import named
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.gates import Layout
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import AgentStep, ApprovalGuardrail, Plan, Step
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.routing.policy import HealthPolicy, Routing, RoutingPolicy, as_policy
from goalgraph.specialists.routing.replicas import able
from goalgraph.specialists.routing.request import Candidate, Choice, Mode, PlanRouter, Router, RoutingRequest
from goalgraph.specialists.routing.strategies import preferred

__all__ = ["Assigner", "Before", "Coordination", "coordination_of", "ping_timeout", "place_of"]

_BY = "router"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the state of a thread tells, beside outcomes."""

    spent_usd: float = 0.0
    """By the runs of the thread that are over."""
    assigned: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names by step, of a router that was asked about the whole plan."""

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "Before":
        """Read it from the channels."""
        spent = cast("Usage | None", values.get("spent"))
        assigned = cast("dict[str, str] | None", values.get("assigned"))
        return cls(spent_usd=spent.cost_usd if spent is not None else 0.0, assigned=assigned or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What an agent has set about who does its steps; one for all of its runs."""

    routing: RoutingPolicy
    monitor: HealthMonitor | None
    policy: PlanPolicy

    def assigner(
        self,
        index: PlanIndex,
        chains: dict[str, tuple[str, ...]],
        cards: tuple[SpecialistCard, ...],
        slots: Slots,
        goal: str,
        outcomes: Mapping[str, Outcome],
        before: "Before | None",
    ) -> "Assigner":
        """Begin to give the steps of a plan to specialists, with what is recorded of it.

        Args:
            index: The plan.
            chains: Who tries each step, as the steps name them; changed in place.
            cards: The specialists.
            slots: Where steps wait for places.
            goal: Of the run.
            outcomes: Recorded so far, those of items included.
            before: What is known beside them.
        """
        if self.monitor is not None:
            self.monitor.restore(outcomes.values())
        before = before or Before()
        assigner = Assigner(
            coordination=self,
            cards=cards,
            plan=index.plan,
            steps=index.steps,
            chains=chains,
            tally=Tally.of(outcomes.values()),
            goal=goal,
            before=before,
            queued=slots.waiting,
        )
        slots.assign = assigner.assign
        return assigner

    def early(self, cards: tuple[SpecialistCard, ...], goal: str, before: "Before") -> "Assigner":
        """Begin to give steps to specialists while their plan is being written."""
        tally = Tally.of(())
        return Assigner(
            coordination=self, cards=cards, plan=None, steps={}, chains={}, tally=tally, goal=goal, before=before
        )

    @property
    def plan_router(self) -> PlanRouter | None:
        """Whoever is asked once for a whole plan."""
        found = self.routing.strategy
        return found if isinstance(found, PlanRouter) and not isinstance(found, (str, Router)) else None


@dataclass(slots=True, kw_only=True)
class Assigner:
    """Gives the steps of one run to specialists; each when it may begin, before it waits for a place."""

    coordination: Coordination
    cards: tuple[SpecialistCard, ...]
    plan: Plan | None
    """Flat; None while it is being written."""
    steps: Mapping[str, Step]
    """By id; those of a map's items come later."""
    chains: dict[str, tuple[str, ...]]
    """Who tries each step, in order; as the steps name them, until they are given to somebody."""
    tally: Tally
    goal: str
    before: Before
    queued: Callable[[str], int] = lambda _name: 0
    _at: dict[str, str] = field(default_factory=dict[str, str])
    """Who has which step, until it is over."""
    _modes: dict[str, Mode] = field(default_factory=dict[str, Mode])
    _decisions: dict[str, Decision] = field(default_factory=dict[str, Decision])
    _open: set[str] = field(default_factory=set[str])
    """Steps that more than one could come to do."""
    _approved: Collection[str] | None = None

    def assign(self, step_id: str) -> str:
        """Give a step to somebody; what is not a specialist's, or nobody else can do, stays as it is."""
        chain = self.chains[step_id]
        step = self.steps[step_id]
        if step.type == "agent":
            chain = self.chains[step_id] = self.chain(step, chain)
        self._at[step_id] = chain[0]
        return chain[0]

    def chain(self, step: AgentStep, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return who tries a step, in order; ``usual`` where there is nobody to choose from."""
        found = self._may(step)
        if len(found) > 1 or step.fallback:
            self._open.add(step.id)
        request = self._request(step, found)
        if request.mode != "usual":
            self._modes[step.id] = request.mode
        if not request.candidates:
            return usual
        names, why, by = self._preferred(request)
        chosen, *others = names
        left = [card.name for card in found if card.name not in names]
        if left:
            why += f"; left alone, because they fail: {', '.join(left)}"
        if len(names) > 1 or left or request.mode == "economy" or by is None:
            self.tally.count(chosen, names)
            self._decisions[step.id] = Decision(
                kind="assignment",
                subject=step.id,
                chosen=chosen,
                alternatives=tuple(others),
                rationale=why,
                by=by or _BY,
                at=datetime.now(UTC).isoformat(),
            )
        return (*names, *(name for name in step.fallback if name not in names))

    def mode(self, step_id: str) -> Mode:
        """Return what the specialist of a step is told."""
        return self._modes.get(step_id, "usual")

    def chain_once(self, step: AgentStep, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Return what `chain` does, of a step that is drafted again what it did before; it is not at work yet."""
        key = step.model_dump_json(include={"id", "agent", "requires", "fallback"})
        if key not in self.chains:
            self.chains[key] = self.chain(step, usual)
        return self.chains[key]

    def is_open(self, step_id: str) -> bool:
        """Whether more than one could come to do a step, those that are left alone among them."""
        return step_id in self._open

    def fit(self, step_id: str) -> tuple[str, ...]:
        """Return those of a step's chain that are not left alone now."""
        monitor, chain = self.coordination.monitor, self.chains[step_id]
        return chain if monitor is None else tuple(name for name in chain if monitor.refusal(name) is None)

    def keep(self, step_id: str, chain: tuple[str, ...]) -> None:
        """Leave a step to those who began it."""
        self.chains[step_id] = chain
        self._at[step_id] = chain[0]
        if (decision := self._decisions.get(step_id)) is not None and decision.chosen != chain[0]:
            others = tuple(name for name in (decision.chosen, *decision.alternatives) if name != chain[0])
            changes = {"chosen": chain[0], "alternatives": others, "rationale": "it has begun the step before"}
            self._decisions[step_id] = decision.model_copy(update=changes)

    def guard(self, *, lets_all: bool = False) -> StepGuard | None:
        """Return what watches the attempts at a step, where anybody cares; see `HealthMonitor.guard`."""
        monitor = self.coordination.monitor
        return monitor.guard(lets_all=lets_all) if monitor is not None else None

    def over(self, outcome: Outcome, guard: StepGuard | None) -> tuple[Decision, ...]:
        """Take in what a step has come to; return what was decided about who does it."""
        self.tally.take_in(outcome, is_counted=True)
        self.ended(outcome.step)
        return (*self._decided(outcome.step), *(guard.decisions if guard is not None else ()))

    def moved(self, step_id: str, name: str) -> None:
        """Take in that somebody else tries a step now."""
        self._at[step_id] = name

    def ended(self, step_id: str) -> None:
        """Take in that nobody is at a step any more."""
        self._at.pop(step_id, None)

    def take_in(self, outcome: Outcome) -> None:
        """Take in what a step has come to in a process that is gone."""
        self.tally.take_in(outcome)
        if self.coordination.monitor is not None:
            self.coordination.monitor.restore((outcome,))

    def _decided(self, step_id: str) -> tuple[Decision, ...]:
        found = self._decisions.get(step_id)
        return () if found is None else (found,)

    def _may(self, step: AgentStep) -> tuple[SpecialistCard, ...]:
        """Find who may do a step: whom a gate names that the step is not behind may not."""
        found = able(step, self.cards)
        if len(found) < 2 or self.plan is None or "[" in step.id:
            return found
        guards = [one for one in self.plan.coordinator.guardrails if isinstance(one, ApprovalGuardrail)]
        names = self.coordination.policy.require_approval.union(*(one.require_for for one in guards)) - {"*"}
        if not names or step.id in self._behind_approvals():
            return found
        free = [card for card in found if card.name == step.agent or not _is_named(card, names)]
        return tuple(free) or found

    def _behind_approvals(self) -> Collection[str]:
        if self._approved is None:
            layout = Layout.of(self.plan.steps, self.cards) if self.plan is not None else None
            self._approved = layout.approved if layout is not None else ()
        return self._approved

    def _request(self, step: AgentStep, found: Sequence[SpecialistCard]) -> RoutingRequest:
        monitor, tally, ceiling = self.coordination.monitor, self.tally, self.coordination.routing.ceiling_usd
        spent = self.before.spent_usd + tally.spent_usd
        busy = list(self._at.values())
        candidates: list[Candidate] = []
        for card in found:
            health = monitor.seen(card.name) if monitor is not None else "closed"
            if health == "open":
                continue
            queued = self.queued(card.name)
            candidates.append(
                Candidate(
                    card=card,
                    running=max(busy.count(card.name) - queued, 0),
                    queued=queued,
                    mean_seconds=tally.mean_seconds(card.name),
                    health=health,
                    errors=tally.errors(card.name),
                    spent_usd=tally.spent(card.name),
                    mean_usd=tally.mean_usd(card.name),
                )
            )
        return RoutingRequest(
            step=step,
            candidates=tuple(candidates),
            goal=self.goal,
            spent_usd=spent,
            mode="economy" if ceiling is not None and spent >= ceiling else "usual",
            escalations=tuple(tally.escalations),
        )

    def _preferred(self, request: RoutingRequest) -> tuple[tuple[str, ...], str, str | None]:
        """Return the candidates' names, best first, why, and who says so; nobody, where a router's word is ignored."""
        policy = self.coordination.routing
        there = [one.card.name for one in request.candidates]
        strategy = policy.strategy
        if isinstance(strategy, str) or request.mode == "economy":
            named_by = strategy if isinstance(strategy, str) else "best_match"
            names, why = preferred(named_by, request, self.tally.chosen(there), policy.weights)
            return names, why, _BY
        by = type(strategy).__name__
        names, why = preferred("best_match", request, {}, {})
        said, reason = self._said(strategy, request)
        if said is None:
            return names, f"{by} names nobody{reason and f' ({reason})'}; {why}", None if reason else _BY
        if said not in there:
            return names, f"{by} names {said!r}, who may not do it or is left alone; {why}", None
        return (said, *(name for name in names if name != said)), reason or f"{by} says so", by

    def _said(self, router: Router | PlanRouter, request: RoutingRequest) -> tuple[str | None, str]:
        """Ask a router; return the name, and why, or why there is none."""
        if not isinstance(router, Router):
            return self.before.assigned.get(place_of(request.step.id)), ""
        if len(request.candidates) == 1:
            return request.candidates[0].card.name, "nobody else can"
        try:
            said = cast("object", router.choose(request))
        except Exception as error:
            return None, named(error)
        if isinstance(said, Choice):
            return str(said.name), said.why
        return (said, "") if isinstance(said, str) else (None, f"it gave a {type(said).__name__}")


def place_of(step_id: str) -> str:
    """Return a step's id as a router of whole plans knows it: of an item of a map that of any item."""
    head, *rest = step_id.split("[")
    return head + "".join(f"[*{one[one.index(']') :]}" for one in rest)


def coordination_of(routing: Routing | None, health: HealthPolicy | None, policy: PlanPolicy) -> Coordination | None:
    """Return what an agent's arguments stand for; None where steps are done by whom they name, as ever.

    Raises:
        ValueError: The routing is none.
    """
    if routing is None and health is None:
        return None
    monitor = HealthMonitor(health) if health is not None else None
    return Coordination(routing=as_policy(routing or "best_match"), monitor=monitor, policy=policy)


def ping_timeout(coordination: Coordination | None) -> float:
    """Return the seconds that a ping may take."""
    monitor = coordination.monitor if coordination is not None else None
    return (monitor.policy if monitor is not None else HealthPolicy()).ping_timeout


def _is_named(card: SpecialistCard, names: Collection[str]) -> bool:
    return card.name in names or card.replica_of in names or any(one in names for one in card.capabilities)
