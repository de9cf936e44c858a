"""A plan that is changed while it runs: what is kept, what parks, what is said, and where it ends."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from tests.graph.revisers import ScriptedReviser, by

from goalgraph import (
    AgentStep,
    ExecutionPolicy,
    HumanApprovalStep,
    Limits,
    MapStep,
    Plan,
    PlanAgent,
    PlanPatch,
    RevisionPolicy,
    StepContext,
    StepResult,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Crew:
    """Specialists that say what they did, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun: list[str] = []
        self.slow = asyncio.Event()

        @specialist
        async def worker(task: StepTask, context: StepContext) -> str:
            """Works."""
            self.begun.append(task.step)
            if task.step.startswith("slow"):
                await self.slow.wait()
            self.done.append(task.step)
            return f"{task.step} by worker from {sorted(context.dependencies)}"

        @specialist
        async def broken(task: StepTask, context: StepContext) -> str:
            """Fails."""
            self.begun.append(task.step)
            raise RuntimeError("out of order")

        @specialist
        async def doubter(task: StepTask, context: StepContext) -> StepResult:
            """Is not sure."""
            self.done.append(task.step)
            return StepResult(output="perhaps", confidence=0.2)

        self.all = [worker, broken, doubter]

    def agent(self, reviser: ScriptedReviser, revision: RevisionPolicy | None = None, **options: Any) -> PlanAgent:
        return create_plan_agent(None, self.all, revision=revision or RevisionPolicy(), reviser=reviser, **options)


def _step(step: str, agent: str = "worker", *needs: str, **fields: Any) -> AgentStep:
    return AgentStep(id=step, agent=agent, task=step, depends_on=needs, **fields)


PLAN = Plan(steps=(_step("first"), _step("fetch", "broken", "first"), _step("use", "worker", "fetch"), _step("other")))


async def test_a_failed_step_is_done_in_another_way_and_nothing_finished_is_done_again() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch", "first")])
    result = await crew.agent(reviser).ainvoke({"goal": "g", "plan": PLAN})
    assert result["status"] == "complete"
    assert result["degraded"] == []
    assert sorted(crew.done) == ["fetch", "first", "other", "use"]
    assert result["outcomes"]["fetch"].specialist == "worker"
    assert "fetch" in result["outcomes"]["use"].output
    (decision,) = result["decisions"]
    assert (decision.kind, decision.subject, decision.chosen, decision.rationale) == (
        "revision",
        "fetch",
        "revise",
        "worker can",
    )
    assert decision.answer["evidence"]["error"]["message"] == "RuntimeError: out of order"
    assert "agent" in decision.answer["diff"]
    assert result["plan"].step("fetch").agent == "worker"


async def test_the_reviser_is_told_what_happened_and_what_is_at_work() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch", "first")])
    plan = Plan(steps=(*PLAN.steps[:3], _step("slow")))
    running = asyncio.create_task(crew.agent(reviser).ainvoke({"goal": "the goal", "plan": plan}))
    while not reviser.requests:
        await asyncio.sleep(0.01)
    assert "slow" not in crew.done, "the reviser is called at once, while others are at work"
    crew.slow.set()
    result = await running
    (request,) = reviser.requests
    assert (request.goal, request.trigger.step, request.at_work) == ("the goal", "fetch", frozenset({"slow"}))
    assert "failed" in request.trigger.reason
    assert request.outcomes["first"].status == "succeeded"
    assert request.outcomes["fetch"].status == "failed"
    assert crew.begun.count("slow") == 1, "nothing at work is begun again"
    assert result["status"] == "complete"


async def test_what_was_not_begun_parks_and_is_sent_again() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch")], seconds=0.2)
    steps = (_step("fetch", "broken"), _step("slow"), *(_step(f"later{n}", "worker", "slow") for n in range(5)))
    agent = crew.agent(reviser)
    crew.slow.set()
    events = [one async for one in agent.astream({"goal": "g", "plan": Plan(steps=steps)}, stream_mode="custom")]
    kinds = [event["type"] for event in events]
    assert kinds.count("plan_made") == 2
    assert kinds.index("revision_started") < kinds.index("plan_revised")
    revised = events[kinds.index("plan_revised")]
    assert (revised["step"], revised["chosen"]) == ("fetch", "revise")
    assert sorted(crew.done) == ["fetch", *(f"later{n}" for n in range(5)), "slow"]


