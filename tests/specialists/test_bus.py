"""Messages, shared values and locks, without a run around them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import DelegationRefused, NothingReceived, StepContext
from goalgraph.errors import AttemptOver
from goalgraph.planner.outcome import SharedWrite
from goalgraph.specialists.bus import Bus, Message
from goalgraph.specialists.locks import Locks
from goalgraph.specialists.shared import SharedStore

TEXT = st.sampled_from(["a", "b", "c"])


def message(body: Any, topic: str | None = None) -> Message:
    return Message(sender="s", topic=topic, body=body, at="2026-01-01T00:00:00+00:00")


@given(st.lists(TEXT, max_size=30), st.lists(st.sets(TEXT, min_size=1, max_size=2), max_size=40))
def test_each_message_is_taken_once_and_the_oldest_first(sent: list[str], takers: list[set[str]]) -> None:
    bus = Bus()
    for number, address in enumerate(sent):
        bus.send(address, message(number))
    left = dict(enumerate(sent))
    for boxes in takers:
        found = bus.take(sorted(boxes))
        oldest = next((number for number, address in left.items() if address in boxes), None)
        assert (found.body if isinstance(found, Message) else None) == oldest
        if oldest is not None:
            del left[oldest]


def test_all_who_wait_hear_of_a_message_and_only_the_first_gets_it() -> None:
    bus = Bus()
    waiting = [bus.take(["a"]), bus.take(["b", "a"]), bus.take(["b"])]
    bus.send("a", message("hi"))
    assert [isinstance(bell, Future) and bell.done() for bell in waiting] == [True, True, False]
    assert isinstance(bus.take(["a"]), Message)
    assert isinstance(bus.take(["a"]), Future)


def test_whoever_changes_what_it_hears_changes_nothing_for_others() -> None:
    bus = Bus()
    bus.publish(message({"list": [1]}, "t"))
    first: Any = bus.heard("t", 0)
    first.body["list"].append(2)
    second: Any = bus.heard("t", 0)
    assert second.body == {"list": [1]}


@given(
    st.lists(st.tuples(st.sampled_from(["s1", "s2", "s3"]), TEXT, st.integers(0, 3)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_what_all_steps_have_recorded_is_the_state_in_whatever_order_it_is_read(
    writes: list[tuple[str, str, int]], chance: Any
) -> None:
    store = SharedStore()
    for step, key, value in writes:
        store.put(step, key, value)
    recorded = [(step, store.written(step)) for step in ("s1", "s2", "s3")]
    chance.shuffle(recorded)
    again = SharedStore()
    for step, known in recorded:
        again.fold(step, known)
    assert again.snapshot() == store.snapshot()
    again.put("s4", "new", 1)
    numbers = [write.number for _, known in recorded for write in known]
    assert again.written("s4")[0].number > max(numbers, default=0)


def test_only_what_a_step_has_changed_is_recorded_for_it() -> None:
    store = SharedStore()
    store.fold("before", [SharedWrite(key="old", value=1, number=7)])
    store.put("s", "k", 1)
    store.put("s", "k", 1)
    store.put("s", "k", True)
    store.put("other", "k", True)
    assert store.written("s") == (SharedWrite(key="k", value=True, number=9),)
    assert store.written("other") == (SharedWrite(key="k", value=True, number=10),), "its own is to last without s's"
    assert store.written("before") == ()


def test_updates_from_many_threads_are_all_there() -> None:
    context = StepContext(goal="g")
    shared = context.shared

    def add() -> None:
        for _ in range(200):
            shared.update("count", lambda old: int(str(old)) + 1, default=0)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.get("count") == 800


def test_a_shared_value_is_the_readers_own() -> None:
    shared = StepContext(goal="g").shared
    given_: list[int] = [1]
    shared.put("k", given_)
    given_.append(2)
    found: Any = shared.get("k")
    found.append(3)
    shared.snapshot()["k"] = None
    assert (shared.get("k"), shared.get("none", "x")) == ([1], "x")


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [("x" * 100_001, ValueError, "more than 100000 characters"), (object(), TypeError, "no JSON form")],
    ids=["too large", "no JSON"],
)
def test_what_cannot_be_told_is_refused(value: Any, error: type[Exception], said: str) -> None:
    context = StepContext(goal="g")
    tells: list[Callable[[], object]] = [
        lambda: context.publish("t", value),
        lambda: context.send("s", value),
        lambda: context.shared.put("k", value),
        lambda: context.shared.update("k", lambda _old: value),
    ]
    for tell in tells:
        with pytest.raises(error, match=said):
            tell()
    assert context.shared.snapshot() == {}


@pytest.mark.parametrize("name", ["", " ", "x" * 201, 3], ids=["empty", "blank", "long", "number"])
def test_names_of_topics_keys_and_locks_are_texts(name: Any) -> None:
    context = StepContext(goal="g")
    for use in (
        lambda: context.publish(name, 1),
        lambda: context.subscribe(name),
        lambda: context.lock(name),
        lambda: context.shared.put(name, 1),
    ):
        with pytest.raises(ValueError, match="is a text of 1 to 200 characters"):
            use()


def test_the_shared_state_has_a_thousand_keys_at_most() -> None:
    store = SharedStore()
    for number in range(1_000):
        store.put("s", str(number), number)
    with pytest.raises(ValueError, match="1000 keys"):
        store.put("s", "more", 1)
    store.put("s", "7", "changed")


@given(st.lists(st.integers(0, 5), max_size=60))
def test_a_lock_has_one_holder_and_is_granted_in_the_order_of_asking(releases: list[int]) -> None:
    locks = Locks()
    tickets = [locks.request("l") for _ in range(6)]
    left = list(tickets)
    for number in releases:
        if tickets[number] in left:
            left.remove(tickets[number])
        locks.release(tickets[number])
        granted = [ticket for ticket in left if ticket.granted.done()]
        assert granted == left[:1]


async def test_outside_of_a_run_everything_works_with_nobody_there() -> None:
    context = StepContext(goal="g")
    context.publish("news", 1)
    assert [one.body async for one in context.subscribe("news")] == [1]
    with pytest.raises(NothingReceived, match="received no message within 0 s"):
        await context.receive(timeout=0)
    async with context.lock("l"):
        pass
    context.signal("ready", to="whoever")
    context.record_decision("left")
    assert context.observed() == ()
    with pytest.raises(DelegationRefused, match="not called by a run") as refused:
        await context.delegate("other", "do it")
    assert (refused.value.reason, refused.value.to) == ("no_run", "other")


def test_outside_of_a_run_a_thread_waits_too() -> None:
    context = StepContext(goal="g")
    context.send("", "to myself")
    assert context.wait(context.receive()).body == "to myself"
    context.publish("t", 1)
    assert [one.body for one in context.subscribe("t")] == [1]
    with context.lock("l"):
        pass


async def test_blocking_forms_are_refused_in_the_event_loop() -> None:
    context = StepContext(goal="g")
    with pytest.raises(RuntimeError, match="use await"):
        context.wait(context.receive())
    with pytest.raises(RuntimeError, match="async for"):
        next(iter(context.subscribe("t")))
    with pytest.raises(RuntimeError, match="async with"), context.lock("l"):
        pass


@pytest.mark.parametrize("used", [True, False], ids=["used before", "not used before"])
async def test_a_context_whose_attempt_is_over_tells_nobody_anything(used: bool) -> None:
    context = StepContext(goal="g")
    if used:
        context.publish("t", 1)
    context.close()
    uses: list[Callable[[], object]] = [
        lambda: context.publish("t", 1),
        lambda: context.send("s", 1),
        lambda: context.shared.put("k", 1),
        lambda: context.record_decision("x"),
    ]
    for use in uses:
        with pytest.raises(AttemptOver):
            use()
    with pytest.raises(AttemptOver):
        await context.receive()
    with pytest.raises(AttemptOver):
        await context.delegate("other")
    with pytest.raises(AttemptOver):
        async with context.lock("l"):
            pass
    context.signal("late")
    assert context.signals == ()


async def test_a_lock_is_given_back_when_its_wish_is_cancelled() -> None:
    context = StepContext(goal="g")
    order: list[str] = []

    async def hold(name: str) -> None:
        async with context.lock("l"):
            order.append(name)
            await asyncio.sleep(0.01)

    async with context.lock("l"):
        waiting = [asyncio.create_task(hold(name)) for name in ("first", "second")]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
    await asyncio.wait_for(waiting[1], 5)
    assert order == ["second"]


def test_a_signal_goes_to_one_audience() -> None:
    context = StepContext(goal="g")
    context.signal("ready", to="dependants")
    context.signal("ready", to="dependants")
    with pytest.raises(ValueError, match="'dependants' before, found 'all'"):
        context.signal("ready")
    assert context.signals == ("ready",)


def test_decisions_on_record_are_bounded() -> None:
    context = StepContext(goal="g")
    with pytest.raises(ValueError, match="chosen is empty"):
        context.record_decision(" ")
    for _ in range(100):
        context.record_decision("x" * 10_000)
    with pytest.raises(ValueError, match="100 decisions"):
        context.record_decision("y")
    assert {len(one.chosen) for one in context.desk.notes} == {2_000}
