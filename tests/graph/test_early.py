"""First steps that begin while the plan is still being written."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    ExecutionPolicy,
    Plan,
    PlanAgent,
    PlannerError,
    PlanningPolicy,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.errors import PlannerInvalid
from goalgraph.planner.decomposer import PlanRequest

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def _step(step: str, agent: str = "worker", *needs: str, task: str = "") -> AgentStep:
    return AgentStep(id=step, agent=agent, task=task or step, depends_on=needs)


@dataclass
class Writing:
    """Tells the steps of each draft, waits, and gives the last one as the plan."""

    drafts: Sequence[Plan | Exception]
    told: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def decompose(self, request: PlanRequest) -> Plan:
        """Write the drafts."""
        for number, draft in enumerate(self.drafts, 1):
            if isinstance(draft, Exception):
                raise draft
            for step in draft.steps:
                assert request.on_step is not None
                request.on_step(step, number)
            await asyncio.sleep(0.02)
        self.told.set()
        await self.go_on.wait()
        found = self.drafts[-1]
        assert isinstance(found, Plan)
        return found


@dataclass
class Crew:
    """Specialists that note when they begin and end."""

    begun: list[str] = field(default_factory=list[str])
    done: list[str] = field(default_factory=list[str])
    keys: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    cancelled: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    others: list[object] = field(default_factory=list[object])

    def agent(self, decomposer: Writing, **options: Any) -> PlanAgent:
        """Return an agent whose steps begin early."""

        @specialist(capabilities=["work"])
        async def worker(task: StepTask, context: StepContext) -> str:
            """Works."""
            self.begun.append(task.step)
            self.keys.setdefault(task.step, set()).add(context.idempotency_key)
            try:
                await asyncio.sleep(self.seconds)
            except asyncio.CancelledError:
                self.cancelled.append(task.step)
                raise
            self.done.append(task.step)
            told = f" from {', '.join(context.dependencies)}" if context.dependencies else ""
            return f"{task.step}: {task.instruction}{told}"

        @specialist
        async def asker(task: StepTask, context: StepContext) -> str:
            """Asks."""
            self.begun.append(task.step)
            return f"{task.step}: {context.ask('What?')}"

        @specialist
        async def broken(task: StepTask, context: StepContext) -> str:
            """Fails."""
            self.begun.append(task.step)
            raise RuntimeError("no")

        execution = options.pop("execution", ExecutionPolicy(eager=True))
        crew = [worker, asker, broken, *self.others]
        return create_plan_agent(None, crew, decomposer=decomposer, execution=execution, **options)


PLAN = Plan(steps=(_step("a"), _step("b"), _step("end", "worker", "a", "b")))


async def _early(
    crew: Crew, writing: Writing, agent: PlanAgent, config: Any = None
) -> tuple[list[str], dict[str, Any]]:
    """Run; return what had begun before the plan was there, and the result."""
    running = asyncio.create_task(agent.ainvoke({"goal": "g"}, config))
    await writing.told.wait()
    await asyncio.sleep(0.01)
    before = sorted(crew.begun)
    writing.go_on.set()
    return before, await running


async def test_steps_begin_before_the_plan_is_there_as_soon_as_what_they_need_is_and_are_done_once() -> None:
    crew, writing = Crew(), Writing([PLAN])
    before, result = await _early(crew, writing, crew.agent(writing))
    assert before == ["a", "b", "end"]
    assert crew.begun == ["a", "b", "end"]
    assert result["status"] == "complete"
    assert result["outcomes"]["a"].output == "a: a"
    assert result["outcomes"]["end"].output == "end: end from a, b"


async def test_a_step_that_is_not_over_when_the_plan_is_there_goes_on() -> None:
    crew, writing = Crew(seconds=0.2), Writing([PLAN])
    before, result = await _early(crew, writing, crew.agent(writing))
    assert before == ["a", "b"]
    assert crew.begun == ["a", "b", "end"]
    assert crew.cancelled == []
    assert result["outcomes"]["b"].seconds >= 0.2


async def test_without_the_policy_nothing_begins_early() -> None:
    crew, writing = Crew(), Writing([PLAN])
    before, result = await _early(crew, writing, crew.agent(writing, execution=ExecutionPolicy()))
    assert before == []
    assert result["status"] == "complete"


async def test_what_a_repaired_plan_has_unchanged_stays_done_and_the_rest_is_dropped() -> None:
    first = Plan(steps=(_step("same"), _step("other", task="the first way"), _step("gone")))
    second = Plan(steps=(_step("same"), _step("other", task="the second way")))
    crew, writing = Crew(seconds=0.1), Writing([first, second])
    _, result = await _early(crew, writing, crew.agent(writing))
    assert crew.begun.count("same") == 1
    assert crew.begun.count("other") == 2
    assert sorted(crew.cancelled) == ["gone", "other"]
    assert result["outcomes"]["other"].output == "other: the second way"
    assert set(result["outcomes"]) == {"same", "other"}


@pytest.mark.parametrize(
    ("step", "options"),
    [
        pytest.param(_step("a", "worker", "b"), {}, id="needs what has not begun"),
        pytest.param(_step("a", "nobody"), {}, id="unknown specialist"),
        pytest.param(_step("a", task="{{ steps.b.output }}"), {}, id="names another"),
        pytest.param(_step("a", task="It is {{ now() }}"), {}, id="depends on the time"),
        pytest.param(_step("a").model_copy(update={"when": "true"}), {}, id="condition"),
        pytest.param(_step("a"), {"approval": ApprovalPolicy(steps=("a",))}, id="asked about by id"),
        pytest.param(_step("a"), {"approval": ApprovalPolicy(steps=("work",))}, id="asked about by capability"),
        pytest.param(_step("a"), {"approval": ApprovalPolicy(steps=(lambda _: True,))}, id="asked about by a function"),
        pytest.param(_step("a"), {"approval": ApprovalPolicy(plan=True)}, id="plan is reviewed"),
        pytest.param(_step("a"), {"planning": PlanningPolicy(require_approval=("worker",))}, id="needs an approval"),
        pytest.param(_step("a"), {"planning": PlanningPolicy(require_approval=("*",))}, id="plan needs an approval"),
        pytest.param(_step("a"), {"planning": PlanningPolicy(available=("asker",))}, id="not available"),
    ],
)
async def test_what_must_wait_does_not_begin_early(step: AgentStep, options: dict[str, Any]) -> None:
    crew, writing = Crew(), Writing([Plan(steps=(step,))])
    agent = crew.agent(writing, checkpointer=InMemorySaver(), **options)
    running = asyncio.create_task(agent.ainvoke({"goal": "g"}, {"configurable": {"thread_id": "1"}}))
    await writing.told.wait()
    await asyncio.sleep(0.05)
    assert crew.begun == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_where_a_step_changes_what_was_done_with_its_result_is_done_again() -> None:
    first = Plan(steps=(_step("a", task="the first way"), _step("end", "worker", "a")))
    second = Plan(steps=(_step("a", task="the second way"), _step("end", "worker", "a")))
    crew, writing = Crew(), Writing([first, second])
    _, result = await _early(crew, writing, crew.agent(writing))
    assert crew.begun == ["a", "end", "a", "end"]
    assert result["outcomes"]["a"].output == "a: the second way"


async def test_a_step_that_needs_one_that_failed_does_not_begin() -> None:
    crew, writing = Crew(), Writing([Plan(steps=(_step("bad", "broken"), _step("end", "worker", "bad")))])
    before, result = await _early(crew, writing, crew.agent(writing))
    assert before == ["bad"]
    assert result["outcomes"]["end"].status == "blocked"


async def test_a_doubtful_result_is_not_gone_on_from_before_it_was_looked_at() -> None:
    @specialist
    async def doubter(task: StepTask, context: StepContext) -> StepResult:
        """Doubts."""
        return StepResult(output="perhaps", confidence=0.1)

    crew, writing = Crew(), Writing([Plan(steps=(_step("maybe", "doubter"), _step("end", "worker", "maybe")))])
    crew.others.append(doubter)
    agent = crew.agent(writing, revision=RevisionPolicy(triggers=("step.confidence < 0.5",), max_revisions=1))
    before, result = await _early(crew, writing, agent)
    assert before == []
    assert result["decisions"][0].kind == "revision"


async def test_a_specialist_that_asks_is_asked_for_in_its_own_turn() -> None:
    crew, writing = Crew(), Writing([Plan(steps=(_step("ask", "asker"),))])
    agent = crew.agent(writing, checkpointer=InMemorySaver())
    before, _ = await _early(crew, writing, agent, CONFIG)
    assert before == ["ask"]
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: "this"})
    assert result["answer"] == "ask: this"


async def test_a_failure_is_a_failure() -> None:
    crew, writing = Crew(), Writing([Plan(steps=(_step("bad", "broken"), _step("a")))])
    _, result = await _early(crew, writing, crew.agent(writing))
    assert crew.begun.count("bad") == 1
    assert result["outcomes"]["bad"].status == "failed"


async def test_no_more_begin_than_may_be_at_work() -> None:
    plan = Plan(steps=tuple(_step(f"s{n}") for n in range(5)))
    crew, writing = Crew(seconds=0.1), Writing([plan])
    agent = crew.agent(writing, execution=ExecutionPolicy(eager=True, max_concurrency=2))
    before, result = await _early(crew, writing, agent)
    assert len(before) == 2
    assert result["status"] == "complete"
    assert sorted(crew.begun) == [f"s{n}" for n in range(5)]


async def test_where_no_plan_comes_out_nothing_is_left_at_work() -> None:
    crew, writing = Crew(seconds=30), Writing([PLAN, PlannerInvalid((), attempts=1)])
    with pytest.raises(PlannerError):
        await crew.agent(writing).ainvoke({"goal": "g"})
    assert sorted(crew.cancelled) == ["a", "b"]


async def test_a_run_that_stops_while_the_plan_is_written_begins_its_steps_again_with_the_same_keys() -> None:
    saver, crew, writing = InMemorySaver(), Crew(seconds=30), Writing([PLAN])
    running = asyncio.create_task(crew.agent(writing, checkpointer=saver).ainvoke({"goal": "g"}, CONFIG))
    await writing.told.wait()
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sorted(crew.cancelled) == ["a", "b"]
    crew.seconds, again = 0.0, Writing([PLAN])
    again.go_on.set()
    result = await crew.agent(again, checkpointer=saver).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert {len(keys) for keys in crew.keys.values()} == {1}


async def test_every_drafted_step_is_shown_at_once() -> None:
    crew, writing = Crew(), Writing([PLAN])
    agent, seen = crew.agent(writing), list[Any]()

    async def watch() -> None:
        async for event in agent.astream({"goal": "g"}, stream_mode="custom"):
            seen.append(event)

    watching = asyncio.create_task(watch())
    await writing.told.wait()
    await asyncio.sleep(0.01)
    shown = [(event["step"], event["needs"], event["draft"], event["early"]) for event in seen]
    assert shown == [("a", [], 1, True), ("b", [], 1, True), ("end", ["a", "b"], 1, True)]
    writing.go_on.set()
    await watching
