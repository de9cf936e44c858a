"""In chains of LangChain's: what an agent takes from a prompt, what it hands on, batches, retries, streams, configs."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from langgraph.checkpoint.memory import InMemorySaver
from tests.ecosystem.hearing import PLAN, TEXT, Hears, writers

from goalgraph import InvalidPlan, Plan, PlanAgent, RunResult, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.errors import ModelFailed, RunPaused
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.testing import ScriptedChatModel

Chain = Runnable[Any, Any]
Function: Any = RunnableLambda

ASK: Any = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "Write a text about {topic}")])
LISTED: Any = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("user", "Write about {topic}")])


def _goal(given: Mapping[str, str]) -> str:
    return f"Write about {given['topic']}"


def _loud(result: Mapping[str, str]) -> str:
    return result["answer"].upper()


def _answer(result: Mapping[str, str]) -> str:
    return result["answer"]


def _last(result: Mapping[str, list[BaseMessage]]) -> BaseMessage:
    return result["messages"][-1]


def _messages(prompt: PromptValue) -> list[BaseMessage]:
    return prompt.to_messages()


def _same(part: object) -> object:
    return part


async def invoked(chain: Chain, given: Any, way: str, config: Any = None) -> Any:
    if way == "async":
        return await chain.ainvoke(given, config)
    return await asyncio.to_thread(chain.invoke, given, config)


@pytest.mark.parametrize("way", ["async", "sync"])
async def test_a_prompt_before_it_and_whatever_takes_its_answer_after_it(way: str) -> None:
    agent: Any = writers()
    chains: dict[str, Chain] = {
        "itemgetter": ASK | agent | itemgetter("answer"),
        "pick": ASK | agent.pick("answer"),
        "function": ASK | agent | Function(_answer),
        "message": ASK | agent | Function(_last) | StrOutputParser(),
        "text prompt": PromptTemplate.from_template("Write about {topic}") | agent | itemgetter("answer"),
        "named": {"goal": _goal} | agent | itemgetter("answer"),
        "assigned": agent.assign(loud=_loud) | itemgetter("answer"),
    }
    said = {
        name: await invoked(chain, {"topic": "bees"} if name != "assigned" else {"goal": "Write about bees"}, way)
        for name, chain in chains.items()
    }
    assert said == dict.fromkeys(chains, TEXT)


async def test_the_goal_of_a_prompt_is_what_the_user_says_last_in_it() -> None:
    agent: Any = writers()
    result = await (ASK | agent).ainvoke({"topic": "bees"})
    assert isinstance(result, RunResult)
    assert result["goal"] == "Write a text about bees"
    assert [message.type for message in result["messages"]] == ["system", "human", "ai"]
    history = [HumanMessage("Hello"), SystemMessage("Be kind.")]
    assert (await (LISTED | agent).ainvoke({"topic": "wax", "history": history}))["goal"] == "Write about wax"
    messages: Any = LISTED | _messages | agent
    assert (await messages.ainvoke({"topic": "wax", "history": history}))["goal"] == "Write about wax"


async def test_it_makes_a_plan_before_itself_and_a_chain_gives_it_parts() -> None:
    agent: Any = writers()
    parts: Any = RunnablePassthrough.assign(plan=lambda _: PLAN) | agent | itemgetter("outcomes")
    assert set(await parts.ainvoke({"goal": "g"})) == {"a", "b"}
    assert [set(one) async for one in parts.astream({"goal": "g"})] == [{"a", "b"}]


@pytest.mark.parametrize("way", ["async", "sync"])
async def test_several_run_side_by_side_and_in_batches(way: str) -> None:
    agent: Any = writers()
    chain: Any = ASK | agent | itemgetter("goal")
    both: Any = RunnableParallel(goal=chain, loud=chain | Function(str.upper))
    found = await invoked(both, {"topic": "bees"}, way)
    assert found == {"goal": "Write a text about bees", "loud": "WRITE A TEXT ABOUT BEES"}
    topics = [f"topic {number}" for number in range(6)]
    given, options = [{"topic": topic} for topic in topics], {"max_concurrency": 2}
    found = (
        await chain.abatch(given, options) if way == "async" else await asyncio.to_thread(chain.batch, given, options)
    )
    assert found == [f"Write a text about {topic}" for topic in topics]


async def test_a_batch_with_threads_of_its_own_keeps_each_run_apart_and_gives_errors_back() -> None:
    agent = writers(checkpointer=InMemorySaver())
    configs: Any = [{"configurable": {"thread_id": str(number)}} for number in range(3)]
    bad = {"goal": "g", "plan": {"steps": [{"id": "a", "agent": "nobody"}]}}
    given: Any = [{"goal": "one", "plan": PLAN}, bad, {"goal": "three", "plan": PLAN}]
    one, two, three = await agent.abatch(given, configs, return_exceptions=True)
    assert (one["goal"], type(two), three["goal"]) == ("one", InvalidPlan, "three")
    assert [(await agent.aget_state(config)).values.get("goal") for config in configs] == ["one", None, "three"]


@pytest.mark.parametrize("way", ["async", "sync"])
async def test_a_chain_streams_the_answer_and_not_the_updates_of_nodes(way: str) -> None:
    agent: Any = writers()

    async def streamed(chain: Any) -> list[Any]:
        given = {"topic": "bees"}
        if way == "async":
            return [part async for part in chain.astream(given)]
        return await asyncio.to_thread(lambda: list(chain.stream(given)))

    assert await streamed(ASK | agent | itemgetter("answer")) == [TEXT]
    assert await streamed(ASK | agent.pick("answer")) == [TEXT]
    events = await streamed(ASK | agent.bind(stream_mode="custom"))
    assert [event["type"] for event in events] == ["plan_made", "step_started", "step_finished", "run_finished"]
    modes = await streamed(ASK | agent.bind(stream_mode=["custom", "messages"]) | Function(_same))
    assert modes[-1][0] in ("custom", "messages")


async def test_the_events_of_a_chain_have_the_tokens_of_the_models_of_its_steps() -> None:
    agent: Any = writers()
    chain: Any = RunnablePassthrough.assign(plan=lambda _: PLAN) | agent | itemgetter("answer")
    tokens: dict[str, str] = {}
    names = Counter[tuple[str, str]]()
    async for event in chain.astream_events({"goal": "g"}, version="v2"):
        names[event["event"], event["name"]] += 1
        if event["event"] == "on_chat_model_stream":
            step = event["metadata"]["goalgraph_step"]
            tokens[step] = tokens.get(step, "") + event["data"]["chunk"].text
    assert tokens == {"a": TEXT, "b": TEXT}
    assert names["on_chat_model_start", "ScriptedChatModel"] == 2
    assert names["on_chain_start", "goalgraph"] == names["on_chain_end", "goalgraph"] == 1


class Unlucky:
    """A decomposer whose first calls fail."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    async def decompose(self, request: PlanRequest) -> Plan:
        self.left -= 1
        if self.left >= 0:
            raise ModelFailed("the provider is down")
        return Plan.model_validate(PLAN)


