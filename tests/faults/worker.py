"""A process that runs a made-up plan, or goes on with it, and answers what is asked; made to be killed.

    python -m tests.faults.worker DATABASE FOLDER SEED CHANCE

``DATABASE`` is a SQLite file, or how to connect to PostgreSQL; ``FOLDER`` is for its notes; the plan is made from
``SEED``, the order of the answers from ``CHANCE``.
"""

import asyncio
import random
import sys
from pathlib import Path

from tests.faults.crew import agent_for
from tests.faults.life import Caller, live
from tests.faults.plans import Case, make_case
from tests.faults.stores import Saver, store_at
from tests.faults.witness import Witness

__all__ = ["process"]


async def process(case: Case, saver: Saver, folder: Path, chance: random.Random, *, is_sync: bool) -> None:
    """Run the plan, or go on with it, in async code or in sync code."""
    witness = Witness(folder)
    ledger = witness.open_ledger()
    caller = Caller(agent_for(case, saver, ledger), is_sync=is_sync)
    await live(caller, case, ledger, witness, chance)


async def main() -> None:
    """See the module."""
    database, folder, seed, chosen = sys.argv[1:]
    chance = random.Random(chosen)
    async with store_at(database)(chance) as saver:
        await process(make_case(int(seed)), saver, Path(folder), chance, is_sync=chance.random() < 0.5)


if __name__ == "__main__":
    asyncio.run(main())
