"""Answering: `pending` and `answer`, what they refuse, and that an answer is taken in once and never lost."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt
from tests.graph.kinds import CONFIG, Ledger, agent_of, agent_step, goal, ran, statuses, worker

from goalgraph import (
    AlreadyAnswered,
    AnswerRefused,
    ForeignRequest,
    InvalidAnswer,
    PlanAgent,
    Request,
    RunPaused,
    RunResult,
    StaleRequest,
    StepContext,
    StepTask,
    UnknownRequest,
    UnknownRun,
    aanswer,
    answer,
    apending,
    pending,
    specialist,
)
from goalgraph.errors import RunBusy


def approval(step_id: str, *needs: str, **fields: Any) -> Any:
    return {"id": step_id, "type": "human_approval", "prompt": f"{step_id}?", "depends_on": list(needs), **fields}


THREE = goal(approval("x"), approval("y"), approval("z"), *(agent_step(f"after_{one}", one) for one in "xyz"))


async def by_step(agent: PlanAgent) -> dict[str, Request]:
    return {request.step: request for request in await apending(agent, CONFIG)}


@pytest.mark.parametrize("order", ["xyz", "zyx", "yxz"])
async def test_gates_of_several_branches_wait_together_and_are_answered_in_any_order(
    order: str, sqlite: SqliteSaver
) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    result = await ran(agent, THREE)
    for number, step in enumerate(order):
        requests = await by_step(agent)
        assert set(requests) == set(order[number:])
        result = await aanswer(agent, CONFIG, {requests[step].id: True}, by="ann")
        assert ledger.started == [f"after_{one}" for one in order[: number + 1]]
    assert result["status"] == "complete"
    assert {one.subject: (one.chosen, one.by) for one in result["decisions"]} == dict.fromkeys(
        order, ("approve", "ann")
    )


async def test_they_are_answered_all_at_once() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, THREE)
    requests = await by_step(agent)
    result = await aanswer(agent, CONFIG, {one.id: one.step != "y" for one in requests.values()})
    assert statuses(result) == {
        "x": "succeeded",
        "y": "failed",
        "z": "succeeded",
        "after_x": "succeeded",
        "after_y": "blocked",
        "after_z": "succeeded",
    }


def test_sync_code_answers_in_the_same_way(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    agent.invoke(goal(approval("x")), CONFIG)
    (request,) = pending(agent, CONFIG)
    assert (request.kind, request.step, request.prompt) == ("approval", "x", "x?")
    result = answer(agent, CONFIG, {request.id: "approve"})
    assert result["status"] == "complete"
    assert pending(agent, CONFIG) == ()


async def test_sync_helpers_work_inside_of_a_running_loop() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, goal(approval("x")))
    (request,) = pending(agent, CONFIG)
    assert answer(agent, CONFIG, {request.id: True})["status"] == "complete"


async def test_what_is_asked_can_be_read_in_a_line() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, goal(approval("x", prompt="Is this all right?")))
    (request,) = pending(agent, CONFIG)
    assert "step='x', prompt='Is this all right?'" in repr(request)
    assert "action_requests" not in repr(request)
    assert len(repr(request)) < 300


async def test_the_same_answer_again_changes_nothing_and_another_one_is_refused() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger))
    await ran(agent, THREE)
    request = (await by_step(agent))["x"]
    first = await aanswer(agent, CONFIG, {request.id: {"type": "approve", "message": "fine"}})
    again = await aanswer(agent, CONFIG, {request.id: {"type": "approve", "message": "fine"}})
    assert [one.value["step"] for one in again["__interrupt__"]] == [
        one.value["step"] for one in first["__interrupt__"]
    ]
    with pytest.raises(AlreadyAnswered, match="step 'x': it has another answer"):
        await aanswer(agent, CONFIG, {request.id: False})
    left = await by_step(agent)
    result = await aanswer(agent, CONFIG, {left["y"].id: True, left["z"].id: True})
    assert result["status"] == "complete"
    after = await aanswer(agent, CONFIG, {request.id: {"type": "approve", "message": "fine"}})
    assert (after["status"], after["answer"]) == (result["status"], result["answer"])
    assert {type(one) for one in (first, again, result, after)} == {RunResult}, "all of them show themselves"
    with pytest.raises(AlreadyAnswered):
        await aanswer(agent, CONFIG, {request.id: False})
    assert ledger.started == ["after_x", "after_y", "after_z"]


async def test_what_cannot_be_used_is_refused_as_a_whole_and_nothing_is_taken_in() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger))
    await ran(agent, THREE)
    requests = await by_step(agent)
    x, y = requests["x"].id, requests["y"].id
    other = agent_of(worker(ledger))
    config: Any = {"configurable": {"thread_id": "other"}}
    await other.ainvoke(THREE, config)
    theirs = (await apending(other, config))[0].id
    cases: list[tuple[type[AnswerRefused], dict[str, object]]] = [
        (InvalidAnswer, {x: "yes please", y: True}),
        (UnknownRequest, {"nothing": True, y: True}),
        (UnknownRequest, {x.replace(x.split("-")[1], "0" * 32): True}),
        (ForeignRequest, {theirs: True, y: True}),
        (StaleRequest, {x[:-1] + "7": True, y: True}),
        (AnswerRefused, {x: None, "nothing": True}),
    ]
    for kind, answers in cases:
        with pytest.raises(AnswerRefused) as caught:
            await aanswer(agent, CONFIG, answers)
        assert type(caught.value) is kind
        assert {request.id for request in await apending(agent, CONFIG)} == {one.id for one in requests.values()}
        assert len(caught.value.problems) == (1 if kind is not AnswerRefused else 2)
    assert ledger.started == []


async def test_a_new_goal_is_refused_while_a_run_waits_and_taken_after_it() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, goal(approval("x")))
    with pytest.raises(RunPaused, match="'x'"):
        await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    await aanswer(agent, CONFIG, {request.id: False})
    assert (await ran(agent, goal(agent_step("a"))))["status"] == "complete"
    with pytest.raises(UnknownRequest):
        await aanswer(agent, CONFIG, {request.id: True})


@pytest.mark.parametrize("given", [None, Command(resume=True), Command(resume={"0" * 32: True})], ids=repr)
async def test_going_on_with_an_unknown_thread_creates_nothing(given: Any, sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    with pytest.raises(UnknownRun, match="thread 'thread' has no run"):
        await agent.ainvoke(given, CONFIG)
    with pytest.raises(UnknownRun):
        await apending(agent, CONFIG)
    assert sqlite.get_tuple(CONFIG) is None


async def test_a_scalar_answers_the_only_question_and_not_one_of_several() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, goal(approval("x"), approval("y")))
    with pytest.raises(InvalidAnswer, match="2 requests are open"):
        await agent.ainvoke(Command(resume=True), CONFIG)
    await aanswer(agent, CONFIG, {(await by_step(agent))["x"].id: True})
    assert (await agent.ainvoke(Command(resume=True), CONFIG))["status"] == "complete"
    with pytest.raises(UnknownRequest, match="nothing is asked"):
        await agent.ainvoke(Command(resume=True), CONFIG)


class Cut(InMemorySaver):
    """Lets a process end between the writing down of an answer and the run's taking it in."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.cuts: set[str] = set()

    async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        await super().aput_writes(config, writes, task_id, task_path)
        if writes[0][0] in self.cuts:
            raise ConnectionError("the process ends here")


