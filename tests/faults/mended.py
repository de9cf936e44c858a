"""Plans that fail and are mended while they run, with humans who are asked in between: made up at random by seed.

    python -m tests.faults.mended FOLDER SEED CHANCE

runs one, or goes on with it, from the SQLite file in FOLDER, which is also for its notes; the order of the answers is
made from CHANCE.
"""

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from tests.faults.ledger import Ledger, Line, read_ledger
from tests.faults.stores import sqlite_store

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    ExecutionPolicy,
    HumanApprovalStep,
    MapStep,
    Plan,
    PlanAgent,
    PlanPatch,
    Request,
    RevisionPolicy,
    RevisionRequest,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.graph.humans.thread import read_thread, saver_of
from goalgraph.planner.plan import Coordinator, Step

__all__ = ["CONFIG", "REVISER", "Mended", "Notes", "agent_for", "live", "mended"]

CONFIG: RunnableConfig = {"configurable": {"thread_id": "mended"}}
REVISER = "~reviser"
Mend = Literal["other", "first", "nothing", "same", "refused"]
MENDS: tuple[Mend, ...] = ("other", "first", "nothing", "same", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A plan, what fails in it, and what is made of that."""

    plan: Plan
    failing: Mapping[str, Mend] = field(default_factory=dict[str, Mend])
    """Steps that fail until somebody else, or a new task, is tried."""
    slots: int | None = None
    max_revisions: int = 50
    on_failure: Literal["continue", "fail_fast"] = "continue"
    guided: bool = False
    """Whether the human who is asked at the bound has one more idea."""


def mended(seed: int) -> Mended:
    """Make one up: 6 to 16 steps, of which every fifth fails, and every sixth is or has a gate."""
    chance = random.Random(f"{seed} mended")
    steps: list[Step] = []
    for number in range(chance.randint(6, 16)):
        earlier = [step.id for step in steps][-6:]
        needs = tuple(chance.sample(earlier, min(len(earlier), chance.choice([0, 1, 1, 2]))))
        kind = chance.random()
        name, pause = f"s{number}", chance.choice([0, 1, 3, 8])
        if kind < 0.12:
            steps.append(HumanApprovalStep(id=name, prompt="May it?", depends_on=needs))
        elif kind < 0.22:
            each = AgentStep(id="one", agent="worker", task="one", input={"ms": pause})
            steps.append(
                MapStep(id=name, over=[1, 2, 3], step=each, depends_on=needs, concurrency=chance.choice([1, 2]))
            )
        else:
            agent = "careful" if kind > 0.85 else "worker"
            steps.append(AgentStep(id=name, agent=agent, task=name, depends_on=needs, input={"ms": pause}))
    agents = [step.id for step in steps if step.type == "agent"]
    failing: dict[str, Mend] = {
        one: chance.choices(MENDS, (60, 15, 9, 8, 8))[0] for one in agents if chance.random() < 0.25
    }
    return Mended(
        plan=Plan(
            steps=tuple(steps),
            coordinator=Coordinator(strategy="sequential") if chance.random() < 0.1 else Coordinator(),
        ),
        failing=failing,
        slots=chance.choice([None, None, 1, 2, 4]),
        max_revisions=chance.choice([50, 50, 50, 1, 0]),
        on_failure=chance.choice(["continue", "continue", "continue", "continue", "fail_fast"]),
        guided=chance.random() < 0.5,
    )


@dataclass(slots=True)
class Mender:
    """Mends as the case says, and writes down that it was asked."""

    case: Mended
    ledger: Ledger

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        step = request.trigger.step
        self.ledger.write(Line("start", REVISER, 0, step))
        await asyncio.sleep(0.004)
        self.ledger.write(Line("end", REVISER, 0, step))
        failed = request.plan.step(step)
        mend = self.case.failing.get(step, "nothing")
        if mend == "nothing" or not isinstance(failed, AgentStep):
            return PlanPatch()
        if mend == "same":
            return PlanPatch(replace=(failed,))
        if mend == "refused":
            return PlanPatch(
                drop=tuple(one for one, found in request.outcomes.items() if found.status == "succeeded")[:1]
            )
        other = failed.model_copy(update={"input": {**failed.input, "mended": True}})
        if mend == "other" or failed.agent == "careful":
            return PlanPatch(replace=(other,), rationale="once more, in another way")
        added = AgentStep(id=f"{step}_first", agent="worker", task="first", depends_on=failed.depends_on)
        rewired = other.model_copy(update={"depends_on": (*failed.depends_on, added.id)})
        return PlanPatch(add=(added,), replace=(rewired,), rationale="in two steps")


def agent_for(case: Mended, saver: BaseCheckpointSaver[Any], ledger: Ledger) -> PlanAgent:
    """Build the agent that runs it."""

    async def work(task: StepTask, context: StepContext) -> str:
        ledger.write(Line("start", task.step, context.attempt, context.idempotency_key))
        await asyncio.sleep(cast("int", task.input.get("ms", 0)) / 1_000)
        if task.step in case.failing and not task.input.get("mended"):
            ledger.write(Line("fail", task.step, context.attempt, context.idempotency_key))
            raise ConnectionError("out of order")
        ledger.write(Line("end", task.step, context.attempt, context.idempotency_key))
        return f"{task.step} of {sorted(context.dependencies)}"

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        return await work(task, context)

    @specialist(effects=True)
    async def careful(task: StepTask, context: StepContext) -> str:
        return await work(task, context)

    return create_plan_agent(
        None,
        [worker, careful],
        reviser=Mender(case, ledger),
        revision=RevisionPolicy(max_revisions=case.max_revisions),
        approval=ApprovalPolicy(steps=("careful",)),
        execution=ExecutionPolicy(max_concurrency=case.slots, on_failure=case.on_failure),
        checkpointer=saver,
    )


class Notes:
    """What was stored at the end of each stretch of a run, in files that outlive its processes."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger"
        self._notes = folder / "stretches"
        self._end = folder / "end.json"

    async def note(self, agent: PlanAgent) -> None:
        """Write down what is stored now."""
        saver = saver_of(agent, CONFIG)
        assert saver is not None
        thread = await read_thread(agent, CONFIG, saver)
        found = {
            "lines": len(read_ledger(self.ledger)),
            "outcomes": {step: one.model_dump(mode="json") for step, one in thread.recorded().items()},
            "decisions": [one.model_dump(mode="json") for one in thread.decisions()],
            "entries": [one.request for one in thread.entries],
        }
        with self._notes.open("a") as file:
            file.write(json.dumps(found) + "\n")

    def end(self, result: Mapping[str, Any]) -> None:
        """Write down what the run has given."""
        found = {
            "status": result["status"],
            "degraded": result["degraded"],
            "steps": [step.id for step in result["plan"].steps],
            "outcomes": {step: one.model_dump(mode="json") for step, one in result["outcomes"].items()},
            "decisions": [one.model_dump(mode="json") for one in result["decisions"]],
        }
        self._end.write_text(json.dumps(found))

    @property
    def is_over(self) -> bool:
        return self._end.exists()

    def stretches(self) -> list[dict[str, Any]]:
        """Read the notes; a process may have been killed in the middle of the last one of its own."""
        found: list[dict[str, Any]] = []
        for line in self._notes.read_text().splitlines() if self._notes.exists() else ():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def result(self) -> dict[str, Any]:
        """Read what the run has given."""
        return cast("dict[str, Any]", json.loads(self._end.read_text()))


async def live(
    case: Mended,
    agent: PlanAgent,
    ledger: Ledger,
    notes: Notes,
    chance: random.Random,
    control: RunControl | None = None,
) -> None:
    """Run the plan to its end, as far as nobody comes between, and answer what is asked."""
    options: Any = {"control": control} if control is not None else {}
    begun = (await agent.aget_state(CONFIG)).created_at is not None
    if begun:
        await notes.note(agent)
    with suppress(GraphDrained):
        result = await agent.ainvoke(None if begun else {"goal": "mend", "plan": case.plan}, CONFIG, **options)
        while result.get("status") is None:
            await notes.note(agent)
            asked = await apending(agent, CONFIG)
            if not asked:
                raise AssertionError("neither over nor waiting")
            for request in asked:
                ledger.write(Line("ask", request.step, 0, request.id))
            chosen = chance.sample(asked, chance.randint(1, len(asked)))
            answers = {request.id: _answer(case, request, read_ledger(ledger.path)) for request in chosen}
            for request in chosen:
                ledger.write(Line("answer", request.step, 0, request.id, request.kind))
            result = await aanswer(agent, CONFIG, answers)
            for request in chosen:
                ledger.write(Line("taken", request.step, 0, request.id, request.kind))
        await notes.note(agent)
        notes.end(result)


def _answer(case: Mended, request: Request, lines: tuple[Line, ...]) -> object:
    if request.kind in ("approval", "gate"):
        return random.Random(request.step).random() < 0.85
    guides = {line.key for line in lines if line.event == "answer" and line.token == "input"}
    return {"guidance": "try it all the same"} if case.guided and len(guides - {request.id}) < 1 else "accept"


async def main() -> None:
    """See the module."""
    folder, seed, chosen = Path(sys.argv[1]), int(sys.argv[2]), random.Random(sys.argv[3])
    notes, case = Notes(folder), mended(seed)
    ledger = Ledger(notes.ledger)
    async with sqlite_store(folder / "run.sqlite", SqliteSaver, AsyncSqliteSaver)(chosen) as saver:
        await live(case, agent_for(case, saver, ledger), ledger, notes, chosen)


if __name__ == "__main__":
    asyncio.run(main())
