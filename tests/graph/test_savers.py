"""Runs come out the same on every checkpointer, called in every way."""

import asyncio
import math
from typing import Any, cast

import ormsgpack
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command, interrupt
from pydantic import JsonValue

from goalgraph import Outcome, Plan, PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.graph.storage.savers import STORED_TYPES, AnyLoopSaver

Saver = BaseCheckpointSaver[Any]


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels else "ground"


ODD: dict[str, tuple[object, JsonValue]] = {
    "NUL": ("a\0b", "a\ufffdb"),
    "surrogate": ("a\ud800b", "a\ufffdb"),
    "not a number": ([math.nan, math.inf], [None, None]),
    "huge integers": ([2**63, -(2**70), 2**63 - 1], ["9223372036854775808", "-1180591620717411303424", 2**63 - 1]),
    "empty": ({"": ""}, {"": ""}),
    "nothing": (None, None),
    "deep": (nested(95), nested(95)),  # type: ignore[dict-item]
    "large": ("x" * 1_000_000, "x" * 1_000_000),
    "tuple": ((1, (2.5, True)), [1, [2.5, True]]),
    "scripts": ("ñ 漢字 🙂 \u202e", "ñ 漢字 🙂 \u202e"),
}
CONFIG: Any = {"configurable": {"thread_id": "1"}}


def agent_of(saver: Saver, calls: list[str]) -> PlanAgent:
    @specialist
    async def odd(task: StepTask, context: StepContext) -> object:
        calls.append(task.step)
        return ODD[task.instruction][0]

    @specialist
    async def asks(task: StepTask, context: StepContext) -> object:
        return [interrupt("go on?"), context.dependencies["s0"].output]

    @specialist
    async def fails(task: StepTask, context: StepContext) -> object:
        raise ValueError("no \0 \ud800")

    return create_plan_agent(None, [odd, asks, fails], checkpointer=saver, synthesis=lambda request: "done")


PLAN = Plan.model_validate(
    {
        "inputs": {"list": [1, 2]},
        "steps": [
            *({"id": f"s{number}", "task": name, "agent": "odd"} for number, name in enumerate(ODD)),
            {"id": "ask", "task": "t", "agent": "asks", "depends_on": ["s0"]},
            {"id": "bad", "task": "t", "agent": "fails", "optional": True},
            {
                "id": "each",
                "type": "map",
                "over": "{{ input.list }}",
                "step": {"id": "m", "task": "NUL", "agent": "odd"},
            },
        ],
    }
)


def is_async(saver: Saver) -> bool:
    return hasattr(saver, "loop")


def expect(outcomes: dict[str, Outcome]) -> None:
    assert [outcomes[f"s{number}"].output for number in range(len(ODD))] == [stored for _, stored in ODD.values()]
    assert outcomes["ask"].output == ["yes \ufffd", "a\ufffdb"]
    assert outcomes["each"].output == ["a\ufffdb"] * 2
    assert outcomes["bad"].error is not None
    assert outcomes["bad"].error.message == "ValueError: no \ufffd \ufffd"


@pytest.mark.parametrize("way", ["async", "thread", "blocking"])
async def test_a_run_pauses_resumes_and_comes_out_the_same(checkpointer: Saver, way: str) -> None:
    if way == "blocking" and is_async(checkpointer):
        with pytest.raises(asyncio.InvalidStateError, match="would block the event loop"):
            agent_of(checkpointer, []).invoke({"goal": "g", "plan": PLAN}, CONFIG)
        return
    calls: list[str] = []

    async def call(given: object) -> Any:
        agent = agent_of(checkpointer, calls)
        if way == "async":
            return await agent.ainvoke(given, CONFIG)
        if way == "thread":
            return await asyncio.to_thread(agent.invoke, given, CONFIG)
        return agent.invoke(given, CONFIG)

    paused = await call({"goal": "g", "plan": PLAN})
    assert [one.value for one in paused["__interrupt__"]] == ["go on?"]
    done = await call(Command(resume={paused["__interrupt__"][0].id: "yes \0"}))
    assert done["answer"] == "done"
    assert sorted(calls) == sorted([*(f"s{number}" for number in range(len(ODD))), "each[0]", "each[1]"])
    expect(done["outcomes"])
    agent = agent_of(checkpointer, calls)
    read = await agent.aget_state(CONFIG) if way == "async" else await asyncio.to_thread(agent.get_state, CONFIG)
    expect(read.values["outcomes"])
    assert {type(one) for one in read.values["outcomes"].values()} == {Outcome}
    assert isinstance(read.values["plan"], Plan)
    history = [one async for one in agent.aget_state_history(CONFIG)]
    assert history[0].values["answer"] == "done"


async def test_a_goal_that_databases_do_not_take_is_taken(checkpointer: Saver) -> None:
    agent = agent_of(checkpointer, [])
    plan = {"steps": [{"id": "a", "task": "{{ input.x }}", "agent": "odd"}]}
    inputs = {"x": "NUL", "odd": ["\0", math.nan, 2**70, (1,)]}
    done = await agent.ainvoke({"goal": "a\0b\ud800", "plan": plan, "inputs": inputs}, CONFIG)
    assert done["status"] == "complete"
    values = (await agent.aget_state(CONFIG)).values
    assert values["goal"] == done["goal"] == "a\ufffdb\ufffd"
    assert values["inputs"] == {"x": "NUL", "odd": ["\ufffd", None, str(2**70), [1]]}


async def test_an_answer_that_databases_do_not_take_is_taken(checkpointer: Saver) -> None:
    @specialist
    def works(text: str) -> str:
        return "x"

    agent = create_plan_agent(None, [works], checkpointer=checkpointer, synthesis=lambda request: "a\0b\ud800")
    plan = {"steps": [{"id": "a", "task": "t", "agent": "works"}]}
    done = await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    assert (await agent.aget_state(CONFIG)).values["answer"] == done["answer"] == "a\ufffdb\ufffd"


async def test_a_thread_can_be_deleted_and_used_again(checkpointer: Saver) -> None:
    agent = agent_of(checkpointer, [])
    plan = {"steps": [{"id": "a", "task": "NUL", "agent": "odd"}]}
    await agent.ainvoke({"goal": "g", "plan": plan}, CONFIG)
    await cast("Any", agent).checkpointer.adelete_thread("1")
    assert (await agent.aget_state(CONFIG)).values == {}
    assert (await agent.ainvoke({"goal": "again", "plan": plan}, CONFIG))["goal"] == "again"


async def test_only_the_types_that_are_stored_are_built(checkpointer: Saver) -> None:
    serde = AnyLoopSaver(checkpointer).inner.serde
    for kind in STORED_TYPES:
        built = serde.loads_typed(serde.dumps_typed(kind.model_construct()))  # type: ignore[attr-defined]
        assert type(built) is kind
    evil = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "system", "exit 1"))))
    assert serde.loads_typed(("msgpack", evil)) == "exit 1"
