"""The latest checkpoint of a thread is the one that was written last, whatever its id says."""

from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver

from goalgraph.errors import CorruptRun
from goalgraph.graph.storage.calling import Asking
from goalgraph.graph.storage.latest import CHANNEL, Latest
from goalgraph.graph.storage.savers import AnyLoopSaver


def config(checkpoint: str | None = None, thread: str = "1") -> RunnableConfig:
    named: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": ""}
    return {"configurable": named if checkpoint is None else {**named, "checkpoint_id": checkpoint}}


def name(number: int) -> str:
    return f"1f0{number:05}-0000-6000-8000-000000000000"


def checkpoint(number: int) -> Checkpoint:
    return {**empty_checkpoint(), "id": name(number)}


def put(saver: AnyLoopSaver, number: int, parent: str | None = None) -> None:
    saver.put(config(parent), checkpoint(number), {"source": "loop", "step": number}, {})


def step(found: CheckpointTuple) -> int:
    return found.metadata.get("step", -1)


def latest(saver: BaseCheckpointSaver[Any], at: RunnableConfig | None = None) -> CheckpointTuple:
    found = saver.get_tuple(at or config())
    assert found is not None
    return found


@given(
    numbers=st.lists(st.integers(0, 50), unique=True, min_size=1),
    restarts=st.sets(st.integers(0, 50)),
    looks=st.sets(st.integers(0, 50)),
)
def test_the_last_one_written_is_the_latest_and_nothing_is_lost(
    numbers: list[int], restarts: set[int], looks: set[int]
) -> None:
    inner = InMemorySaver()
    saver = AnyLoopSaver(inner)
    parent: str | None = None
    for place, number in enumerate(numbers):
        if place in restarts:
            saver = AnyLoopSaver(inner)
        if place in looks and parent is not None:
            assert latest(saver, config(parent)).checkpoint["id"] == parent
        put(saver, number, parent)
        parent = name(number)
        saver.put_writes(config(parent), [("x", number)], "task")
        for reader in (saver, AnyLoopSaver(inner)):
            found = latest(reader)
            assert found.checkpoint["id"] == parent
            assert found.config == config(parent)
            assert found.pending_writes == [("task", "x", number)]
    assert sorted(found.checkpoint["id"] for found in saver.list(config())) == sorted(map(name, numbers))
    assert all(found.pending_writes == [("task", "x", step(found))] for found in saver.list(config()))


@pytest.mark.parametrize("numbers", [(5, 3, 4, 9, 7), (1, 2, 3), (3, 2, 1, 4, 0)])
async def test_it_is_so_in_every_checkpointer(checkpointer: BaseCheckpointSaver[Any], numbers: tuple[int, ...]) -> None:
    parent, saver = None, AnyLoopSaver(checkpointer)
    for number in numbers:
        saver = AnyLoopSaver(checkpointer)  # as a new process would
        await saver.aput(config(parent), checkpoint(number), {"source": "loop", "step": number}, {})
        parent = name(number)
        await saver.aput_writes(config(parent), [("x", number)], "task")
        found = await AnyLoopSaver(checkpointer).aget_tuple(config())
        assert found is not None
        assert found.checkpoint["id"] == parent
        assert [write[1:] for write in found.pending_writes or ()] == [("x", number)]
    history = await saver.aget_delta_channel_history(config=config(parent), channels=["x"])
    assert [write[2] for write in history["x"]["writes"]] == list(numbers[:-1])
    listed = [found async for found in saver.alist(config())]
    assert [step(found) for found in listed] == sorted(numbers, reverse=True)
    assert not any(channel == CHANNEL for found in listed for _, channel, _ in found.pending_writes or ())


class Counting(InMemorySaver):
    """Notes what it is asked."""

    asked: tuple[str, ...] = ()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self.asked += ("get",)
        return super().get_tuple(config)

    def put(self, *args: Any, **kwargs: Any) -> RunnableConfig:
        self.asked += ("put",)
        return super().put(*args, **kwargs)

    def put_writes(self, *args: Any, **kwargs: Any) -> None:
        self.asked += ("write",)
        super().put_writes(*args, **kwargs)


