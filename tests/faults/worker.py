"""A process that runs a made-up plan, or goes on with it, and answers what is asked; made to be killed.

    python -m tests.faults.worker DATABASE FOLDER SEED CHANCE

``DATABASE`` is a SQLite file, or how to connect to PostgreSQL; ``FOLDER`` is for its notes; the plan is made from
``SEED``, the order of the answers from ``CHANCE``.
"""

import asyncio
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.faults.bombs import UNFLUSHED
from tests.faults.crew import agent_for
from tests.faults.life import live
from tests.faults.plans import Case, make_case
from tests.faults.witness import Witness

__all__ = ["opened", "process"]


async def process(case: Case, saver: BaseCheckpointSaver[Any], folder: Path, chance: random.Random) -> None:
    """Run the plan, or go on with it."""
    witness = Witness(folder)
    ledger = witness.open_ledger()
    await live(agent_for(case, saver, ledger), case, ledger, witness, chance)


@asynccontextmanager
async def opened(database: str, chance: random.Random) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open a database with one of the savers that there are for it."""
    is_async = chance.random() < 0.5
    if "dbname=" in database:
        from langgraph.checkpoint.postgres import PostgresSaver
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        if is_async:
            async with AsyncPostgresSaver.from_conn_string(database) as saver:
                await saver.setup()
                yield saver
        else:
            with PostgresSaver.from_conn_string(database) as saver:
                saver.setup()
                yield saver
    elif is_async:
        async with AsyncSqliteSaver.from_conn_string(database) as saver:
            await saver.conn.execute(UNFLUSHED)
            yield saver
    else:
        connection = sqlite3.connect(database, check_same_thread=False)
        connection.execute(UNFLUSHED)
        try:
            yield SqliteSaver(connection)
        finally:
            connection.close()


async def main() -> None:
    """See the module."""
    database, folder, seed, chosen = sys.argv[1:]
    chance = random.Random(chosen)
    async with opened(database, chance) as saver:
        await process(make_case(int(seed)), saver, Path(folder), chance)


if __name__ == "__main__":
    asyncio.run(main())
