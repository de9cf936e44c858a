"""Moments at which a plan is changed that chance seldom finds."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    ExecutionPolicy,
    MapStep,
    Plan,
    PlanAgent,
    PlanPatch,
    RevisionPolicy,
    RevisionRequest,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.plan import Coordinator

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Scene:
    """A crew whose slow steps, and whose reviser, end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.asked: list[RevisionRequest] = []
        self.most = 0
        self._working = 0
        self.slow, self.thinking = asyncio.Event(), asyncio.Event()

        async def work(task: StepTask) -> str:
            self.begun.append(task.step)
            self._working += 1
            self.most = max(self.most, self._working)
            try:
                await (self.slow.wait() if task.step.startswith("slow") else asyncio.sleep(0.01))
            finally:
                self._working -= 1
            self.done.append(task.step)
            return task.step

        @specialist
        async def worker(task: StepTask, context: StepContext) -> str:
            return await work(task)

        @specialist(effects=True)
        async def careful(task: StepTask, context: StepContext) -> str:
            return await work(task)

        @specialist
        async def broken(task: StepTask, context: StepContext) -> str:
            self.begun.append(task.step)
            raise RuntimeError("out of order")

        self.crew: list[Any] = [worker, careful, broken]

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Have the worker do it."""
        self.asked.append(request)
        await self.thinking.wait()
        failed = request.plan.step(request.trigger.step)
        assert isinstance(failed, AgentStep)
        return PlanPatch(replace=(failed.model_copy(update={"agent": "worker"}),))

    def agent(self, saver: InMemorySaver | None = None, **options: Any) -> PlanAgent:
        given: dict[str, Any] = {"revision": RevisionPolicy(), "reviser": self, "checkpointer": saver, **options}
        return create_plan_agent(None, self.crew, **given)

    async def until(self, *steps: str) -> None:
        """Wait until steps are done."""
        async with asyncio.timeout(10):
            while not {*steps} <= {*self.done}:
                await asyncio.sleep(0.001)

    async def until_asked(self, times: int = 1) -> None:
        """Wait until the reviser is asked."""
        async with asyncio.timeout(10):
            while len(self.asked) < times:
                await asyncio.sleep(0.001)


def step(name: str, agent: str = "worker", *needs: str) -> AgentStep:
    return AgentStep(id=name, agent=agent, task=name, depends_on=needs)


async def cancelled(running: "asyncio.Task[Any]") -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_steps_that_need_no_failed_one_begin_and_end_while_the_reviser_thinks() -> None:
    scene = Scene()
    plan = Plan(steps=(step("fetch", "broken"), step("use", "worker", "fetch"), step("a"), step("b", "worker", "a")))
    running = asyncio.create_task(scene.agent().ainvoke({"goal": "g", "plan": plan}))
    await scene.until("a", "b")
    assert "use" not in scene.begun
    scene.thinking.set()
    assert (await running)["status"] == "complete"
    assert sorted(scene.done) == ["a", "b", "fetch", "use"]


@pytest.mark.parametrize("slots", [None, 1, 2])
async def test_work_goes_on_while_the_plan_is_changed_and_is_neither_waited_for_nor_begun_again(
    slots: int | None,
) -> None:
    scene = Scene()
    scene.thinking.set()
    plan = Plan(
        steps=(step("fetch", "broken"), step("slow"), step("use", "worker", "fetch"), step("end", "worker", "slow"))
    )
    agent = scene.agent(execution=ExecutionPolicy(max_concurrency=slots))
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}))
    if slots == 1:
        await asyncio.sleep(0.1)
    else:
        await scene.until("use")
    assert "slow" not in scene.done
    scene.slow.set()
    result = await running
    assert result["status"] == "complete"
    assert sorted(scene.begun) == ["end", "fetch", "fetch", "slow", "use"]
    assert scene.most <= (slots or 4)


async def test_an_effect_is_on_record_before_the_plan_is_changed() -> None:
    scene = Scene()
    scene.thinking.set()
    plan = Plan(steps=(step("fetch", "broken"), step("slow", "careful"), step("use", "worker", "fetch")))
    running = asyncio.create_task(scene.agent().ainvoke({"goal": "g", "plan": plan}))
    await asyncio.sleep(0.1)
    assert "use" not in scene.begun
    scene.slow.set()
    assert (await running)["status"] == "complete"
    assert scene.begun.count("slow") == 1


async def test_items_of_a_map_that_a_stopped_process_has_done_stay_done() -> None:
    scene, saver = Scene(), InMemorySaver()
    each = MapStep(id="each", over=[1, 2, 3], step=step("one"), concurrency=1)
    plan = Plan(steps=(each, step("fetch", "broken"), step("use", "worker", "each", "fetch")))
    running = asyncio.create_task(scene.agent(saver).ainvoke({"goal": "g", "plan": plan}, CONFIG))
    await scene.until("each[0]", "each[1]")
    await cancelled(running)
    scene.thinking.set()
    result = await scene.agent(saver).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert [scene.done.count(f"each[{number}]") for number in range(3)] == [1, 1, 1]


async def test_an_inner_run_that_fails_has_the_outer_plan_changed() -> None:
    scene = Scene()
    scene.thinking.set()

    class Always:
        async def decompose(self, request: PlanRequest) -> Plan:
            return Plan(steps=(step("deep", "broken"),))

    scene.crew.append(create_plan_agent(None, scene.crew[:3], decomposer=Always(), name="team"))
    plan = Plan(steps=(step("fetch", "team"), step("use", "worker", "fetch")))
    result = await scene.agent(InMemorySaver()).ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert result["status"] == "complete"
    assert scene.done == ["fetch", "use"]


async def test_two_that_fail_at_once_are_both_mended_and_the_rest_waits_for_the_slower_one_alone() -> None:
    scene = Scene()
    steps = (step("one", "broken"), step("two", "broken"), step("use", "worker", "one", "two"), step("slow"))
    running = asyncio.create_task(
        scene.agent(InMemorySaver()).ainvoke({"goal": "g", "plan": Plan(steps=steps)}, CONFIG)
    )
    await scene.until_asked(2)
    scene.thinking.set()
    await scene.until("use")
    scene.slow.set()
    result = await running
    assert [one.chosen for one in result["decisions"]] == ["revise", "revise"]
    assert sorted(scene.done) == ["one", "slow", "two", "use"]
    assert len(scene.asked) == 2


async def test_calls_that_are_under_way_count_against_the_bound() -> None:
    scene = Scene()
    scene.thinking.set()
    plan = Plan(steps=tuple(step(f"f{number}", "broken") for number in range(5)))
    result = await scene.agent(revision=RevisionPolicy(max_revisions=2)).ainvoke({"goal": "g", "plan": plan})
    assert len(scene.asked) == 2
    assert sum(1 for one in result["decisions"] if one.kind == "revision") == 2
    assert result["status"] == "degraded"


async def test_a_process_that_is_to_end_finishes_what_is_at_work_and_changes_the_plan_later() -> None:
    scene, saver, control = Scene(), InMemorySaver(), RunControl()
    plan = Plan(
        steps=(step("fetch", "broken"), step("slow"), step("use", "worker", "fetch"), step("end", "worker", "slow"))
    )
    running = asyncio.create_task(scene.agent(saver).ainvoke({"goal": "g", "plan": plan}, CONFIG, control=control))
    await scene.until_asked()
    control.request_drain("the machine goes down")
    scene.thinking.set()
    await asyncio.sleep(0.05)
    scene.slow.set()
    with pytest.raises(GraphDrained):
        await running
    assert "use" not in scene.begun
    result = await scene.agent(saver).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert scene.begun.count("slow") == 1


async def test_a_change_of_the_state_between_two_processes_loses_nothing() -> None:
    scene, saver = Scene(), InMemorySaver()
    plan = Plan(steps=(step("first"), step("fetch", "broken", "first"), step("use", "worker", "fetch"), step("slow")))
    agent = scene.agent(saver)
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}, CONFIG))
    await scene.until_asked()
    await cancelled(running)
    await agent.aupdate_state(CONFIG, {"goal": "another"})
    scene.slow.set()
    scene.thinking.set()
    result = await scene.agent(saver).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert scene.done.count("first") == 1
    assert [one.chosen for one in result["decisions"]] == ["revise"]


@pytest.mark.parametrize("options", [{"on_failure": "fail_fast"}, {"max_concurrency": 1}, {}], ids=str)
async def test_a_run_that_is_stopped_while_the_reviser_thinks_asks_it_again(options: dict[str, Any]) -> None:
    scene, saver = Scene(), InMemorySaver()
    plan = Plan(
        steps=(step("first"), step("fetch", "broken", "first"), step("use", "worker", "fetch")),
        coordinator=Coordinator(strategy="sequential") if not options else Coordinator(),
    )
    agent = scene.agent(saver, execution=ExecutionPolicy(**options))
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}, CONFIG))
    await scene.until_asked()
    await cancelled(running)
    scene.thinking.set()
    result = await scene.agent(saver, execution=ExecutionPolicy(**options)).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert scene.done == ["first", "fetch", "use"]


@pytest.mark.parametrize("is_stopped", [False, True], ids=["another is revised first", "the process stops"])
async def test_what_takes_any_outcome_waits_for_the_revision_all_the_same(is_stopped: bool) -> None:
    scene, saver = Scene(), InMemorySaver()
    other = asyncio.Event()

    class Slowly:
        async def revise(self, request: RevisionRequest) -> PlanPatch:
            if request.trigger.step == "one":
                await other.wait()
            return await scene.revise(request)

    use = step("use", "worker", "one").model_copy(update={"join": "all_done"})
    plan = Plan(steps=(step("one", "broken"), step("two", "broken"), use))
    agent = scene.agent(saver, reviser=Slowly())
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}, CONFIG))
    if is_stopped:
        await scene.until_asked()
        await cancelled(running)
        scene.thinking.set()
        other.set()
        await agent.ainvoke(None, CONFIG)
    else:
        scene.thinking.set()
        await scene.until("two")
        await asyncio.sleep(0.05)
        other.set()
        await running
    assert scene.done.index("one") < scene.done.index("use")
    assert scene.done.count("use") == 1


async def test_at_the_bound_all_else_is_done_before_a_human_is_asked() -> None:
    scene, saver = Scene(), InMemorySaver()
    plan = Plan(steps=(step("fetch", "broken"), step("use", "worker", "fetch"), step("a"), step("b", "worker", "a")))
    agent = scene.agent(saver, revision=RevisionPolicy(max_revisions=0))
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert scene.done == ["a", "b"]
    assert [one.step for one in await apending(agent, CONFIG)] == ["fetch"]


@pytest.mark.parametrize("said", ["accept", {"guidance": "let the worker do it"}], ids=["accept", "guide"])
async def test_who_is_asked_at_the_bound_is_asked_once_whatever_process_goes_on(said: Any) -> None:
    scene, saver = Scene(), InMemorySaver()
    plan = Plan(steps=(step("fetch", "broken"), step("use", "worker", "fetch"), step("a")))
    options: dict[str, Any] = {"revision": RevisionPolicy(max_revisions=0)}
    await scene.agent(saver, **options).ainvoke({"goal": "g", "plan": plan}, CONFIG)
    (request,) = await apending(scene.agent(saver, **options), CONFIG)
    await scene.agent(saver, **options).ainvoke(None, CONFIG)
    assert [one.id for one in await apending(scene.agent(saver, **options), CONFIG)] == [request.id]
    answering = asyncio.create_task(aanswer(scene.agent(saver, **options), CONFIG, {request.id: said}))
    if said != "accept":
        await scene.until_asked()
        await cancelled(answering)
        scene.thinking.set()
    else:
        await answering
    result = await scene.agent(saver, **options).ainvoke(None, CONFIG) if said != "accept" else await answering
    assert result["status"] == ("degraded" if said == "accept" else "complete")
    assert sum(1 for one in result["decisions"] if one.request == request.id) == 1
    assert scene.done.count("a") == 1


async def test_a_failure_that_ends_all_the_rest_ends_what_waits_for_a_human_too() -> None:
    scene = Scene()
    agent = scene.agent(
        InMemorySaver(),
        revision=None,
        approval=ApprovalPolicy(steps=("careful",)),
        execution=ExecutionPolicy(on_failure="fail_fast"),
    )
    plan = Plan(steps=(step("gated", "careful"), step("first"), step("last", "broken", "first")))
    result = await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert result["outcomes"]["gated"].status == "cancelled"


async def test_a_reviser_that_cancels_itself_holds_nobody_up() -> None:
    scene = Scene()

    class Cancels:
        async def revise(self, request: RevisionRequest) -> PlanPatch:
            raise asyncio.CancelledError

    plan = Plan(steps=(step("fetch", "broken"), step("use", "worker", "fetch"), step("a")))
    async with asyncio.timeout(10):
        result = await scene.agent(reviser=Cancels()).ainvoke({"goal": "g", "plan": plan})
    assert result["status"] == "degraded"
    assert [one.chosen for one in result["decisions"]] == ["refuse"]


def test_sync_calls_are_mended_and_go_on() -> None:
    async def made() -> Scene:
        scene = Scene()
        scene.thinking.set()
        scene.slow.set()
        return scene

    scene, saver = asyncio.run(made()), InMemorySaver()
    plan = Plan(steps=(step("fetch", "broken"), step("slow"), step("use", "worker", "fetch", "slow")))
    result = scene.agent(saver).invoke({"goal": "g", "plan": plan}, CONFIG)
    assert result["status"] == "complete"
    assert scene.begun.count("slow") == 1
