"""A SQLite file that another process holds: it is waited for, and nothing is lost, however long that takes."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from goalgraph import PlanAgent, StepContext, StepTask, create_plan_agent, specialist
from goalgraph.errors import CorruptRun
from goalgraph.graph.storage.savers import AnyLoopSaver
from goalgraph.graph.storage.storage_errors import Patience, reading
from goalgraph.graph.storage.writer import grouping

CONFIG: Any = {"configurable": {"thread_id": "1"}}
CONFIG_AT: RunnableConfig = {"configurable": {"thread_id": "1", "checkpoint_ns": "", "checkpoint_id": "c"}}
HOLDER = """
import sqlite3, sys, time
run = sqlite3.connect(sys.argv[1], isolation_level=None)
run.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
COUNT = 6
PLAN = {
    "steps": [
        {"id": f"s{i}", "task": "t", "agent": "worker", "depends_on": [f"s{i - 1}"] if i else []} for i in range(COUNT)
    ]
}


@contextmanager
def held(file: Path, seconds: float, how: str = "IMMEDIATE") -> Generator[None]:
    """Hold a database from another connection, and let it go after a time."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute(f"BEGIN {how}")
    timer = threading.Timer(seconds, other.rollback)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        other.close()


def agent_of(saver: BaseCheckpointSaver[Any], ledger: list[str], meanwhile: Callable[[str], None]) -> PlanAgent:
    @specialist
    async def worker(task: StepTask, context: StepContext) -> str:
        ledger.append(task.step)
        meanwhile(task.step)
        return task.step

    return create_plan_agent(None, [worker], checkpointer=saver)


def nothing(step: str) -> None:
    pass


def test_a_database_that_another_process_holds_for_eight_seconds_loses_no_run(tmp_path: Path) -> None:
    file, ledger = tmp_path / "run.sqlite", list[str]()

    def hold(step: str) -> None:
        if step == "s2":
            held = subprocess.Popen([sys.executable, "-c", HOLDER, file, "8"], stdout=subprocess.PIPE, text=True)
            processes.append(held)
            assert held.stdout is not None
            assert held.stdout.readline() == "held\n"

    processes: list[subprocess.Popen[str]] = []
    with SqliteSaver.from_conn_string(str(file)) as saver:  # which waits for five
        began = time.monotonic()
        done = agent_of(saver, ledger, hold).invoke({"goal": "g", "plan": PLAN}, CONFIG)
        assert time.monotonic() - began > 7
    processes[0].communicate(timeout=10)
    assert done["status"] == "complete"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        again = agent_of(saver, ledger, nothing).invoke(None, CONFIG)
    assert list(again["outcomes"]) == [f"s{i}" for i in range(COUNT)] == ledger


@pytest.fixture(params=["sync", "async"])
async def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Savers whose own connections wait for nothing."""
    file = tmp_path / "run.sqlite"
    if request.param == "sync":
        connection = sqlite3.connect(file, timeout=0, check_same_thread=False)
        yield SqliteSaver(connection)
        connection.close()
    else:
        async with aiosqlite.connect(file, timeout=0) as async_connection:
            yield AsyncSqliteSaver(async_connection)


async def test_a_run_that_is_begun_on_a_database_in_use_begins_when_it_is_free(
    impatient: BaseCheckpointSaver[Any], tmp_path: Path
) -> None:
    with held(tmp_path / "run.sqlite", 0.5, "EXCLUSIVE"):
        done = await agent_of(impatient, [], nothing).ainvoke({"goal": "g", "plan": PLAN}, CONFIG)
    assert done["status"] == "complete"


