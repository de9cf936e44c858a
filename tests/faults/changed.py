"""Runs with every kind of step, cut off from their database and changed from outside in an order of chance."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langgraph.graph import START
from langgraph.types import Command
from tests.faults.checker import Recorded
from tests.faults.stores import CutSaver, connected
from tests.faults.witness import recorded_now

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
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

__all__ = ["CONFIG", "SCENARIOS", "Life", "Scenario"]

CONFIG: Any = {"configurable": {"thread_id": "1"}}
FAILING = "failing"
"""Step that fails until the plan is changed."""
NODES = ("decompose", "dispatch", "worker", "careful", "gather")
CUTS = (None, None, 0, 1, 2, 3, 4, 5, 6, 8, 10, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A plan, and how its agent is made."""

    steps: Sequence[Mapping[str, Any]]
    max_revisions: int | None = None
    is_reviewed: bool = False

    @property
    def lasts(self) -> bool:
        """Whether the plan can be written again as it is: it is not asked about, and no revision is undone by it."""
        return not self.is_reviewed and self.max_revisions is None

    @property
    def plan(self) -> dict[str, Any]:
        return {"steps": list(self.steps)}


def _does(step: str, *needs: str, agent: str = "worker", **given: Any) -> dict[str, Any]:
    return {"id": step, "agent": agent, "task": step, "depends_on": list(needs), "input": given}


def _over(step: str, items: list[int], agent: str, *needs: str) -> dict[str, Any]:
    return {
        "id": step,
        "type": "map",
        "over": items,
        "step": _does("one", agent=agent, ms=1),
        "depends_on": list(needs),
    }


SCENARIOS: dict[str, Scenario] = {
    "work": Scenario(steps=[_does("a"), _does("b", "a"), _does("c", "b", ms=2)]),
    "gates": Scenario(
        steps=[
            _does("a"),
            _does("g", "a", agent="careful"),
            _does("b", ms=3),
            _does("h", agent="careful"),
            _does("c", "g", "b"),
        ]
    ),
    "maps": Scenario(
        steps=[
            _does("a"),
            _over("m", [1, 2, 3], "worker", "a"),
            _over("n", [1, 2], "careful"),
            _over("o", [1, 2], "asker"),
            _does("z", "m", "n", "o"),
        ]
    ),
    "people": Scenario(
        steps=[
            _does("q", agent="asker"),
            _does("r", agent="asker"),
            {"id": "i", "type": "human_input", "prompt": "Who?", "schema": {"type": "string"}},
            {"id": "okay", "type": "human_approval", "prompt": "Go on?", "depends_on": ["q"]},
            _does("z", "okay", "i", "r"),
        ]
    ),
    "kinds": Scenario(
        steps=[
            _does("a"),
            {"id": "c", "type": "condition", "if": "{{ steps.a.status == 'succeeded' }}", "then": ["y"], "else": ["n"]},
            _does("y"),
            _does("n"),
            {"id": "p", "type": "parallel", "branches": [_does("one"), _does("two", agent="careful")]},
            {"id": "w", "type": "wait", "duration": 0.01},
            {"id": "e", "type": "wait", "event": "go", "depends_on": ["a"]},
            {"id": "s", "type": "sub_plan", "plan": {"steps": [_does("i", agent="careful")]}, "depends_on": ["a"]},
            _does("z", "y", "p", "w", "e", "s"),
        ]
    ),
    "reviewed": Scenario(steps=[_does("a"), _does("g", "a", agent="careful"), _does("z", "g")], is_reviewed=True),
    "revised": Scenario(
        steps=[
            _does("a"),
            _over("m", [1, 2], "worker", "a"),
            _does(FAILING, "a", ms=1),
            {"id": "okay", "type": "human_approval", "prompt": "Go on?"},
            _does("z", FAILING, "okay", "m"),
        ],
        max_revisions=3,
    ),
    "escalated": Scenario(
        steps=[_does("a"), _does(FAILING, "a"), _does("g", agent="careful"), _does("z", FAILING, "g")],
        max_revisions=0,
    ),
    "nested": Scenario(steps=[_does("a"), _does("t", agent="team"), _does("z", "a", "t")]),
    "halted": Scenario(
        steps=[
            _does("a"),
            _does("b", "a", signals=["confidence.blocker"]),
            _does("c", "b"),
            _does("g", agent="careful"),
        ]
    ),
}


class _Mender:
    async def revise(self, request: RevisionRequest) -> PlanPatch:
        failed: Any = request.plan.step(request.trigger.step)
        return PlanPatch(replace=(failed.model_copy(update={"input": {"mended": True}}),))


class _Team:
    async def decompose(self, request: object) -> Plan:
        deeper = AgentStep(id="deeper", agent="careful", task="deeper", depends_on=("deep",))
        return Plan(steps=(AgentStep(id="deep", agent="worker", task="deep"), deeper))


@dataclass(frozen=True, slots=True)
class Notes:
    """What has happened outside of the database."""

    begun: list[str] = field(default_factory=list[str])
    """Steps, in the order in which specialists began them."""
    answered: set[str] = field(default_factory=set[str])
    """Steps about which something was answered; empty text: the plan."""
    unasked: list[str] = field(default_factory=list[str])
    """Steps that were begun though nobody had approved of it."""


