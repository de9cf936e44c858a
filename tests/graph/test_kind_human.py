"""Approvals and inputs: what people are asked, what their answers do, what happens without one."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from tests.graph.kinds import (
    CONFIG,
    Ledger,
    Result,
    agent_of,
    agent_step,
    answer,
    asked,
    goal,
    ran,
    statuses,
    worker,
)

from goalgraph import InvalidAnswer


def approval(step_id: str, *needs: str, prompt: str = "Go on?", **fields: Any) -> Result:
    return {"id": step_id, "type": "human_approval", "prompt": prompt, "depends_on": list(needs), **fields}


def question(step_id: str, *needs: str, prompt: str = "Who?", **fields: Any) -> Result:
    return {"id": step_id, "type": "human_input", "prompt": prompt, "depends_on": list(needs), **fields}


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("yes", [True, False])
async def test_yes_lets_dependants_run_and_no_blocks_them(yes: bool, way: str, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)

    async def call(given: Any) -> Result:
        return await ran(agent, given) if way == "async" else await asyncio.to_thread(agent.invoke, given, CONFIG)

    plan = goal(
        agent_step("draft"),
        approval("ok", prompt="Is {{ steps.draft.output }} right?", assignee="{{ input.owner }}", depends_on=["draft"]),
        agent_step("publish", input={"of": "{{ steps.ok.output.approved }}"}),
        agent_step("archive", "ok", join="all_done"),
        agent_step("beside"),
        inputs={"owner": "Ann"},
    )
    paused = await call(plan)
    request = asked(paused)["ok"].value
    assert (request["kind"], request["prompt"], request["assignee"]) == ("approval", "Is draft right?", "Ann")
    assert set(ledger.started) == {"draft", "beside"}
    decision = {"type": "approve" if yes else "reject", "message": "because"}
    result = await call(answer(paused, {"ok": {"decisions": [decision]}}))
    outcome = result["outcomes"]["ok"]
    assert outcome.output == {"approved": yes, "comment": "because"}
    if yes:
        assert set(statuses(result).values()) == {"succeeded"}
        assert result["outcomes"]["publish"].output is True
        assert result["status"] == "complete"
    else:
        assert (outcome.status, outcome.error.code) == ("failed", "rejected")
        assert "because" in outcome.error.message
        assert (statuses(result)["publish"], statuses(result)["archive"]) == ("blocked", "succeeded")
        assert result["status"] == "degraded"
    assert len(ledger.started) == len(set(ledger.started)), "nothing that was finished ran again"


async def test_what_is_no_plain_answer_is_refused_and_the_run_waits_on(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    paused = await ran(agent, goal(agent_step("a"), approval("ok", "a"), agent_step("b", "ok")))
    for said in ("sure, why not", {"type": "edit"}, ["yes"], None, "", {}, []):
        with pytest.raises(InvalidAnswer, match="step 'ok'"):
            await ran(agent, answer(paused, {"ok": said}))
        assert ledger.started == ["a"]
    result = await ran(agent, answer(paused, {"ok": True}))
    assert result["status"] == "complete"
    assert ledger.started == ["a", "b"]


async def test_an_input_that_does_not_fit_is_refused(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
    plan = goal(question("who", schema=schema), agent_step("a", input={"of": "{{ steps.who.output.age }}"}))
    paused = await ran(agent, plan)
    assert asked(paused)["who"].value["schema"] == schema
    for said in ({"age": -1}, {"name": "Ann"}, "Ann", 5):
        with pytest.raises(InvalidAnswer, match="does not fit"):
            await ran(agent, answer(paused, {"who": said}))
    result = await ran(agent, answer(paused, {"who": {"age": 31}}))
    assert result["outcomes"]["a"].output == 31


@pytest.mark.parametrize(
    ("policy", "status", "code"), [("reject", "failed", "timeout"), ("approve", "succeeded", None)]
)
async def test_a_passed_deadline_decides(policy: str, status: str, code: str | None, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger), checkpointer=sqlite)
    plan = goal(approval("ok", deadline="300ms", on_timeout=policy), agent_step("b", "ok"))
    paused = await ran(agent, plan)
    assert datetime.fromisoformat(asked(paused)["ok"].value["deadline"]) > datetime.now(UTC)
    await asyncio.sleep(0.32)
    result = await ran(agent, answer(paused, {"ok": status != "succeeded"}))
    outcome = result["outcomes"]["ok"]
    assert outcome.status == status, "an answer that comes too late is none"
    assert (outcome.error.code if outcome.error else None) == code
    assert outcome.output["approved"] is (status == "succeeded")
    assert result["status"] == ("failed" if code else "degraded")
    assert ledger.started == ([] if code else ["b"])


async def test_a_deadline_may_pass_on_a_resume_without_an_answer(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    await ran(agent, goal(approval("ok", deadline=0.3), agent_step("b", "ok")))
    await asyncio.sleep(0.32)
    result = await ran(agent, None)
    assert statuses(result) == {"ok": "failed", "b": "blocked"}


async def test_a_passed_deadline_that_escalates_asks_once_more_without_one(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    paused = await ran(agent, goal(approval("ok", deadline=0.3, on_timeout="escalate"), agent_step("b", "ok")))
    assert asked(paused)["ok"].value["escalated"] is False
    await asyncio.sleep(0.32)
    paused = await ran(agent, None)
    request = asked(paused)["ok"].value
    assert (request["escalated"], request["deadline"]) == (True, None)
    result = await ran(agent, answer(paused, {"ok": True}))
    assert statuses(result) == {"ok": "succeeded", "b": "succeeded"}


async def test_an_input_without_an_answer_fails_at_its_deadline(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    paused = await ran(
        agent, goal(question("who", deadline="{{ input.d }}"), agent_step("b", "who"), inputs={"d": "400ms"})
    )
    with pytest.raises(InvalidAnswer, match="empty"):
        await ran(agent, answer(paused, {"who": None}))
    await asyncio.sleep(0.42)
    result = await ran(agent, answer(paused, {"who": "late"}))
    assert statuses(result) == {"who": "failed", "b": "blocked"}
    assert result["outcomes"]["who"].error.code == "timeout"


async def test_a_deadline_counts_from_the_turn_of_its_step_in_whatever_process(sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    plan = goal(agent_step("a"), approval("ok", "a", deadline=20), approval("other"))
    agent = agent_of(worker(ledger, seconds=0.05), checkpointer=sqlite)
    paused = await ran(agent, plan)
    first = asked(paused)["ok"].value["deadline"]
    paused = await ran(agent_of(worker(ledger), checkpointer=sqlite), answer(paused, {"other": True}))
    assert asked(paused)["ok"].value["deadline"] == first


@pytest.mark.parametrize("seed", range(3))
async def test_several_are_asked_at_once_and_answered_in_any_order(seed: int, sqlite: SqliteSaver) -> None:
    ledger = Ledger()
    agent = agent_of(worker(ledger, seconds=0.002), checkpointer=sqlite)
    names = ["a", "b", "c", "d"]
    plan = goal(
        *(question(name, prompt="{{ steps.start.output }}?") for name in names[:2]),
        *(approval(name) for name in names[2:]),
        *(agent_step(f"after_{name}", name) for name in names),
        agent_step("start"),
        agent_step("free", "start"),
        agent_step("end", *(f"after_{name}" for name in names)),
    )
    result = await ran(agent, plan)
    assert ledger.started == ["start", "free"], "what needs no answer runs on"
    for name in random.Random(seed).sample(names, 4):
        assert name in asked(result)
        result = await ran(agent, answer(result, {name: "Ann" if name in "ab" else True}))
        assert f"after_{name}" in ledger.started
    assert set(statuses(result).values()) == {"succeeded"}
    assert len(ledger.started) == len(set(ledger.started)) == 7


async def test_where_one_of_two_answers_cannot_be_used_neither_is(sqlite: SqliteSaver) -> None:
    agent = agent_of(worker(Ledger()), checkpointer=sqlite)
    paused = await ran(agent, goal(question("a", schema={"type": "integer"}), question("b"), agent_step("x", "a", "b")))
    with pytest.raises(InvalidAnswer, match="step 'a'"):
        await ran(agent, answer(paused, {"a": "text", "b": "Ann"}))
    assert set(asked(await ran(agent, None))) == {"a", "b"}
    result = await ran(agent, answer(paused, {"a": 4, "b": "Ann"}))
    assert (result["outcomes"]["a"].output, result["outcomes"]["b"].output) == (4, "Ann")


async def test_the_only_question_can_be_answered_without_its_id() -> None:
    agent = agent_of(worker(Ledger()))
    await ran(agent, goal(question("a"), agent_step("x", "a")))
    result = await ran(agent, Command(resume="Ann"))
    assert result["outcomes"]["a"].output == "Ann"


async def test_an_optional_approval_that_is_refused_stops_nobody() -> None:
    agent = agent_of(worker(Ledger()))
    paused = await ran(agent, goal(approval("ok", optional=True), agent_step("b", "ok")))
    result = await ran(agent, answer(paused, {"ok": False}))
    assert statuses(result) == {"ok": "failed", "b": "succeeded"}


async def test_a_human_is_not_asked_where_a_condition_says_so() -> None:
    agent = agent_of(worker(Ledger()))
    result = await ran(agent, goal(approval("ok", when="false"), agent_step("b", "ok", join="all_done")))
    assert statuses(result) == {"ok": "skipped", "b": "succeeded"}


@pytest.mark.parametrize("given", [{"a": 1}, [1, 2], 7, None, True, "{{ 1 + 1 }}"])
async def test_a_prompt_may_be_one_expression_of_any_value(given: Any) -> None:
    agent = agent_of(worker(Ledger(), replies={"a": given}))
    plan = goal(
        agent_step("a"),
        approval("ok", prompt="{{ steps.a.output }}", assignee="{{ steps.a.output }}"),
        agent_step("b", "ok", task="{{ steps.a.output }}"),
    )
    paused = await ran(agent, plan)
    shown = asked(paused)["ok"].value["prompt"]
    assert isinstance(shown, str)
    if isinstance(given, str):
        assert shown == given, "what a step gave is never read as an expression"
    result = await ran(agent, answer(paused, {"ok": True}))
    assert result["status"] == "complete"


async def test_a_prompt_that_cannot_be_written_fails_the_step() -> None:
    result = await ran(
        agent_of(worker(Ledger())), goal(agent_step("a"), approval("ok", prompt="{{ steps.a.output.x }}?"))
    )
    assert (statuses(result)["ok"], result["outcomes"]["ok"].error.code) == ("failed", "invalid_input")
