"""The thread that writes to storage: in order, several pieces to a commit, nothing reported before it is committed."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from goalgraph.graph.storage.writer import Writer, grouping


async def test_jobs_run_in_order_in_one_thread_and_give_their_results() -> None:
    writer = Writer()
    threads: set[int] = set()
    order: list[int] = []

    def job(number: int) -> int:
        threads.add(threading.get_ident())
        order.append(number)
        return number * 2

    results = await asyncio.gather(*(writer.do(partial(job, number)) for number in range(50)))
    assert results == [number * 2 for number in range(50)]
    assert order == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_what_waits_together_is_one_group_and_nothing_is_reported_before_its_end() -> None:
    begun = 0
    ended: set[int] = set()

    @contextmanager
    def group() -> Generator[None]:
        nonlocal begun
        begun += 1
        yield
        time.sleep(0.01)
        ended.add(begun)

    writer = Writer(group)

    async def one() -> bool:
        mine = await writer.do(lambda: begun)
        return mine in ended

    assert all(await asyncio.gather(*(one() for _ in range(20))))
    assert begun < 20


async def test_a_job_that_fails_fails_alone() -> None:
    writer = Writer()

    def bad() -> None:
        raise ValueError("no")

    results = await asyncio.gather(writer.do(lambda: 1), writer.do(bad), writer.do(lambda: 3), return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert results[2] == 3


async def test_a_commit_that_fails_fails_all_of_its_group() -> None:
    @contextmanager
    def group() -> Generator[None]:
        yield
        raise sqlite3.OperationalError("database is locked")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await Writer(group).do(lambda: 1)


def test_it_serves_several_event_loops() -> None:
    writer = Writer()

    async def twice() -> int:
        return await writer.do(lambda: 1) + await writer.do(lambda: 1)

    assert asyncio.run(twice()) + asyncio.run(twice()) == 4


async def test_writes_to_sqlite_that_come_together_are_committed_together(tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        saver.setup()
        ours, writer = grouping(saver)
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        saver.conn.set_trace_callback(count)
        config: RunnableConfig = {"configurable": {"thread_id": "1", "checkpoint_ns": "", "checkpoint_id": "c"}}

        async def write(task: int) -> None:
            await writer.do(lambda: ours.put_writes(config, [("channel", task)], f"task {task}"))

        await asyncio.gather(*map(write, range(100)))
        saver.conn.set_trace_callback(None)
        with sqlite3.connect(tmp_path / "run.sqlite") as other:
            assert other.execute("SELECT count(*) FROM writes").fetchone() == (100,)
        assert commits < 50


def test_other_savers_are_used_as_they_are() -> None:
    saver = InMemorySaver()
    assert grouping(saver)[0] is saver


@pytest.mark.parametrize("times", [1, 3])
async def test_a_call_that_is_cancelled_ends_when_its_job_does(times: int) -> None:
    writer, begun, over = Writer(), threading.Event(), list[str]()

    def job() -> None:
        begun.set()
        time.sleep(0.2)
        over.append("over")

    calling = asyncio.create_task(writer.do(job))
    await asyncio.to_thread(begun.wait)
    for _ in range(times):
        calling.cancel()
        await asyncio.sleep(0.02)
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert over == ["over"], "whoever cancels may close the connection now"
    assert await writer.do(lambda: "goes on") == "goes on"