def asked(saver: AnyLoopSaver) -> tuple[str, ...]:
    return cast("Counting", saver.inner).asked


def test_with_a_clock_that_goes_forward_nothing_more_is_read_or_written() -> None:
    saver = AnyLoopSaver(Counting())
    saver.get_tuple(config())
    for number in (1, 2, 3):
        put(saver, number)
    latest(saver)
    put(saver, 4)
    assert asked(saver) == ("get", "put", "put", "put", "get", "put")


def test_who_begins_at_a_checkpoint_of_his_own_looks_what_others_have_written_since() -> None:
    inner = Counting()
    here, there = AnyLoopSaver(inner), AnyLoopSaver(inner)
    put(here, 1)
    put(there, 9)
    latest(here, config(name(1)))
    before = len(asked(here))
    put(here, 2, name(1))
    assert asked(here)[before:] == ("get", "put", "write")
    assert latest(there).checkpoint["id"] == name(2)


def test_two_processes_that_write_at_once_do_not_lose_a_marker() -> None:
    inner = InMemorySaver()
    here, there = AnyLoopSaver(inner), AnyLoopSaver(inner)
    put(here, 9)
    latest(there)
    put(here, 2)
    put(there, 3)  # which knows nothing of the one before
    assert latest(AnyLoopSaver(inner)).checkpoint["id"] == name(3)


def test_what_was_read_before_more_was_written_is_not_believed() -> None:
    inner, thread = InMemorySaver(), Latest()

    def write(number: int) -> None:
        finish(thread.write(config(), checkpoint(number), {"step": number}, {}), None)

    def finish(asking: Asking[Any], answer: object) -> None:
        with suppress(StopIteration):
            while True:
                answer = asking.send(answer).now(inner)

    write(9)
    write(5)
    slow = thread.read(config())
    answer = next(slow).now(inner)
    write(6)
    write(7)
    finish(slow, answer)
    write(8)
    assert latest(AnyLoopSaver(inner)).checkpoint["id"] == name(8)


def test_a_deleted_thread_begins_anew() -> None:
    inner = InMemorySaver()
    saver = AnyLoopSaver(inner)
    put(saver, 9)
    put(saver, 5)
    saver.delete_thread("1")
    assert saver.get_tuple(config()) is None
    put(saver, 1)
    assert latest(saver).checkpoint["id"] == name(1)


def test_threads_and_namespaces_have_nothing_to_do_with_each_other() -> None:
    saver = AnyLoopSaver(InMemorySaver())
    put(saver, 9)
    other: RunnableConfig = {"configurable": {"thread_id": "1", "checkpoint_ns": "inner"}}
    saver.put(other, checkpoint(3), {"step": 3}, {})
    saver.put(config(thread="2"), checkpoint(4), {"step": 4}, {})
    put(saver, 5)
    assert [step(latest(saver, at)) for at in (config(), other, config(thread="2"))] == [5, 3, 4]


def test_a_marker_whose_checkpoint_is_gone_is_not_followed() -> None:
    inner = InMemorySaver()
    put(AnyLoopSaver(inner), 9)
    inner.put_writes(config(name(9)), [(CHANNEL, name(5))], f"{CHANNEL}:{1:012}:{name(5)}")
    saver = AnyLoopSaver(inner)
    assert latest(saver).checkpoint["id"] == name(9)
    put(saver, 6)
    assert latest(AnyLoopSaver(inner)).checkpoint["id"] == name(6)


@pytest.mark.parametrize(("task", "value"), [("goalgraph_latest:x", name(5)), (f"{CHANNEL}:1:", 5)])
def test_a_marker_that_is_none_is_a_corrupt_run(task: str, value: object) -> None:
    inner = InMemorySaver()
    put(AnyLoopSaver(inner), 9)
    inner.put_writes(config(name(9)), [(CHANNEL, value)], task)
    with pytest.raises(CorruptRun, match=f"thread '1', checkpoint {name(9)}, '{CHANNEL}'"):
        AnyLoopSaver(inner).get_tuple(config())
