"""A thread that does blocking storage work in order, several pieces to a commit where they come fast."""

import asyncio
import concurrent.futures
import copy
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from langgraph.checkpoint.base import BaseCheckpointSaver

__all__ = ["Writer", "grouping"]

T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop | None, Any, Callable[[], object]]
"""The loop that waits for it, None where a thread does; the future; and the work."""

_IDLE_SECONDS = 2.0
_MOST_AT_ONCE = 256


class Writer:
    """Runs jobs one after the other in a thread of its own; what waits together is done as one group.

    A job is reported as done only after its group has ended, so that within a group of database writes nothing is
    reported before it is committed. The thread ends when it has been idle for a while, and starts again when it is
    needed.
    """

    def __init__(self, group: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Args: what each group of jobs runs in, such as a transaction."""
        self._group = group
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    async def do(self, job: Callable[[], T]) -> T:
        """Run a job in the thread and return its result.

        Cancellation is passed on once the job is over: whoever cancels may close the connection next, and SQLite ends
        the process where one is closed that is in use.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put((loop, future, job))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            future.exception()  # else it is complained about
            raise

    def call(self, job: Callable[[], T]) -> T:
        """Run a job from sync code: in the thread where jobs are grouped, so that it is never in another's group."""
        if self._group is nullcontext:
            return job()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._put((None, future, job))
        return future.result()

    def _put(self, job: _Job) -> None:
        with self._lock:
            self._jobs.put(job)
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="goalgraph-writer", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                jobs = [self._jobs.get(timeout=_IDLE_SECONDS)]
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._running = False
                        return
                continue
            while len(jobs) < _MOST_AT_ONCE and not self._jobs.empty():
                jobs.append(self._jobs.get())
            self._do_group(jobs)

    def _do_group(self, jobs: list[_Job]) -> None:
        results: list[tuple[object, BaseException | None]] = []
        try:
            with self._group():
                for _, _, job in jobs:
                    try:
                        results.append((job(), None))
                    except Exception as error:
                        results.append((None, error))
        except Exception as error:
            results = [(None, error)] * len(jobs)
        for loop in {job[0] for job in jobs}:
            ended = [(job[1], *result) for job, result in zip(jobs, results, strict=True) if job[0] is loop]
            if loop is None:
                _settle(ended)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(_settle, ended)


def grouping(saver: BaseCheckpointSaver[Any]) -> tuple[BaseCheckpointSaver[Any], Writer]:
    """Return a saver and the writer to call it through: a `SqliteSaver` commits once per group, others as they do."""
    try:
        from langgraph.checkpoint.sqlite import SqliteSaver
    except ImportError:
        return saver, Writer()
    if type(saver) is not SqliteSaver:
        return saver, Writer()
    connection: object = saver.conn
    with _sharing:
        held = connection if isinstance(connection, _HeldCommits) else _shared.get(id(connection))
        if held is None:
            held = _shared[id(connection)] = _HeldCommits(saver.conn, saver.lock)
    ours = copy.copy(saver)
    ours.conn = cast("sqlite3.Connection", held)
    return ours, held.writer


class _HeldCommits:
    """A SQLite connection whose commits wait for the end of a group, and the one writer that makes groups on it."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock) -> None:
        self.writer = Writer(self.group)
        self._connection = connection
        self._lock = lock
        self._holding = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def commit(self) -> None:
        if not self._holding:
            self._connection.commit()

    @contextmanager
    def group(self) -> Generator[None]:
        self._holding = True
        try:
            yield
            with self._lock:
                self._connection.commit()
        except BaseException:
            with self._lock:
                self._connection.rollback()
            raise
        finally:
            self._holding = False


def _settle(ended: list[tuple[Any, object, BaseException | None]]) -> None:
    for future, result, error in ended:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


_sharing = threading.Lock()
_shared: "WeakValueDictionary[int, _HeldCommits]" = WeakValueDictionary()
"""By the id of a connection, which lives as long as its entry: two writers would end each other's groups."""
