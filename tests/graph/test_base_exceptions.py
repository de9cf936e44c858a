"""What a specialist raises that is no `Exception`: exits reach the caller, anything else is a failure of its step."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from tests.graph.one_step import outcome_of

from goalgraph import PlanAgent, Retry, StepContext, StepTask, as_specialist, create_plan_agent, specialist

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}
PLAN: Any = {
    "steps": [
        {"id": "first", "task": "t", "agent": "first"},
        {"id": "last", "task": "t", "agent": "doer", "depends_on": ["first"]},
        {"id": "beside", "task": "t", "agent": "beside"},
    ]
}


@dataclass
class Scene:
    """A run in which one step raises something while another is at work and a third is done."""

    error: BaseException | None
    done: list[str] = field(default_factory=list[str])

    def act(self, given: object) -> str:
        if self.error is not None:
            raise self.error
        return "there"

    def agent(self, doer: object, saver: Any = None) -> PlanAgent:
        @specialist
        async def first(text: str) -> str:
            self.done.append("first")
            return "1"

        @specialist
        async def beside(text: str) -> str:
            try:
                await asyncio.sleep(20 if self.error is not None else 0)
            finally:
                self.done.append("beside")
            return "2"

        return create_plan_agent(None, [first, beside, doer], checkpointer=saver)


def sync(scene: Scene) -> object:
    return specialist(name="doer")(scene.act)


def coroutine(scene: Scene) -> object:
    @specialist(name="doer")
    async def doer(text: str) -> str:
        return scene.act(None)

    return doer


def sync_runnable(scene: Scene) -> object:
    return as_specialist(RunnableLambda(scene.act), name="doer")


def runnables_side_by_side(scene: Scene) -> object:
    async def act(given: object) -> str:
        return scene.act(None)

    return as_specialist(RunnableParallel(a=RunnableLambda(act), b=RunnableLambda(act)), name="doer")


def task_of_its_own(scene: Scene) -> object:
    async def act() -> str:
        return scene.act(None)

    @specialist(name="doer")
    async def doer(text: str) -> str:
        return (await asyncio.gather(act(), asyncio.sleep(0.01)))[0]

    return doer


def task_group(scene: Scene) -> object:
    async def act() -> str:
        return scene.act(None)

    @specialist(name="doer")
    async def doer(text: str) -> str:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(act())
        return task.result()

    return doer


def graph(scene: Scene) -> object:
    async def act(state: MessagesState) -> dict[str, Any]:
        await asyncio.sleep(0.05)  # in which what came before is recorded: an exit in a task ends the loop at once
        scene.act(None)
        return {}

    builder = StateGraph(MessagesState)
    for name in ("a", "b"):
        builder.add_node(name, act)  # pyright: ignore[reportUnknownMemberType]
        builder.add_edge(START, name)
    return as_specialist(builder.compile(), name="doer")  # pyright: ignore[reportUnknownMemberType]


def another_agent(scene: Scene) -> object:
    inner = create_plan_agent(None, [coroutine(scene)])
    plan = {"steps": [{"id": "a", "task": "t", "agent": "doer"}]}

    @specialist(name="doer")
    async def doer(text: str) -> str:
        return str((await inner.ainvoke({"goal": "g", "plan": plan}))["answer"])

    return doer


def another_agent_that_blocks(scene: Scene) -> object:
    inner = create_plan_agent(None, [sync(scene)])
    plan = {"steps": [{"id": "a", "task": "t", "agent": "doer"}]}

    @specialist(name="doer")
    async def doer(text: str) -> str:
        return str(inner.invoke({"goal": "g", "plan": plan})["answer"])

    return doer


WAYS: list[Callable[[Scene], object]] = [
    sync,
    coroutine,
    sync_runnable,
    runnables_side_by_side,
    task_of_its_own,
    task_group,
    graph,
    another_agent,
    another_agent_that_blocks,
]
CONTAINED = [sync, coroutine, another_agent, another_agent_that_blocks]
"""The others begin tasks that the engine never sees: an exit in them ends the caller's own loop, as always."""


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Callable[[Scene], object]:
    return cast("Callable[[Scene], object]", request.param)


EXITS = [SystemExit(3), KeyboardInterrupt()]


