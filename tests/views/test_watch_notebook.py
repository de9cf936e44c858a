"""Runs that are watched in notebooks: by IPython in this process, and by a real kernel."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from tests.views.test_watch import Watch, both
from traitlets.config import Config

from goalgraph import Plan, StepContext, StepTask, awatch, create_plan_agent, specialist
from goalgraph.views.frame import Frame, Row
from goalgraph.views.frame_html import frame_html

_HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(1)> [red]r[/red] \x1b[31m"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[InteractiveShell]:
    """IPython, as a kernel runs it, without its history."""
    settings = Config()
    settings.HistoryManager.enabled = False
    found: Any = InteractiveShell.instance(config=settings, ipython_dir=str(tmp_path))
    try:
        yield found
    finally:
        found.restore_sys_module_state()
        found.builtin_trap.deactivate()
        InteractiveShell.clear_instance()


@specialist
async def sleeper(task: StepTask, context: StepContext) -> str:
    """Takes a while."""
    context.progress(_HOSTILE)
    await asyncio.sleep(0.3)
    if "fail" in task.instruction:
        raise ValueError(_HOSTILE)
    return _HOSTILE


@specialist
async def stopper(task: StepTask, context: StepContext) -> str:
    """Stops everything."""
    raise KeyboardInterrupt


def _outputs(captured: Any) -> list[Any]:
    return list(captured.outputs)


def _plan(*steps: dict[str, Any]) -> Plan:
    return Plan.model_validate({"steps": [{"task": "do it", "agent": "sleeper", **step} for step in steps]})


@both
@pytest.mark.usefixtures("shell")
async def test_a_table_in_a_notebook_is_one_display_that_changes(watched: Watch) -> None:
    agent = create_plan_agent(None, [sleeper], synthesis="last_wins")
    threads, tasks = threading.active_count(), asyncio.all_tasks()
    for _ in range(2):
        with capture_output() as captured:
            await watched(agent, {"goal": "g", "plan": _plan({"id": "a"}, {"id": "b", "depends_on": ["a"]})})
        first, *more = _outputs(captured)
        assert (captured.stdout, captured.stderr) == ("", "")
        assert (first.update, {one.update for one in more}) == (False, {True})
        assert len({one.transient["display_id"] for one in (first, *more)}) == 1
        assert 3 <= len(more) <= 8  # it took 0.6 s
        assert more[-1].data["text/plain"].startswith("Complete: 2 of 2 steps done")
        assert "Running: " in more[0].data["text/plain"]
        assert more[-1].data["text/html"].count("<tr") == 2
    assert threading.active_count() <= threads + 1  # the loop that serves all sync calls
    assert asyncio.all_tasks() == tasks


@both
@pytest.mark.usefixtures("shell")
async def test_time_goes_on_where_nothing_happens_but_not_more_often_than_it_need(watched: Watch) -> None:
    @specialist
    async def slow(task: StepTask, context: StepContext) -> str:
        """Takes longer."""
        await asyncio.sleep(2.4)
        return ""

    with capture_output() as captured:
        plan = _plan({"id": "a", "agent": "slow"})
        await watched(create_plan_agent(None, [slow], synthesis="last_wins"), {"goal": "g", "plan": plan})
    heads = [one.data["text/plain"].splitlines()[0] for one in _outputs(captured)]
    assert len(heads) <= 6
    assert sum(head.startswith("Running: 0 of 1 steps done") for head in heads) >= 2
    assert len(set(heads)) == len(heads)


@both
@pytest.mark.usefixtures("shell")
async def test_ctrl_c_leaves_the_last_state_and_no_thread(watched: Watch) -> None:
    threads = {one for one in threading.enumerate() if one.name != "goalgraph"}
    plan = _plan({"id": "a"}, {"id": "b", "agent": "stopper", "depends_on": ["a"]})
    with capture_output() as captured, pytest.raises(KeyboardInterrupt):
        await watched(create_plan_agent(None, [sleeper, stopper]), {"goal": "g", "plan": plan})
    last = _outputs(captured)[-1]
    assert last.data["text/plain"].startswith("Stopped: 1 of 2 steps done")
    assert {one for one in threading.enumerate() if one.name != "goalgraph"} == threads


@pytest.mark.usefixtures("shell")
async def test_what_specialists_say_is_text_in_a_notebook() -> None:
    agent = create_plan_agent(None, [sleeper], synthesis="last_wins")
    with capture_output() as captured:
        await awatch(agent, {"goal": "g", "plan": _plan({"id": "a"}, {"id": "b", "task": "fail"})})
    assert _outputs(captured)
    html = ""
    for one in _outputs(captured):
        html, text = one.data["text/html"], one.data["text/plain"]
        assert "<script" not in html
        assert "<img" not in html
        assert "\x1b" not in html + text
    assert "ValueError: &lt;script&gt;alert(1)&lt;/script&gt;" in html


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    "status", ["waiting", "running", "asking", "succeeded", "failed", "blocked", "cancelled", "skipped"]
)
def test_the_colour_of_each_status_can_be_seen_on_light_and_dark_pages(status: str) -> None:
    row = Row(status=status, sign="x", ascii_sign="x", id="a", who="", seconds="", remark="")
    html = frame_html(Frame(head="h", rows=(row,), hidden=0, done=0, failed=0, total=1))
    colour = _luminance(html.partition(";color:#")[2][:6].join(("#", "")))
    for page in map(_luminance, ("#ffffff", "#111111")):
        assert (max(page, colour) + 0.05) / (min(page, colour) + 0.05) >= 3


_CELLS = (
    """