async def test_a_doubtful_result_gets_a_second_opinion_before_anybody_uses_it() -> None:
    crew = Crew()
    second = PlanPatch(add=(_step("check", "worker", "guess"),), rewire={"use": ("guess", "check")})
    plan = Plan(steps=(_step("guess", "doubter", min_confidence=0.6), _step("use", "worker", "guess")))
    result = await crew.agent(ScriptedReviser([second])).ainvoke({"goal": "g", "plan": plan})
    assert crew.done == ["guess", "check", "use"]
    assert result["outcomes"]["use"].output == "use by worker from ['check', 'guess']"
    assert result["status"] == "degraded", "the doubt stays said"
    assert any("confidence 0.2" in reason for reason in result["degraded"])


async def test_the_policys_confidence_calls_for_a_revision_too() -> None:
    crew, reviser = Crew(), ScriptedReviser([PlanPatch()])
    plan = Plan(steps=(_step("guess", "doubter"),))
    result = await crew.agent(reviser, execution=ExecutionPolicy(min_confidence=0.5)).ainvoke(
        {"goal": "g", "plan": plan}
    )
    assert [decision.chosen for decision in result["decisions"]] == ["no_change"]
    assert any("below the 0.5" in reason for reason in result["degraded"])


@pytest.mark.parametrize(
    ("answer", "chosen", "said"),
    [
        pytest.param(PlanPatch(), "no_change", "", id="nothing better is known"),
        pytest.param(by("nobody", "fetch", "first"), "refuse", "", id="unknown specialist"),
        pytest.param(PlanPatch(drop=("first",)), "refuse", "", id="edits what is finished"),
        pytest.param(by("broken", "fetch", "first"), "no_progress", "broken can", id="the same again"),
        pytest.param(RuntimeError("no idea"), "refuse", "RuntimeError: no idea", id="the reviser fails"),
    ],
)
async def test_where_there_is_no_better_plan_the_run_goes_on_as_without(answer: Any, chosen: str, said: str) -> None:
    crew, reviser = Crew(), ScriptedReviser([answer])
    result = await crew.agent(reviser).ainvoke({"goal": "g", "plan": PLAN})
    (decision,) = [one for one in result["decisions"] if one.digest]
    assert decision.chosen == chosen
    assert said in decision.rationale
    assert result["status"] == "degraded"
    assert result["outcomes"]["fetch"].status == "failed"
    assert result["outcomes"]["use"].status == "blocked"
    assert sorted(crew.done) == ["first", "other"]
    assert result["plan"].step("fetch").agent == "broken"
    assert len(reviser.requests) <= 2


async def test_a_change_of_what_has_ended_meanwhile_is_asked_for_anew() -> None:
    crew = Crew()

    def first_replaces_what_is_at_work(request: Any) -> PlanPatch:
        crew.slow.set()
        return PlanPatch(drop=("slow",), replace=by("worker", "fetch").replace)

    reviser = ScriptedReviser([first_replaces_what_is_at_work, by("worker", "fetch")])
    plan = Plan(steps=(_step("fetch", "broken"), _step("slow")))
    result = await crew.agent(reviser).ainvoke({"goal": "g", "plan": plan})
    assert result["status"] == "complete"
    assert [request.at_work for request in reviser.requests] == [{"slow"}, frozenset()]
    (decision,) = result["decisions"]
    assert decision.chosen == "revise"


async def test_two_failures_at_once_are_looked_at_at_once_and_revised_one_after_the_other() -> None:
    crew = Crew()
    reviser = ScriptedReviser([lambda request: by("worker", request.trigger.step)])
    plan = Plan(steps=(_step("one", "broken"), _step("two", "broken"), _step("use", "worker", "one", "two")))
    result = await crew.agent(reviser).ainvoke({"goal": "g", "plan": plan})
    assert result["status"] == "complete"
    assert [one.subject for one in result["decisions"]] == ["one", "two"]
    assert [request.plan for request in reviser.requests] == [plan, plan]


