"""Runs that are watched, in terminals and files: real agents, sync and async, from their start and gone on with."""

import asyncio
import io
import re
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from rich.console import Console
from tests.graph.spenders import Spender

from goalgraph import (
    ApprovalPolicy,
    Limits,
    Plan,
    PlanAgent,
    PlanRequest,
    Price,
    RunResult,
    StepContext,
    StepTask,
    as_specialist,
    awatch,
    create_plan_agent,
    specialist,
    watch,
)
from goalgraph.errors import InvalidGoal

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_HOSTILE = "[red]boo[/red] \x1b[2J\x1b]0;x\x07 \u202e<script>alert(1)</script>\nsecond line"

Watch = Callable[..., Awaitable[RunResult]]


async def _sync(agent: PlanAgent, given: Any, config: RunnableConfig | None = None, **kwargs: Any) -> RunResult:
    """Inside of the running loop, as in a notebook's cell."""
    return watch(agent, given, config, **kwargs)


both = pytest.mark.parametrize("watched", [_sync, awatch], ids=["sync", "async"])


@specialist
async def worker(task: StepTask, context: StepContext) -> str:
    """Works."""
    context.progress("at it")
    if "fail" in task.instruction:
        raise ValueError(_HOSTILE)
    if "hostile" in task.instruction:
        context.progress(_HOSTILE)
    return _HOSTILE


@specialist
async def stopper(task: StepTask, context: StepContext) -> str:
    """Stops everything."""
    raise KeyboardInterrupt


@specialist
async def forger(task: StepTask, context: StepContext) -> str:
    """Writes what looks like events to the stream."""
    from langgraph.config import get_stream_writer

    write = get_stream_writer()
    for fields in ({"status": "splendid"}, {"status": "failed", "attempts": "1"}, {}):
        write({"type": "step_finished", "run": "x", "step": "a", "seconds": 1.0, **fields})
    write({"type": "step_started", "step": None})
    write("text")
    return "done"


def _agent(*more: Any, **kwargs: Any) -> PlanAgent:
    return create_plan_agent(None, [worker, *more], synthesis="last_wins", **kwargs)


def _plan(*steps: dict[str, Any]) -> Plan:
    return Plan.model_validate({"steps": [{"task": "do it", "agent": "worker", **step} for step in steps]})


def _console(width: int = 100, height: int = 24) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=width, height=height, legacy_windows=False), file


def _last_table(text: str) -> list[str]:
    """The lines of the last state that was drawn."""
    plain = _ESCAPES.sub("", text).replace("\r", "")
    heads = [
        found.start()
        for found in re.finditer(r"(Planning|Running|Writing|Waiting|Complete|Degraded|Failed|Stopped)\b", plain)
    ]
    return plain[heads[-1] :].splitlines()


def _left() -> set[threading.Thread]:
    """Threads but for the one loop that serves all sync calls of a process."""
    return {one for one in threading.enumerate() if one.name != "goalgraph"}


@both
async def test_a_run_becomes_lines_and_gives_what_invoke_gives(watched: Watch) -> None:
    agent, out = _agent(), io.StringIO()
    given = {"goal": "g", "plan": _plan({"id": "a"}, {"id": "b", "depends_on": ["a"]})}
    result = await watched(agent, given, out=out)
    expected = agent.invoke(given)
    assert type(result) is RunResult
    assert result.keys() == expected.keys()
    assert (result["answer"], result["status"]) == (expected["answer"], "complete")
    *lines, last = out.getvalue().splitlines()
    assert [line.partition(" after ")[0] for line in lines] == [
        "started a (worker)",
        "succeeded a",
        "started b (worker)",
        "succeeded b",
    ]
    assert re.fullmatch(r"Complete: 2 of 2 steps done, \d\.\d s", last)


@both
async def test_a_terminal_shows_one_table_that_changes_and_stays(watched: Watch) -> None:
    console, file = _console()
    await watched(_agent(), {"goal": "g", "plan": _plan({"id": "a"}, {"id": "b"})}, out=console)
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Complete: 2 of 2 steps done")
    assert [row.split()[:3] for row in rows if row.strip()] == [["✓", "a", "worker"], ["✓", "b", "worker"]]
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1  # the cursor is back


