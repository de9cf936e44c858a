"""What the tasks of one superstep know of each other: who is done, who may start, who can no longer.

All steps of a plan are sent at once; each one's task waits here for its turn. Everything happens in one event loop,
between awaits, so there are no locks; the work of a whole run is linear in steps and dependencies.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goalgraph.graph.slots import Slots
from goalgraph.graph.transitions import readiness
from goalgraph.planner import dag
from goalgraph.planner.outcome import Outcome, StepError
from goalgraph.planner.plan import Plan, Step

__all__ = ["Board", "PlanIndex", "Verdict"]

Verdict = Literal["run", "park"] | Outcome
"""What a waiting task is told: run, end without an outcome (something it needs waits for a human), or this outcome
as it is."""


@dataclass(frozen=True, slots=True)
class PlanIndex:
    """A plan with what the engine looks up in it all the time."""

    plan: Plan
    steps: Mapping[str, Step]
    needs: Mapping[str, tuple[str, ...]]
    """By step, in plan order."""
    dependents: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]
    """Topological."""
    priority: Mapping[str, float]
    optional: frozenset[str]

    @classmethod
    def of(cls, plan: Plan) -> "PlanIndex":
        """Look a valid plan through once."""
        position = {step.id: place for place, step in enumerate(plan.steps)}
        needs = {step.id: tuple(sorted(dag.needs(step), key=position.__getitem__)) for step in plan.steps}
        waiting: dict[str, list[str]] = {step.id: [] for step in plan.steps}
        for step_id, needed in needs.items():
            for need in needed:
                waiting[need].append(step_id)
        dependents = {step_id: tuple(ids) for step_id, ids in waiting.items()}
        order = dag.order(needs)
        return cls(
            plan=plan,
            steps={step.id: step for step in plan.steps},
            needs=needs,
            dependents=dependents,
            order=order,
            priority=dag.remaining_path(order, dependents),
            optional=frozenset(step.id for step in plan.steps if step.optional),
        )


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
    ) -> None:
        """Set up with all that is already known.

        Args:
            index: The plan.
            outcomes: Outcomes recorded before, by step.
            specialists: Who does each unfinished step, by step.
            slots: The places there are.
            stoppable: Whether `stop` may be called; it needs to know the tasks.
        """
        self.index = index
        self.outcomes: dict[str, Outcome] = {
            step_id: outcomes[step_id] for step_id in index.order if step_id in outcomes
        }
        self._specialists = dict(specialists)
        self._slots = slots
        self._stoppable = stoppable
        self._missing = {
            step_id: sum(1 for need in index.needs[step_id] if need not in self.outcomes) for step_id in index.order
        }
        self._decided: set[str] = set()
        self._verdicts: dict[str, Verdict] = {}
        self._waiters: dict[str, asyncio.Future[Verdict]] = {}
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._open = {step_id for step_id in index.order if step_id not in self.outcomes}
        self._active = 0
        self._stopped: str | None = None
        for step_id in index.order:
            if step_id not in self.outcomes and (ended := self._consider(step_id, None)) is not None:
                self._record(ended)
        self._pump()

    async def enter(self, step_id: str) -> Verdict:
        """Wait for a step's turn and say what becomes of it; after "run", `leave` must follow."""
        verdict = self._verdicts.get(step_id)
        if verdict is None:
            waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
            self._waiters[step_id] = waiter
            self._settle()
            verdict = await waiter
        if verdict == "run" and self._stoppable:
            if self.stopped:
                ended = self.cancelled(step_id)
                self.leave(step_id, ended)
                return ended
            if (task := asyncio.current_task()) is not None:
                self._tasks[step_id] = task
        return verdict

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
            waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
            self._waiters[step_id] = waiter
            await waiter

    def leave(self, step_id: str, outcome: Outcome | None) -> None:
        """End a step that was told to run; without an outcome it parks, and whatever needs it parks with it."""
        if self._stoppable:
            self._tasks.pop(step_id, None)
        self._active -= 1
        self._slots.release(self._specialists[step_id])
        if outcome is None:
            self._verdicts[step_id] = "park"
        else:
            self._record(outcome)
        self._pump()
        self._settle()

    def stop(self, reason: str) -> None:
        """Cancel every step that is not done: those running, and those waiting."""
        self._stopped = reason
        here = asyncio.current_task()
        for task in list(self._tasks.values()):
            if task is not here:
                task.cancel(reason)
        for step_id in self.index.order:
            if step_id not in self.outcomes and step_id not in self._verdicts:
                if step_id in self._decided:
                    self._active -= 1
                self._decided.add(step_id)
                self.outcomes[step_id] = self.cancelled(step_id)
                self._tell(step_id, self.outcomes[step_id])

    def close(self, step_id: str) -> bool:
        """Note that a step's task ends with an outcome; True for the last one of the superstep."""
        self._open.discard(step_id)
        return not self._open

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped is not None

    def cancelled(self, step_id: str) -> Outcome:
        """The outcome of a step that `stop` reached."""
        error = StepError(code="cancelled", message=self._stopped or "cancelled")
        return Outcome(step=step_id, status="cancelled", error=error)

    def _record(self, outcome: Outcome) -> None:
        recorded = deque([outcome])
        while recorded:
            outcome = recorded.popleft()
            self.outcomes[outcome.step] = outcome
            for after in self.index.dependents[outcome.step]:
                self._missing[after] -= 1
                if (ended := self._consider(after, outcome)) is not None:
                    recorded.append(ended)

    def _consider(self, step_id: str, latest: Outcome | None) -> Outcome | None:
        """Look whether a step's fate is known now; return the outcome of one that ends without running.

        Args:
            step_id: The step.
            latest: What just became known of one of its dependencies; None at the start.
        """
        if step_id in self._decided:
            return None
        join = self.index.steps[step_id].join
        if self._missing[step_id] and latest is not None and (latest.status == "succeeded") != (join == "any_success"):
            return None  # cannot settle it, and looking at all dependencies each time would be quadratic
        needs = self.index.needs[step_id]
        fate = readiness(join, needs, self.outcomes, self.index.optional)
        if fate == "wait":
            return None
        self._decided.add(step_id)
        if fate != "run":
            ended = _ended(step_id, fate, needs, self.outcomes)
            self._tell(step_id, ended)
            return ended
        self._active += 1
        if self._slots.limited:
            self._slots.offer(step_id, self._specialists[step_id])
        else:
            self._tell(step_id, "run")
        return None

    def _tell(self, step_id: str, verdict: Verdict) -> None:
        self._verdicts[step_id] = verdict
        waiter = self._waiters.pop(step_id, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(verdict)

    def _pump(self) -> None:
        if self._slots.limited and not self.stopped:
            while (step_id := self._slots.take()) is not None:
                self._tell(step_id, "run")

    def _settle(self) -> None:
        """Park what still waits once nothing runs and nothing can start: it needs something that is parked itself."""
        if self._active == 0:
            for step_id in list(self._waiters):
                self._tell(step_id, "park")


def _ended(step_id: str, fate: str, needs: tuple[str, ...], outcomes: Mapping[str, Outcome]) -> Outcome:
    if fate == "skip":
        return Outcome(step=step_id, status="skipped")
    culprits = [need for need in needs if need in outcomes and outcomes[need].status not in ("succeeded", "skipped")]
    message = "needs " + ", ".join(f"{need!r} ({outcomes[need].status})" for need in culprits[:5])
    return Outcome(step=step_id, status="blocked", error=StepError(code="dependency", message=message))