async def test_an_answer_that_was_written_down_is_not_asked_for_again() -> None:
    ledger, saver = Ledger(), Cut()
    agent = agent_of(worker(ledger), checkpointer=saver)
    await ran(agent, goal(approval("x"), agent_step("a", "x")))
    (request,) = await apending(agent, CONFIG)
    saver.cuts.add("goalgraph_answer")
    with pytest.raises(ConnectionError):
        await aanswer(agent, CONFIG, {request.id: True}, by="ann")
    saver.cuts.clear()
    assert ledger.started == []
    assert await apending(agent, CONFIG) == (), "it has its answer"
    with pytest.raises(AlreadyAnswered):
        await aanswer(agent, CONFIG, {request.id: False})
    result = await ran(agent_of(worker(ledger), checkpointer=saver), None)
    assert (result["status"], result["decisions"][0].by) == ("complete", "ann")
    assert ledger.started == ["a"]


async def test_of_two_answers_at_the_same_time_the_first_stands(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    first, second = (agent_of(worker(ledger), checkpointer=sqlite) for _ in range(2))
    await ran(first, goal(approval("x"), agent_step("a", "x")))
    (request,) = await apending(first, CONFIG)
    found = await asyncio.gather(
        aanswer(first, CONFIG, {request.id: True}),
        aanswer(second, CONFIG, {request.id: False}),
        return_exceptions=True,
    )
    refused = [one for one in found if isinstance(one, AlreadyAnswered)]
    results = [one for one in found if isinstance(one, dict)]
    assert (len(refused), len(results)) == (1, 1)
    assert ledger.started == (["a"] if results[0]["outcomes"]["x"].status == "succeeded" else [])


async def test_two_calls_do_not_drive_the_same_run() -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds=3))
    running = asyncio.create_task(agent.ainvoke(goal(agent_step("a")), CONFIG))
    await asyncio.sleep(0.1)
    with pytest.raises(RunBusy, match="'thread'"):
        await agent.ainvoke(None, CONFIG)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ledger.started == ["a"]