@both
async def test_a_run_that_asks_gives_its_interrupts_and_goes_on_with_what_is_done(watched: Watch) -> None:
    agent = _agent(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    each = {"id": "each", "type": "map", "over": [1, 2], "step": {"id": "i", "task": "t", "agent": "worker"}}
    sign = {"id": "sign", "type": "human_approval", "prompt": "Right?", "depends_on": ["a"]}
    plan = {"steps": [{"id": "a", "task": "t", "agent": "worker"}, each, sign]}
    console, file = _console()
    result = await watched(agent, {"goal": "g", "plan": plan}, config, out=console)
    (asked,) = result["__interrupt__"]
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Waiting: 2 of 3 steps done")
    assert head.strip().endswith("waits for an answer: sign")
    assert [row.split()[:2] for row in rows if row.strip()] == [["✓", "a"], ["✓", "each"], ["?", "sign"]]

    console, file = _console()
    result = await watched(agent, Command(resume={asked.id: True}), config, out=console)
    assert result["status"] == "complete"
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Complete: 3 of 3 steps done")
    assert [row.split()[:2] for row in rows if row.strip()] == [["✓", "a"], ["✓", "each"], ["✓", "sign"]]
    assert "2 items" in rows[1]
    assert "asks" not in _ESCAPES.sub("", file.getvalue())  # it was answered, and nobody is asked any more

    result = await watched(agent, {"goal": "do x"}, config, out=(lines := io.StringIO()))
    assert result["status"] == "complete"
    assert "1 of 1 steps done" in lines.getvalue()  # none of the goal before


@both
async def test_two_runs_one_after_the_other_leave_no_thread_and_no_task(watched: Watch) -> None:
    console, _ = _console()
    threads, tasks = _left(), asyncio.all_tasks()
    for _ in range(2):
        await watched(_agent(), {"goal": "g", "plan": _plan({"id": "a"})}, out=console)
    assert _left() == threads
    assert asyncio.all_tasks() == tasks


@both
async def test_ctrl_c_closes_the_table_and_goes_through(watched: Watch) -> None:
    console, file = _console()
    threads = _left()
    plan = _plan({"id": "a"}, {"id": "b", "agent": "stopper", "depends_on": ["a"]})
    with pytest.raises(KeyboardInterrupt):
        await watched(_agent(stopper), {"goal": "g", "plan": plan}, out=console)
    head, *_ = _last_table(file.getvalue())
    assert head.startswith("Stopped: 1 of 2 steps done")
    assert file.getvalue().endswith("\x1b[?25h")
    assert _left() == threads


async def test_a_cancelled_run_closes_its_table_and_stays_cancelled() -> None:
    begun = asyncio.Event()

    @specialist
    async def sleeper(task: StepTask, context: StepContext) -> str:
        """Sleeps."""
        begun.set()
        await asyncio.sleep(60)
        return ""

    console, file = _console()
    threads, tasks = _left(), asyncio.all_tasks()
    run = asyncio.create_task(
        awatch(_agent(sleeper), {"goal": "g", "plan": _plan({"id": "a", "agent": "sleeper"})}, out=console)
    )
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert _last_table(file.getvalue())[0].startswith("Stopped: 0 of 1 steps done")
    assert (_left(), asyncio.all_tasks()) == (threads, tasks)


@both
async def test_what_cannot_begin_shows_nothing_and_raises_what_invoke_raises(watched: Watch) -> None:
    console, file = _console()
    with pytest.raises(InvalidGoal):
        await watched(_agent(), {"goal": " "}, out=console)
    assert file.getvalue() == ""


@both
async def test_what_specialists_say_is_shown_as_text(watched: Watch) -> None:
    plan = _plan({"id": "a", "task": "hostile"}, {"id": "b", "task": "fail", "optional": True})
    console, file = _console(200)
    await watched(_agent(), {"goal": "g", "plan": plan}, out=console)
    lines = io.StringIO()
    await watched(_agent(), {"goal": "g", "plan": plan}, out=lines)
    for shown in (file.getvalue(), lines.getvalue()):
        assert "[red]boo[/red]" in shown
        assert "\x1b[2J" not in shown
        assert "\x1b]0;" not in shown
        assert "\u202e" not in shown
        assert "<script>alert(1)</script> second line" in shown


async def test_what_only_looks_like_an_event_does_not_break_a_run() -> None:
    out = io.StringIO()
    result = await awatch(_agent(forger), {"goal": "g", "plan": _plan({"id": "a", "agent": "forger"})}, out=out)
    assert result["status"] == "complete"
    assert len(out.getvalue().splitlines()) == 3


async def test_a_file_without_the_characters_gets_marks_in_their_place() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, "ascii")
    await awatch(_agent(), {"goal": "g", "plan": _plan({"id": "a", "task": "fail"})}, out=file)
    assert b"failed a after 0.0 s: ValueError: [red]boo[/red] ?[2J" in raw.getvalue()