import asyncio, threading
from goalgraph import awatch, create_plan_agent, specialist, watch

@specialist
async def worker(task, context):
    await asyncio.sleep(0.4)
    return "done"

agent = create_plan_agent(None, [worker], synthesis="last_wins")
given = {"goal": "g", "plan": {"steps": [{"id": "a", "task": "t", "agent": "worker"}]}}
def left():
    return {one.name for one in threading.enumerate() if one.name != "goalgraph"}, len(asyncio.all_tasks())
before = left()
""",
    "r = watch(agent, given); r = watch(agent, given)",
    "r = await awatch(agent, given); r = await awatch(agent, given)",
    "print(r['status'], left() == before)",
)


class _Seen(NotebookClient):
    """Runs a notebook, and keeps what its kernel sends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[int, str, str, str]] = []

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in ("display_data", "update_display_data"):
            content = msg["content"]
            text = content["data"]["text/plain"].partition(":")[0]
            self.seen.append((cell_index, msg["msg_type"], content["transient"]["display_id"], text))
        return super().process_message(msg, cell, cell_index)


@pytest.mark.enable_socket
def test_a_real_kernel_shows_runs_sync_and_async_twice_in_a_row() -> None:
    form: Any = nbformat.v4
    cells = [form.new_code_cell(source.strip()) for source in _CELLS]
    book = form.new_notebook(cells=cells)
    client = _Seen(book, timeout=60, kernel_name="python3")
    client.execute()
    for cell in (1, 2):
        shown = [one for one in book.cells[cell].outputs if one.output_type == "display_data"]
        assert [one.data["text/plain"].partition(":")[0] for one in shown] == ["Complete", "Complete"]
        assert all(one.data["text/html"].count("<tr") == 1 for one in shown)
        ids = [found for number, kind, found, _ in client.seen if number == cell and kind == "display_data"]
        assert len(set(ids)) == 2
        for display in ids:
            states = [text for _, kind, found, text in client.seen if found == display and kind != "display_data"]
            assert 2 <= len(states) <= 6
            assert (states[0], states[-1]) == ("Running", "Complete")
    assert book.cells[3].outputs[0].text == "complete True\n"
