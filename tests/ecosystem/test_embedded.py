"""An agent inside of another graph, and as a tool, gone on with by objects that are made anew."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain import agents
from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from goalgraph import PlanAgent, create_plan_agent
from goalgraph.testing import ScriptedChatModel, ScriptedSpecialist

CONFIG: Any = {"configurable": {"thread_id": "1"}}
PLAN: Any = {
    "steps": [
        {"id": "first", "agent": "worker"},
        {"id": "sign", "type": "human_approval", "prompt": "Well?", "depends_on": ["first"]},
        {"id": "last", "agent": "worker", "depends_on": ["sign"]},
    ]
}


class State(TypedDict, total=False):
    goal: str
    plan: dict[str, Any]
    answer: str


class Planned:
    """A decomposer that always has the same plan."""

    async def decompose(self, request: Any) -> Any:
        from goalgraph import Plan

        return Plan.model_validate(PLAN)


def team(worker: ScriptedSpecialist) -> PlanAgent:
    return create_plan_agent(None, [worker], synthesis="last_wins", name="team", decomposer=Planned())


def as_node(worker: ScriptedSpecialist, saver: Any) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("team", team(worker))
    builder.add_edge(START, "team")
    return builder.compile(checkpointer=saver)


def as_tool(worker: ScriptedSpecialist, saver: Any) -> Any:
    call = {"name": "team", "args": {"goal": "do it"}, "id": "1"}
    said = AIMessage("", tool_calls=[call])
    model = ScriptedChatModel(lambda messages: said if len(messages) == 1 else "It is done.")
    make: Any = agents.create_agent  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return make(model, [team(worker).as_tool()], checkpointer=saver)


@pytest.mark.parametrize(
    ("made", "given"),
    [(as_node, {"goal": "do it"}), (as_tool, {"messages": [("user", "do it")]})],
    ids=["node", "tool"],
)
async def test_what_is_recorded_inside_is_not_done_again_by_objects_that_are_made_anew(
    made: Any, given: Any, tmp_path: Path
) -> None:
    workers = ScriptedSpecialist("worker"), ScriptedSpecialist("worker")
    asked: list[Any] = []
    result: Any = None
    for worker, sent in zip(workers, (given, None), strict=True):
        connection = sqlite3.connect(tmp_path / "runs.sqlite", check_same_thread=False)
        graph = made(worker, SqliteSaver(connection))
        result = graph.invoke(sent or Command(resume={asked[0].id: True}), CONFIG)
        asked = result.get("__interrupt__", [])
        connection.close()
    assert [worker.steps for worker in workers] == [["first"], ["last"]]
    assert asked == []
    assert result.get("answer") == "done" or result["messages"][-1].text == "It is done."


STRICT = """
import sys
from typing import TypedDict
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from goalgraph import Outcome, Plan, RunResult, create_plan_agent
from goalgraph.testing import ScriptedSpecialist

class State(TypedDict, total=False):
    goal: str
    plan: Plan
    outcomes: dict[str, Outcome]
    whole: dict

agent = create_plan_agent(None, [ScriptedSpecialist("worker")])

def keep(state):
    return {"whole": agent.invoke({"goal": state["goal"]})}

builder = StateGraph(State)
builder.add_node("team", agent)
builder.add_node("keep", keep)
builder.add_edge(START, "team")
builder.add_edge("team", "keep")
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    graph = builder.compile(checkpointer=saver)
    graph.invoke({"goal": "do it"}, {"configurable": {"thread_id": "1"}})
    values = graph.get_state({"configurable": {"thread_id": "1"}}).values
print(type(values["plan"]).__name__, {type(one).__name__ for one in values["outcomes"].values()})
print(type(values["whole"]).__name__, "do it" in RunResult(values["whole"]).report().html)
"""


def test_types_that_a_state_declares_are_built_where_only_those_may_be(tmp_path: Path) -> None:
    env = os.environ | {"LANGGRAPH_STRICT_MSGPACK": "true"}
    command = [sys.executable, "-c", STRICT, str(tmp_path / "runs.sqlite")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["Plan {'Outcome'}", "dict True"], done.stderr
