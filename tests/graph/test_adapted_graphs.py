"""Tools, compiled graphs and agents as specialists: what passes through them in a whole run."""

from typing import Any

import pytest
from langchain import agents
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from goalgraph import AgentStep, Plan, as_specialist, create_plan_agent
from goalgraph.testing import ScriptedChatModel

CONFIG: Any = {"configurable": {"thread_id": "1"}}
PLAN = Plan(steps=(AgentStep(id="a", agent="helper", task="Help."),))


class Verdict(BaseModel):
    score: int


def graph(node: Any, state: Any = MessagesState) -> Any:
    make: Any = StateGraph
    return make(state).add_node("work", node).add_edge(START, "work").add_edge("work", END).compile(name="helper")


def talker() -> Any:
    """A graph that asks, tells, and calls a model."""
    model = ScriptedChatModel(lambda _messages: "three little words")

    async def work(state: MessagesState) -> dict[str, Any]:
        get_stream_writer()({"told": "half"})
        heard = interrupt("which?")
        answer = await model.ainvoke(state["messages"])
        return {"messages": [("ai", f"{answer.text} {heard}")]}

    return graph(work)


def helper(*replies: Any, tools: Any = (), **options: Any) -> Any:
    create: Any = agents.create_agent  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return create(ScriptedChatModel(replies), list(tools), name="helper", **options)


async def test_questions_events_tokens_and_usage_of_a_graph_pass_through(sqlite: SqliteSaver) -> None:
    agent: Any = create_plan_agent(None, [talker()], checkpointer=sqlite)
    told: list[Any] = []
    said: list[str] = []

    async def ran(given: Any) -> Any:
        last: Any = None
        modes = ["custom", "messages", "values"]
        async for _, mode, part in agent.astream(given, CONFIG, stream_mode=modes, subgraphs=True):
            if mode == "custom":
                told.append(part)
            elif mode == "messages":
                said.append(part[0].text)
            elif "outcomes" in part:
                last = part
        return last

    await ran({"goal": "g", "plan": PLAN})
    ((question,),) = (task.interrupts for task in (await agent.aget_state(CONFIG)).tasks if task.interrupts)
    assert question.value == "which?"
    assert said == []
    agent = create_plan_agent(None, [talker()], checkpointer=sqlite)
    done = await ran(Command(resume={question.id: "this"}))
    assert done["outcomes"]["a"].output == "three little words this"
    assert done["outcomes"]["a"].usage.calls == 1
    assert {"told": "half"} in told
    assert "".join(said).startswith("three little words")
    assert len(said) > 3


async def test_an_agent_s_tool_calls_tokens_and_usage_pass_through() -> None:
    @tool
    def look(topic: str) -> str:
        """Looks it up."""
        get_stream_writer()({"looked": topic})
        return f"all about {topic}"

    inner = helper({"topic": "bees"}, "bees fly", tools=[look])
    agent: Any = create_plan_agent(None, [inner])
    parts = [
        part
        async for part in agent.astream(
            {"goal": "g", "plan": PLAN}, stream_mode=["custom", "messages", "values"], subgraphs=True
        )
    ]
    assert {"looked": "bees"} in [part for _, mode, part in parts if mode == "custom"]
    texts = [part[0].text for _, mode, part in parts if mode == "messages"]
    assert "all about bees" in texts
    assert "bees fly" in "".join(texts)
    outcome = parts[-1][2]["outcomes"]["a"]
    assert (outcome.output, outcome.usage.calls) == ("bees fly", 2)


@tool
def good(text: str) -> dict[str, int]:
    """Judges."""
    return {"score": 3}


@tool
def bad(text: str) -> str:
    """Talks."""
    return "fine"


def talks(state: MessagesState) -> dict[str, Any]:
    return {"messages": [("ai", "fine")]}


@pytest.mark.parametrize(
    ("one", "fits"),
    [
        (good, True),
        (bad, False),
        (graph(talks), False),
        (helper({"score": 3}, "done", response_format=Verdict), True),
        (helper("done"), False),
    ],
    ids=["tool", "tool that talks", "graph that talks", "agent", "agent that talks"],
)
async def test_a_declared_output_is_enforced(one: Any, fits: bool) -> None:
    agent: Any = create_plan_agent(None, [as_specialist(one, name="helper", output=Verdict)])
    outcome = (await agent.ainvoke({"goal": "g", "plan": PLAN}))["outcomes"]["a"]
    if fits:
        assert (outcome.status, outcome.output) == ("succeeded", {"score": 3})
    else:
        assert outcome.status == "failed"
        assert outcome.error.code == "invalid_output"
