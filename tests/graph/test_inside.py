"""What a goalgraph takes from the graph around it, and how what is asked inside is told and answered from outside."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from tests.graph.kinds import CONFIG, Result, agent_of, goal, ran
from tests.graph.mailers import Post, decided, mail
from typing_extensions import TypedDict

from goalgraph import Plan, PlanAgent, Request, StepContext, StepTask, aanswer, apending, create_plan_agent, specialist
from goalgraph.errors import AlreadyAnswered, InvalidAnswer, RunPaused, UnknownRequest
from goalgraph.planner.decomposer import PlanRequest


class Asks:
    """A decomposer whose plan asks whether its goal is right, and then does it."""

    async def decompose(self, request: PlanRequest) -> Plan:
        ask = {"id": "ok", "type": "human_approval", "prompt": f"{request.goal.splitlines()[0]}?"}
        return Plan.model_validate({"steps": [ask, {"id": "do", "agent": "worker", "depends_on": ["ok"]}]})


def team(done: list[str], **options: Any) -> PlanAgent:
    @specialist(name="worker")
    async def works(task: StepTask, context: StepContext) -> str:
        done.append(context.goal.splitlines()[0])
        return "done"

    return create_plan_agent(None, [works], decomposer=Asks(), name="team", **options)


def given_to_team(step_id: str) -> Result:
    return {"id": step_id, "agent": "team", "task": step_id}


class Whole(TypedDict, total=False):
    """The state of a graph around it."""

    topic: str
    goal: str
    answer: str


def around(node: Any) -> Any:
    """A graph with one node."""
    make: Any = StateGraph
    return make(Whole).add_node("n", node).add_edge(START, "n").add_edge("n", END).compile(checkpointer=InMemorySaver())


async def by_prompt(agent: PlanAgent) -> dict[str, Request]:
    return {request.prompt: request for request in await apending(agent, CONFIG)}


async def test_called_with_settings_of_its_own_it_still_asks_through_the_graph_around_it() -> None:
    done: list[str] = []
    inner = team(done)

    async def node(state: Whole) -> Whole:
        result = await inner.ainvoke({**state}, {"configurable": {"user": "Ann"}})
        return {"answer": result["answer"]}

    graph = around(node)
    paused = await graph.ainvoke({"goal": "one", "topic": "bees"}, CONFIG)
    (question,) = paused["__interrupt__"]
    assert (question.value["prompt"], done) == ("one?", [])
    result = await graph.ainvoke(Command(resume={question.id: True}), CONFIG)
    assert (result["answer"], done) == ("done", ["one"])


async def test_called_with_a_thread_of_its_own_its_run_is_its_own() -> None:
    done: list[str] = []
    inner = team(done, checkpointer=InMemorySaver())
    own: Any = {"configurable": {"thread_id": "own"}}

    async def node(state: Whole) -> Whole:
        result = await inner.ainvoke({"goal": state.get("goal")}, own)
        return {"answer": "asked" if "__interrupt__" in result else "not asked"}

    assert (await around(node).ainvoke({"goal": "one"}, CONFIG))["answer"] == "asked"
    (request,) = await apending(inner, own)
    result = await aanswer(inner, own, {request.id: True})
    assert (result["answer"], done) == ("done", ["one"])


async def test_as_a_node_its_own_checkpointer_gives_way_to_that_of_the_graph_around_it() -> None:
    done: list[str] = []
    saver = InMemorySaver()
    graph = around(team(done, checkpointer=saver))
    paused = await graph.ainvoke({"goal": "one"}, CONFIG)
    result = await graph.ainvoke(Command(resume={paused["__interrupt__"][0].id: True}), CONFIG)
    assert (result["answer"], done, saver.storage) == ("done", ["one"], {})


async def test_settings_that_are_bound_to_it_count_as_if_given_with_the_call() -> None:
    done: list[str] = []
    bound = team(done, checkpointer=InMemorySaver()).with_config({"configurable": {"thread_id": "bound"}})
    paused = await bound.ainvoke({"goal": "one"})
    with pytest.raises(RunPaused, match="ok"):
        await bound.ainvoke({"goal": "two"})
    with pytest.raises(InvalidAnswer):
        await bound.ainvoke(Command(resume="yes please"))
    result = await bound.ainvoke(Command(resume={paused["__interrupt__"][0].id: True}))
    assert (result["answer"], done) == ("done", ["one"])


async def test_what_is_asked_inside_is_pending_outside_and_answered_by_its_id() -> None:
    done: list[str] = []
    agent = agent_of(team(done))
    await ran(agent, goal(given_to_team("one"), given_to_team("two")))
    requests = await by_prompt(agent)
    assert {(request.kind, request.step) for request in requests.values()} == {("approval", "ok")}
    one, two = requests["one?"].id, requests["two?"].id
    result = await aanswer(agent, CONFIG, {one: {"decisions": [{"type": "approve"}]}}, by="Ann")
    assert [interrupt.value["prompt"] for interrupt in result["__interrupt__"]] == ["two?"]
    assert (done, set(await by_prompt(agent))) == (["one"], {"two?"})
    await aanswer(agent, CONFIG, {one: {"decisions": [{"type": "approve"}]}})
    assert done == ["one"], "the same answer again changes nothing"
    with pytest.raises(AlreadyAnswered):
        await aanswer(agent, CONFIG, {one: False})
    with pytest.raises(UnknownRequest):
        await aanswer(agent, CONFIG, {"0" * 32: True})
    with pytest.raises(InvalidAnswer):
        await aanswer(agent, CONFIG, {two: "perhaps"})
    result = await aanswer(agent, CONFIG, {two: False})
    assert (done, result["status"], await apending(agent, CONFIG)) == (["one"], "degraded", ())


async def test_what_a_specialist_asks_in_its_own_form_is_pending_beside_the_plans() -> None:
    done: list[str] = []
    post = Post()
    agent = agent_of(post.mailer(), team(done))
    gate = {"id": "ok", "type": "human_approval", "prompt": "all?"}
    await ran(agent, goal(mail("a", "ann"), mail("b", "bob"), given_to_team("one"), gate))
    requests = await apending(agent, CONFIG)
    assert sorted(request.kind for request in requests) == ["approval", "approval", "specialist", "specialist"]
    mails = {str(request.arguments["to"]): request.id for request in requests if request.kind == "specialist"}
    result = await aanswer(agent, CONFIG, {mails["bob"]: decided("approve")})
    assert (post.sent, len(result["__interrupt__"])) == (["bob"], 3)
    rest = {request.id: True for request in await apending(agent, CONFIG)}
    result = await aanswer(agent, CONFIG, rest)
    assert (post.sent, done, result["status"]) == (["bob", "ann"], ["one"], "complete")
