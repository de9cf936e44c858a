"""State that is changed from outside while answered steps are not over: none of them is asked about again."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.kinds import (
    CONFIG,
    Ledger,
    agent_of,
    agent_step,
    asked,
    goal,
    ran,
    statuses,
    stopped_after,
    worker,
)
from tests.graph.test_inside import given_to_team, team

from goalgraph import (
    AlreadyAnswered,
    ApprovalPolicy,
    PlanAgent,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
    specialist,
)
from goalgraph.graph.humans.door import Said, admit
from goalgraph.graph.humans.thread import read_thread, saver_of

NEW = {"inputs": {"new": 1}}


def gated(ledger: Ledger, saver: SqliteSaver, *, seconds: float = 0.0, **policy: Any) -> PlanAgent:
    approval = ApprovalPolicy(steps=("worker",), **policy)
    return agent_of(worker(ledger, seconds=seconds), checkpointer=saver, approval=approval)


async def ids(agent: PlanAgent) -> dict[str, str]:
    return {request.step: request.id for request in await apending(agent, CONFIG)}


async def written_down(agent: PlanAgent, answers: dict[str, object], by: str | None = None) -> None:
    """Answer in a process that ends before it goes on with the run."""
    saver = saver_of(agent, CONFIG)
    assert saver is not None
    said = {request: Said(answer=answer, by=by) for request, answer in answers.items()}
    await admit(await read_thread(agent, CONFIG, saver), Command(resume=said))


async def begun(agent: PlanAgent, ledger: Ledger, given: Any, count: int = 1) -> None:
    """Go on until so many steps more are at work, and be killed there."""
    before = len(ledger.started)
    await stopped_after(agent, given, lambda: len(ledger.started) == before + count)


async def test_a_step_that_is_at_work_keeps_its_approval_over_changes_and_crashes(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    slow = gated(ledger, sqlite, seconds=30)
    await ran(slow, goal(agent_step("a")))
    request = (await ids(slow))["a"]
    await begun(slow, ledger, Command(resume={request: Said(answer=True, by="Ann")}))
    for _ in range(2):
        for number in range(2):
            await slow.aupdate_state(CONFIG, {"inputs": {"round": number}})
        for _ in range(2):
            slow = gated(ledger, sqlite, seconds=30)
            await begun(slow, ledger, None)
            assert await apending(slow, CONFIG) == ()
    agent = gated(ledger, sqlite)
    result = await ran(agent, None)
    assert [(one.request, one.by) for one in result["outcomes"]["a"].decisions] == [(request, "Ann")]
    assert [one.request for one in result["decisions"]] == [request]
    assert len(ledger.keys["a"]) == 1


async def test_an_answer_that_was_carried_over_stands(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a")))
    request = (await ids(agent))["a"]
    await written_down(agent, {request: True})
    await agent.aupdate_state(CONFIG, NEW)
    await aanswer(agent, CONFIG, {request: True})
    with pytest.raises(AlreadyAnswered):
        await aanswer(agent, CONFIG, {request: False})
    assert (await ran(agent, None))["status"] == "complete"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"inputs": {"sum": 2}}, id="other arguments"),
        pytest.param({"plan": {"steps": [agent_step("a", task="pay", input={"sum": 3})]}}, id="another plan"),
    ],
)
async def test_what_the_change_makes_another_question_is_asked_anew(
    sqlite: SqliteSaver, written: dict[str, Any]
) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a", task="pay", input={"sum": "{{ input.sum }}"}), inputs={"sum": 1}))
    first = (await ids(agent))["a"]
    await written_down(agent, {first: True})
    await agent.aupdate_state(CONFIG, written)
    await ran(agent, None)
    second = (await ids(agent))["a"]
    assert ledger.started == []
    result = await aanswer(agent, CONFIG, {second: False})
    assert statuses(result) == {"a": "failed"}
    assert [one.request for one in result["outcomes"]["a"].decisions] == [second]
    assert sorted(one.request for one in result["decisions"]) == sorted((first, second))


async def test_what_is_changed_back_has_its_answer_still(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a", task="pay {{ input.sum }}"), inputs={"sum": 1}))
    await written_down(agent, {(await ids(agent))["a"]: True})
    for number in (2, 1):
        await agent.aupdate_state(CONFIG, {"inputs": {"sum": number}})
        result = await ran(agent, None)
        assert bool(asked(result)) == (number == 2)
    assert ledger.tasks["a"].instruction == "pay 1"


async def test_an_edit_is_carried_over_with_what_it_changed(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a", task="pay 10")))
    edit = {"type": "edit", "args": {"instruction": "pay 1"}, "message": "less"}
    await written_down(agent, {(await ids(agent))["a"]: edit})
    await agent.aupdate_state(CONFIG, NEW)
    result = await ran(agent, None)
    assert ledger.tasks["a"].instruction == "pay 1"
    assert [one.chosen for one in result["decisions"]] == ["edit"]


async def test_answers_to_items_of_maps_are_carried_over(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    slow = gated(ledger, sqlite, seconds=30)
    inner = {"id": "in", "type": "map", "over": [1], "step": agent_step("one")}
    each = {"id": "m", "type": "map", "over": [1, 2], "step": agent_step("one")}
    deep = {"id": "d", "type": "map", "over": [1], "step": {"id": "p", "type": "sub_plan", "plan": {"steps": [inner]}}}
    await ran(slow, goal(each, deep))
    open_now = await ids(slow)
    yes = [open_now["m[0]"], open_now["d[0].in[0]"]]
    await begun(slow, ledger, Command(resume={request: Said(answer=True) for request in yes}), 2)
    agent = gated(ledger, sqlite)
    await agent.aupdate_state(CONFIG, NEW)
    await ran(agent, None)
    left = await ids(agent)
    assert list(left) == ["m[1]"]
    result = await aanswer(agent, CONFIG, dict.fromkeys(left.values(), True))
    assert result["status"] == "complete"
    assert sorted(one.request for one in result["decisions"]) == sorted([*yes, *left.values()])


async def test_what_a_specialist_was_told_is_carried_over_and_the_next_answer_is_to_the_next_question(
    sqlite: SqliteSaver,
) -> None:
    heard: list[object] = []

    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        heard[:] = [context.ask("again?") for _ in range(3)]
        return "told"

    agent = create_plan_agent(None, [worker], checkpointer=sqlite, approval=ApprovalPolicy(steps=("worker",)))
    answers: list[object] = [True, "one", "two", "three"]
    result = await ran(agent, goal(agent_step("a")))
    given: list[str] = []
    for number, said in enumerate(answers):
        request = (await ids(agent))["a"]
        given.append(request)
        result = await aanswer(agent, CONFIG, {request: said})
        if number in (1, 2):
            await agent.aupdate_state(CONFIG, NEW)
            await ran(agent, None)
            (shown,) = await apending(agent, CONFIG)
            assert (shown.kind, shown.interrupt.value["asked"]) == ("input", number)
    assert heard == ["one", "two", "three"]
    assert [one.request for one in result["outcomes"]["a"].decisions] == given
    assert [one.request for one in result["decisions"]] == given


@pytest.mark.parametrize(
    ("step", "said", "output"),
    [
        pytest.param({"type": "human_input", "prompt": "?"}, "words", "words", id="input"),
        pytest.param({"type": "wait", "event": "paid"}, {"sum": 1}, {"sum": 1}, id="event"),
        pytest.param(
            {"type": "human_approval", "prompt": "?"}, True, {"approved": True, "comment": None}, id="approval"
        ),
    ],
)
async def test_what_was_written_down_and_nothing_more_is_carried_over(
    sqlite: SqliteSaver, step: dict[str, Any], said: object, output: object
) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    await ran(agent, goal({"id": "a", **step}))
    await written_down(agent, {(await ids(agent))["a"]: said}, by="Ann")
    await agent.aupdate_state(CONFIG, NEW)
    result = await ran(agent, None)
    assert result["outcomes"]["a"].output == output
    assert [one.by for one in result["decisions"]] == ["Ann"]


async def test_an_answer_to_the_plan_is_carried_over(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite, approval=ApprovalPolicy(plan=True))
    await ran(agent, goal(agent_step("a")))
    await written_down(agent, {(await ids(agent))[""]: True})
    await agent.aupdate_state(CONFIG, NEW)
    result = await ran(agent, None)
    assert [one.kind for one in result["decisions"]] == ["plan"]
    await agent.aupdate_state(CONFIG, {"plan": {"steps": [agent_step("a")]}})
    await ran(agent, None)
    assert list(await ids(agent)) == [""], "it was used, and this is another review"


async def test_an_answer_that_came_in_time_counts_after_a_change_too(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite, deadline=0.5)
    await ran(agent, goal(agent_step("a"), agent_step("b")))
    await written_down(agent, {(await ids(agent))["a"]: True})
    await agent.aupdate_state(CONFIG, NEW)
    await asyncio.sleep(0.6)
    assert statuses(await ran(agent, None)) == {"a": "succeeded", "b": "failed"}


async def test_the_answer_to_a_question_that_was_escalated_is_for_that_one(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite, deadline=0.0, on_timeout="escalate")
    await ran(agent, goal(agent_step("a")))
    request = (await ids(agent))["a"]
    await written_down(agent, {request: True})
    await agent.aupdate_state(CONFIG, NEW)
    result = await ran(agent, None)
    assert [one.request for one in result["outcomes"]["a"].decisions] == [request]


async def test_an_approval_inside_of_a_step_is_none_of_a_step_outside_that_asks_the_same(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    agent = agent_of(team(done), checkpointer=sqlite)
    await ran(agent, goal(given_to_team("one")))
    (inside,) = await apending(agent, CONFIG)
    await written_down(agent, {inside.id: True})
    same = {"id": inside.step, "type": "human_approval", "prompt": inside.prompt}
    await agent.aupdate_state(CONFIG, {"plan": {"steps": [same]}})
    await ran(agent, None)
    (outside,) = await apending(agent, CONFIG)
    assert outside.digest == inside.digest, "or the test says nothing"
    result = await aanswer(agent, CONFIG, {outside.id: True})
    assert [one.request for one in result["outcomes"][inside.step].decisions] == [outside.id]
    assert {one.request for one in result["decisions"]} == {inside.id, outside.id}


async def test_a_new_goal_is_asked_about_anew(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a")))
    await written_down(agent, {(await ids(agent))["a"]: True})
    await agent.aupdate_state(CONFIG, NEW)
    await ran(agent, goal(agent_step("a")))
    await ran(agent, None)
    assert list(await ids(agent)) == ["a"]
    assert ledger.started == []


async def test_a_new_goal_whose_planning_was_cut_short_is_asked_about_anew(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    await ran(agent, goal(agent_step("a")))
    await written_down(agent, {(await ids(agent))["a"]: True})
    await agent.aupdate_state(CONFIG, NEW)
    await agent.ainvoke(goal(agent_step("a")), CONFIG, interrupt_before=["decompose"])
    await ran(agent, None)
    assert list(await ids(agent)) == ["a"]
    assert ledger.started == []


@pytest.mark.parametrize("is_carried", [True, False], ids=["carried", "not carried"])
async def test_an_answer_is_spent_once_its_step_is_over(sqlite: SqliteSaver, is_carried: bool) -> None:
    ledger = Ledger()
    agent = gated(ledger, sqlite)
    last = {"id": "last", "type": "human_approval", "prompt": "?"}
    steps = [agent_step("a"), agent_step("b"), last]
    await ran(agent, goal(*steps))
    open_now = await ids(agent)
    await written_down(agent, {open_now["a"]: True, open_now["b"]: True})
    if is_carried:
        await agent.aupdate_state(CONFIG, NEW)
    await ran(agent, None)
    assert sorted(ledger.started) == ["a", "b"]
    for plan in (steps[1:], steps):  # the second one has it done anew
        await agent.aupdate_state(CONFIG, {"plan": {"steps": plan}})
    await ran(agent, None)
    assert set(await ids(agent)) == {"a", "last"}
    assert sorted(ledger.started) == ["a", "b"]


async def test_what_is_carried_is_put_away_with_the_last_step(sqlite: SqliteSaver) -> None:
    agent = gated(Ledger(), sqlite)
    await ran(agent, goal(agent_step("a")))
    await written_down(agent, {(await ids(agent))["a"]: True})
    await agent.aupdate_state(CONFIG, NEW)
    assert len(agent.get_state(CONFIG).values["carried"]) == 1
    await ran(agent, None)
    assert agent.get_state(CONFIG).values["carried"] == []