async def test_what_another_process_writes_in_between_does_not_stop_a_run(
    impatient: BaseCheckpointSaver[Any], tmp_path: Path
) -> None:
    file = tmp_path / "run.sqlite"
    await AnyLoopSaver(impatient).aget_tuple(CONFIG)
    stop = threading.Event()

    def disturb() -> None:
        other = sqlite3.connect(file, isolation_level=None, timeout=5)
        while not stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            other.execute("CREATE TABLE IF NOT EXISTS noise (x)")
            other.execute("INSERT INTO noise VALUES (1)")
            time.sleep(0.02)
            other.execute("COMMIT")
            time.sleep(0.005)
        other.close()

    noise = threading.Thread(target=disturb)
    noise.start()
    ledgers: list[list[str]] = [[], [], []]
    try:
        configs: list[Any] = [{"configurable": {"thread_id": str(number)}} for number in range(3)]
        calls = [
            agent_of(impatient, ledger, nothing).ainvoke({"goal": "g", "plan": PLAN}, config)
            for ledger, config in zip(ledgers, configs, strict=True)
        ]
        done = await asyncio.gather(*calls)
    finally:
        stop.set()
        noise.join()
    assert [one["status"] for one in done] == ["complete"] * 3
    for config in configs:
        agent = agent_of(impatient, [], nothing)
        assert list((await agent.aget_state(config)).values["outcomes"]) == [f"s{i}" for i in range(COUNT)]


async def test_a_sync_call_waits_too(impatient: BaseCheckpointSaver[Any], tmp_path: Path) -> None:
    saver = AnyLoopSaver(impatient)
    await saver.aget_tuple(CONFIG)
    at: RunnableConfig = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    with held(tmp_path / "run.sqlite", 0.3):
        await asyncio.to_thread(saver.put, at, empty_checkpoint(), {"step": 0}, {})
    assert await asyncio.to_thread(saver.get_tuple, CONFIG) is not None


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_what_is_read_while_a_write_waits_does_not_make_it_wait_for_ever(
    way: str, impatient: BaseCheckpointSaver[Any], tmp_path: Path
) -> None:
    saver = AnyLoopSaver(impatient)
    await saver.aget_tuple(CONFIG)
    other = sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE noise (x)")
    if way == "sync":
        writing = asyncio.create_task(asyncio.to_thread(saver.put_writes, CONFIG_AT, [("x", 1)], "task"))
    else:
        writing = asyncio.create_task(saver.aput_writes(CONFIG_AT, [("x", 1)], "task"))
    for _ in range(20):
        await saver.aget_tuple(CONFIG)  # sees, and in a transaction goes on to see, what was there before
        await asyncio.sleep(0.01)
    other.execute("COMMIT")
    for _ in range(20):
        await saver.aget_tuple(CONFIG)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        await writing
    assert other.execute("SELECT count(*) FROM writes").fetchone() == (1,)
    other.close()


def test_a_connection_has_one_writer_for_all_that_use_it(tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        ours, writer = grouping(saver)
        assert grouping(saver)[1] is writer
        assert grouping(ours)[1] is writer
        assert grouping(saver.with_allowlist([("a", "b")]))[1] is writer
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as other:
        assert grouping(other)[1] is not writer


def busy() -> sqlite3.OperationalError:
    file = "file:busy?mode=memory&cache=shared"
    first, second = (sqlite3.connect(file, uri=True, isolation_level=None, timeout=0) for _ in range(2))
    first.execute("CREATE TABLE t (x)")
    first.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(sqlite3.OperationalError) as raised:
            second.execute("INSERT INTO t VALUES (1)")
    finally:
        first.close()
        second.close()
    return raised.value


def test_patience_is_for_what_is_busy_and_ends() -> None:
    patience = Patience(0.05)
    assert patience.outlasts(busy())
    time.sleep(0.06)
    assert not patience.outlasts(busy())
    assert not Patience().outlasts(sqlite3.OperationalError("no such table"))
    assert not Patience().outlasts(ValueError("locked"))


async def test_a_connection_that_is_closed_is_no_corrupt_run(tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as saver:
        await saver.setup()
    with pytest.raises(ValueError, match="no active connection"):
        await AnyLoopSaver(saver).aget_tuple(CONFIG)
    with SqliteSaver.from_conn_string(str(tmp_path / "run.sqlite")) as sync:
        sync.setup()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        await AnyLoopSaver(sync).aget_tuple(CONFIG)


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("loop"), sqlite3.OperationalError("disk I/O error")])
def test_what_is_no_damage_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), reading(CONFIG):
        raise error


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), EOFError(), sqlite3.DatabaseError("malformed")])
def test_damage_is_a_corrupt_run_that_names_its_thread(error: Exception) -> None:
    with pytest.raises(CorruptRun, match="thread '1'") as raised, reading(CONFIG):
        raise error
    assert raised.value.__cause__ is error
    assert raised.value.thread == "1"