async def test_a_stream_that_was_left_in_the_middle_does_not_keep_its_thread() -> None:
    agent = agent_of(worker(Ledger(), seconds={"a": 0, "b": 30}))
    async for part in agent.astream(goal(agent_step("a"), agent_step("b")), CONFIG, stream_mode="custom"):
        if part["type"] == "step_finished":
            break
    result = await ran(agent_of(worker(Ledger()), checkpointer=agent.checkpointer), None)  # type: ignore[arg-type]
    assert result["status"] == "complete"


async def test_a_specialist_asks_and_goes_on_with_the_answer(sqlite: SqliteSaver) -> None:
    calls: list[str] = []

    @specialist(name="worker")
    async def curious(task: StepTask, context: StepContext) -> object:
        calls.append("begun")
        colour = context.ask("Which colour?")
        size = context.ask("Which size?", {"type": "integer"})
        calls.append("done")
        return {"colour": colour, "size": size}

    agent = agent_of(curious, checkpointer=sqlite)
    await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    assert (request.kind, request.prompt, request.schema) == ("input", "Which colour?", {})
    await aanswer(agent, CONFIG, {request.id: "blue"})
    (request,) = await apending(agent, CONFIG)
    assert (request.prompt, request.schema) == ("Which size?", {"type": "integer"})
    with pytest.raises(InvalidAnswer, match="does not fit"):
        await aanswer(agent, CONFIG, {request.id: "large"})
    result = await aanswer(agent, CONFIG, {request.id: 4})
    assert result["outcomes"]["a"].output == {"colour": "blue", "size": 4}
    assert [one.answer for one in result["decisions"]] == ["blue", 4]
    assert calls == ["begun", "begun", "begun", "done"]


async def test_a_question_is_not_asked_anew_by_the_next_attempt() -> None:
    failed: list[int] = []

    @specialist(name="worker")
    async def flaky(task: StepTask, context: StepContext) -> object:
        said = context.ask("Which?")
        if context.attempt == 1:
            failed.append(1)
            raise ConnectionError("not now")
        return said

    agent = agent_of(flaky)
    await ran(agent, goal(agent_step("a", retry={"max_attempts": 2, "initial_seconds": 0})))
    (request,) = await apending(agent, CONFIG)
    result = await aanswer(agent, CONFIG, {request.id: "this"})
    assert (result["outcomes"]["a"].output, failed) == ("this", [1])


async def test_a_sync_specialist_asks_from_its_thread() -> None:
    @specialist(name="worker")
    def curious(task: StepTask, context: StepContext) -> object:
        return context.ask("Which?")

    agent = agent_of(curious)
    await ran(agent, goal(agent_step("a")))
    (request,) = await apending(agent, CONFIG)
    assert (await aanswer(agent, CONFIG, {request.id: "this"}))["outcomes"]["a"].output == "this"


async def test_a_specialist_that_asks_the_same_twice_gets_two_answers() -> None:
    @specialist(name="worker")
    async def twice(task: StepTask, context: StepContext) -> object:
        return [interrupt("again?"), interrupt("again?")]

    agent = agent_of(twice)
    await ran(agent, goal(agent_step("a")))
    (first,) = await apending(agent, CONFIG)
    assert (first.kind, first.step, first.prompt) == ("specialist", "worker", "again?")
    await aanswer(agent, CONFIG, {first.id: "one"})
    (second,) = await apending(agent, CONFIG)
    assert second.id != first.id
    assert (await aanswer(agent, CONFIG, {first.id: "one"}))["__interrupt__"], "the same answer again"
    with pytest.raises(AlreadyAnswered):
        await aanswer(agent, CONFIG, {first.id: "two"})
    result = await aanswer(agent, CONFIG, {second.id: "two"}, by="ann")
    assert result["outcomes"]["a"].output == ["one", "two"]
    assert [(one.kind, one.answer, one.by) for one in result["decisions"]][-1] == ("specialist", "two", "ann")


async def test_what_was_approved_holds_for_nothing_else(sqlite: SqliteSaver) -> None:
    """The same interrupt, answered for one question, is asked with another one: a changed state, a changed program."""
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    await ran(agent, goal(approval("x"), agent_step("a", "x")))
    (request,) = await apending(agent, CONFIG)
    packed: Mapping[str, Any] = {
        "goalgraph_reply": {"chosen": "approve", "value": None, "comment": None},
        "digest": "0" * 32,
        "request": "r",
        "said": "s",
        "by": None,
        "at": "2030-01-01T00:00:00+00:00",
    }
    with pytest.raises(InvalidAnswer):
        await agent.ainvoke(Command(resume={request.interrupt.id: packed}), CONFIG)
    assert ledger.started == []
