"""Disturbing a run inside of the test's process: cancelled, or cut off from its database, and begun anew from there."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.faults.bombs import UNFLUSHED
from tests.faults.checker import History
from tests.faults.crew import agent_for
from tests.faults.ledger import Ledger
from tests.faults.life import expected_of, live
from tests.faults.plans import Case, rules_of
from tests.faults.witness import Witness

__all__ = ["CutSaver", "Moment", "Opened", "disturbed", "sqlite_savers"]

Opened = Callable[[random.Random], AbstractAsyncContextManager[BaseCheckpointSaver[Any]]]
"""Opens the run's database as a new process would."""

_SECONDS = 40.0
"""In which a run that nobody disturbs any more must have ended."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a process is stopped."""

    lines: int
    """After so many lines of its ledger."""
    pause: float = 0.0
    """And so many seconds."""
    writes: int | None = None
    """Or, with a `CutSaver`, after so many writes."""

    @staticmethod
    def several(chance: random.Random) -> "tuple[Moment, ...]":
        """Make some up."""
        lines = [0, 1, 2, 5, 10, 20, 30]
        return tuple(
            Moment(chance.choice(lines), chance.random() * chance.choice([0.0, 0.002, 0.01]))
            for _ in range(chance.randint(1, 5))
        )


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


def sqlite_savers(database: Path) -> Opened:
    """Open a SQLite file with any of the savers there are."""

    @asynccontextmanager
    async def opened(chance: random.Random) -> AsyncIterator[BaseCheckpointSaver[Any]]:
        kind = chance.choice([SqliteSaver, SqliteSaver, CutSaver, AsyncSqliteSaver])
        if kind is AsyncSqliteSaver:
            async with AsyncSqliteSaver.from_conn_string(str(database)) as saver:
                await saver.conn.execute(UNFLUSHED)
                yield saver
        else:
            connection = sqlite3.connect(database, check_same_thread=False)
            connection.execute(UNFLUSHED)
            try:
                yield kind(connection)
            finally:
                connection.close()

    return opened


async def disturbed(
    case: Case, folder: Path, opened: Opened, chance: random.Random, moments: Sequence[Moment], *, gated: bool = True
) -> History:
    """Run a plan that is stopped several times at moments of chance, until it has ended.

    Args:
        case: The plan.
        folder: For its notes.
        opened: Opens its database.
        chance: Of the moments and the answers.
        moments: When it is stopped.
        gated: Whether its policy is heeded.
    """
    witness = Witness(folder)
    for moment in (*moments, None):
        ledger = witness.open_ledger()
        try:
            async with opened(chance) as saver:
                agent = agent_for(case, saver, ledger, gated=gated)
                life = asyncio.create_task(live(agent, case, ledger, witness, chance))
                if moment is not None:
                    await _stopped(life, saver, ledger, moment)
                else:
                    await _undisturbed(life)
                await agent.aget_state({"configurable": {"thread_id": "another"}})  # what was on its way has arrived
        finally:
            ledger.close()
        if witness.is_over:
            break
    return witness.history(rules_of(case), await expected_of(case))


async def _stopped(life: "asyncio.Task[None]", saver: BaseCheckpointSaver[Any], ledger: Ledger, moment: Moment) -> None:
    """Stop it soon, in one way or another."""
    if isinstance(saver, CutSaver):
        saver.wire.left = moment.writes
    while moment.writes is None and ledger.written < moment.lines and not life.done():
        await asyncio.sleep(0.001)
    await asyncio.sleep(moment.pause)
    if isinstance(saver, CutSaver):
        saver.wire.is_cut = moment.writes is None
        with suppress(sqlite3.OperationalError):
            await _undisturbed(life)
    else:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def _undisturbed(life: "asyncio.Task[None]") -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await life
