"""The agent as callers use it: sync and async, streamed, as a tool, as a part of other graphs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from goalgraph import (
    ExecutionPolicy,
    InvalidPlan,
    Limits,
    Plan,
    StepContext,
    StepTask,
    as_specialist,
    create_plan_agent,
    specialist,
)
from goalgraph.errors import InvalidGoal, InvalidSpecialist
from goalgraph.testing import ScriptedChatModel

DIAMOND: Mapping[str, object] = {
    "steps": [
        {"id": "read", "task": "read it", "agent": "worker"},
        {"id": "left", "task": "left half", "agent": "worker", "depends_on": ["read"]},
        {"id": "right", "task": "right half", "agent": "blocking", "depends_on": ["read"]},
        {"id": "join", "task": "join them", "agent": "worker", "depends_on": ["left", "right"]},
    ]
}


@specialist
async def worker(task: StepTask, context: StepContext) -> str:
    """Does anything."""
    context.progress("half way", 0.5)
    return f"{task.step}({', '.join(str(one.output) for one in context.dependencies.values())})"


@specialist
def blocking(task: StepTask, context: StepContext) -> str:
    """Does anything, without a loop."""
    return f"{task.step}({', '.join(str(one.output) for one in context.dependencies.values())})"


EXPECTED = "join(left(read()), right(read()))"


def config(thread: str = "1") -> Any:
    return {"configurable": {"thread_id": thread}}


def test_a_plan_runs_in_order_and_dependants_receive_outputs() -> None:
    result = create_plan_agent(None, [worker, blocking]).invoke({"goal": "g", "plan": DIAMOND})
    assert result["outcomes"]["join"].output == EXPECTED
    assert result["status"] == "complete"
    assert result["degraded"] == []
    assert [type(one) for one in result["messages"]] == [HumanMessage, AIMessage]
    assert result["messages"][-1].text == result["answer"]


def test_an_agent_shows_itself_in_a_notebook_without_a_server_that_draws_it() -> None:
    agent: Any = create_plan_agent(None, [worker, blocking], name="team")
    assert list(agent._repr_mimebundle_(include=None, exclude=None)) == ["text/plain"]


def test_one_agent_serves_sync_and_async_calls_inside_and_outside_a_loop_twice_in_a_row(sqlite: SqliteSaver) -> None:
    agent = create_plan_agent(None, [worker, blocking], checkpointer=sqlite)
    given = {"goal": "g", "plan": DIAMOND}
    answers: list[str] = []

    async def inside(turn: int) -> None:
        answers.append((await agent.ainvoke(given, config(f"a{turn}")))["answer"])
        answers.append(agent.invoke(given, config(f"b{turn}"))["answer"])
        answers.extend([part["answer"] async for part in agent.astream(given, config(f"c{turn}")) if "answer" in part])

    for turn in range(2):
        answers.append(agent.invoke(given, config(f"d{turn}"))["answer"])
        asyncio.run(inside(turn))
        parts = list(agent.stream(given, config(f"e{turn}"), stream_mode="values"))
        answers.append(parts[-1]["answer"])
    assert len(answers) == 8
    assert set(answers) == {answers[0]}
    assert EXPECTED in answers[0]


@pytest.mark.parametrize("mode", ["values", "updates", "custom", "messages", "tasks", "debug"])
async def test_each_stream_mode_gives_the_same_parts_sync_and_async(mode: str) -> None:
    agent = create_plan_agent(None, [worker, blocking])
    given = {"goal": "g", "plan": DIAMOND}
    parts = [part async for part in agent.astream(given, stream_mode=mode)]
    assert len(list(agent.stream(given, stream_mode=mode))) == len(parts)
    assert parts or mode == "messages"


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_tokens_of_every_model_stream_once_as_messages(is_async: bool) -> None:
    model = ScriptedChatModel(lambda messages: "three little words")

    @specialist
    async def awaits(text: str) -> str:
        return (await model.ainvoke(text)).text

    @specialist
    def blocks(text: str) -> str:
        return model.invoke(text).text

    plan = {
        "steps": [
            {"id": "a", "task": "t", "agent": "awaits"},
            {"id": "b", "task": "t", "agent": "blocks"},
            {"id": "c", "task": "t", "agent": "chat"},
        ]
    }
    chat = as_specialist(model, name="chat", description="answers")
    agent = create_plan_agent(model, [awaits, blocks, chat], synthesis="model")
    given = {"goal": "g", "plan": plan}
    if is_async:
        parts = [part async for part in agent.astream(given, stream_mode="messages")]
    else:
        parts = list(agent.stream(given, stream_mode="messages"))
    said: dict[str, list[str]] = {}
    for message, metadata in parts:
        said.setdefault(metadata["langgraph_node"], []).append(message.text)
    assert {node: "".join(texts) for node, texts in said.items()} == dict.fromkeys(
        ("awaits", "blocks", "chat", "synthesize"), "three little words"
    )
    assert len(said["synthesize"]) > 1
    assert agent.invoke(given)["usage"].calls == 4


def test_the_custom_stream_tells_each_step_once_in_an_allowed_order() -> None:
    agent = create_plan_agent(None, [worker, blocking])
    events: list[Any] = list(agent.stream({"goal": "g", "plan": DIAMOND}, stream_mode="custom"))
    assert events[0]["type"] == "plan_made"
    assert events[-1] == {"type": "run_finished", "run": events[0]["run"], "status": "complete"}
    assert events[0]["run"].startswith("run-")
    started = [event["step"] for event in events if event["type"] == "step_started"]
    finished = [event["step"] for event in events if event["type"] == "step_finished"]
    assert sorted(started) == sorted(finished) == ["join", "left", "read", "right"]
    assert finished[0] == "read"
    assert finished[-1] == "join"
    assert {"type": "step_progress", "step": "read", "message": "half way", "fraction": 0.5}.items() <= next(
        event for event in events if event["type"] == "step_progress"
    ).items()


def test_the_drawn_graph_shows_every_node() -> None:
    drawn = create_plan_agent(None, [worker, blocking]).get_graph().draw_mermaid()
    for edge in (
        "__start__ --> decompose",
        "decompose --> dispatch",
        "dispatch -.-> worker",
        "dispatch -.-> blocking",
        "worker -.-> gather",
        "blocking -.-> gather",
        "gather -.-> synthesize",
        "synthesize --> __end__",
    ):
        assert edge in drawn


@pytest.mark.parametrize("name", ["review", "plan", "gather", "messages"])
def test_a_specialist_may_be_called_like_a_part_of_the_graph(name: str) -> None:
    @specialist(name=name)
    async def other(text: str) -> str:
        return "fine"

    result = create_plan_agent(None, [other]).invoke(
        {"goal": "g", "plan": {"steps": [{"id": "a", "task": "t", "agent": name}]}}
    )
    assert result["answer"] == "fine"


def test_a_second_goal_on_a_thread_starts_afresh(sqlite: SqliteSaver) -> None:
    agent = create_plan_agent(None, [worker, blocking], checkpointer=sqlite)
    agent.invoke({"goal": "first", "plan": DIAMOND}, config())
    plan = {"steps": [{"id": "read", "task": "again", "agent": "blocking"}]}
    result = agent.invoke({"goal": "second", "plan": plan}, config())
    assert set(result["outcomes"]) == {"read"}
    assert result["outcomes"]["read"].specialist == "blocking"
    assert [one.text for one in result["messages"]][::2] == ["first", "second"]


def test_a_second_goal_without_a_plan_does_not_take_the_first_ones() -> None:
    agent = create_plan_agent(None, [worker], checkpointer=InMemorySaver())
    agent.invoke({"plan": {"name": "first", "steps": [{"id": "only", "task": "t", "agent": "worker"}]}}, config())
    result = agent.invoke({"goal": "Read the second document"}, config())
    assert "only" not in result["outcomes"]


def test_the_goal_may_come_as_a_message() -> None:
    plan = {"steps": [{"id": "a", "task": "t", "agent": "worker"}]}
    result = create_plan_agent(None, [worker]).invoke({"messages": [("user", "do it")], "plan": plan})
    assert result["goal"] == "do it"
    assert [one.type for one in result["messages"]] == ["human", "ai"]


def test_a_plan_may_come_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("steps:\n  - id: a\n    task: t\n    agent: worker\n")
    assert create_plan_agent(None, [worker]).invoke({"goal": "g", "plan": str(file)})["answer"] == "a()"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"goal": ""}, "empty"),
        ({"goal": "  \n"}, "empty"),
        ({"goal": None}, "empty"),
        ({"gaol": "typo"}, "unknown input: gaol"),
        ({"goal": "g", "inputs": ["x"]}, "not a mapping"),
        (["goal"], "input is a list"),
    ],
    ids=["empty", "blank", "none", "typo", "inputs", "list"],
)
def test_bad_input_is_refused_before_anything_runs(given: Any, said: str) -> None:
    with pytest.raises(InvalidGoal, match=said):
        create_plan_agent(None, [worker]).invoke(given)


def test_an_invalid_plan_is_refused_with_all_problems() -> None:
    plan = {
        "steps": [
            {"id": "a", "task": "t", "agent": "wroker", "depends_on": ["zz"]},
            {"id": "a", "task": "t", "agent": "worker"},
        ]
    }
    with pytest.raises(InvalidPlan) as caught:
        create_plan_agent(None, [worker]).invoke({"goal": "g", "plan": plan})
    assert {problem.code for problem in caught.value.problems} == {
        "duplicate_id",
        "unknown_dependency",
        "unknown_specialist",
    }
    assert "did you mean 'worker'?" in str(caught.value)


def test_limits_bound_a_callers_plan_too() -> None:
    plan = Plan.model_validate({"steps": [{"id": f"s{i}", "task": "t", "agent": "worker"} for i in range(4)]})
    agent = create_plan_agent(None, [worker], limits=Limits(max_steps=3))
    with pytest.raises(InvalidPlan, match="at most 3 steps are allowed, found 4"):
        agent.invoke({"goal": "g", "plan": plan})


def test_an_agent_needs_specialists() -> None:
    with pytest.raises(InvalidSpecialist, match="no specialists"):
        create_plan_agent(None, [])


def test_it_is_a_tool_with_the_one_argument_goal() -> None:
    tool = create_plan_agent(None, [worker]).as_tool()
    assert list(tool.args) == ["goal"]
    assert "write_report" in tool.invoke({"goal": "Write a report"})


class Parent(TypedDict):
    goal: str
    answer: NotRequired[str]


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_it_works_as_a_node_of_another_graph_under_that_graphs_saver(is_async: bool, sqlite: SqliteSaver) -> None:
    async def before(state: Parent) -> Any:
        return {"goal": "Write a " + state["goal"]}

    def before_sync(state: Parent) -> Any:
        return {"goal": "Write a " + state["goal"]}

    builder: Any = StateGraph(Parent)
    builder.add_node("before", before if is_async else before_sync)
    builder.add_node("agent", create_plan_agent(None, [worker]))
    builder.add_edge(START, "before")
    builder.add_edge("before", "agent")
    builder.add_edge("agent", END)
    graph = builder.compile(checkpointer=InMemorySaver() if is_async else sqlite)
    given = {"goal": "report"}
    result = await graph.ainvoke(given, config()) if is_async else graph.invoke(given, config())
    assert result["answer"] == "write_report()"


async def test_an_async_sqlite_saver_works_too(tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "a.sqlite")) as saver:
        agent = create_plan_agent(None, [worker, blocking], checkpointer=saver)
        given = {"goal": "g", "plan": DIAMOND}
        assert (await agent.ainvoke(given, config("1")))["status"] == "complete"
        in_thread = await asyncio.to_thread(agent.invoke, given, config("2"))
        assert in_thread["status"] == "complete"
        assert (await agent.aget_state(config("2"))).values["outcomes"]["join"].output == EXPECTED


async def test_a_sync_call_that_would_wait_for_its_own_loop_is_refused_as_langgraph_does(tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "a.sqlite")) as saver:
        agent = create_plan_agent(None, [worker], checkpointer=saver)
        with pytest.raises(asyncio.InvalidStateError, match="ainvoke"):
            agent.invoke({"goal": "Write a report"}, config())


def test_a_config_bound_to_the_agent_is_kept() -> None:
    agent = create_plan_agent(None, [worker], checkpointer=InMemorySaver()).with_config(config("bound"))
    agent.invoke({"goal": "Write a report"})
    assert agent.get_state(config("bound")).values["status"] == "complete"


def test_stored_types_load_back_without_a_warning(sqlite: SqliteSaver, caplog: pytest.LogCaptureFixture) -> None:
    agent = create_plan_agent(None, [worker, blocking], checkpointer=sqlite)
    agent.invoke({"goal": "g", "plan": DIAMOND}, config())
    values = agent.get_state(config()).values
    assert isinstance(values["plan"], Plan)
    assert values["outcomes"]["join"].output == EXPECTED
    assert not caplog.records


class Planted(BaseModel):
    """A type that a poisoned row could name."""

    text: str


def test_a_type_that_nobody_allowed_is_not_built_from_a_stored_row(sqlite: SqliteSaver) -> None:
    agent = create_plan_agent(None, [worker], checkpointer=sqlite)
    agent.invoke({"goal": "Write a report"}, config())
    kind, data = sqlite.serde.dumps_typed({"read": Planted(text="x")})
    saver = cast("Any", agent).checkpointer
    assert saver.serde.loads_typed((kind, data)) == {"read": {"text": "x"}}


def test_types_that_the_caller_allowed_stay_allowed() -> None:
    saver = InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=[Planted]))
    used = cast("Any", create_plan_agent(None, [worker], checkpointer=saver)).checkpointer
    assert used.serde.loads_typed(used.serde.dumps_typed(Planted(text="x"))) == Planted(text="x")
    assert used.serde.loads_typed(used.serde.dumps_typed(Plan())) == Plan()


@pytest.mark.parametrize("limit", [1, 3])
def test_max_concurrency_of_the_config_limits_steps_and_never_deadlocks(limit: int) -> None:
    running, most = 0, 0

    @specialist
    async def counting(text: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return text

    steps = [
        {"id": f"s{i}", "task": "t", "agent": "counting", "depends_on": [f"s{i + 10}"] if i < 10 else []}
        for i in range(20)
    ]
    agent = create_plan_agent(None, [counting], execution=ExecutionPolicy(max_concurrency=5))
    result = agent.invoke({"goal": "g", "plan": {"steps": steps}}, {"max_concurrency": limit})
    assert result["status"] == "complete"
    assert most == limit


def test_a_thousand_waiting_steps_take_no_thread_each() -> None:
    import threading

    seen: list[int] = []

    @specialist
    async def looking(task: StepTask, context: StepContext) -> int:
        seen.append(threading.active_count())
        return 1

    steps = [
        {"id": f"s{i}", "task": "t", "agent": "looking", "depends_on": [f"s{i - 1}"] if i else []} for i in range(1000)
    ]
    agent = create_plan_agent(None, [looking], limits=Limits(max_steps=1000), synthesis="last_wins")
    assert agent.invoke({"goal": "g", "plan": {"steps": steps}})["status"] == "complete"
    assert max(seen) < 20