@pytest.mark.parametrize("error", EXITS, ids=["SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("call", ["invoke", "stream", "run"])
def test_an_exit_reaches_the_caller_and_the_run_can_go_on(
    way: Callable[[Scene], object], error: BaseException, call: str
) -> None:
    scene = Scene(error)
    agent = scene.agent(way(scene), InMemorySaver())

    def called(given: Any) -> object:
        if call == "invoke":
            return agent.invoke(given, CONFIG)
        if call == "stream":
            return list(agent.stream(given, CONFIG, stream_mode=["values", "custom"]))
        return asyncio.run(agent.ainvoke(given, CONFIG))

    with pytest.raises(type(error)) as caught:
        called({"goal": "g", "plan": PLAN})
    assert caught.value is error
    assert scene.done == ["first", "beside"]
    scene.error = None
    called(None)
    assert scene.done == ["first", "beside", "beside"]
    outcomes = agent.get_state(CONFIG).values["outcomes"]
    assert {outcome.status for outcome in outcomes.values()} == {"succeeded"}


@pytest.mark.parametrize("error", EXITS, ids=["SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("stream", [False, True], ids=["ainvoke", "astream"])
@pytest.mark.parametrize("way", CONTAINED, ids=lambda way: way.__name__)
async def test_an_exit_can_be_caught_in_the_callers_own_loop(
    way: Callable[[Scene], object], error: BaseException, stream: bool
) -> None:
    scene = Scene(error)
    agent = scene.agent(way(scene))

    async def streamed(given: Any) -> list[Any]:
        return [part async for part in agent.astream(given, stream_mode="custom")]

    with pytest.raises(type(error)) as caught:
        await (streamed if stream else agent.ainvoke)({"goal": "g", "plan": PLAN})
    assert caught.value is error
    assert scene.done == ["first", "beside"]


def test_an_exit_of_one_run_leaves_another_in_the_shared_loop_alone() -> None:
    scene, begun = Scene(SystemExit(3)), asyncio.Event()

    @specialist
    async def waits(text: str) -> str:
        begun.set()
        await asyncio.sleep(0.3)
        return "waited"

    other = create_plan_agent(None, [waits])
    parts = other.stream(
        {"goal": "g", "plan": {"steps": [{"id": "a", "task": "t", "agent": "waits"}]}},
        stream_mode=["custom", "values"],
    )
    next(parts)
    with pytest.raises(SystemExit):
        scene.agent(task_of_its_own(scene)).invoke({"goal": "g", "plan": PLAN})
    values = [part for mode, part in parts if mode == "values"]
    assert values[-1]["answer"] == "waited"


def test_what_was_recorded_before_an_exit_is_in_the_database(sqlite: SqliteSaver) -> None:
    scene = Scene(SystemExit(3))
    agent = scene.agent(sync(scene), sqlite)
    with pytest.raises(SystemExit):
        agent.invoke({"goal": "g", "plan": PLAN}, CONFIG)
    scene.error = None
    again = scene.agent(sync(scene), sqlite)
    assert again.invoke(None, CONFIG)["status"] == "complete"
    assert scene.done == ["first", "beside", "beside"]


def test_an_exit_in_a_step_that_is_being_stopped_is_an_exit_all_the_same() -> None:
    @specialist
    async def stubborn(text: str) -> str:
        try:
            await asyncio.sleep(20)
        finally:
            raise SystemExit(4)

    plan: Any = {
        "steps": [{"id": "a", "task": "t", "agent": "stubborn"}],
        "coordinator": {"guardrails": [{"type": "timeout", "max_seconds": 0.1}]},
    }
    with pytest.raises(SystemExit):
        create_plan_agent(None, [stubborn]).invoke({"goal": "g", "plan": plan})


def test_an_exit_in_an_item_of_a_map_reaches_the_caller_and_the_other_items_are_cancelled() -> None:
    ledger: list[str] = []
    exits = [SystemExit(5)]

    @specialist
    async def doer(task: StepTask, context: StepContext) -> str:
        number = str(task.input["n"])
        if number == "1" and exits:
            await asyncio.sleep(0.1)
            raise exits.pop()
        try:
            await asyncio.sleep(20 if number == "2" and exits else 0)
        except asyncio.CancelledError:
            ledger.append(f"{number} cancelled")
            raise
        ledger.append(f"{number} done")
        return number

    item = {"id": "i", "task": "t", "agent": "doer", "input": {"n": "{{ item }}"}}
    plan: Any = {"steps": [{"id": "m", "type": "map", "over": "{{ [0, 1, 2] }}", "step": item}]}
    agent = create_plan_agent(None, [doer], checkpointer=InMemorySaver())
    with pytest.raises(SystemExit):
        agent.invoke({"goal": "g", "plan": plan}, CONFIG)
    assert ledger == ["0 done", "2 cancelled"]
    assert agent.invoke(None, CONFIG)["outcomes"]["m"].output == ["0", "1", "2"]
    assert sorted(ledger[2:]) == ["1 done", "2 done"]


class Own(BaseException):
    """Of a caller's."""


OTHERS: list[tuple[BaseException, str]] = [
    (asyncio.CancelledError(), "CancelledError: raised by the specialist itself; nobody has cancelled the step"),
    (asyncio.CancelledError("my own"), "CancelledError: my own"),
    (Own("mine"), "Own: mine"),
    (GeneratorExit(), "GeneratorExit"),
    (BaseExceptionGroup("several", [Own("a"), ValueError("b")]), "BaseExceptionGroup: several: Own: a; ValueError: b"),
    (ExceptionGroup("two", [ValueError("a"), OSError("b")]), "ExceptionGroup: two: ValueError: a; OSError: b"),
    (StopIteration("end"), "StopIteration: end"),
    (StopAsyncIteration("end"), "StopAsyncIteration: end"),
]


@pytest.mark.parametrize(("error", "message"), OTHERS, ids=[type(row[0]).__name__ for row in OTHERS])
@pytest.mark.parametrize("way", [sync, coroutine], ids=lambda way: way.__name__)
def test_whatever_else_is_raised_is_a_failure_of_its_step(
    way: Callable[[Scene], object], error: BaseException, message: str
) -> None:
    outcome = outcome_of(way(Scene(error)))
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code, outcome.error.message) == ("failed", "raised", message)
    assert outcome.error.type == type(error).__name__


@pytest.mark.parametrize("error", [Own("mine"), GeneratorExit(), ValueError("x")], ids=lambda one: type(one).__name__)
def test_it_is_however_it_was_raised(way: Callable[[Scene], object], error: BaseException) -> None:
    scene = Scene(error)
    plan: Any = {"steps": PLAN["steps"][:2]}  # the step beside waits for as long as the error is there
    if way is task_of_its_own and isinstance(error, GeneratorExit):  # which in Python ends whatever awaits such a task
        with pytest.raises(RuntimeError, match="GeneratorExit"):
            scene.agent(way(scene)).invoke({"goal": "g", "plan": plan})
        return
    outcomes = scene.agent(way(scene)).invoke({"goal": "g", "plan": plan})["outcomes"]
    assert outcomes["first"].status == "succeeded"
    if way not in (another_agent, another_agent_that_blocks):  # whose own step has failed, and which gives an answer
        assert outcomes["last"].status == "failed"


def test_a_failure_in_a_task_group_is_tried_again_like_any_other() -> None:
    tries: list[int] = []

    async def act() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("x")
        return "there"

    @specialist
    async def doer(text: str) -> str:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(act())
        return task.result()

    outcome = outcome_of(doer, retry=Retry(initial_seconds=0))
    assert (outcome.status, outcome.output, outcome.attempts) == ("succeeded", "there", 3)


def test_questions_that_are_asked_in_a_task_group_reach_people() -> None:
    async def ask(what: str) -> str:
        return str(interrupt(what))

    @specialist
    async def doer(text: str) -> str:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ask("may I?"))
        return task.result()

    agent = create_plan_agent(None, [doer], checkpointer=InMemorySaver())
    asked = agent.invoke({"goal": "g", "plan": {"steps": [{"id": "a", "task": "t", "agent": "doer"}]}}, CONFIG)
    (request,) = asked["__interrupt__"]
    assert request.value == "may I?"
    assert agent.invoke(Command(resume={request.id: "yes"}), CONFIG)["answer"] == "yes"
