"""State that steps share: recorded with outcomes, and there again in a run that is resumed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import ExecutionPolicy, Retry, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.planner.outcome import SharedWrite

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def step(step_id: str, *needs: str, agent: str = "worker") -> dict[str, Any]:
    return {"id": step_id, "agent": agent, "task": "work", "depends_on": list(needs)}


async def test_what_a_step_writes_is_in_its_outcome_also_where_it_fails() -> None:
    @specialist
    async def worker(task: StepTask, context: StepContext) -> Any:
        context.shared.put(task.step, context.attempt)
        context.shared.put("last", task.step)
        context.shared.put("last", task.step * 2)
        if task.step == "b":
            raise ConnectionError("broken")
        return context.shared.snapshot()

    policy = ExecutionPolicy(max_concurrency=1, retry=Retry(max_attempts=2, initial_seconds=0.001))
    agent = create_plan_agent(None, [worker], execution=policy)
    steps = [step("a"), step("b", "a"), {**step("c", "b"), "join": "all_done"}]
    done = (await agent.ainvoke({"goal": "g", "plan": {"steps": steps}}))["outcomes"]
    assert done["a"].shared == (
        SharedWrite(key="a", value=1, number=1),
        SharedWrite(key="last", value="aa", number=3),
    )
    assert done["b"].status == "failed"
    assert {one.key: one.value for one in done["b"].shared} == {"b": 2, "last": "bb"}
    assert done["c"].output == {"a": 1, "b": 2, "c": 1, "last": "cc"}


async def test_what_a_cancelled_step_has_written_is_recorded_too() -> None:
    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        context.shared.put(task.step, "begun")
        if task.step == "b":
            await asyncio.sleep(0.05)
            raise ValueError("broken")
        await asyncio.sleep(60)
        return "never"

    agent = create_plan_agent(None, [worker], execution=ExecutionPolicy(on_failure="fail_fast"))
    done = (await agent.ainvoke({"goal": "g", "plan": {"steps": [step("a"), step("b")]}}))["outcomes"]
    assert done["a"].status == "cancelled"
    assert [one.key for one in done["a"].shared] == ["a"]


def test_a_resumed_step_sees_what_recorded_steps_have_written_and_nothing_else(tmp_path: Path) -> None:
    seen: list[Any] = []

    def build(saver: SqliteSaver, crashes: bool) -> Any:
        @specialist
        async def worker(task: StepTask, context: StepContext) -> str:
            if task.step == "b":
                seen.append(context.shared.snapshot())
            context.shared.update("count", lambda old: int(str(old)) + 1, default=0)
            context.shared.put("by", task.step)
            context.shared.put(f"own {task.step}", context.attempt)
            if crashes and task.step == "b":
                raise SystemExit("the process ends")
            return "done"

        return create_plan_agent(None, [worker], checkpointer=saver)

    plan = {"steps": [step("z"), step("a", "z"), step("b", "a"), step("c", "b")]}
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver, pytest.raises(SystemExit):
        build(saver, crashes=True).invoke({"goal": "g", "plan": plan}, CONFIG)
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        done = build(saver, crashes=False).invoke(None, CONFIG)
    assert seen == [{"own z": 1, "own a": 1, "count": 2, "by": "a"}] * 2
    latest = {one.key: one.value for outcome in done["outcomes"].values() for one in outcome.shared}
    assert latest["count"] == 4
    numbers = [one.number for outcome in done["outcomes"].values() for one in outcome.shared]
    assert len(set(numbers)) == len(numbers), "numbers are counted on in the next process"


def test_an_update_that_was_not_recorded_is_made_again_and_what_was_built_on_it_stays(tmp_path: Path) -> None:
    def build(saver: SqliteSaver, crashes: bool) -> Any:
        met = asyncio.Event()

        @specialist
        async def worker(task: StepTask, context: StepContext) -> Any:
            if task.step == "after":
                await met.wait()
            found = context.shared.update("count", lambda old: int(str(old)) + 1, default=0)
            met.set()
            if task.step == "slow" and crashes:
                await asyncio.sleep(0.3)
                raise SystemExit("the process ends")
            return found

        return create_plan_agent(None, [worker], checkpointer=saver)

    plan = {"steps": [step("slow"), step("after")]}
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver, pytest.raises(SystemExit):
        build(saver, crashes=True).invoke({"goal": "g", "plan": plan}, CONFIG)
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        done = build(saver, crashes=False).invoke(None, CONFIG)["outcomes"]
    assert (done["after"].output, done["slow"].output) == (2, 3), "once by each step, and once more by what ran again"


def test_items_of_a_map_that_was_under_way_have_written_what_they_have(tmp_path: Path) -> None:
    def build(saver: SqliteSaver, crashes: bool) -> Any:
        @specialist
        async def worker(task: StepTask, context: StepContext) -> Any:
            if task.step == "each[0]":
                context.shared.put(task.step, "written")
                return "done"
            found = context.shared.snapshot()
            if crashes:
                await asyncio.sleep(0.5)
                raise SystemExit("the process ends")
            return found

        return create_plan_agent(None, [worker], checkpointer=saver)

    each = {"type": "map", "id": "each", "over": [1, 2], "step": {"id": "each", "agent": "worker", "task": "t"}}
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver, pytest.raises(SystemExit):
        build(saver, crashes=True).invoke({"goal": "g", "plan": {"steps": [step("b"), each]}}, CONFIG)
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        done = build(saver, crashes=False).invoke(None, CONFIG)["outcomes"]
    assert done["each"].output == ["done", {"each[0]": "written"}]
    assert done["b"].output == {"each[0]": "written"}, "though it began before the map was multiplied again"


_PROCESS = """
import os, signal, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from goalgraph import create_plan_agent, specialist

@specialist
async def worker(task, context):
    if task.step == "b" and sys.argv[2] == "kill":
        context.shared.put("b", "lost")
        os.kill(os.getpid(), signal.SIGKILL)
    found = context.shared.snapshot()
    context.shared.put(task.step, "kept")
    context.signal("done." + task.step)
    return [found, [one.name for one in context.observed()]]

with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    agent = create_plan_agent(None, [worker], checkpointer=saver)
    steps = [
        {"id": "a", "agent": "worker", "task": "t"},
        {"id": "b", "agent": "worker", "task": "t", "depends_on": ["a"]},
    ]
    given = {"goal": "g", "plan": {"steps": steps}} if sys.argv[2] == "kill" else None
    done = agent.invoke(given, {"configurable": {"thread_id": "1"}})
    print(done["outcomes"]["b"].output, [one.step for one in done["signals"]])
"""


def test_a_killed_process_leaves_behind_what_recorded_steps_have_written_and_signalled(tmp_path: Path) -> None:
    def started(how: str) -> "subprocess.CompletedProcess[str]":
        arguments = [sys.executable, "-c", _PROCESS, str(tmp_path / "run.sqlite"), how]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=os.environ, check=False)

    assert started("kill").returncode == -signal.SIGKILL
    done = started("resume")
    assert done.stdout.strip() == "[{'a': 'kept'}, ['done.a']] ['a', 'b']", done.stderr
