"""A goalgraph inside of another one, of a graph, of a tool: what it asks surfaces, what it has done stays done."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from langchain import agents
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel
from tests.graph.kinds import CONFIG, Result, agent_of, answer, goal, ran, statuses, stopped_after
from typing_extensions import TypedDict

from goalgraph import Artifact, Plan, PlanAgent, StepContext, StepResult, StepTask, create_plan_agent, specialist
from goalgraph.errors import GoalgraphError, InvalidAnswer, InvalidGoal, MissingCheckpointer
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.testing import ScriptedChatModel


class Always:
    """A decomposer that has one plan for every goal."""

    def __init__(self, *steps: Result) -> None:
        self.plan = Plan.model_validate({"steps": list(steps)})

    async def decompose(self, request: PlanRequest) -> Plan:
        return self.plan


def worker(done: list[str]) -> Any:
    """A specialist that writes down what it does, with the goal that it is for."""

    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> object:
        done.append(f"{context.goal.splitlines()[0]}/{task.step}")
        if task.step == "slow":
            await asyncio.sleep(30)
        if task.step == "broken":
            raise ValueError("broken")
        if task.step == "file":
            return StepResult(output="a file", artifacts=(Artifact(path=f"{context.goal}.txt"),))
        return context.goal.splitlines()[0]

    return works


def work(step_id: str, *needs: str, **fields: Any) -> Result:
    return {"id": step_id, "agent": "worker", "depends_on": list(needs), **fields}


def given_to(name: str, step_id: str, *needs: str, **fields: Any) -> Result:
    """A step that another goalgraph does; its id is that one's goal."""
    return {"id": step_id, "agent": name, "task": step_id, "depends_on": list(needs), **fields}


def approval(prompt: str, *needs: str) -> Result:
    return {"id": "ok", "type": "human_approval", "prompt": prompt, "depends_on": list(needs)}


CAREFUL = (work("draft"), approval("{{ steps.draft.output }}?", "draft"), work("send", "ok"))


def team(done: list[str], *steps: Result, name: str = "team", members: Sequence[Any] = (), **options: Any) -> PlanAgent:
    """A goalgraph that drafts, asks, and sends, unless other steps are given."""
    return create_plan_agent(
        None, [worker(done), *members], decomposer=Always(*(steps or CAREFUL)), name=name, **options
    )


def asked(result: Any) -> dict[str, Interrupt]:
    """What is asked, by its prompt."""
    found = cast("Sequence[Interrupt]", result.get("__interrupt__") or ())
    by_prompt = {one.value["prompt"]: one for one in found}
    assert len(by_prompt) == len(found), "asked twice"
    return by_prompt


def said(result: Any, **answers: object) -> Command[Any]:
    """Answer by what is asked, without its question mark."""
    return Command(resume={asked(result)[f"{prompt}?"].id: one for prompt, one in answers.items()})


async def once_more(agent: Any, result: Any, **answers: object) -> Any:
    """Answer, and go on."""
    async with asyncio.timeout(10):
        return await agent.ainvoke(said(result, **answers), CONFIG)


@pytest.mark.parametrize("first", ["one", "two"])
async def test_several_that_wait_at_once_are_answered_one_by_one_by_any_process(first: str, tmp_path: Path) -> None:
    done: list[str] = []

    async def call(given: Any) -> Result:
        """As a process of its own would: with everything but the database built anew."""
        with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
            return await ran(agent_of(team(done), worker(done), checkpointer=saver), given)

    second = {"one": "two", "two": "one"}[first]
    plan = goal(given_to("team", "one"), given_to("team", "two"), work("beside"), work("after", first))
    paused = await call(plan)
    assert set(asked(paused)) == {"one?", "two?"}
    assert sorted(done) == ["one/draft", "the goal/beside", "two/draft"]
    assert asked(paused)["one?"].value["step"] == "ok"
    paused = await call(said(paused, **{first: True}))
    assert set(asked(paused)) == {f"{second}?"}
    assert done[3:] == [f"{first}/send", "the goal/after"]
    result = await call(said(paused, **{second: {"decisions": [{"type": "approve"}]}}))
    assert done[5:] == [f"{second}/send"], "nothing that was done inside is done again"
    assert result["status"] == "complete"
    assert "one" in result["outcomes"]["one"].output
    assert "two" in result["outcomes"]["two"].output


