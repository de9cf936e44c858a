"""Savers that end their process with SIGKILL right before, or right after, a certain one of their writes."""

import os
import signal
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.faults.stores import UNFLUSHED

__all__ = ["Bomb", "MinedAsyncSaver", "MinedConnection", "MinedSaver", "mined_connection"]


@dataclass(slots=True)
class Bomb:
    """Counts writes, and goes off at one of them."""

    at: int = 0
    """Which write, from 1; 0: none."""
    when: Literal["before", "after"] = "before"
    count: int = 0

    @contextmanager
    def around(self) -> Generator[None]:
        """Stand around a write."""
        self.count += 1
        number = self.count
        if number == self.at and self.when == "before":
            self._go_off()
        yield
        if number == self.at and self.when == "after":
            self._go_off()

    def _go_off(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()  # another thread may be the one that is told


class MinedSaver(SqliteSaver):
    """Each checkpoint and each of a task's writes counts."""

    def __init__(self, connection: sqlite3.Connection, bomb: Bomb) -> None:
        super().__init__(connection)
        self.bomb = bomb

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        with self.bomb.around():
            return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        with self.bomb.around():
            super().put_writes(config, writes, task_id, task_path)


class MinedAsyncSaver(AsyncSqliteSaver):
    """The same of the async saver."""

    bomb = Bomb()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        with self.bomb.around():
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        with self.bomb.around():
            await super().aput_writes(config, writes, task_id, task_path)


class MinedConnection(sqlite3.Connection):
    """Each statement that writes rows and each commit counts: what a saver whose commits are grouped comes down to."""

    bomb = Bomb()

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _MinedCursor)

    def commit(self) -> None:
        with self.bomb.around():
            super().commit()


class _MinedCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> "_MinedCursor":
        return self._counted(sql, lambda: super(_MinedCursor, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> "_MinedCursor":
        return self._counted(sql, lambda: super(_MinedCursor, self).executemany(sql, parameters))

    def _counted(self, sql: str, write: Callable[[], "_MinedCursor"]) -> "_MinedCursor":
        if not sql.lstrip().upper().startswith("INSERT"):
            return write()
        with cast("MinedConnection", self.connection).bomb.around():
            return write()


def mined_connection(database: Path, bomb: Bomb) -> MinedConnection:
    """Connect to a SQLite file."""
    connection = sqlite3.connect(database, check_same_thread=False, factory=MinedConnection)
    connection.execute(UNFLUSHED)
    connection.bomb = bomb
    return connection
