"""One invocation of an agent: what its nodes share in the process and never store."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import inf
from threading import get_ident
from typing import Any, Protocol, cast
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl
from langgraph.types import StateSnapshot
from pydantic import JsonValue

from goalgraph.graph.board.board import Board
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.board.slots import Slots
from goalgraph.graph.board.suspending import RevisableBoard
from goalgraph.graph.coordination.assigning import Assigner, Before, Coordination
from goalgraph.graph.humans.approval import ApprovalPolicy, Gates
from goalgraph.graph.humans.journal import Entry
from goalgraph.graph.humans.thread import saver_of
from goalgraph.graph.revision.calling import Calls
from goalgraph.graph.revision.rules import Rules, Stand
from goalgraph.graph.revision.triggers import Due, Judged, spent
from goalgraph.graph.steps.budget import Budget
from goalgraph.graph.steps.nesting import Around, budgets_around
from goalgraph.graph.storage.recorded import parked_steps, recorded_items, recorded_outcomes
from goalgraph.graph.storage.stored import check_stored
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import BudgetGuardrail, Plan, Step, TimeoutGuardrail
from goalgraph.planner.prices import Price
from goalgraph.specialists.router import route

__all__ = ["Doing", "Ongoing", "Run", "Work", "run_in", "run_of"]

_TURNS = 3
"""Of the event loop, in which a write that was about to begin has begun."""
_KEY = "__goalgraph_run"  # keys that begin with two underscores are not stored with checkpoints


class _HasState(Protocol):
    checkpointer: Any

    async def aget_state(self, config: RunnableConfig) -> StateSnapshot: ...


class EarlyOutcomes(Protocol):
    """What was begun early, to be taken over."""

    async def outcome(self, step_id: str, key: str) -> Outcome | None:
        """Wait for what a step has come to, if it was begun and is still the same."""
        ...

    async def end(self) -> None:
        """Leave nothing behind."""
        ...


Doing = Callable[[str], Awaitable[tuple[Outcome, ...]]]
"""Does a step, by id, to the end: its outcome, and those of the items of a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A superstep of steps: the board they meet at, and what they all see."""

    board: Board
    chains: dict[str, tuple[str, ...]]
    """Names of who tries a step, by step; for those that a specialist does."""
    cards: tuple[SpecialistCard, ...]
    goal: str
    inputs: Mapping[str, JsonValue]
    started_at: datetime
    """When the run began, in whatever process."""
    budget: Budget | None
    gates: Gates | None
    """The steps that a policy asks about, where it asks about any."""
    decisions: Sequence[Decision] = ()
    """Taken in the run before."""
    withheld: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes that call for another plan, and that the board does not know of."""
    items: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes that items of maps have come to in a process that is gone, where the maps park."""
    doing: dict[str, Doing] = field(default_factory=dict[str, Doing])
    """Who does the steps of a map's items, by step."""
    assigner: Assigner | None = None
    """Who says who does a step, where that is not settled before."""

    def route(self, steps: Iterable[Step]) -> dict[str, str]:
        """Find who does steps that have come to the plan's; return the first choice of those a specialist does."""
        found = {step.id: route(step, self.cards) for step in steps if step.type == "agent"}
        self.chains.update(found)
        return {step_id: chain[0] for step_id, chain in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ongoing:
    """Work that goes on while the plan around it is changed."""

    step: Step
    task: asyncio.Task[Outcome]


@dataclass(slots=True)
class Run:
    """Created for each call of the graph, so that no call ever meets another's board."""

    agent: _HasState
    cards: tuple[SpecialistCard, ...]
    max_concurrency: int | None
    fail_fast: bool = False
    max_items: int = 1_000
    max_seconds: float | None = None
    approval: ApprovalPolicy | None = None
    rules: Rules | None = None
    """When the plan is changed, where it ever is."""
    calls: Calls | None = None
    """Of the reviser."""
    prices: Mapping[str, Price] | None = None
    """The caller's own, by name of model."""
    coordination: Coordination | None = None
    """Who does what, where that is not settled by the plan alone."""
    judged: Judged = field(default_factory=Judged)
    """Which outcomes call for a revision, as far as they were looked at."""
    ongoing: dict[str, Ongoing] = field(default_factory=dict[str, Ongoing])
    """Work of steps, by id, that no task of the graph's waits for right now."""
    early: "EarlyOutcomes | None" = None
    """Steps that were begun before the plan was complete."""
    id: str = field(default_factory=lambda: f"run-{uuid4().hex[:12]}")
    """Of this call; inside of a step of another run, that one's with the step: ``"run-5e1f.../report"``."""
    path: str = ""
    """The steps that it is inside of, the outermost first: ``"report/draft"``; empty where it is inside of none."""
    work: Work | None = None
    driver: "asyncio.Task[object] | None" = None
    """The task that the call is made in."""
    is_over: bool = False
    control: RunControl | None = None
    """How whoever called is heard while the run goes on."""
    answers: tuple[Entry, ...] = ()
    """All answers to what is asked, or was since the last checkpoint, or before where they were carried over."""
    checked: Plan | None = None
    """The caller's plan, which was found valid before the run began."""
    writing: "set[asyncio.Task[object]]" = field(default_factory=set["asyncio.Task[object]"])
    """Tasks in which something is being stored right now."""
    lost: Exception | None = None
    """Why something could not be stored: nothing new is begun then."""
    _restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    _watching: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """End the hearing of budgets around this run."""

    def is_draining(self) -> bool:
        """Whether the process is about to end: what is at work goes on, and nothing new begins."""
        return self.control is not None and self.control.drain_requested

    def is_ending(self) -> bool:
        """Whether whoever drives the run has been cancelled or has left, so that all of its tasks are cancelled."""
        driven = self.driver is not None and self.driver.cancelling() > 0
        return self.is_over or self.lost is not None or driven

    def around(self, step_id: str, namespace: str, key: str, budget: Budget | None = None) -> Around:
        """Return what runs inside of a step are told of it; see `Around`."""
        return Around(
            namespace=namespace,
            key=key,
            run=self.id,
            path=f"{self.path}/{step_id}" if self.path else step_id,
            budgets=(*budgets_around(), *([budget] if budget is not None else [])),
        )

    async def end(self) -> None:
        """Leave nothing behind in the event loop."""
        self._unwatch()
        if self.work is not None:
            self.work.board.dismiss()
        if self.calls is not None:
            await self.calls.end()
        await asyncio.gather(*(self.drop(step_id) for step_id in list(self.ongoing)))
        if self.early is not None:
            await self.early.end()
        await self._stored()

    async def _stored(self) -> None:
        """Wait until what was on its way to the checkpointer is there.

        LangGraph leaves it to itself where it is cancelled; whoever has cancelled may close the connection next.
        """
        cancelled: asyncio.CancelledError | None = None
        while True:
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                if not self.writing:
                    break
                await asyncio.wait(self.writing)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def into(self, config: RunnableConfig) -> RunnableConfig:
        """Return the config with this run in it, for `run_of`."""
        return {**config, "configurable": {**config.get("configurable", {}), _KEY: self}}

    def begin(
        self,
        plan: Plan,
        outcomes: Mapping[str, Outcome],
        goal: str,
        inputs: Mapping[str, JsonValue],
        started_at: str | None,
        decisions: Sequence[Decision] = (),
        *,
        withheld: Sequence[Due] = (),
        parked: Collection[str] = (),
        items: Mapping[str, Outcome] | None = None,
        before: Before | None = None,
    ) -> Work:
        """Set the board for all steps of a flat plan without an outcome.

        Args:
            plan: The plan.
            outcomes: Recorded so far.
            goal: Of the run.
            inputs: Of the run.
            started_at: When the run began; ISO 8601.
            decisions: Taken so far.
            withheld: What of the recorded calls for another plan; nobody is to know of it yet.
            parked: Steps whose tasks have ended, in this superstep, without an outcome.
            items: Outcomes that items of maps have come to in this superstep before.
            before: What is known of who does what, where that is not settled by the plan alone.
        """
        index, clock, outer = PlanIndex.of(plan), RunClock(outcomes.values(), started_at), budgets_around()
        chains = {
            step_id: route(step, self.cards)
            for step_id, step in index.steps.items()
            if step.type == "agent" and step_id not in outcomes
        }
        each = {card.name: card.max_concurrency for card in self.cards if card.max_concurrency is not None}
        total = 1 if plan.coordinator.strategy == "sequential" else self.max_concurrency
        held = {one.trigger.step: outcomes[one.trigger.step] for one in withheld}
        kind: Callable[..., Board] = Board
        priority = index.priority
        if self.rules is not None:
            going = [one for one in index.order if one in self.ongoing and one not in outcomes]
            priority = {**priority, **dict.fromkeys(going, inf)}
            pressed = bool(parked) or self._is_pressed(withheld, decisions)
            kind = partial(RevisableBoard, awaited=self._awaited(withheld), is_suspended=pressed, going=going)
        slots, assigner = Slots(total, each, priority), None
        if self.coordination is not None:
            known = {**outcomes, **(items or {})}
            assigner = self.coordination.assigner(index, chains, self.cards, slots, goal, known, before)
        board = kind(
            index,
            {step_id: outcome for step_id, outcome in outcomes.items() if step_id not in held} if held else outcomes,
            {step_id: chain[0] for step_id, chain in chains.items()},
            slots,
            stoppable=self.fail_fast or self.max_seconds is not None or bool(plan.coordinator.guardrails or outer),
            now=clock,
            is_draining=self.is_draining,
            absent={*held, *parked},
        )
        began = datetime.fromisoformat(started_at) if started_at else clock()
        budgets = [one.max_cost_usd for one in plan.coordinator.guardrails if isinstance(one, BudgetGuardrail)]
        budgets += [inf] if outer or assigner is not None else []  # what is recorded is priced, for those around it
        halt = _from_any_thread(board.halt)
        used = [outcome.usage for outcome in outcomes.values()]
        limits = [one.max_seconds for one in plan.coordinator.guardrails if isinstance(one, TimeoutGuardrail)]
        limits += [self.max_seconds] if self.max_seconds is not None else []
        if limits:
            left = min(limits) - (clock() - began).total_seconds()
            board.stop_at(left, f"the time limit of {min(limits):g} s is over")
        self.work = Work(
            board=board,
            chains=chains,
            cards=self.cards,
            goal=goal,
            inputs={**plan.inputs, **inputs},
            started_at=began,
            gates=Gates.of(self.approval, index.steps, self.cards) if self.approval and self.approval.steps else None,
            budget=Budget(min(budgets), used, halt, self.prices) if budgets else None,
            decisions=decisions,
            withheld=held,
            items=items or {},
            assigner=assigner,
        )
        self._unwatch()
        self._watching = [one.watch(halt) for one in outer]
        failed = (one for one in index.order if one in board.outcomes and board.outcomes[one].status == "failed")
        if self.fail_fast and (first := next(failed, None)) is not None:
            board.stop(f"cancelled because step {first!r} failed")
        return self.work

    def _unwatch(self) -> None:
        for end in self._watching:
            end()
        self._watching = []

    def told(self, step_id: str, is_change: bool) -> None:
        """Take in that the reviser has come to its end about a step."""
        if self.work is not None and isinstance(self.work.board, RevisableBoard):
            self.work.board.answer(step_id, is_change=is_change)

    def _awaited(self, withheld: Iterable[Due]) -> frozenset[str]:
        """Find the steps that the reviser is at work for."""
        if self.calls is None or self.fail_fast:
            return frozenset()
        return frozenset(one.trigger.step for one in withheld if self.calls.is_at_work(one.digest))

    def _is_pressed(self, withheld: Sequence[Due], decisions: Sequence[Decision]) -> bool:
        """Whether there is something to be done about the plan before anything else."""
        rules, calls = self.rules, self.calls
        if rules is None or calls is None or not withheld:
            return False
        if self.fail_fast or any(calls.has_change(one.digest) for one in withheld):
            return True
        return not all(calls.is_begun(one.digest) for one in withheld) and spent(decisions).left(rules.policy) > len(
            calls
        )

    async def drop(self, step_id: str) -> None:
        """End work that nobody is to take over."""
        if (begun := self.ongoing.pop(step_id, None)) is not None:
            begun.task.cancel()
            await asyncio.gather(begun.task, return_exceptions=True)

    async def resumed(self, config: RunnableConfig) -> Work:
        """Set the board from what is stored: for a run that starts in the middle of a superstep.

        Args:
            config: Of one of the superstep's tasks.
        """
        async with self._restoring:  # no task of its own, which would go on where the run is cancelled
            return self.work or await self._restore(config)

    async def _restore(self, config: RunnableConfig) -> Work:
        configurable = dict(config.get("configurable", {}))
        namespace = str(configurable.get("checkpoint_ns", "")).rpartition("|")[0]
        for key in ("checkpoint_id", "checkpoint_map"):
            configurable.pop(key, None)
        snapshot = await self.agent.aget_state({"configurable": {**configurable, "checkpoint_ns": namespace}})
        check_stored(snapshot, None)
        values = cast("dict[str, object]", snapshot.values)
        plan, outcomes = cast("Plan", values["plan"]), recorded_outcomes(snapshot)
        for budget in budgets_around():  # of a call that is gone; this one's are charged as they are made
            budget.add(sum((outcome.usage for outcome in outcomes.values()), Usage()))
        goal, inputs = cast("str", values.get("goal") or ""), cast("dict[str, JsonValue]", values.get("inputs") or {})
        decisions = cast("Sequence[Decision]", values.get("decisions") or ())
        due: tuple[Due, ...] = ()
        if self.rules is not None:
            stand = Stand(
                goal=goal, inputs=inputs, plan=plan, outcomes=outcomes, decisions=decisions, judged=self.judged
            )
            due = self.rules.pressing(stand)
        parked = parked_steps(snapshot)
        items: Mapping[str, Outcome] = {}
        if (due or parked) and (saver := saver_of(self.agent, config)) is not None:
            items = recorded_items(await saver.aget_tuple(snapshot.config))
        return self.begin(
            plan,
            outcomes,
            goal,
            inputs,
            cast("str | None", values.get("started_at")),
            decisions,
            withheld=due,
            parked=parked,
            items=items,
            before=Before.of(values),
        )


def _from_any_thread(call: Callable[[str], None]) -> Callable[[str], None]:
    """Let code in other threads call something that belongs to this one's event loop."""
    loop, home = asyncio.get_running_loop(), get_ident()

    def called(reason: str) -> None:
        if get_ident() == home:
            call(reason)
        else:
            loop.call_soon_threadsafe(call, reason)

    return called


def run_of(config: RunnableConfig) -> Run:
    """Return the run that a node's config belongs to."""
    return cast("Run", config.get("configurable", {})[_KEY])


def run_in(config: RunnableConfig) -> Run | None:
    """Return the run that a call belongs to, where it belongs to one."""
    return cast("Run | None", config.get("configurable", {}).get(_KEY))