@pytest.mark.parametrize("seed", range(4))
async def test_three_levels_are_answered_in_any_order_and_nothing_is_done_twice(seed: int, tmp_path: Path) -> None:
    done: list[str] = []
    chance = random.Random(seed)

    def build(saver: SqliteSaver) -> PlanAgent:
        low = team(done, name="low")
        steps = (work("plan"), given_to("low", "left", "plan"), given_to("low", "right"), approval("{{ input.of }}?"))
        middle = team(done, *steps[:3], name="middle", members=[low])
        return agent_of(middle, worker(done), checkpointer=saver)

    async def call(given: Any) -> Result:
        with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
            return await ran(build(saver), given)

    plan = goal(given_to("middle", "m"), approval("all?"), work("end", "m", "ok"))
    result = await call(plan)
    assert set(asked(result)) == {"left?", "right?", "all?"}
    while open_now := list(asked(result)):
        some = chance.sample(open_now, chance.randint(1, len(open_now)))
        result = await call(said(result, **{prompt.removesuffix("?"): True for prompt in some}))
    assert result["status"] == "complete"
    assert set(Counter(done).values()) == {1}
    assert set(done) == {
        *("left/draft", "left/send", "right/draft", "right/send"),
        *("m/plan", "the goal/end"),
    }


async def test_what_is_missing_inside_is_missing_outside() -> None:
    done: list[str] = []
    agent = agent_of(team(done), worker(done))
    paused = await ran(agent, goal(given_to("team", "one"), work("after", "one")))
    result = await ran(agent, said(paused, one={"decisions": [{"type": "reject", "message": "too dear"}]}))
    assert done == ["one/draft", "the goal/after"], "what needs a yes was not done"
    assert statuses(result) == {"one": "succeeded", "after": "succeeded"}
    assert result["status"] == "degraded"
    assert "step 'one': step 'ok' failed: a human said no: too dear" in result["degraded"]


async def test_a_run_inside_that_fails_fails_its_step() -> None:
    done: list[str] = []
    agent = agent_of(team(done, work("broken")), worker(done))
    result = await ran(agent, goal(given_to("team", "one"), work("after", "one")))
    assert statuses(result) == {"one": "failed", "after": "blocked"}
    assert "the run inside failed: step 'broken' failed: ValueError: broken" in result["outcomes"]["one"].error.message
    result = await ran(agent, goal(given_to("team", "one", fallback=["worker"]), work("after", "one")))
    assert statuses(result) == {"one": "succeeded", "after": "succeeded"}
    assert result["outcomes"]["one"].specialist == "worker"


async def test_files_that_are_made_inside_are_the_steps() -> None:
    done: list[str] = []
    agent = agent_of(team(done, work("file")), worker(done))
    result = await ran(agent, goal(given_to("team", "one")))
    assert [artifact.path for artifact in result["outcomes"]["one"].artifacts] == ["one.txt"]