async def test_a_plan_of_300_steps_and_a_map_of_1000_items_stay_readable() -> None:
    steps: list[dict[str, Any]] = [{"id": f"s{number}", "task": "t", "agent": "worker"} for number in range(300)]
    each = {
        "id": "each",
        "type": "map",
        "over": list(range(1_000)),
        "step": {"id": "i", "task": "t", "agent": "worker"},
    }
    console, file = _console(height=20)
    await awatch(_agent(limits=Limits(max_steps=301)), {"goal": "g", "plan": {"steps": [each, *steps]}}, out=console)
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Complete: 301 of 301 steps done")
    assert len([row for row in rows if row.strip()]) == 17
    assert "1000 of 1000 items" in rows[0]
    assert rows[16].strip() == "and 285 more"


@both
async def test_what_was_spent_is_in_the_head_as_in_the_result(watched: Watch) -> None:
    agent = create_plan_agent(
        None,
        [as_specialist(Spender(), name="model", description="Answers.")],
        synthesis="last_wins",
        limits=Limits(max_cost_usd=5),
        prices={"spender": Price(input=0, output=1_000)},
    )
    plan = {"steps": [{"id": name, "task": "t", "agent": "model"} for name in "abc"]}
    events = [
        part async for part in agent.astream({"goal": "g", "plan": plan}, stream_mode="custom") if "usage" in part
    ]
    assert [(one["type"], one["usage"]["calls"]) for one in events] == [("step_finished", 1)] * 3 + [
        ("run_finished", 3)
    ]
    assert events[0]["usage"]["cost_usd"] == pytest.approx(0.01)
    out = io.StringIO()
    used = (await watched(agent, {"goal": "g", "plan": plan}, out=out))["usage"]
    tokens = used.input_tokens + used.output_tokens
    assert out.getvalue().strip().endswith(f", {tokens:,} tokens, $0.0300")


async def test_steps_of_a_run_inside_of_a_step_stay_out_of_the_table() -> None:
    inner = create_plan_agent(None, [worker], synthesis="last_wins", name="inner")
    console, file = _console()
    plan = _plan({"id": "a", "agent": "inner", "task": "do x, then write a summary"})
    await awatch(_agent(inner), {"goal": "g", "plan": plan}, out=console)
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Complete: 1 of 1 steps done")
    assert [row.split()[:3] for row in rows if row.strip()] == [["✓", "a", "inner"]]


@both
async def test_a_plan_is_shown_while_it_is_written_and_asked_about(watched: Watch) -> None:
    class Slow:
        async def decompose(self, request: PlanRequest) -> Plan:
            plan = _plan({"id": "a"}, {"id": "b", "depends_on": ["a"]})
            for step in plan.steps:
                await asyncio.sleep(0.2)
                if request.on_step is not None:
                    request.on_step(step, 1)
            await asyncio.sleep(0.2)
            return plan

    agent = _agent(decomposer=Slow(), approval=ApprovalPolicy(plan=True), checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    console, file = _console()
    result = await watched(agent, {"goal": "g"}, config, out=console)
    shown = _ESCAPES.sub("", file.getvalue())
    assert re.search(r"Planning \.\.\. \d\.\d s", shown)
    assert re.search(r"Planning \.\.\. 1 step so far, ", shown)
    assert re.search(r"b +do it \(needs a\)", shown)
    head, *rows = _last_table(file.getvalue())
    assert re.match(r"Waiting: 0 of 2 steps done, \d\.\d s; waits for an answer: the plan", head)
    assert [row.split()[:3] for row in rows if row.strip()] == [["·", "a", "worker"], ["·", "b", "worker"]]
    (asked,) = result["__interrupt__"]
    result = await watched(agent, Command(resume={asked.id: True}), config, out=(lines := io.StringIO()))
    assert (result["status"], lines.getvalue().count("\n")) == ("complete", 5)


@both
async def test_going_on_in_the_middle_of_a_superstep_begins_with_what_is_done_and_was_spent(watched: Watch) -> None:
    agent = create_plan_agent(
        None,
        [as_specialist(Spender(), name="model", description="Answers.")],
        synthesis="last_wins",
        checkpointer=InMemorySaver(),
    )
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    steps = [{"id": "a", "task": "t", "agent": "model"}, {"id": "e", "type": "wait", "event": "paid"}]
    begun = agent.invoke({"goal": "g", "plan": {"steps": steps}}, config)
    spent = begun["outcomes"]["a"].usage
    console, file = _console()
    again = await watched(agent, None, config, out=console)
    assert [one.id for one in again["__interrupt__"]] == [one.id for one in begun["__interrupt__"]]
    head, *rows = _last_table(file.getvalue())
    assert head.startswith("Waiting: 1 of 2 steps done")
    assert f"{spent.input_tokens + spent.output_tokens} tokens; waits for an answer: e" in head
    assert [row.split()[:3] for row in rows if row.strip()] == [["✓", "a", "model"], ["?", "e", "wait"]]
