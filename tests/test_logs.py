"""What runs log, and what they never do."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
import respx
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from tests.planner.openai_wire import Said
from tests.planner.openai_wire import answer as written

from goalgraph import ExecutionPolicy, Plan, PlanRequest, Retry, as_specialist, create_plan_agent, specialist
from goalgraph.logs import JsonFormatter

KEY, PROMPT, SPOKEN, ANSWER = "sk-live-4242", "the vault is teal", "the door is red", "the roof is blue"
URL = "http://model.test/v1"
QUICK = ExecutionPolicy(retry=Retry(max_attempts=2, initial_seconds=0))


@specialist
async def shouting(task: str) -> str:
    raise ConnectionError(f"refused: {SPOKEN}, with {KEY}")


def ours(caplog: pytest.LogCaptureFixture, *levels: str) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.name == "goalgraph" and (not levels or one.levelname in levels)]


def plan_of(agent: str) -> dict[str, Any]:
    return {"steps": [{"id": "a", "agent": agent, "task": PROMPT}]}


async def test_runs_steps_and_attempts_are_told_with_their_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "goalgraph")
    await create_plan_agent(None, [shouting], execution=QUICK).ainvoke({"goal": "g", "plan": plan_of("shouting")})
    found: list[Any] = ours(caplog, "INFO", "WARNING")
    (run,) = {one.run for one in found}
    assert [(one.levelname, one.getMessage()) for one in found] == [
        ("INFO", f"run {run} begins"),
        ("WARNING", "attempt 1 at step a failed (ConnectionError); again in 0 s"),
        ("WARNING", "step a failed: raised, ConnectionError"),
        ("INFO", f"run {run} is over: failed"),
    ]
    assert (found[1].step, found[1].attempt, found[1].specialist) == ("a", 1, "shouting")
    assert (found[2].attempt, found[2].status) == (2, "failed")
    quiet = [one.getMessage() for one in ours(caplog, "DEBUG")]
    assert quiet[0] == "step a begins, with shouting"
    assert all(SPOKEN in said for said in quiet[1:])


async def test_no_key_prompt_or_answer_is_told_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    model = ChatOpenAI(model="gpt-4o-mini", base_url=URL, api_key=SecretStr(KEY), max_retries=0)
    refused = httpx.Response(429, headers={"retry-after-ms": "1"}, json={"error": {"message": f"{SPOKEN} {KEY}"}})
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return refused if len(asked) == 1 else written(request, Said(text=ANSWER))

    agent = create_plan_agent(None, [as_specialist(model, name="writer"), shouting], execution=QUICK)
    with respx.mock(using="httpcore2", base_url=URL) as server:
        server.post("/chat/completions").mock(side_effect=serve)
        result = await agent.ainvoke({"goal": PROMPT, "plan": plan_of("writer")}, {"configurable": {"api_key": KEY}})
        await agent.ainvoke({"goal": PROMPT, "plan": plan_of("shouting")})
    assert result["answer"] == ANSWER
    told = "\n".join(JsonFormatter().format(one) + repr(vars(one)) for one in caplog.records)
    assert "Error 429)" in told
    assert [one for one in (KEY, PROMPT, SPOKEN, ANSWER) if one in told] == []


async def test_a_run_that_is_broken_off_says_by_what(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "goalgraph")

    class Broken:
        async def decompose(self, request: PlanRequest) -> Plan:
            raise RuntimeError(SPOKEN)

    with pytest.raises(RuntimeError):
        await create_plan_agent(None, [shouting], decomposer=Broken()).ainvoke({"goal": "g"})
    assert [one.levelname for one in ours(caplog)] == ["INFO", "WARNING"]
    assert ours(caplog)[1].getMessage().endswith("was broken off by RuntimeError")


async def test_a_run_that_is_cancelled_is_no_cause_for_alarm(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "goalgraph")
    began = asyncio.Event()

    @specialist
    async def slow(task: str) -> str:
        began.set()
        await asyncio.sleep(60)
        return ""

    task = asyncio.create_task(create_plan_agent(None, [slow]).ainvoke({"goal": "g", "plan": plan_of("slow")}))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {one.levelname for one in ours(caplog)} == {"INFO"}


def test_json_has_the_fields_that_there_are() -> None:
    record = logging.LogRecord("goalgraph", logging.INFO, "f", 1, "step %s", ("a",), None)
    record.step, record.attempt = "a", 2
    found = json.loads(JsonFormatter().format(record))
    assert found.pop("at").endswith("+00:00")
    assert found == {"level": "INFO", "logger": "goalgraph", "message": "step a", "step": "a", "attempt": 2}
