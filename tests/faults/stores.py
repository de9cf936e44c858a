"""The databases that the runs of these tests are kept in, opened as a new process would."""

import random
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

__all__ = ["UNFLUSHED", "CutSaver", "Opened", "Saver", "connected", "postgres_store", "sqlite_store", "store_at"]

Saver = BaseCheckpointSaver[Any]
Opened = Callable[[random.Random], AbstractAsyncContextManager[Saver]]
"""Opens a run's database, with any of the savers that there are for it."""

UNFLUSHED = "PRAGMA synchronous=OFF"
"""What a killed process has written stays written; only a machine that fails would lose it, and waiting is slow."""


def connected(database: Path) -> sqlite3.Connection:
    """Connect to a SQLite file."""
    connection = sqlite3.connect(database, check_same_thread=False)
    connection.execute(UNFLUSHED)
    return connection


@dataclass(slots=True)
class Wire:
    """To a database; savers are copied, and their copies share it."""

    is_cut: bool = False
    left: int | None = None
    """How many writes still go through; None: all until it is cut."""

    def pass_on(self, writes: int) -> None:
        """Let some writes through.

        Raises:
            sqlite3.OperationalError: It is cut.
        """
        if self.left is not None:
            self.is_cut = self.left < writes
            self.left -= writes
        if self.is_cut:
            raise sqlite3.OperationalError("disk I/O error")


class CutSaver(SqliteSaver):
    """A saver whose database is gone from some moment on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.wire = Wire()

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        self.wire.pass_on(1)
        return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.wire.pass_on(1)
        super().put_writes(config, writes, task_id, task_path)
        self.wire.pass_on(0)  # written, and nobody is told so


def sqlite_store(database: Path, *kinds: type[SqliteSaver | AsyncSqliteSaver]) -> Opened:
    """Return what opens a SQLite file, with one of these savers."""

    @asynccontextmanager
    async def opened(chance: random.Random) -> AsyncGenerator[Saver]:
        kind = chance.choice(kinds)
        if issubclass(kind, AsyncSqliteSaver):
            async with kind.from_conn_string(str(database)) as saver:
                await saver.conn.execute(UNFLUSHED)
                yield saver
            return
        connection = connected(database)
        try:
            yield kind(connection)
        finally:
            connection.close()

    return opened


def postgres_store(conninfo: str) -> Opened:
    """Return what opens a PostgreSQL database."""
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    @asynccontextmanager
    async def opened(chance: random.Random) -> AsyncGenerator[Saver]:
        if chance.random() < 0.5:
            async with AsyncPostgresSaver.from_conn_string(conninfo) as saver:
                await saver.setup()
                yield saver
        else:
            with PostgresSaver.from_conn_string(conninfo) as saver:
                saver.setup()
                yield saver

    return opened


def store_at(place: str) -> Opened:
    """Return what opens a database, given as a file or as how to connect."""
    return postgres_store(place) if "dbname=" in place else sqlite_store(Path(place), SqliteSaver, AsyncSqliteSaver)