async def test_at_the_bound_the_run_goes_on_without_and_says_so() -> None:
    crew = Crew()
    reviser = ScriptedReviser(
        [PlanPatch(replace=(_step("fetch", "broken", "first", timeout=float(n)),)) for n in (9, 8, 7)]
    )
    result = await crew.agent(reviser, RevisionPolicy(max_revisions=2)).ainvoke({"goal": "g", "plan": PLAN})
    assert [one.chosen for one in result["decisions"]] == ["revise", "revise", "accept"]
    assert result["status"] == "degraded"
    assert any("was not revised: 2 of 2 revisions are made" in reason for reason in result["degraded"])
    assert crew.begun.count("fetch") == 3
    assert sorted(crew.done) == ["first", "other"]


async def test_at_the_bound_a_run_can_be_aborted() -> None:
    crew = Crew()
    policy = RevisionPolicy(max_revisions=0, at_limit="abort")
    result = await crew.agent(ScriptedReviser([PlanPatch()]), policy).ainvoke({"goal": "g", "plan": PLAN})
    assert result["status"] == "halted"
    assert "0 of 0 revisions" in result["answer"]
    assert result["outcomes"]["first"].status == "succeeded"


@pytest.mark.parametrize(
    ("answer", "status", "done"),
    [
        pytest.param("accept", "degraded", ["first", "other"], id="accept"),
        pytest.param("abort", "halted", ["first", "other"], id="abort"),
        pytest.param({"guidance": "let the worker do it"}, "complete", ["fetch", "first", "other", "use"], id="guide"),
    ],
)
async def test_at_the_bound_a_human_is_asked_where_the_run_can_wait(answer: Any, status: str, done: list[str]) -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch", "first")])
    agent = crew.agent(reviser, RevisionPolicy(max_revisions=0, assignee="ann"), checkpointer=InMemorySaver())
    await agent.ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
    (request,) = await apending(agent, CONFIG)
    assert (request.step, request.assignee) == ("fetch", "ann")
    assert "out of order" in request.prompt
    result = await aanswer(agent, CONFIG, {request.id: answer}, by="ann")
    assert result["status"] == status
    assert sorted(crew.done) == done
    asked = [one for one in result["decisions"] if one.kind == "escalation"]
    assert [one.by for one in asked] == ["ann"]
    assert [request.guidance for request in reviser.requests] == (
        ["let the worker do it"] if status == "complete" else []
    )
    await aanswer(agent, CONFIG, {request.id: answer}, by="ann")  # again: no error, and nothing happens
    assert sorted(crew.done) == done


async def test_a_gate_that_waits_does_not_hold_up_a_revision_and_is_asked_afterwards() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch", "first")])
    plan = Plan(steps=(*PLAN.steps, HumanApprovalStep(id="ok", prompt="May it?"), _step("send", "worker", "ok")))
    agent = crew.agent(reviser, checkpointer=InMemorySaver())
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert sorted(crew.done) == ["fetch", "first", "other", "use"]
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: True})
    assert result["status"] == "complete"
    assert crew.done[-1] == "send"


async def test_an_answer_that_no_step_has_taken_in_yet_outlives_a_revision() -> None:
    crew = Crew()
    reviser = ScriptedReviser([by("worker", "late")])

    @specialist
    async def waiting(task: StepTask, context: StepContext) -> str:
        """Needs an answer, and fails if there is one."""
        context.ask("now?")
        raise RuntimeError("not now")

    crew.all.append(waiting)
    plan = Plan(
        steps=(
            _step("late", "waiting"),
            HumanApprovalStep(id="ok", prompt="May it?", depends_on=("hold",)),
            _step("hold", "worker"),
            HumanApprovalStep(id="also", prompt="And that?"),
            _step("send", "worker", "ok", "also"),
        )
    )
    agent = crew.agent(reviser, checkpointer=InMemorySaver(), execution=ExecutionPolicy(max_concurrency=1))
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    asked = await apending(agent, CONFIG)
    assert {request.step for request in asked} == {"late", "ok", "also"}
    result = await aanswer(agent, CONFIG, {request.id: "yes" if request.step == "late" else True for request in asked})
    assert "__interrupt__" not in result, "nothing is asked twice"
    assert result["status"] == "complete"
    assert sorted(crew.done) == ["hold", "late", "send"]
    counted = [one.subject for one in result["decisions"] if one.kind in ("approval", "input")]
    assert sorted(counted) == ["also", "late", "ok"]


