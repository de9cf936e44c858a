"""Messages and locks between the steps of a run, through an agent."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph import ExecutionPolicy, Retry, StepContext, StepTask, answer, create_plan_agent, pending, specialist
from goalgraph.errors import AttemptOver

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def plan(*steps: Any) -> dict[str, Any]:
    """Steps ``id agent need need``, or steps as they are."""
    return {"steps": [_step(*one.split()) if isinstance(one, str) else one for one in steps]}


def _step(step_id: str, agent: str, *needs: str) -> dict[str, Any]:
    return {"id": step_id, "agent": agent, "task": "work", "depends_on": list(needs)}


async def ran(specialists: list[Any], *steps: Any, **policy: Any) -> Any:
    agent = create_plan_agent(None, specialists, execution=ExecutionPolicy(**policy))
    return await agent.ainvoke({"goal": "g", "plan": plan(*steps)})


@specialist
async def sender(task: StepTask, context: StepContext) -> str:
    context.send("b", {"from": task.step})
    context.publish("news", "first")
    await asyncio.sleep(0.02)
    context.publish("news", "second")
    return "sent"


@specialist
async def listener(task: StepTask, context: StepContext) -> Any:
    found = await context.receive(timeout=5)
    news = [one.body async for one in context.subscribe("news")]
    return [found.sender, found.topic, found.body, news]


@specialist(name="listener")
def blocking_listener(task: StepTask, context: StepContext) -> Any:
    found = context.wait(context.receive(timeout=5))
    return [found.sender, found.topic, found.body, [one.body for one in context.subscribe("news")]]


@pytest.mark.parametrize("one", [listener, blocking_listener], ids=["async", "sync"])
@pytest.mark.parametrize("steps", [("a sender", "b listener"), ("a sender", "b listener a")], ids=["beside", "after"])
async def test_a_step_hears_what_others_tell_also_before_it_began(one: Any, steps: tuple[str, ...]) -> None:
    done = await ran([sender, one], *steps)
    assert done["outcomes"]["b"].output == ["a", None, {"from": "a"}, ["first", "second"]]


async def test_those_who_only_listen_to_each_other_come_to_an_end() -> None:
    @specialist
    async def reader(task: StepTask, context: StepContext) -> Any:
        return [one.body async for one in context.subscribe("news", timeout=None)]

    done = await asyncio.wait_for(ran([sender, reader], "a sender", "b reader", "c reader"), 10)
    assert [done["outcomes"][one].output for one in "bc"] == [["first", "second"]] * 2


async def test_a_subscription_waits_for_steps_that_need_not_have_begun_yet_and_ends_after_a_silence() -> None:
    heard: dict[str, float] = {}

    @specialist
    async def reader(task: StepTask, context: StepContext) -> Any:
        began = time.monotonic()
        found = [one.body async for one in context.subscribe("none", timeout=0.3)]
        heard[task.step] = time.monotonic() - began
        return found

    @specialist
    async def slow(task: StepTask, context: StepContext) -> str:
        await asyncio.sleep(1)
        return "done"

    done = await ran([reader, slow], "a reader", "b slow")
    assert done["outcomes"]["a"].output == []
    assert 0.25 < heard["a"] < 0.9


async def test_the_mailbox_of_a_specialist_is_one_for_all_of_its_steps() -> None:
    @specialist
    async def giver(task: StepTask, context: StepContext) -> str:
        for number in range(4):
            context.send("taker", number)
        return "given"

    @specialist
    async def taker(task: StepTask, context: StepContext) -> list[Any]:
        return [(await context.receive(timeout=5)).body for _ in range(2)]

    done = await ran([giver, taker], "a giver", "b taker", "c taker")
    assert sorted(done["outcomes"]["b"].output + done["outcomes"]["c"].output) == [0, 1, 2, 3]


async def test_each_item_of_a_map_has_a_mailbox() -> None:
    @specialist
    async def giver(task: StepTask, context: StepContext) -> str:
        for number in range(2):
            context.send(f"each[{number}]", number)
        return "given"

    @specialist
    async def taker(task: StepTask, context: StepContext) -> Any:
        return (await context.receive(timeout=5)).body

    each = {"type": "map", "id": "each", "over": [1, 2], "step": {"id": "each", "agent": "taker", "task": "t"}}
    done = await ran([giver, taker], "a giver", each)
    assert done["outcomes"]["each"].output == [0, 1]


async def test_who_receives_nothing_is_told_who_waited() -> None:
    @specialist
    async def waiter(task: StepTask, context: StepContext) -> Any:
        return await context.receive(timeout=0.05)

    error = (await ran([waiter], "a waiter"))["outcomes"]["a"].error
    assert (error.type, error.message.split(";")[0]) == (
        "NothingReceived",
        "NothingReceived: step 'a' of 'waiter' received no message within 0.05 s",
    )


async def test_a_message_to_nobody_is_refused() -> None:
    @specialist
    async def giver(task: StepTask, context: StepContext) -> Any:
        context.send("nobody", 1)

    error = (await ran([giver], "a giver"))["outcomes"]["a"].error
    assert "no step and no specialist is called 'nobody'" in error.message


@pytest.mark.parametrize("limit", ["step_timeout", "idle_timeout"])
async def test_to_wait_for_a_message_obeys_timeouts_and_frees_the_thread(limit: str) -> None:
    freed: list[BaseException] = []
    over = threading.Event()

    @specialist
    def waiter(task: StepTask, context: StepContext) -> Any:
        try:
            return context.wait(context.receive(timeout=None))
        except BaseException as error:
            freed.append(error)
            raise
        finally:
            over.set()

    done = await ran([waiter], "a waiter", **{limit: 0.1})
    assert done["outcomes"]["a"].error.code == "timeout"
    assert await asyncio.to_thread(over.wait, 5)
    assert [type(error) for error in freed] == [AttemptOver]


async def test_a_thread_that_was_left_behind_has_no_part_in_the_run_any_more() -> None:
    go, said = threading.Event(), list[object]()
    told = threading.Event()

    @specialist
    def late(task: StepTask, context: StepContext) -> Any:
        go.wait(5)
        uses: list[Callable[[], object]] = [
            lambda: context.shared.put("k", "late"),
            lambda: context.publish("news", "late"),
        ]
        for use in uses:
            try:
                use()
                said.append("taken")
            except AttemptOver:
                said.append("refused")
        told.set()

    @specialist
    async def after(task: StepTask, context: StepContext) -> Any:
        go.set()
        await asyncio.to_thread(told.wait, 5)
        return context.shared.get("k", "nothing")

    steps = ["a late", {**_step("b", "after", "a"), "join": "all_done"}]
    done = await ran([late, after], *steps, step_timeout=None, idle_timeout=0.1)
    assert said == ["refused", "refused"]
    assert done["outcomes"]["b"].output == "nothing"


async def test_a_message_is_not_given_twice_where_the_attempt_that_took_it_fails() -> None:
    @specialist
    async def giver(task: StepTask, context: StepContext) -> str:
        context.send("b", "once")
        return "given"

    @specialist
    async def clumsy(task: StepTask, context: StepContext) -> Any:
        found = await context.receive(timeout=0.05)
        raise ConnectionError(found.body)

    done = await ran([giver, clumsy], "a giver", "b clumsy a", retry=Retry(max_attempts=2, initial_seconds=0.001))
    assert done["outcomes"]["b"].error.type == "NothingReceived"


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "sync"])
async def test_a_lock_has_one_holder_and_is_given_back_when_the_attempt_ends_in_whatever_way(blocking: bool) -> None:
    inside: list[int] = []
    most: list[int] = []
    held = threading.Event()

    @specialist(name="worker")
    async def worker(task: StepTask, context: StepContext) -> str:
        await asyncio.to_thread(held.wait, 5)
        async with context.lock("file"):
            inside.append(1)
            most.append(len(inside))
            await asyncio.sleep(0.01)
            inside.pop()
        return "done"

    @specialist(name="worker")
    def blocking_worker(task: StepTask, context: StepContext) -> str:
        held.wait(5)
        with context.lock("file"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()
        return "done"

    @specialist
    async def hog(task: StepTask, context: StepContext) -> str:
        await context.lock("file").__aenter__()
        held.set()
        await asyncio.sleep(60)
        return "never"

    steps = [{**_step("h", "hog"), "timeout": 0.3}, *(f"w{number} worker" for number in range(5))]
    done = await asyncio.wait_for(ran([blocking_worker if blocking else worker, hog], *steps), 20)
    assert done["outcomes"]["h"].error.code == "timeout"
    assert [done["outcomes"][f"w{number}"].status for number in range(5)] == ["succeeded"] * 5
    assert set(most) == {1}


async def test_a_thread_that_waits_for_a_lock_is_freed_when_its_attempt_ends() -> None:
    over = threading.Event()
    raised: list[type[BaseException]] = []

    @specialist
    async def hog(task: StepTask, context: StepContext) -> str:
        async with context.lock("file"):
            context.send("b", "held")
            await asyncio.to_thread(over.wait, 5)
        return "done"

    @specialist
    def waiter(task: StepTask, context: StepContext) -> str:
        context.wait(context.receive(timeout=5))
        try:
            with context.lock("file"):
                return "held"
        except BaseException as error:
            raised.append(type(error))
            raise
        finally:
            over.set()

    done = await ran([hog, waiter], "a hog", {**_step("b", "waiter"), "timeout": 0.2})
    assert done["outcomes"]["b"].error.code == "timeout"
    assert (raised, done["outcomes"]["a"].output) == ([AttemptOver], "done")


async def test_runs_inside_of_steps_hear_only_their_own_steps() -> None:
    @specialist
    async def reader(task: StepTask, context: StepContext) -> Any:
        return [one.body async for one in context.subscribe("news", timeout=1)]

    inner = create_plan_agent(None, [reader], name="inner")

    @specialist
    async def nest(task: StepTask, context: StepContext) -> Any:
        context.publish("news", "outside")
        context.shared.put("k", "outside")
        done = await inner.ainvoke({"goal": "g", "plan": plan("a reader")})
        return done["outcomes"]["a"].output

    assert (await ran([nest], "a nest"))["outcomes"]["a"].output == []


def test_a_resumed_run_has_no_messages_from_before(tmp_path: Path) -> None:
    taken: list[str] = []

    def build(saver: SqliteSaver) -> Any:
        @specialist
        async def giver(task: StepTask, context: StepContext) -> str:
            context.send("b", "of the first process")
            context.publish("news", "of the first process")
            return "given"

        @specialist
        async def taker(task: StepTask, context: StepContext) -> Any:
            taken.extend([str(one.body) async for one in context.subscribe("news")])
            return (await context.receive(timeout=0.05)).body

        return create_plan_agent(None, [giver, taker], checkpointer=saver)

    steps = ["a giver", {"id": "ok", "type": "human_approval", "prompt": "?", "depends_on": ["a"]}, "b taker ok"]
    for turn in range(2):
        with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
            agent = build(saver)
            if turn == 0:
                agent.invoke({"goal": "g", "plan": plan(*steps)}, CONFIG)
                continue
            (request,) = pending(agent, CONFIG)
            done = answer(agent, CONFIG, {request.id: True})
            assert done["outcomes"]["b"].error.type == "NothingReceived"
    assert taken == []


async def test_runs_that_tell_nothing_have_no_hub() -> None:
    seen: list[Any] = []

    @specialist
    async def quiet(task: StepTask, context: StepContext) -> str:
        seen.append(context)
        return "done"

    await ran([quiet], "a quiet")
    assert seen[0].opening.args[0].run.hub is None