@pytest.mark.parametrize("way", ["async", "sync"])
async def test_a_run_that_could_not_be_planned_is_tried_again(way: str) -> None:
    options: Any = {"retry_if_exception_type": (ModelFailed,), "wait_exponential_jitter": False}
    kept = {"configurable": {"thread_id": "1"}}
    patient: Any = writers(decomposer=Unlucky(2), checkpointer=InMemorySaver()).with_retry(
        stop_after_attempt=3, **options
    )
    assert (await invoked(patient | itemgetter("status"), {"goal": "g"}, way, kept)) == "complete"
    hasty: Any = writers(decomposer=Unlucky(2)).with_retry(stop_after_attempt=2, **options)
    with pytest.raises(ModelFailed):
        await invoked(hasty, {"goal": "g"}, way)
    other: Any = writers(decomposer=Unlucky(9)).with_fallbacks([writers()], exceptions_to_handle=(ModelFailed,))
    assert (await invoked(other, {"goal": "Write"}, way))["status"] == "complete"


async def test_arguments_that_are_bound_reach_the_run() -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    asks = {"steps": [{"id": "ok", "type": "human_approval", "prompt": "?"}]}
    agent = writers(checkpointer=InMemorySaver())
    bound = agent.bind(durability="exit")
    paused = await bound.ainvoke({"goal": "g", "plan": asks}, config)
    assert paused["__interrupt__"]
    with pytest.raises(RunPaused):
        await bound.ainvoke({"goal": "another"}, config)