async def test_a_run_that_is_cancelled_goes_on_inside_where_it_was(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    steps = (work("a"), work("b", "a"), work("slow", "b"), work("c", "slow"))
    agent = agent_of(team(done, *steps), worker(done), checkpointer=sqlite)
    await stopped_after(agent, goal(given_to("team", "one"), work("beside")), lambda: "one/slow" in done)
    before = list(done)
    assert sorted(before) == ["one/a", "one/b", "one/slow", "the goal/beside"]

    @specialist(name="worker")
    async def quick(task: StepTask, context: StepContext) -> str:
        done.append(f"{context.goal}/{task.step}")
        return "done"

    inner = create_plan_agent(None, [quick], decomposer=Always(*steps), name="team")
    result = await ran(agent_of(inner, quick, checkpointer=sqlite), None)
    assert result["status"] == "complete"
    assert done[len(before) :] == ["one/slow", "one/c"]


async def test_an_answer_that_is_none_leaves_the_run_inside_waiting(sqlite: SqliteSaver) -> None:
    done: list[str] = []
    agent = agent_of(team(done), worker(done), checkpointer=sqlite)
    paused = await ran(agent, goal(given_to("team", "one"), given_to("team", "two")))
    nothings: list[object] = ["yes please", {}, None, [], ["yes"], {"decisions": []}]
    for nothing in nothings:
        with pytest.raises(InvalidAnswer, match="ok"):
            await ran(agent, said(paused, one=nothing, two=True))
    assert sorted(done) == ["one/draft", "two/draft"], "where one answer is none, no other is taken in"
    result = await ran(agent, said(paused, one=True, two=True))
    assert (result["status"], len(done)) == ("complete", 4)


class Whole(TypedDict, total=False):
    """The state of a graph that has more to do than a goalgraph."""

    topic: str
    goal: str
    answer: str


class Model(BaseModel):
    """The same, as a model."""

    topic: str
    goal: str
    answer: str | None = None


def around(state: type, node: Any, **options: Any) -> Any:
    """A graph with one node."""
    make: Any = StateGraph
    builder = make(state).add_node("team", node).add_edge(START, "team").add_edge("team", END)
    return builder.compile(checkpointer=InMemorySaver(), **options)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("state", [Whole, Model], ids=["TypedDict", "pydantic"])
async def test_as_a_node_it_takes_what_is_its_own_and_is_resumed_by_id(state: type, way: str) -> None:
    done: list[str] = []
    graph = around(state, team(done))

    async def call(given: Any) -> Any:
        if way == "async":
            return await graph.ainvoke(given, CONFIG)
        return await asyncio.to_thread(graph.invoke, given, CONFIG)

    paused = await call({"topic": "bees", "goal": "one"})
    assert (set(asked(paused)), done) == ({"one?"}, ["one/draft"])
    result = await call(said(paused, one=[{"type": "accept", "args": None}]))
    assert (done, result["topic"]) == (["one/draft", "one/send"], "bees")
    assert result["answer"] == "## draft\n\none\n\n## send\n\none"


async def test_as_a_node_it_asks_again_for_an_answer_that_is_none() -> None:
    done: list[str] = []
    graph = around(Whole, team(done))
    paused = await graph.ainvoke({"goal": "one"}, CONFIG)
    for nothing in ("yes please", ["yes"], {"decisions": [{"type": "edit"}]}):
        paused = await once_more(graph, paused, one=nothing)
        assert asked(paused)["one?"].value["problem"]
    await once_more(graph, paused, one=False)
    assert done == ["one/draft"]


async def test_what_nobody_around_it_has_put_there_is_no_input() -> None:
    with pytest.raises(InvalidGoal, match="unknown input: topic"):
        await team([]).ainvoke({"goal": "one", "topic": "bees"})


async def test_as_a_node_of_a_chat_it_answers_every_turn() -> None:
    done: list[str] = []
    graph = around(MessagesState, team(done))
    for number, ask in enumerate(("one", "two"), 1):
        paused = await graph.ainvoke({"messages": [HumanMessage(ask)]}, CONFIG)
        result = await once_more(graph, paused, **{ask: True})
        assert [message.type for message in result["messages"]] == ["human", "ai"] * number
        assert result["messages"][-1].text.endswith(ask)
    assert done == ["one/draft", "one/send", "two/draft", "two/send"]


class Fan(TypedDict):
    """Goals, each for a run of its own."""

    goals: list[str]
    messages: Annotated[list[AnyMessage], add_messages]


def each(state: Fan) -> list[Send]:
    return [Send("team", {"goal": one}) for one in state["goals"]]


@pytest.mark.parametrize("seed", range(2))
async def test_as_a_node_that_is_sent_several_goals_each_run_gets_its_own_answer(seed: int) -> None:
    done: list[str] = []
    make: Any = StateGraph
    builder = make(Fan).add_node("team", team(done)).add_edge("team", END)
    builder.add_conditional_edges(START, each, ["team"])
    graph = builder.compile(checkpointer=InMemorySaver())
    names = ["one", "two", "three"]
    result = await graph.ainvoke({"goals": names, "messages": []}, CONFIG)
    for name in random.Random(seed).sample(names, 3):
        assert f"{name}?" in asked(result)
        result = await once_more(graph, result, **{name: name != "two"})
    assert Counter(done) == Counter(f"{name}/draft" for name in names) + Counter(("one/send", "three/send"))
    assert not asked(result)


def caller(agent: PlanAgent, *goals: str) -> Any:
    """An agent of LangChain's own that calls the tool once for every goal, all in one turn."""

    def model(messages: Sequence[BaseMessage]) -> object:
        if messages[-1].type == "tool":
            return " | ".join(message.text for message in messages if message.type == "tool")
        calls = [{"name": agent.name, "args": {"goal": one}, "id": one} for one in goals]
        return AIMessage("", tool_calls=calls)

    create: Any = agents.create_agent  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return create(ScriptedChatModel(model), [agent.as_tool()], checkpointer=InMemorySaver())


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("first", ["one", "two"])
async def test_as_a_tool_that_is_called_twice_at_once_each_call_gets_its_own_answer(first: str, way: str) -> None:
    done: list[str] = []
    agent = caller(team(done), "one", "two")

    async def call(given: Any) -> Any:
        if way == "async":
            return await agent.ainvoke(given, CONFIG)
        return await asyncio.to_thread(agent.invoke, given, CONFIG)

    second = {"one": "two", "two": "one"}[first]
    paused = await call({"messages": [("user", "go")]})
    assert set(asked(paused)) == {"one?", "two?"}
    paused = await call(said(paused, **{first: True}))
    assert set(asked(paused)) == {f"{second}?"}
    result = await call(said(paused, **{second: False}))
    assert Counter(done) == Counter(("one/draft", "two/draft", f"{first}/send"))
    parts = {"one": "## draft\n\none\n\n## send\n\none", "two": "two"}
    parts = parts if first == "one" else {"one": "one", "two": "## draft\n\ntwo\n\n## send\n\ntwo"}
    assert result["messages"][-1].text == " | ".join(parts.values())


async def test_a_tool_that_asks_where_nobody_can_be_asked_says_so() -> None:
    with pytest.raises(MissingCheckpointer, match="or the graph around it, a checkpointer"):
        await team([]).as_tool().ainvoke({"goal": "one"}, CONFIG)
    tool = team([], checkpointer=InMemorySaver()).as_tool()
    with pytest.raises(GoalgraphError, match=r"one\?.*call the tool from a graph with a checkpointer"):
        await tool.ainvoke({"goal": "one"}, CONFIG)
    with pytest.raises(GoalgraphError, match=r"two\?.*call the tool from a graph with a checkpointer"):
        await asyncio.to_thread(tool.invoke, {"goal": "two"}, {"configurable": {"thread_id": "other"}})


async def test_as_a_subagent_of_deepagents_it_asks_through_the_agent_that_calls_it() -> None:
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    done: list[str] = []

    def model(messages: Sequence[BaseMessage]) -> object:
        if messages[-1].type == "tool":
            return messages[-1].text
        call = {"name": "task", "args": {"description": "one", "subagent_type": "team"}, "id": "call"}
        return AIMessage("", tool_calls=[call])

    subagent = deepagents.CompiledSubAgent(name="team", description="Does goals.", runnable=team(done))
    agent: Any = deepagents.create_deep_agent(
        ScriptedChatModel(model), subagents=[subagent], checkpointer=InMemorySaver()
    )
    paused = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert (set(asked(paused)), done) == ({"one?"}, ["one/draft"])
    result = await once_more(agent, paused, one=True)
    assert done == ["one/draft", "one/send"]
    assert result["messages"][-1].text == "## draft\n\none\n\n## send\n\none"


async def test_the_only_question_inside_can_be_answered_without_its_id() -> None:
    done: list[str] = []
    agent = agent_of(team(done), worker(done))
    await ran(agent, goal(given_to("team", "one")))
    result = await ran(agent, Command(resume="approve"))
    assert (result["status"], done) == ("complete", ["one/draft", "one/send"])


async def test_answers_by_step_are_told_apart_by_the_id_of_what_asks() -> None:
    done: list[str] = []
    inner = team(done, approval("inside?"), work("send", "ok"))
    agent = agent_of(inner, worker(done))
    paused = await ran(agent, goal(given_to("team", "one"), approval("outside?"), work("end", "ok")))
    assert {one.value["step"] for one in asked(paused).values()} == {"ok"}
    paused = await ran(agent, said(paused, outside=True))
    assert (done, set(asked(paused))) == (["the goal/end"], {"inside?"})
    result = await ran(agent, answer(paused, {"ok": True}))
    assert done == ["the goal/end", "one/send"]
    assert result["status"] == "complete"
