"""What is recorded survives: SIGKILL at random moments, cancellation, an interrupt inside a specialist."""

import asyncio
import random
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, Overwrite, PregelTask, StateSnapshot, interrupt
from tests.graph.killing import KILLS, ends_as_if_never_killed

from goalgraph import Outcome, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.graph.storage.recorded import recorded_outcomes

SCRIPT = Path(__file__).parent / "crashing.py"


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder / "run.sqlite"), str(folder / "ledger")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def recorded(folder: Path) -> set[str]:
    """Steps whose outcomes the database holds."""
    if not (folder / "run.sqlite").exists():
        return set()
    with SqliteSaver.from_conn_string(str(folder / "run.sqlite")) as saver:
        crashing = runpy.run_path(str(SCRIPT))
        return set(recorded_outcomes(crashing["build"](saver, 1).get_state(crashing["CONFIG"])))


def test_a_run_killed_while_its_plan_is_being_recorded_has_no_outcomes_of_an_older_plan() -> None:
    old = {"old": Outcome(step="old", status="succeeded")}
    made = PregelTask("1", "decompose", (), result={"outcomes": Overwrite(value={})})
    done = PregelTask("2", "worker", (), result={"outcomes": {"new": Outcome(step="new", status="succeeded")}})
    waits = PregelTask("3", "worker", ())

    def kept(*tasks: PregelTask) -> set[str]:
        return set(recorded_outcomes(StateSnapshot({"outcomes": old}, (), {}, None, None, None, tasks, ())))

    assert kept(made) == set()
    assert kept(done, waits) == {"old", "new"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    process = start(tmp_path_factory.mktemp("undisturbed"))
    answer, errors = process.communicate(timeout=60)
    assert answer.startswith("complete"), errors
    return answer


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_killed_at_a_random_moment_ends_as_if_it_had_not_been(
    seed: int, tmp_path: Path, undisturbed: str
) -> None:
    ends_as_if_never_killed(
        lambda: start(tmp_path),
        lambda: recorded(tmp_path),
        tmp_path / "ledger",
        random.Random(seed),
        steps=30,
        pause=0.02,
        answer=undisturbed,
    )


@specialist
async def slow(task: StepTask, context: StepContext) -> str:
    await asyncio.sleep(0 if task.step == "quick" else 30)
    return task.step


def config() -> Any:
    return {"configurable": {"thread_id": "1"}}


async def test_a_cancelled_run_keeps_what_was_done(sqlite: SqliteSaver) -> None:
    plan = {"steps": [{"id": one, "task": "t", "agent": "slow"} for one in ("quick", "long")]}
    agent = create_plan_agent(None, [slow], checkpointer=sqlite)
    running = asyncio.create_task(agent.ainvoke({"goal": "g", "plan": plan}, config()))
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    calls: list[str] = []

    @specialist(name="slow")
    async def quick(task: StepTask, context: StepContext) -> str:
        calls.append(task.step)
        return task.step

    result = await create_plan_agent(None, [quick], checkpointer=sqlite).ainvoke(None, config())
    assert calls == ["long"]
    assert result["status"] == "complete"
    assert list(result["outcomes"]) == ["quick", "long"]


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_an_interrupt_inside_a_specialist_surfaces_and_resumes_without_running_others_again(
    is_async: bool, sqlite: SqliteSaver
) -> None:
    calls: list[str] = []

    @specialist
    async def asks(task: StepTask, context: StepContext) -> str:
        return f"you said {interrupt('sure?')}"

    @specialist
    async def works(task: StepTask, context: StepContext) -> str:
        calls.append(task.step)
        return ",".join(str(one.output) for one in context.dependencies.values())

    plan = {
        "steps": [
            {"id": "before", "task": "t", "agent": "works"},
            {"id": "ask", "task": "t", "agent": "asks", "depends_on": ["before"]},
            {"id": "beside", "task": "t", "agent": "works", "depends_on": ["before"]},
            {"id": "after", "task": "t", "agent": "works", "depends_on": ["ask", "beside"]},
        ]
    }
    agent = create_plan_agent(None, [asks, works], checkpointer=sqlite)

    async def call(given: Any) -> Any:
        return (
            await agent.ainvoke(given, config()) if is_async else await asyncio.to_thread(agent.invoke, given, config())
        )

    paused = await call({"goal": "g", "plan": plan})
    assert [one.value for one in paused["__interrupt__"]] == ["sure?"]
    assert calls == ["before", "beside"]
    result = await call(Command(resume={paused["__interrupt__"][0].id: "yes"}))
    assert calls == ["before", "beside", "after"]
    assert result["outcomes"]["after"].output == "you said yes,"
    assert result["status"] == "complete"


def test_an_outcome_is_stored_once_and_not_with_every_later_checkpoint(tmp_path: Path) -> None:
    @specialist
    async def large(text: str) -> str:
        return "x" * 10_000

    file = tmp_path / "run.sqlite"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        plan = {"steps": [{"id": f"s{i}", "task": "t", "agent": "large"} for i in range(100)]}
        agent = create_plan_agent(None, [large], checkpointer=saver, synthesis=lambda request: "done")
        agent.invoke({"goal": "g", "plan": plan}, config())
        stored = saver.conn.execute("PRAGMA page_count").fetchone()[0] * 4096
    assert stored < 2 * 100 * 10_000