async def test_a_run_that_stops_in_the_middle_of_a_revision_goes_on_with_it() -> None:
    crew, saver = Crew(), InMemorySaver()
    hanging = ScriptedReviser([by("worker", "fetch", "first")], seconds=60)
    running = asyncio.create_task(crew.agent(hanging, checkpointer=saver).ainvoke({"goal": "g", "plan": PLAN}, CONFIG))
    while not hanging.requests:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    reviser = ScriptedReviser([by("worker", "fetch", "first")])
    result = await crew.agent(reviser, checkpointer=saver).ainvoke(None, CONFIG)
    assert result["status"] == "complete"
    assert sorted(crew.done) == ["fetch", "first", "other", "use"]
    assert len(reviser.requests) == 1


async def test_a_revision_is_made_before_a_failure_ends_the_rest() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch", "first")])
    execution = ExecutionPolicy(on_failure="fail_fast")
    result = await crew.agent(reviser, execution=execution).ainvoke({"goal": "g", "plan": PLAN})
    assert result["status"] == "complete"
    crew, reviser = Crew(), ScriptedReviser([PlanPatch()])
    plan = Plan(steps=(_step("fetch", "broken"), _step("later", "worker", "slow"), _step("slow")))
    crew.slow.set()
    result = await crew.agent(reviser, execution=execution).ainvoke({"goal": "g", "plan": plan})
    assert result["outcomes"]["later"].status == "cancelled"


async def test_items_of_a_map_go_on_and_are_kept() -> None:
    crew, reviser = Crew(), ScriptedReviser([by("worker", "fetch")])
    each = MapStep(id="each", over=[1, 2, 3], step=_step("slow_item", "worker"), concurrency=1)
    plan = Plan(steps=(_step("fetch", "broken"), each, _step("use", "worker", "each", "fetch")))
    running = asyncio.create_task(crew.agent(reviser).ainvoke({"goal": "g", "plan": plan}))
    while not reviser.requests:
        await asyncio.sleep(0.01)
    crew.slow.set()
    result = await running
    assert result["status"] == "complete"
    assert crew.begun.count("each[0]") == crew.begun.count("each[2]") == 1


async def test_the_outcome_that_is_replaced_still_counts_in_the_usage() -> None:
    from goalgraph.testing import ScriptedChatModel

    crew = Crew()
    model = ScriptedChatModel(["fine"])

    @specialist
    async def costly(task: StepTask, context: StepContext) -> str:
        """Asks a model, and fails."""
        await model.ainvoke("hello")
        raise RuntimeError("no")

    crew.all.append(costly)
    plan = Plan(steps=(_step("fetch", "costly"),))
    result = await crew.agent(ScriptedReviser([by("worker", "fetch")])).ainvoke({"goal": "g", "plan": plan})
    assert result["outcomes"]["fetch"].usage.calls == 0
    assert result["usage"].calls == 1


async def test_a_specialist_of_gated_steps_stays_behind_gates_for_the_whole_run() -> None:
    crew = Crew()

    @specialist
    async def payer(task: StepTask, context: StepContext) -> str:
        """Pays."""
        crew.done.append(task.step)
        return "paid"

    crew.all.append(payer)

    def next_patch(request: Any) -> PlanPatch:
        if request.trigger.step == "one":
            return PlanPatch(drop=("pay",), replace=by("worker", "one").replace)
        return by("payer", request.trigger.step)

    plan = Plan(
        steps=(
            _step("one", "broken"),
            HumanApprovalStep(id="ok", prompt="Pay?", depends_on=("two",)),
            _step("pay", "payer", "ok"),
            _step("two", "broken", "one"),
        )
    )
    agent = crew.agent(ScriptedReviser([next_patch]), checkpointer=InMemorySaver())
    result = await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert "pay" not in [step.id for step in result["plan"].steps]
    assert [(one.subject, one.chosen) for one in result["decisions"]] == [("one", "revise"), ("two", "refuse")]
    assert crew.done == ["one"]


def test_sync_calls_revise_as_well() -> None:
    async def crew_of() -> Crew:
        return Crew()

    crew, reviser = asyncio.run(crew_of()), ScriptedReviser([by("worker", "fetch", "first")])
    result = crew.agent(reviser, limits=Limits(max_steps=10)).invoke({"goal": "g", "plan": PLAN})
    assert result["status"] == "complete"