def agent_for(scenario: Scenario, saver: CutSaver, notes: Notes) -> PlanAgent:
    """Make the agent of a scenario; its specialists write down the steps that they begin."""

    async def work(task: StepTask, context: StepContext) -> str:
        notes.begun.append(task.step)
        if scenario.is_reviewed and "" not in notes.answered:
            notes.unasked.append(task.step)
        given: Any = task.input
        await asyncio.sleep(given.get("ms", 0) / 1_000)
        if task.step == FAILING and not given.get("mended"):
            raise ValueError("it fails")
        for signal in given.get("signals", ()):
            context.signal(signal)
        return task.step

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        return await work(task, context)

    @specialist
    async def careful(task: StepTask, context: StepContext) -> str:
        if task.step not in notes.answered:
            notes.unasked.append(task.step)
        return await work(task, context)

    @specialist
    async def asker(task: StepTask, context: StepContext) -> str:
        return f"{context.ask('What?')} {await work(task, context)}"

    policy = ApprovalPolicy(plan=scenario.is_reviewed, steps=("careful",))
    team = create_plan_agent(None, [worker, careful], decomposer=_Team(), approval=policy, name="team")
    return create_plan_agent(
        None,
        [worker, careful, asker, team],
        checkpointer=saver,
        approval=policy,
        reviser=_Mender(),
        revision=None if scenario.max_revisions is None else RevisionPolicy(max_revisions=scenario.max_revisions),
    )


def answer_to(request: Request) -> object:
    """Say yes, or anything that fits."""
    if request.kind in ("plan", "gate", "approval"):
        return True
    return "accept" if request.step == FAILING else "word"


@dataclass(slots=True)
class Life:
    """A run, one process after the other; after each of them it is looked at whether anything is lost."""

    scenario: Scenario
    file: Path
    notes: Notes = field(default_factory=Notes)
    known: Recorded = field(default_factory=lambda: Recorded(outcomes={}, answers={}))
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    agent: PlanAgent = field(init=False)
    saver: CutSaver = field(init=False)

    def __post_init__(self) -> None:
        self._open()

    @property
    def begun(self) -> list[str]:
        return self.notes.begun

    @property
    def status(self) -> str | None:
        return self.result.get("status")

    async def is_begun(self) -> bool:
        """Whether the goal is in the state: until then the run is to be begun anew."""
        snapshot = await self.agent.aget_state(CONFIG)
        return snapshot.created_at is not None and {task.name for task in snapshot.tasks} != {START}

    async def to_its_end(self) -> None:
        """Go on, answering one question after the other."""
        self.result = await self.agent.ainvoke(None, CONFIG)
        while self.status is None and (asked := await apending(self.agent, CONFIG)):
            self.result = await self._answered(asked[:1])

    async def begin(self) -> None:
        """Give the goal."""
        self.result = await self.agent.ainvoke({"goal": "live", "plan": self.scenario.plan}, CONFIG)

    async def change(self, **values: object) -> None:
        """Change the state from outside."""
        await self.agent.aupdate_state(CONFIG, values)

    async def change_anyhow(self, chance: random.Random) -> None:
        """Change the state in any of the ways that LangGraph has, as any of the nodes."""
        inputs: Any = {"inputs": {"new": chance.random()}}
        values: Any = chance.choice((None, inputs, Command(update=inputs)))
        node = chance.choice((None, "__copy__", *NODES))
        if node == "__copy__" and values is not None:
            values = [(values, chance.choice(NODES))]
        await self.agent.aupdate_state(CONFIG, values, as_node=node)

    async def answer_some(self, chance: random.Random) -> None:
        """Answer some of what is asked; go on where nothing is."""
        asked = list(await apending(self.agent, CONFIG))
        chosen = chance.sample(asked, chance.randint(1, len(asked))) if asked else []
        self.result = await (self._answered(chosen) if chosen else self.agent.ainvoke(None, CONFIG))

    async def process(self, work: Awaitable[None], writes: int | None) -> None:
        """Have a process do something until the database is gone after so many writes; then look at what there is."""
        before = len(self.begun)
        self.saver.wire.left = writes
        with suppress(sqlite3.OperationalError):
            await work
        await asyncio.sleep(0.002)
        self.saver.conn.close()
        self._open()
        if await self.is_begun():
            await self._look(self.begun[before:])

    async def anything(self, chance: random.Random) -> None:
        """Have a process do anything, and perhaps be cut off at it."""
        work = {
            "go on": lambda: self.to_its_end(),
            "answer": lambda: self.answer_some(chance),
            "change": lambda: self.change_anyhow(chance),
            "plan": lambda: self.change(plan=self.scenario.plan),
        }
        if not await self.is_begun():
            await self.process(self.begin(), chance.choice(CUTS))
            return
        kinds = ["go on", "answer", "answer", "change", *(["plan"] if self.scenario.lasts else [])]
        await self.process(work[chance.choice(kinds)](), chance.choice(CUTS))

    async def _answered(self, requests: Sequence[Request]) -> Mapping[str, Any]:
        self.notes.answered.update(one.path.rpartition("/")[2] for one in requests)
        return await aanswer(self.agent, CONFIG, {one.id: answer_to(one) for one in requests})

    async def _look(self, begun: Sequence[str]) -> None:
        now = await recorded_now(self.agent, CONFIG)
        # A map's outcome takes the place of those of its items; a revision takes back what calls for it.
        lasting = {
            step: outcome
            for step, outcome in self.known.outcomes.items()
            if step != FAILING and not ("[" in step and step.partition("[")[0] in now.outcomes)
        }
        assert lasting.items() <= now.outcomes.items(), "a recorded outcome is gone, or is another"
        assert set(self.known.answers) <= set(now.answers), "a recorded answer is gone"
        assert not self.notes.unasked, "a step was begun that nobody had approved of"
        assert not set(begun) & {*self.known.outcomes} - {FAILING}, "a recorded step was done again"
        self.known = now

    def _open(self) -> None:
        self.saver = CutSaver(connected(self.file))
        self.agent = agent_for(self.scenario, self.saver, self.notes)
