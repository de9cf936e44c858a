"""Agents of LangChain's own as specialists: what they ask surfaces as it is, and its answer comes to them alone."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt
from tests.graph.kinds import (
    CONFIG,
    Ledger,
    Result,
    agent_of,
    agent_step,
    goal,
    ran,
    statuses,
    worker,
)
from tests.graph.mailers import Mode, Post, decided, mail, questions, reply

from goalgraph import ExecutionPolicy, StepContext, StepTask, create_plan_agent, specialist

REFUSED = "User rejected the tool call for `send` with reason"
MODES: tuple[Mode, ...] = ("batched", "per_call")
DECISIONS: tuple[tuple[dict[str, Any], list[str], str], ...] = (
    ({"type": "approve"}, ["ann"], "done: sent to ann"),
    ({"type": "edit", "edited_action": {"name": "send", "args": {"to": "eve"}}}, ["eve"], "sent to eve"),
    ({"type": "reject", "message": "too early"}, [], "too early"),
    ({"type": "respond", "message": "she knows"}, [], "done: she knows"),
)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("decision", "sent", "said"), DECISIONS, ids=[one[0]["type"] for one in DECISIONS])
async def test_the_middlewares_own_request_surfaces_and_its_decision_decides(
    decision: dict[str, Any], sent: list[str], said: str, mode: Mode, way: str, sqlite: SqliteSaver
) -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.mailer(mode), worker(ledger), checkpointer=sqlite)

    async def call(given: Any) -> Result:
        return await ran(agent, given) if way == "async" else await asyncio.to_thread(agent.invoke, given, CONFIG)

    paused = await call(goal(mail("tell", "ann"), agent_step("beside"), agent_step("after", "tell")))
    (request,) = questions(paused).values()
    description = "Tool execution requires approval\n\nTool: send\nArgs: {'to': 'ann'}"
    action = {"name": "send", "args": {"to": "ann"}, "description": description}
    allowed = ["approve", "edit", "reject", "respond"]
    assert request.value == (
        {"action_requests": [action], "review_configs": [{"action_name": "send", "allowed_decisions": allowed}]}
        if mode == "batched"
        else {"type": "tool_approval", "tool_call_id": "call_1", **action}
    )
    assert (post.sent, post.calls(), ledger.started) == ([], 1, ["beside"])
    result = await call(Command(resume={request.id: decided(decision, mode)}))
    assert post.sent == sent
    assert said in result["outcomes"]["tell"].output
    assert (result["status"], ledger.started) == ("complete", ["beside", "after"])
    assert post.calls() == 2, "the model was not called again for what it had said before"


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize("mode", MODES)
async def test_two_that_wait_at_once_are_answered_one_by_one_in_any_order(
    mode: Mode, first: str, sqlite: SqliteSaver
) -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.mailer(mode), worker(ledger), checkpointer=sqlite)
    plan = goal(mail("a", "ann"), mail("b", "bob"), agent_step("after_a", "a"), agent_step("after_b", "b"))
    paused = await ran(agent, plan)
    assert set(questions(paused)) == {"ann", "bob"}
    second = {"ann": "bob", "bob": "ann"}[first]
    paused = await ran(agent, reply(paused, {first: decided("approve", mode)}))
    assert (post.sent, post.calls(), ledger.started) == ([first], 3, [f"after_{first[0]}"])
    assert set(questions(paused)) == {second}
    rejection = {"type": "reject", "message": "too early"}
    result = await ran(agent, reply(paused, {second: decided(rejection, mode)}))
    assert (post.sent, post.calls()) == ([first], 4)
    assert result["outcomes"][first[0]].output == f"done: sent to {first}"
    assert "too early" in result["outcomes"][second[0]].output
    assert sorted(ledger.started) == ["after_a", "after_b"]


async def test_two_of_one_specialist_with_one_place_wait_at_once() -> None:
    post = Post()
    agent = agent_of(post.mailer(), execution=ExecutionPolicy(max_concurrency=1))
    paused = await ran(agent, goal(mail("a", "ann"), mail("b", "bob")))
    assert set(questions(paused)) == {"ann", "bob"}
    result = await ran(agent, reply(paused, {"ann": decided("approve"), "bob": decided("approve")}))
    assert sorted(post.sent) == ["ann", "bob"]
    assert result["status"] == "complete"


def plans(inside: str) -> Result:
    """A plan in which two mails are asked about, and a step that needs both."""
    if inside == "map":
        step = {"id": "one", "agent": "mailer", "task": "mail {{ item }}"}
        return goal({"id": "all", "type": "map", "over": ["ann", "bob"], "step": step}, agent_step("after", "all"))
    if inside == "parallel":
        branches = [mail("a", "ann"), mail("b", "bob")]
        return goal({"id": "all", "type": "parallel", "branches": branches}, agent_step("after", "all"))
    inner = {"steps": [mail("a", "ann"), mail("b", "bob"), agent_step("end", "a", "b")]}
    return goal({"id": "all", "type": "sub_plan", "plan": inner}, agent_step("after", "all"))


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("inside", ["map", "parallel", "sub_plan"])
async def test_inside_of_other_steps_each_is_answered_as_itself_also_by_new_processes(
    inside: str, mode: Mode, first: str, tmp_path: Path
) -> None:
    post, ledger = Post(), Ledger()

    async def call(given: Any) -> Result:
        """As a process of its own would: with everything but the database built anew."""
        with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
            made = agent_of(post.mailer(mode), worker(ledger), checkpointer=saver)
            return await ran(made, given)

    paused = await call(plans(inside))
    assert set(questions(paused)) == {"ann", "bob"}
    paused = await call(reply(paused, {first: decided("approve", mode)}))
    assert post.sent == [first]
    (second,) = questions(paused)
    result = await call(reply(paused, {second: decided("approve", mode)}))
    assert post.sent == [first, second]
    assert set(statuses(result).values()) == {"succeeded"}
    assert ledger.started == (["all.end", "after"] if inside == "sub_plan" else ["after"])


async def test_an_approval_of_the_plan_and_a_question_of_a_specialist_wait_at_once(sqlite: SqliteSaver) -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.mailer(), worker(ledger), checkpointer=sqlite)
    gate = {"id": "ok", "type": "human_approval", "prompt": "Go?"}
    paused = await ran(agent, goal(mail("a", "ann"), gate, agent_step("b", "ok")))
    assert set(questions(paused)) == {"ann", "ok"}
    paused = await ran(agent, reply(paused, {"ok": True}))
    assert (set(questions(paused)), ledger.started, post.calls()) == ({"ann"}, ["b"], 1)
    result = await ran(agent, reply(paused, {"ann": decided("approve")}))
    assert (post.sent, result["status"]) == (["ann"], "complete")


def two_calls(messages: Sequence[BaseMessage]) -> object:
    """Mails two people in one turn."""
    if messages[-1].type == "tool":
        return f"done: {', '.join(one.text for one in messages if one.type == 'tool')}"
    calls = [{"name": "send", "args": {"to": to}, "id": to} for to in ("ann", "bob")]
    return AIMessage("", tool_calls=calls)


async def test_two_calls_of_one_turn_are_decided_in_one_answer(sqlite: SqliteSaver) -> None:
    post = Post()
    agent = agent_of(post.mailer(model=two_calls), checkpointer=sqlite)
    paused = await ran(agent, goal(mail("a", "both")))
    (request,) = questions(paused).values()
    assert len(request.value["action_requests"]) == 2
    decisions = [{"type": "reject", "message": "no"}, {"type": "approve"}]
    result = await ran(agent, Command(resume={request.id: {"decisions": decisions}}))
    assert post.sent == ["bob"]
    assert result["outcomes"]["a"].output == f"done: {REFUSED}: no, sent to bob"


@pytest.mark.parametrize("first", ["ann", "bob"])
async def test_two_questions_of_one_step_are_answered_one_by_one(first: str, sqlite: SqliteSaver) -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.mailer("per_call", model=two_calls), worker(ledger), checkpointer=sqlite)
    paused = await ran(agent, goal(mail("a", "both"), agent_step("beside")))
    assert set(questions(paused)) == {"ann", "bob"}
    paused = await ran(agent, reply(paused, {first: {"type": "approve"}}))
    assert (set(questions(paused)), post.sent) == ({"ann", "bob"} - {first}, [first])
    (second,) = questions(paused)
    result = await ran(agent, reply(paused, {second: {"type": "approve"}}))
    assert post.sent == [first, second]
    assert result["outcomes"]["a"].output == "done: sent to ann, sent to bob"
    assert (post.calls(), ledger.started) == (2, ["beside"])


async def test_a_tool_that_asks_twice_gets_each_answer_for_its_question(sqlite: SqliteSaver) -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.asker("Really", "By mail,"), worker(ledger), checkpointer=sqlite)
    plan = goal(mail("a", "ann", agent="asker"), mail("b", "bob", agent="asker"), agent_step("c"))
    paused = await ran(agent, plan)
    assert set(questions(paused)) == {"Really ann?", "Really bob?"}
    paused = await ran(agent, reply(paused, {"Really bob?": "bob yes"}))
    assert set(questions(paused)) == {"Really ann?", "By mail, bob?"}
    paused = await ran(agent, reply(paused, {"By mail, bob?": "no", "Really ann?": "ann yes"}))
    assert set(questions(paused)) == {"By mail, ann?"}
    result = await ran(agent, reply(paused, {"By mail, ann?": "maybe"}))
    assert result["outcomes"]["a"].output == "done: ann: ann yes, maybe"
    assert result["outcomes"]["b"].output == "done: bob: bob yes, no"
    assert (post.sent, post.calls("asker"), ledger.started) == (["bob", "ann"], 4, ["c"])


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_a_function_that_asks_twice_gets_each_answer_for_its_question(
    is_async: bool, sqlite: SqliteSaver
) -> None:
    def said(step: str) -> str:
        return f"{interrupt(f'{step} one')}, {interrupt(f'{step} two')}"

    @specialist(name="asks")
    async def awaits(task: StepTask, context: StepContext) -> str:
        return said(task.step)

    @specialist(name="asks")
    def blocks(task: StepTask, context: StepContext) -> str:
        return said(task.step)

    agent = agent_of(awaits if is_async else blocks, checkpointer=sqlite)
    paused = await ran(agent, goal({"id": "a", "agent": "asks"}, {"id": "b", "agent": "asks"}))
    paused = await ran(agent, reply(paused, {"b one": "b1"}))
    paused = await ran(agent, reply(paused, {"a one": "a1"}))
    assert set(questions(paused)) == {"a two", "b two"}
    result = await ran(agent, reply(paused, {"a two": "a2", "b two": "b2"}))
    assert {step: outcome.output for step, outcome in result["outcomes"].items()} == {"a": "a1, a2", "b": "b1, b2"}


async def test_a_question_is_no_failure_nobody_takes_over_and_nothing_is_tried_again() -> None:
    post, ledger = Post(), Ledger()
    agent = agent_of(post.mailer(), worker(ledger))
    step = mail("a", "ann", fallback=["worker"], retry={"max_attempts": 3, "initial_seconds": 0.01}, timeout=5)
    paused = await ran(agent, goal(step))
    assert (set(questions(paused)), post.calls(), ledger.started) == ({"ann"}, 1, [])
    result = await ran(agent, reply(paused, {"ann": decided("approve")}))
    outcome = result["outcomes"]["a"]
    assert (outcome.specialist, outcome.attempts, post.sent, ledger.started) == ("mailer", 1, ["ann"], [])


SAVERS: Mapping[str, Callable[[], BaseCheckpointSaver[Any] | None]] = {"none": lambda: None, "its own": InMemorySaver}


@pytest.mark.parametrize("own", SAVERS)
async def test_steps_of_one_agent_share_nothing_whatever_it_was_compiled_with(own: str) -> None:
    post = Post()
    agent = agent_of(post.mailer(checkpointer=SAVERS[own]()))
    paused = await ran(agent, goal(mail("a", "ann"), mail("b", "bob")))
    result = await ran(agent, reply(paused, {"ann": decided("approve"), "bob": decided("approve")}))
    assert {step: outcome.output for step, outcome in result["outcomes"].items()} == {
        "a": "done: sent to ann",
        "b": "done: sent to bob",
    }


async def test_a_question_without_a_checkpointer_ends_the_call_and_passes_no_gate() -> None:
    post = Post()
    agent = create_plan_agent(None, [post.mailer()])
    result = await agent.ainvoke(goal(mail("a", "ann")))
    assert set(questions(result)) == {"ann"}
    assert (post.sent, result.get("status")) == ([], None)
