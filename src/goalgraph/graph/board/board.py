"""What the tasks of one superstep know of each other: who is done, who may start, who can no longer.

All steps of a plan are sent at once; each one's task waits here for its turn. Everything happens in one event loop,
between awaits, so there are no locks; the work of a whole run is linear in steps and dependencies.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from pydantic import JsonValue

from goalgraph.graph.board.activity import Activity
from goalgraph.graph.board.admission import Admission
from goalgraph.graph.board.index import PlanIndex
from goalgraph.graph.board.run_clock import RunClock
from goalgraph.graph.board.slots import Slots
from goalgraph.graph.board.transitions import readiness
from goalgraph.graph.board.unrun import cancelled, unrun
from goalgraph.graph.board.watch import Watch
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import MapStep, Step

__all__ = ["Board", "Verdict"]

Verdict = Literal["run", "park"] | Outcome
"""What a waiting task is told: run, end without an outcome (it, or something it needs, waits for a human), or this
outcome as it is."""


class Board:
    """The in-process meeting place of a superstep's tasks."""

    def __init__(
        self,
        index: PlanIndex,
        outcomes: Mapping[str, Outcome],
        specialists: Mapping[str, str],
        slots: Slots,
        *,
        stoppable: bool = False,
        now: Callable[[], datetime] | None = None,
        is_draining: Callable[[], bool] = lambda: False,
        absent: Collection[str] = (),
        first: Collection[str] = (),
    ) -> None:
        """Set up with all that is already known.

        Args:
            index: The plan.
            outcomes: Outcomes recorded before, by step.
            specialists: Who does each unfinished step that takes a place, by step.
            slots: The places there are.
            stoppable: Whether `stop` may be called; it needs to know the tasks.
            now: Tells the time.
            is_draining: Whether nothing new is to begin.
            absent: Ids of steps whose tasks are over, and whose outcomes are not to be known here.
            first: Ids of steps that are looked at before the others.
        """
        self.index = index
        self.now = now or RunClock(outcomes.values())
        self.outcomes: dict[str, Outcome] = {one: outcomes[one] for one in index.order if one in outcomes}
        self.kept = {step_id: outcome for step_id, outcome in outcomes.items() if step_id not in self.outcomes}
        """Outcomes that are recorded for items of maps, which are multiplied again."""
        self._specialists = dict(specialists)
        self._slots = slots
        self._admission = Admission()
        self._stoppable = stoppable or any(group.ends_early for group in index.groups)
        self._missing = {
            step_id: sum(1 for need in index.awaited(step_id) if need not in self.outcomes) for step_id in index.order
        }
        self._decided = {*self.outcomes, *absent}
        self._verdicts: dict[str, Verdict] = {}
        self._waiters: dict[str, asyncio.Future[Verdict]] = {}
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._open = {step_id for step_id in index.order if step_id not in self._decided}
        self._reasons: dict[str, str] = {}
        self._stopped = False
        self._is_draining = is_draining
        self.has_drained = False
        """Whether a step did not begin because nothing new was to."""
        self._watch = Watch(index, self.outcomes, self.stop, self._go_on, self.now)
        self._recording: deque[Outcome] = deque()
        self._busy_recording = False
        self._activity = self.activity = Activity()
        for group in index.groups:
            self._admission.add(group, self.outcomes)
            self._watch.add(group)
        for known in tuple(self.outcomes.values()):
            self._watch.take_in(known)
        for step_id in (*first, *index.order):
            self._consider(step_id, None)
        for outcome in list(self.outcomes.values()):
            self._watch.over(outcome)
        self._record_all()
        self._pump()

    @property
    def expired(self) -> Mapping[str, str]:
        """By group whose time is up: what to say of it."""
        return self._watch.expired

    async def enter(self, step_id: str) -> Verdict:
        """Wait for a step's turn and say what becomes of it; after "run", `leave` must follow."""
        if (verdict := self._verdicts.get(step_id)) is None:
            if step_id in self.outcomes:
                return self.outcomes[step_id]  # recorded after LangGraph had read what is
            verdict = await self._told(step_id)
        if verdict == "run" and self._stoppable:
            if step_id in self._reasons:
                ended = self.cancelled(step_id)
                self.leave(step_id, ended)
                return ended
            if (task := asyncio.current_task()) is not None and self.index.steps[step_id].type != "map":
                self._tasks[step_id] = task
        return verdict

    async def hold(self, step_id: str) -> Verdict:
        """Wait, with an interrupt in hand, until nothing else of the superstep can run; "park" means: raise it now."""
        self._activity.hold(step_id)
        self._give_back(step_id)
        for free in self._admission.park(step_id):
            self._start(free)
        self._pump()
        return await self._told(step_id)

    async def sleep(self, step_id: str, seconds: float) -> Verdict:
        """Wait for a time; "run" when it is over, "park" where the run has to end before because of a human."""
        self._activity.asleep.add(step_id)
        handle = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._tell, step_id, "run")
        try:
            return await self._told(step_id)
        finally:
            handle.cancel()
            self._activity.asleep.discard(step_id)

    async def move(self, step_id: str, specialist: str) -> None:
        """Hand a running step to another specialist, whose place it may have to wait for."""
        if not self._slots.limited:
            return
        self._slots.release(self._specialists[step_id])
        self._specialists[step_id] = specialist
        del self._verdicts[step_id]
        self._slots.offer(step_id, specialist)
        self._pump()
        if step_id not in self._verdicts:
            waiter = self._waiters[step_id] = asyncio.get_running_loop().create_future()
            try:
                await waiter
            except asyncio.CancelledError:
                if step_id not in self._verdicts:
                    self._activity.lose_place(step_id)
                raise

    def leave(self, step_id: str, outcome: Outcome | None, *, ending: str | None = None) -> None:
        """End a step that was told to run: without outcome it parks; with ``ending``, a reason, it stops the others."""
        if self._stoppable:
            self._tasks.pop(step_id, None)
        if self._activity.end(step_id):
            self._give_back(step_id)
        if outcome is None:
            self._verdicts[step_id] = "park"
        else:
            self._record(outcome)
        if ending is not None:
            self.stop(ending)  # before any of them is told to park
        self._go_on()

    def multiply(
        self,
        step: MapStep,
        items: Sequence[tuple[Step, ...]],
        values: Sequence[JsonValue],
        specialists: Mapping[str, str],
    ) -> tuple[str, ...]:
        """Take in the steps of a map's items and return their ids; each is to `enter`, or is given to `adopt`."""
        groups = self.index.multiply(step, items, values)
        ids = self.index.items[step.id]
        self._specialists |= specialists
        self._stoppable = self._stoppable or any(group.ends_early for group in groups)
        for group in groups:
            self._admission.add(group, self.outcomes)
            self._watch.add(group)
        for step_id in ids:
            self._missing[step_id] = sum(1 for need in self.index.awaited(step_id) if need not in self.outcomes)
        self._activity.multiply(step.id, len(ids))
        for step_id in ids:
            self._consider(step_id, None)
        self._record_all()
        if (reason := self._reasons.get(step.id)) is not None:
            self.stop(reason, ids)
        self._pump()
        return ids

    def adopt(self, outcome: Outcome) -> None:
        """Take in the outcome of a step that is not to begin: it was recorded before."""
        if outcome.step not in self.outcomes and outcome.step in self.index.steps:
            self._end_unbegun(outcome)
            self._watch.take_in(outcome)
            self._go_on()

    def stop(self, reason: str, among: Iterable[str] | None = None) -> None:
        """Cancel steps that are not done: those running, and those waiting.

        Args:
            reason: Why, for their outcomes.
            among: Ids; all steps where absent.
        """
        ids = list(self.index.steps if among is None else among)
        if among is None:
            self._stopped = True
        here = asyncio.current_task()
        # What follows from one that is cancelled is looked at when all are: else what needs it would be blocked first.
        recording, self._busy_recording = self._busy_recording, True
        for step_id in ids:
            ids.extend(self.index.items.get(step_id, ()) if among is not None else ())
            verdict = self._verdicts.get(step_id)
            if step_id in self.outcomes or step_id in self._reasons or verdict not in (None, "run"):
                continue
            self._reasons[step_id] = reason
            if step_id in self._activity.held or step_id in self._activity.asleep:
                self._tell(step_id, self.cancelled(step_id))
            elif (task := self._tasks.get(step_id)) is not None:
                if task is not here:
                    task.cancel(reason)
            elif verdict is None:
                self._end_unbegun(self.cancelled(step_id))
        self._busy_recording = recording
        self._record_all()

    def halt(self, reason: str) -> None:
        """Cancel every step that is not at work; those that are go on to their end."""
        at_work = {*self._tasks, *self._activity.maps} - self._activity.held - self._activity.asleep
        self.stop(reason, [one for one in self.index.steps if one not in at_work])
        self._pump()

    def close(self, step_id: str) -> bool:
        """Note that a step's task ends with an outcome; True for the last one of the superstep."""
        self._open.discard(step_id)
        if not self._open:
            self.dismiss()
        return not self._open

    def dismiss(self) -> None:
        """Stop all clocks: the run is over, in whatever way."""
        self._watch.dismiss()

    def stop_at(self, seconds: float, reason: str) -> None:
        """Stop everything after a time."""
        self._stoppable = True
        if seconds <= 0:
            self.stop(reason)
            return
        self._watch.call_in(seconds, partial(self.stop, reason))

    def is_stopped(self, step_id: str) -> bool:
        """Whether `stop` reached a step."""
        return step_id in self._reasons

    def cancelled(self, step_id: str) -> Outcome:
        """The outcome of a step that `stop` reached."""
        return cancelled(step_id, self._reasons.get(step_id, "cancelled"), self.now())

    def _record(self, outcome: Outcome) -> None:
        self._recording.append(outcome)
        self._record_all()

    def _record_all(self) -> None:
        """Take in what is new, and what follows from it, until nothing does."""
        if self._busy_recording:
            return
        self._busy_recording = True
        while self._recording:
            outcome = self._recording.popleft()
            step_id = outcome.step
            if step_id in self.outcomes:
                continue
            self.outcomes[step_id] = outcome
            if (parent := self.index.parents.get(step_id)) is not None:
                self._activity.item_over(parent)
            self._watch.over(outcome)
            for free in self._admission.leave(step_id):
                self._start(free)
            for after in self.index.dependents[step_id]:
                if after in self._missing:
                    self._missing[after] -= 1
                    self._consider(after, outcome)
        self._busy_recording = False

    def _consider(self, step_id: str, latest: Outcome | None) -> None:
        """Look whether a step's fate is known now.

        Args:
            step_id: The step.
            latest: What just became known of one of those it waits for; None at the start.
        """
        if step_id in self._decided or (latest is None and self._missing[step_id] and not self.outcomes):
            return
        step, guards, members = self.index.steps[step_id], self.index.guards.get(step_id, ()), self.index.members
        if self._missing[step_id] and latest is not None and not any(latest.step == guard for guard, _ in guards):
            # What cannot settle it: looking at all dependencies each time would be quadratic.
            if step_id in members or step.join == "all_done":
                return
            if (latest.status == "succeeded") != (step.join == "any_success"):
                return
        needs = self.index.needs[step_id]
        fate = readiness(step.join, needs, self.outcomes, self.index.optional, guards, members.get(step_id, ()))
        if fate == "wait":
            return
        self._decided.add(step_id)
        if fate != "run":
            ended = unrun(step_id, fate, self.index.awaited(step_id), self.outcomes, self.now())
            self._tell(step_id, ended)
            self._record(ended)
            return
        self._activity.begin()
        self._start(step_id)

    def _start(self, step_id: str) -> None:
        """Let a step whose dependencies are done begin, or queue it for a place."""
        self._activity.queued.discard(step_id)
        if step_id in self.outcomes or step_id in self._reasons or self._drained(step_id):
            return
        if not self._admission.enter(step_id):
            self._activity.queued.add(step_id)
            return
        self._watch.begin(step_id)
        specialist = self._specialists.get(step_id)
        if specialist is not None and self._slots.assign is not None:
            specialist = self._specialists[step_id] = self._slots.assign(step_id)
        if specialist is not None and self._slots.limited:
            self._slots.offer(step_id, specialist)
        else:
            self._tell(step_id, "run")

    def _drained(self, step_id: str) -> bool:
        """Park a step that was about to begin, where nothing new is to."""
        if not self._is_draining():
            return False
        self.has_drained = True
        self._activity.end(step_id)
        self._tell(step_id, "park")
        return True

    def _end_unbegun(self, outcome: Outcome) -> None:
        """Give an outcome to a step whose task does not work yet, or never will."""
        step_id = outcome.step
        if step_id in self._decided:
            self._activity.end(step_id)
            if self._verdicts.get(step_id) == "run":
                self._give_back(step_id)
        self._decided.add(step_id)
        self._tell(step_id, outcome)
        self._record(outcome)

    def _go_on(self) -> None:
        self._pump()
        self._settle()

    def _give_back(self, step_id: str) -> None:
        if (specialist := self._specialists.get(step_id)) is not None:
            self._slots.release(specialist)

    async def _told(self, step_id: str) -> Verdict:
        waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiters[step_id] = waiter
        self._settle()
        return await waiter

    def _tell(self, step_id: str, verdict: Verdict) -> None:
        if not self._activity.wake(step_id):
            self._verdicts[step_id] = verdict
        if (waiter := self._waiters.pop(step_id, None)) is not None and not waiter.done():
            waiter.set_result(verdict)

    def _pump(self) -> None:
        if self._slots.limited and not self._stopped:
            while (step_id := self._slots.take()) is not None:
                if step_id in self.outcomes or self._drained(step_id):
                    self._give_back(step_id)
                else:
                    self._tell(step_id, "run")

    def _settle(self) -> None:
        """Once nothing is at work: park what waits for something that is parked, or for a human, and what sleeps.

        Where all there is sleeps, it sleeps on. Where a human is waited for, the run has to end for the answer.
        """
        idle = self._activity.idle
        if idle and self._activity.queued and not self._activity.asleep:
            for free in self._admission.anew():
                self._start(free)
            self._pump()
        if idle and self._activity.idle and (self._activity.held or not self._activity.asleep):
            self.dismiss()
            for step_id in list(self._waiters):
                self._tell(step_id, "park")
