"""Calls from cells of a notebook, where an event loop runs already: sync and async ones, again and again."""

from pathlib import Path
from typing import Any

import nbformat
from notebooks.execute import executed

_TEAM = """
from goalgraph import create_plan_agent, generate_plan, specialist

@specialist
async def researcher(task, context):
    '''Finds facts about a topic.'''
    return f"facts: {task.instruction}"

@specialist
def writer(text):
    '''Writes a summary.'''
    return f"summary of {text}"

crew = [researcher, writer]
agent = create_plan_agent(None, crew, synthesis="last_wins")
goal = {"goal": "Research tides, then write a summary"}
answers = []
"""
_SYNC = 'answers.append(agent.invoke(goal)["answer"])'
_ASYNC = 'answers.append((await agent.ainvoke(goal))["answer"])'
_ASKING = """
from langgraph.checkpoint.memory import InMemorySaver
from goalgraph import ApprovalPolicy, aanswer, answer, apending, pending

asks = create_plan_agent(None, crew, approval=ApprovalPolicy(steps=["writer"]), checkpointer=InMemorySaver())
one, two = ({"configurable": {"thread_id": name}} for name in "ab")
"""


_WARNING = """
try:
    warnings.warn("an old name", DeprecationWarning)
except DeprecationWarning as error:
    print(error)
"""
_CALLING_OUT = """
try:
    socket.create_connection(("127.0.0.1", 1))
except RuntimeError as error:
    print(type(error).__name__)
"""


async def shown(scratch: Path, *cells: str) -> list[Any]:
    """The outputs of the cells."""
    make: Any = nbformat.v4
    done = await executed(make.new_notebook(cells=[make.new_code_cell(cell) for cell in cells]), scratch)
    outputs: list[Any] = [output for cell in done.cells for output in cell.outputs]
    assert all(output.get("name") != "stderr" for output in outputs)
    return outputs


async def printed(scratch: Path, *cells: str) -> list[str]:
    """The lines that the cells print."""
    outputs = await shown(scratch, *cells)
    return "".join(str(output.text) for output in outputs if output.output_type == "stream").splitlines()


async def test_sync_and_async_calls_work_in_cells_again_and_again(tmp_path: Path) -> None:
    assert await printed(
        tmp_path,
        _TEAM,
        _SYNC,
        _SYNC,
        _ASYNC,
        _ASYNC,
        f"{_SYNC}\n{_ASYNC}",
        'answers.append([part for part in agent.stream(goal, stream_mode="values")][-1]["answer"])',
        'answers.append([part async for part in agent.astream(goal, stream_mode="values")][-1]["answer"])',
        "print(len(answers), {answer.split()[0] for answer in answers}, len({*answers}))",
        'plans = [agent.plan(goal["goal"]), await agent.aplan(goal["goal"])]',
        'plans.append(await generate_plan(goal["goal"], specialists=crew))',
        "print([len(plan.steps) for plan in plans], all(plan == plans[0] for plan in plans))",
        _ASKING,
        "asks.invoke(goal, one)\n(request,) = pending(asks, one)",
        "print(answer(asks, one, {request.id: True})['status'])",
        "await asks.ainvoke(goal, two)\n(request,) = await apending(asks, two)",
        "print((await aanswer(asks, two, {request.id: True}))['status'])",
    ) == ["8 {'summary'} 1", "[2, 2, 2] True", "complete", "complete"]


async def test_what_ends_a_cell_is_shown_once_as_a_page_and_as_text(tmp_path: Path) -> None:
    plan, estimate, result, outcome, report, agent = await shown(
        tmp_path,
        f'{_TEAM}\nplan = agent.plan(goal["goal"])\nplan',
        "agent.estimate(plan)",
        "result = agent.invoke(goal)\nresult",
        'result["outcomes"][plan.steps[-1].id]',
        "result.report()",
        "agent",
    )
    assert "image/svg+xml" in plan.data
    for output in (plan, estimate, result, outcome):
        assert {"text/html", "text/plain"} <= output.data.keys()
    begins = {"Plan: ": plan, "Estimate\n": estimate, "✓ Run complete": result, "✓ succeeded": outcome}
    assert [output.data["text/plain"][: len(text)] for text, output in begins.items()] == [*begins]
    assert report.data["text/html"].startswith("<iframe ")
    assert list(agent.data) == ["text/plain"]


async def test_what_a_cell_warns_of_is_an_error_and_nothing_leaves_the_machine(tmp_path: Path) -> None:
    assert await printed(
        tmp_path,
        "import socket, warnings",
        _WARNING,
        _CALLING_OUT,
    ) == ["an old name", "SocketBlockedError"]