CONFIG: Any = {
    "tags": ["mine"],
    "metadata": {"user": "ann"},
    "run_name": "my run",
    "configurable": {"tenant": "t1"},
    "max_concurrency": 1,
}


def peeking(found: list[Any]) -> PlanAgent:
    """An agent whose specialist looks at the config it is called with."""
    model = ScriptedChatModel(lambda _: TEXT)

    def look(given: Any, config: Any) -> str:
        found.append({**config, "configurable": {**config["configurable"]}})
        return model.invoke(given, config).text

    at_once, most = 0, 0

    @specialist
    async def counter(task: StepTask, context: StepContext) -> int:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        await asyncio.sleep(0.01)
        at_once -= 1
        return most

    looker: Any = RunnableLambda(look, name="looker")
    return create_plan_agent(None, [looker, counter], synthesis="last_wins")


@pytest.mark.parametrize("bound", [True, False], ids=["bound", "given"])
@pytest.mark.parametrize("way", ["async", "sync"])
async def test_a_config_reaches_what_specialists_call_once(way: str, bound: bool) -> None:
    found: list[Any] = []
    agent, heard = peeking(found), Hears()
    steps: list[Any] = [{"id": "look", "agent": "looker"}]
    given = {"goal": "g", "plan": {"steps": [*steps, *({"id": f"c{n}", "agent": "counter"} for n in range(4))]}}
    config: Any = {**CONFIG, "callbacks": [heard]}
    chain: Any = agent.with_config(config) if bound else agent
    result = await invoked(chain, given, way, None if bound else config)
    assert {result["outcomes"][f"c{n}"].output for n in range(4)} == {1}, "one at a time"
    heard.check()
    (model,), (seen,) = heard.of("model"), found
    assert heard.path(model) == ["my run", "looker", "looker"]
    assert ("mine" in model.tags, model.metadata["user"], model.metadata["goalgraph_step"]) == (True, "ann", "look")
    assert seen["configurable"]["tenant"] == "t1"
    assert heard.named("my run").metadata["goalgraph_run"].startswith("run-")
    assert {tuple(call.tags)[-1] for call in heard.calls.values()} == {"mine"}


async def test_callbacks_that_are_bound_and_given_are_both_told_and_each_once() -> None:
    bound, given = Hears(), Hears()
    agent = writers().with_config(tags=["bound"], callbacks=[bound], metadata={"team": "a"})
    chain: Any = RunnablePassthrough.assign(plan=lambda _: PLAN) | agent
    await chain.ainvoke({"goal": "g"}, {"callbacks": [given], "tags": ["mine"], "metadata": {"user": "ann"}})
    for heard in (bound, given):
        heard.check()
        assert [set(model.tags) >= {"bound", "mine"} for model in heard.of("model")] == [True, True]
        assert [(one.metadata["team"], one.metadata["user"]) for one in heard.of("model")] == [("a", "ann")] * 2
    assert given.path(given.of("model")[0])[:2] == ["RunnableSequence", "goalgraph"]
    assert bound.path(bound.of("model")[0]) == ["goalgraph", "writer"]


async def test_a_handler_that_listens_hears_tokens_of_streams() -> None:
    heard, streamed = Hears(), list[str]()
    config: Any = {"callbacks": [heard]}
    async for message, about in writers().astream({"goal": "g", "plan": PLAN}, config, stream_mode="messages"):
        if "goalgraph_step" in about:
            streamed.append(message.text)
    heard.check()
    assert "".join(streamed) == TEXT * 2
    assert ["".join(model.tokens) for model in heard.of("model")] == [TEXT, TEXT]
