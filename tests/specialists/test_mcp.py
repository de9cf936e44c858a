"""Tools of MCP servers as specialists, with real servers in processes of their own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import (
    AgentStep,
    ApprovalPolicy,
    HumanApprovalStep,
    Outcome,
    Plan,
    Retry,
    StepContext,
    StepTask,
    aanswer,
    apending,
    create_plan_agent,
)
from goalgraph.errors import InvalidInput, InvalidSpecialist, ServerGone, ToolFailed
from goalgraph.specialists.mcp import mcp_specialists
from goalgraph.testing import ScriptedSpecialist

SCRIPT = str(Path(__file__).with_name("mcp_server.py"))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def math(journal: Path) -> dict[str, Any]:
    return {"math": {"command": sys.executable, "args": [SCRIPT, str(journal)], "transport": "stdio"}}


def step(step_id: str, tool: str, *needs: str, **given: Any) -> AgentStep:
    return AgentStep(id=step_id, agent=f"math.{tool}", task="Do it.", input=given, depends_on=needs)


async def outcomes(agent: Any, *steps: Any) -> dict[str, Outcome]:
    done: dict[str, Any] = await agent.ainvoke({"goal": "g", "plan": Plan(steps=steps)})
    found: dict[str, Outcome] = done["outcomes"]
    return found


def starts(journal: Path) -> int:
    return journal.read_text().count("started")


async def test_each_tool_is_a_specialist_over_one_session(math: dict[str, Any], journal: Path) -> None:
    async with mcp_specialists(math) as specialists:
        cards = {one.card.name: one.card for one in specialists}
        assert list(cards) == [f"math.{name}" for name in ("add", "split", "say", "draw", "fail", "die", "watch")]
        assert cards["math.add"].description == (
            "Adds two numbers. Nothing else. Its input: a (integer), b (integer), note (string, optional)."
        )
        assert cards["math.add"].effects
        agent = create_plan_agent(None, specialists)
        total = AgentStep(
            id="sum", agent="math.add", task="Add.", input={"a": "{{ steps.parts.output.whole }}", "b": 1}
        )
        found = await outcomes(
            agent, step("parts", "split", a=7, b=2), total.model_copy(update={"depends_on": ("parts",)})
        )
        again = await outcomes(agent, step("say", "say", text="hi"))
    assert (found["parts"].output, found["sum"].output) == ({"whole": 3, "rest": 1}, 4)
    assert again["say"].output == "<hi>"
    assert starts(journal) == 1
    pid = int(journal.read_text().split()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": 1}, "'b' is a required property"),
        ({"a": 1, "b": "two"}, "b: 'two' is not of type 'integer'"),
    ],
    ids=["missing", "wrong type"],
)
async def test_an_input_that_does_not_fit_fails_the_step_before_anything_is_called(
    math: dict[str, Any], given: dict[str, Any], said: str
) -> None:
    async with mcp_specialists(math) as specialists:
        retried = step("a", "add", **given).model_copy(update={"retry": Retry(max_attempts=3)})
        outcome = (await outcomes(create_plan_agent(None, specialists), retried))["a"]
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.type, outcome.attempts) == ("invalid_input", "InvalidInput", 1)
    assert f"the tool 'math.add' cannot be called: {said}" in outcome.error.message


async def test_what_a_tool_says_of_its_failure_is_the_step_s(math: dict[str, Any]) -> None:
    async with mcp_specialists(math) as specialists:
        outcome = (await outcomes(create_plan_agent(None, specialists), step("a", "fail", why="no\nink")))["a"]
    assert outcome.error is not None
    assert outcome.error.type == "ToolFailed"
    assert "the tool 'math.fail' failed: " in outcome.error.message
    assert "no ink" in outcome.error.message


async def test_what_is_no_text_is_left_out_and_said(math: dict[str, Any]) -> None:
    async with mcp_specialists(math) as specialists:
        outcome = (await outcomes(create_plan_agent(None, specialists), step("a", "draw")))["a"]
    assert outcome.output == "a dot"
    assert outcome.degraded == ("the tool also gave image, which is not kept",)


async def test_a_server_that_dies_fails_the_steps_at_it_and_is_started_anew(
    math: dict[str, Any], journal: Path
) -> None:
    async with mcp_specialists(math) as specialists:
        agent = create_plan_agent(None, specialists)
        dead = (await outcomes(agent, step("a", "die")))["a"]
        assert dead.error is not None
        assert dead.error.type == "ServerGone"
        assert "the MCP server 'math' went away during the call" in dead.error.message
        assert journal.read_text().count("dies") == 1, "what was sent is not sent again"
        assert (await outcomes(agent, step("b", "add", a=1, b=2)))["b"].output == 3
    assert starts(journal) == 2


async def test_several_at_a_server_that_dies_all_fail_and_none_hangs(math: dict[str, Any], journal: Path) -> None:
    async with mcp_specialists(math) as specialists:
        agent = create_plan_agent(None, specialists)
        found = await outcomes(agent, *(step(f"d{number}", "die") for number in range(3)))
        assert {outcome.error and outcome.error.type for outcome in found.values()} <= {"ServerGone"}
        assert (await outcomes(agent, step("b", "add", a=1, b=2)))["b"].output == 3


async def test_a_server_that_died_unnoticed_costs_no_step(math: dict[str, Any], journal: Path) -> None:
    async with mcp_specialists(math) as specialists:
        os.kill(int(journal.read_text().split()[1]), signal.SIGKILL)
        await asyncio.sleep(0.3)
        outcome = (await outcomes(create_plan_agent(None, specialists), step("b", "add", a=1, b=2)))["b"]
    assert (outcome.output, starts(journal)) == (3, 2)


async def test_a_retry_of_the_step_makes_the_call_again(math: dict[str, Any], journal: Path) -> None:
    async with mcp_specialists(math) as specialists:
        retried = step("a", "die").model_copy(update={"retry": Retry(max_attempts=2, initial_seconds=0.01)})
        outcome = (await outcomes(create_plan_agent(None, specialists), retried))["a"]
    assert (outcome.status, outcome.attempts) == ("failed", 2)
    assert journal.read_text().count("dies") == 2


async def test_progress_and_the_idempotency_key_pass(math: dict[str, Any]) -> None:
    async with mcp_specialists(math) as specialists:
        agent = create_plan_agent(None, specialists)
        given = {"goal": "g", "plan": Plan(steps=(step("a", "watch"),))}
        parts: list[Any] = [part async for part in agent.astream(given, stream_mode=["custom", "values"])]
    told = [part for mode, part in parts if mode == "custom" and part.get("message") == "half"]
    assert [part["fraction"] for part in told] == [0.5]
    key = parts[-1][1]["outcomes"]["a"].output
    assert len(key) == 32


async def test_nobody_s_approval_is_passed_and_a_resume_calls_once(
    math: dict[str, Any], journal: Path, tmp_path: Path
) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    plan = Plan(
        steps=(
            HumanApprovalStep(id="sign", prompt="Good?"),
            step("say", "say", "sign", text="hello"),
        )
    )
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        async with mcp_specialists(math) as specialists:
            agent = create_plan_agent(None, specialists, checkpointer=saver)
            await agent.ainvoke({"goal": "g", "plan": plan}, config)
            (request,) = await apending(agent, config)
            assert "said" not in journal.read_text()
        async with mcp_specialists(math) as specialists:
            agent = create_plan_agent(None, specialists, checkpointer=saver)
            done = await aanswer(agent, config, {request.id: "approve"})
    assert done["outcomes"]["say"].output == "<hello>"
    assert journal.read_text().count("said hello") == 1


async def test_only_what_the_caller_calls_read_only_has_no_effects(math: dict[str, Any]) -> None:
    async with mcp_specialists(math, read_only=["math.add"]) as specialists:
        assert [one.card.name for one in specialists if not one.card.effects] == ["math.add"]
    async with mcp_specialists(math, read_only=["math"]) as specialists:
        assert not any(one.card.effects for one in specialists)
    with pytest.raises(InvalidSpecialist, match=r"read_only names 'math\.sum', which no server offers"):
        async with mcp_specialists(math, read_only=["math.sum"]):
            pass


async def test_a_server_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    missing = {"math": {"command": str(tmp_path / "nothing")}}
    with pytest.raises(ServerGone, match=r"the MCP server 'math' could not be opened: FileNotFoundError"):
        async with mcp_specialists(missing):
            pass
    silent = {"math": {"command": sys.executable, "args": ["-c", "import time; time.sleep(60)"]}}
    with pytest.raises(ServerGone, match=r"could not be opened within 0\.3 s"):
        async with mcp_specialists(silent, open_timeout=0.3):
            pass
    with pytest.raises(ValueError, match="open_timeout must be seconds above 0, found 0"):
        async with mcp_specialists(silent, open_timeout=0):
            pass
    with pytest.raises(ValueError, match="transport"):
        async with mcp_specialists({"math": {}}):
            pass


async def test_another_event_loop_is_refused(math: dict[str, Any]) -> None:
    async with mcp_specialists(math) as specialists:
        (add,) = [one for one in specialists if one.card.name == "math.add"]
        task = StepTask(step="a", instruction="i", input={"a": 1, "b": 2})

        def elsewhere() -> object:
            return asyncio.run(cast("Any", add).run(task, StepContext(goal="g")))

        with pytest.raises(ServerGone, match="belongs to another event loop; use ainvoke"):
            await asyncio.to_thread(elsewhere)


async def test_an_exception_in_the_block_is_the_caller_s_own(math: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with mcp_specialists(math):
            raise KeyError("mine")


async def test_a_cancelled_step_leaves_the_session_to_the_others(math: dict[str, Any], journal: Path) -> None:
    async with mcp_specialists(math) as specialists:
        agent = create_plan_agent(None, [*specialists, ScriptedSpecialist("other")])
        call = asyncio.create_task(outcomes(agent, step("a", "say", text="x"), step("b", "say", text="y")))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await outcomes(agent, step("c", "add", a=1, b=2)))["c"].output == 3
    assert starts(journal) == 1


async def test_outputs_fit_what_the_tool_declares(math: dict[str, Any]) -> None:
    async with mcp_specialists(math) as specialists:
        cards = {one.card.name: one.card.output_schema for one in specialists}
    assert cards["math.add"] == {"title": "Result", "type": "integer"}
    assert set(cards["math.split"]["properties"]) == {"whole", "rest"}  # type: ignore[index,arg-type]
    assert cards["math.say"] is None


async def test_a_policy_may_ask_before_a_tool_is_called(math: dict[str, Any], journal: Path, tmp_path: Path) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        async with mcp_specialists(math) as specialists:
            policy = ApprovalPolicy(steps=("math.say",))
            agent = create_plan_agent(None, specialists, approval=policy, checkpointer=saver)
            await agent.ainvoke({"goal": "g", "plan": Plan(steps=(step("a", "say", text="x"),))}, config)
            (request,) = await apending(agent, config)
            assert "said" not in journal.read_text()
            done = await aanswer(agent, config, {request.id: "reject"})
    assert done["outcomes"]["a"].status == "failed"
    assert "said" not in journal.read_text()


def test_the_errors_are_what_callers_expect() -> None:
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(ToolFailed, RuntimeError)
    assert issubclass(ServerGone, ConnectionError)
