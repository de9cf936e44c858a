"""What the steps of one run share in the process: made when the first of them has something to tell."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from goalgraph.errors import DelegationRefused, UnknownSpecialist
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.coordination.gates import approved_first
from goalgraph.graph.humans.approval import ApprovalPolicy
from goalgraph.graph.run import Run
from goalgraph.graph.work import Work
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.proposed import with_roles
from goalgraph.planner.signalled import ALL, DEPENDANTS, Signal, signals_of
from goalgraph.planner.validation import PlanPolicy
from goalgraph.specialists.office import Desk, Office

__all__ = ["Hub", "hub_of"]

_making = Lock()


@dataclass(slots=True)
class _Record:
    """What a step has delegated since its turn came."""

    decisions: list[Decision] = field(default_factory=list[Decision])
    usage: Usage = field(default_factory=Usage)


class Hub(Office):
    """The office of a run: one for each call of an agent, so that runs inside of steps have their own.

    Messages and locks live in here and end with the process. What was written into the shared state is taken over from
    the outcomes that are recorded.
    """

    def __init__(self, run: Run) -> None:
        """Take in what the recorded steps have written."""
        super().__init__(run.driver.get_loop() if run.driver is not None else None)
        self._run = run
        self._desks: dict[str, Desk] = {}
        """Of the latest attempt of each step that has used any."""
        self._records: dict[str, _Record] = {}
        self._listening: dict[str, int] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._gated: tuple[Plan, frozenset[str]] | None = None
        self._cards: tuple[Plan, tuple[SpecialistCard, ...]] | None = None
        work = self.work
        known = (run.recalled, work.board.outcomes, work.board.kept, work.withheld)
        for outcome in [one for found in known for one in list(found.values())]:
            self.store.fold(outcome.step, outcome.shared)

    @property
    def work(self) -> Work:
        """The superstep that is under way."""
        if self._run.work is None:
            raise AssertionError("a step without a superstep")
        return self._run.work

    @property
    def index(self) -> PlanIndex:
        """The plan as it is now."""
        return self.work.board.index

    @property
    def cards(self) -> tuple[SpecialistCard, ...]:
        """The specialists, the plan's roles among them."""
        plan = self.index.plan
        if self._cards is None or self._cards[0] is not plan:
            self._cards = plan, with_roles(self._run.cards, plan)
        return self._cards[1]

    def now(self) -> datetime:
        """Tell the run's time."""
        return self.work.board.now()

    def enter(self, desk: Desk) -> Desk:
        """Take in the desk of an attempt at a step itself."""
        self._desks[desk.root] = desk
        return desk

    def begin(self, step_id: str) -> None:
        """Forget what was done for a step in a turn that has come to nothing, but for what it has written."""
        self._desks.pop(step_id, None)
        self._records.pop(step_id, None)

    def check_address(self, address: str) -> None:
        """Refuse an address that nobody can have.

        Raises:
            UnknownSpecialist: No step and no specialist is called so.
        """
        steps, own = self.index.steps, address.partition("/")[0]
        plain = own.partition("[")[0]
        if own not in steps and plain not in steps and not any(card.name == address for card in self.cards):
            raise UnknownSpecialist(
                f"no step and no specialist is called {address!r}", hint="send to the id of a step of the plan"
            )

    def check_audience(self, to: str) -> None:
        """Refuse an audience that does not exist.

        Raises:
            UnknownSpecialist: It is no word for one, and no specialist is called so.
        """
        if to not in (ALL, DEPENDANTS) and not any(card.name == to for card in self.cards):
            raise UnknownSpecialist(
                f"no audience is called {to!r}", hint="signal to 'all', 'dependants', or the name of a specialist"
            )

    def observed(self, desk: Desk) -> tuple[Signal, ...]:
        """Return what other steps have signalled to a step: those that are recorded first, in plan order."""
        outcomes = [one for one in list(self.work.board.outcomes.values()) if one.step != desk.root]
        known = {one.step for one in outcomes}
        going = [
            Signal(name=name, step=one.root, to=to)
            for one in list(self._desks.values())
            if one.is_open and one.root != desk.root and one.root not in known
            for name, to in list(one.signalled.items())
        ]
        found = (*signals_of(outcomes), *going)
        before = _before(self.index, desk.root) if any(one.to == DEPENDANTS for one in found) else frozenset[str]()
        return tuple(one for one in found if self._is_for(one, desk, before))

    def listens(self, desk: Desk, is_waiting: bool) -> None:
        """Count those who listen, by step."""
        count = self._listening.get(desk.root, 0) + (1 if is_waiting else -1)
        self._listening.pop(desk.root, None)
        if count:
            self._listening[desk.root] = count

    def is_quiet(self) -> bool:
        """Whether no step is at work, or about to be, that does not listen."""
        return not self._run.ongoing and self.work.board.activity.working <= len(self._listening)

    def gated(self, approval: ApprovalPolicy, policy: PlanPolicy) -> frozenset[str]:
        """Names of the specialists that a human is asked about; see `approved_first`."""
        plan = self.index.plan
        if self._gated is None or self._gated[0] is not plan:
            self._gated = plan, approved_first(plan, self.cards, approval, policy)
        return self._gated[1]

    @asynccontextmanager
    async def place(self, card: SpecialistCard, desk: Desk) -> AsyncGenerator[None]:
        """Hold one of the places of a specialist for work that is delegated to it.

        Raises:
            DelegationRefused: There is none free, and this is inside of work that was delegated: two of those could
                wait for each other for ever.
        """
        if card.max_concurrency is None:
            yield
            return
        places = self._places.setdefault(card.name, asyncio.Semaphore(card.max_concurrency))
        if len(desk.chain) > 1 and places.locked():
            raise DelegationRefused("all of its places are taken", step=desk.step, to=card.name, reason="busy")
        async with places:
            yield

    def delegated(self, step_id: str, decision: Decision) -> None:
        """Keep the record of work that is about to be delegated."""
        self._records.setdefault(step_id, _Record()).decisions.append(decision)

    def done(self, step_id: str, outcome: Outcome) -> None:
        """Count what delegated work has cost, and keep what was put on record in it."""
        record = self._records.setdefault(step_id, _Record())
        record.usage += outcome.usage
        record.decisions += outcome.decisions

    def completed(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a step with all that is to be recorded of what it has told, shared and delegated."""
        changes: dict[str, object] = {}
        if writes := self.store.written(outcome.step):
            changes["shared"] = writes
        decisions = list(outcome.decisions)
        if (record := self._records.get(outcome.step)) is not None:
            decisions += record.decisions
            changes["usage"] = outcome.usage + record.usage
        desk = self._desks.get(outcome.step)
        if desk is not None and desk.attempt == outcome.attempts:
            decisions += desk.notes
            changes |= audience_of(desk)
        if len(decisions) > len(outcome.decisions):
            changes["decisions"] = tuple(decisions)
        return outcome.model_copy(update=changes) if changes else outcome

    def _is_for(self, signal: Signal, desk: Desk, before: frozenset[str]) -> bool:
        if signal.to == ALL:
            return True
        if signal.to != DEPENDANTS:
            return signal.to == desk.specialist
        sender: str | None = signal.step
        while sender is not None:
            if sender in before:
                return True
            sender = self.index.parents.get(sender)
        return False


def audience_of(desk: Desk) -> Mapping[str, object]:
    """Return the field of an outcome that says whom signals are for, where they are not all for all."""
    found = {name: to for name, to in desk.signalled.items() if to != ALL}
    return {"audience": found} if found else {}


def hub_of(run: Run) -> Hub:
    """Return the hub of a run, which is made where there is none; from any thread."""
    if run.hub is None:
        with _making:
            if run.hub is None:
                run.hub = Hub(run)
    return run.hub


def _before(index: PlanIndex, step_id: str) -> frozenset[str]:
    """Ids of all that a step waits for, directly or not; what the map of an item waits for is among that."""
    found: set[str] = set()
    left = [step_id]
    while left:
        one = left.pop()
        parent = index.parents.get(one)
        for need in (*index.awaited(one), *((*index.awaited(parent), parent) if parent is not None else ())):
            if need not in found and need != parent:
                found.add(need)
                left.append(need)
    return frozenset(found)
