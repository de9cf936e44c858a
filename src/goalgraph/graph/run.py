"""One invocation of an agent: what its nodes share in the process and never store."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, cast
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
from goalgraph.graph.coordination.assigner import Before, Coordination
from goalgraph.graph.coordination.halting import reason_to_halt
from goalgraph.graph.coordination.hooks import Hooks
from goalgraph.graph.coordination.reassigning import Reassigning
from goalgraph.graph.humans.approval import ApprovalPolicy, Gates
from goalgraph.graph.humans.journal import Entry
from goalgraph.graph.humans.thread import saver_of
from goalgraph.graph.ledger.accounts import Accounts
from goalgraph.graph.loop import from_any_thread, to_its_end
from goalgraph.graph.revision.calling import Calls
from goalgraph.graph.revision.rules import Rules, Stand
from goalgraph.graph.revision.triggers import Due, Judged, spent
from goalgraph.graph.steps.nesting import Around, until_around
from goalgraph.graph.storage.recorded import parked_steps, recorded_items, recorded_outcomes
from goalgraph.graph.storage.stored import check_stored
from goalgraph.graph.work import EarlyOutcomes, Ongoing, Work
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan, TimeoutGuardrail
from goalgraph.planner.signals import BLOCKER
from goalgraph.specialists.router import route

if TYPE_CHECKING:
    from goalgraph.graph.coordination.hub import Hub

__all__ = ["Run", "run_in", "run_of"]

_TURNS = 3
"""Of the event loop, in which a write that was about to begin has begun."""
_KEY = "__goalgraph_run"  # keys that begin with two underscores are not stored with checkpoints


class _HasState(Protocol):
    checkpointer: Any

    async def aget_state(self, config: RunnableConfig) -> StateSnapshot: ...


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
    accounts: Accounts = field(default_factory=Accounts)
    """What its model calls may take of its limits."""
    hooks: Hooks | None = None
    """The caller's, where there are any."""
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
    outer: Around | None = None
    """The step of another run that it is inside of."""
    path: str = ""
    """The steps that it is inside of, the outermost first: ``"report/draft"``; empty where it is inside of none."""
    work: Work | None = None
    driver: "asyncio.Task[object] | None" = None
    """The task that the call is made in, or its stream was read in last."""
    is_kept: bool = True
    """Whether it can be gone on with: something keeps it, or the graph around it."""
    is_over: bool = False
    control: RunControl | None = None
    """How whoever called is heard while the run goes on."""
    answers: tuple[Entry, ...] = ()
    """All answers to what is asked, or was since the last checkpoint, or before where they were carried over."""
    reassigning: Reassigning | None = None
    """What holds for hooks that name specialists; with the plan as it is looked through for it."""
    is_halted: bool = False
    """Whether a step has said that it makes no sense to go on: nothing new begins, and the plan is not changed."""
    hub: "Hub | None" = None
    """What its steps tell each other, once one of them does."""
    recalled: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Outcomes of items of maps that a process that is gone was in the middle of."""
    checked: Plan | None = None
    """The caller's plan, which was found valid before the run began."""
    writing: "set[asyncio.Task[object]]" = field(default_factory=set["asyncio.Task[object]"])
    """Tasks in which something is being stored right now."""
    entered: "set[asyncio.Task[object]]" = field(default_factory=set["asyncio.Task[object]"])
    """Tasks in which steps wait or are done right now."""
    lost: Exception | None = None
    """Why something could not be stored: nothing new is begun then."""
    peaks: dict[str, int] = field(default_factory=dict[str, int])
    """Most steps that have waited for a place at one time, by specialist."""
    _restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    _watching: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """End the hearing of limits, also of those of runs around this one."""

    def enter(self, control: RunControl | None) -> None:
        """Take in that the current task does a step."""
        self.control = control
        if (task := asyncio.current_task()) is not None:
            self.entered.add(task)
            task.add_done_callback(self.entered.discard)

    def is_draining(self) -> bool:
        """Whether the process is about to end: what is at work goes on, and nothing new begins."""
        return self.control is not None and self.control.drain_requested

    def is_ending(self) -> bool:
        """Whether whoever drives the run has been cancelled or has left, so that all of its tasks are cancelled."""
        driven = self.driver is not None and self.driver.cancelling() > 0
        return self.is_over or self.lost is not None or driven

    def around(self, step_id: str, namespace: str, key: str) -> Around:
        """Return what runs inside of a step are told of it; see `Around`."""
        return Around(
            namespace=namespace,
            key=key,
            run=self.id,
            path=f"{self.path}/{step_id}" if self.path else step_id,
            ledgers=self.accounts.ledgers,
            until=self.work.until if self.work is not None else None,
            lose=self.lose,
        )

    def lose(self, error: Exception) -> None:
        """Take in that something could not be stored, by this run or by one inside of it: it ends, to be gone on with.

        A step whose run inside has lost something has not failed: that would be recorded once the store is well again.
        """
        self.lost = error
        if self.outer is not None and self.outer.lose is not None:
            self.outer.lose(error)

    async def end(self) -> None:
        """Leave nothing behind in the event loop, however often this is cancelled meanwhile."""
        await to_its_end(self._end)

    async def _end(self) -> None:
        for task in self.entered:  # a cancel scope of anyio cancels LangGraph's own cleaning up, before it has begun
            task.cancel()
        if self.entered:
            await asyncio.wait(self.entered)
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
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if not self.writing:
                return
            await asyncio.wait(self.writing)

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
        usage: Usage | None = None,
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
            usage: Recorded so far, beside that of the outcomes.
            before: What is known of who does what, where that is not settled by the plan alone.
        """
        index, clock = PlanIndex.of(plan), RunClock(outcomes.values(), started_at)
        self.accounts.take_in(self.id, plan, outcomes, usage)
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
        slots, assigner = Slots(total, each, priority, self.peaks), None
        if self.coordination is not None:
            known = {**outcomes, **(items or {})}
            assigner = self.coordination.assigner(index, chains, self.cards, slots, goal, known, before)
        board = kind(
            index,
            {step_id: outcome for step_id, outcome in outcomes.items() if step_id not in held} if held else outcomes,
            {step_id: chain[0] for step_id, chain in chains.items()},
            slots,
            stoppable=True,  # any step may say that it makes no sense to go on
            now=clock,
            is_draining=self.is_draining,
            absent={*held, *parked},
        )
        began = datetime.fromisoformat(started_at) if started_at else clock()
        until: datetime | None = None
        limits = [one.max_seconds for one in plan.coordinator.guardrails if isinstance(one, TimeoutGuardrail)]
        limits += [self.max_seconds] if self.max_seconds is not None else []
        if limits:
            left = min(limits) - (clock() - began).total_seconds()
            until = began + timedelta(seconds=min(limits))
            board.stop_at(left, f"the time limit of {min(limits):g} s is over")
        outer = until_around()
        self.work = Work(
            board=board,
            chains=chains,
            cards=self.cards,
            goal=goal,
            inputs={**plan.inputs, **inputs},
            started_at=began,
            gates=Gates.of(self.approval, index.steps, self.cards) if self.approval and self.approval.steps else None,
            until=min((one for one in (until, outer) if one is not None), default=None),
            decisions=decisions,
            withheld=held,
            items=items or {},
            assigner=assigner,
        )
        self._unwatch()
        if self.accounts.ledgers:
            self._watching = self.accounts.watch(from_any_thread(board.halt), from_any_thread(board.stop))
        failed = (one for one in index.order if one in board.outcomes and board.outcomes[one].status == "failed")
        if self.fail_fast and (first := next(failed, None)) is not None:
            board.stop(f"cancelled because step {first!r} failed")
        if why := reason_to_halt(index.steps, outcomes, self.rules, self.work.inputs):
            self.is_halted = True  # what goes on from a superstep before does go on
            board.stop(why, [one for one in index.steps if one not in self.ongoing])
        return self.work

    def halt_for(self, outcome: Outcome, work: Work) -> None:
        """Let nothing new begin, if an outcome halts the run; what is at work goes on to its end."""
        if BLOCKER not in outcome.signals:
            return
        known = {**work.board.outcomes, outcome.step: outcome}
        if why := reason_to_halt(work.board.index.steps, known, self.rules, work.inputs, by=outcome.step):
            self.is_halted = True
            work.board.halt(why)

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
        withheld = [one for one in withheld if not one.is_direct]
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
        begun = any(step.type == "map" and step.id not in outcomes for step in plan.steps)
        if (due or parked or begun) and (saver := saver_of(self.agent, config)) is not None:
            self.recalled = recorded_items(await saver.aget_tuple(snapshot.config))
            items = self.recalled if due or parked else {}
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
            usage=cast("Usage | None", values.get("usage")),
            before=Before.of(values),
        )


def run_of(config: RunnableConfig) -> Run:
    """Return the run that a node's config belongs to."""
    return cast("Run", config.get("configurable", {})[_KEY])


def run_in(config: RunnableConfig) -> Run | None:
    """Return the run that a call belongs to, where it belongs to one."""
    return cast("Run | None", config.get("configurable", {}).get(_KEY))
